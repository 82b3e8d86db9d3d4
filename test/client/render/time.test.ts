import { describe, expect, it } from "vitest";
import { duration, relativeTime } from "../../../src/client/render/time.js";

describe("duration", () => {
  it.each([
    [0, "0ms"],
    [999, "999ms"],
    [1000, "1s"],
    [59_999, "59s"],
    [60_000, "1m"],
    [200_000, "3m 20s"],
    [7_500_000, "2h 5m"],
    [86_400_000, "1d"],
    [100_000_000, "1d 3h"],
  ])("says %i ms as %s", (milliseconds, text) => {
    expect(duration(milliseconds)).toBe(text);
  });
});

describe("relativeTime", () => {
  const now = new Date("2026-03-01T12:00:00.000Z");
  it.each([
    ["2026-03-01T12:00:00.000Z", "just now"],
    ["2026-03-01T11:57:00.000Z", "3m ago"],
    ["2026-03-03T14:00:00.000Z", "in 2d 2h"],
    ["", ""],
    ["yesterday", ""],
  ])("says %j as %j", (iso, text) => {
    expect(relativeTime(iso, now)).toBe(text);
  });
});
