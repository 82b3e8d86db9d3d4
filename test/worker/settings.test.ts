import { expect, it } from "vitest";
import { workerSettings } from "../../src/worker/settings.js";

it("has defaults, for variables that are empty too", () => {
  const defaults = {
    logLevel: "info",
    maxActivities: 32,
    metricsAddress: null,
    healthAddress: null,
    deployment: null,
  };
  expect(workerSettings({})).toEqual(defaults);
  expect(workerSettings({ TOWPATH_MAX_ACTIVITIES: "", TOWPATH_LOG_LEVEL: "" })).toEqual(defaults);
});

it("reads every variable", () => {
  expect(
    workerSettings({
      TOWPATH_LOG_LEVEL: "debug",
      TOWPATH_MAX_ACTIVITIES: "4",
      TOWPATH_METRICS_ADDRESS: "0.0.0.0:9090",
      TOWPATH_HEALTH_ADDRESS: "0.0.0.0:8080",
      TOWPATH_DEPLOYMENT: "towpath",
    }),
  ).toEqual({
    logLevel: "debug",
    maxActivities: 4,
    metricsAddress: "0.0.0.0:9090",
    healthAddress: "0.0.0.0:8080",
    deployment: "towpath",
  });
});

it.each([
  ["TOWPATH_LOG_LEVEL", "loud"],
  ["TOWPATH_MAX_ACTIVITIES", "0"],
  ["TOWPATH_MAX_ACTIVITIES", "many"],
  ["TOWPATH_METRICS_ADDRESS", "9090"],
  ["TOWPATH_DEPLOYMENT", "tow.path"],
  ["TOWPATH_HEALTH_ADDRESS", "a b:1"],
])("refuses %s=%s by name", (name, value) => {
  expect(() => workerSettings({ [name]: value })).toThrow(expect.objectContaining({ type: "Usage" }));
  expect(() => workerSettings({ [name]: value })).toThrow(name);
});
