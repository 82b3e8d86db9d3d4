import { expect, it } from "vitest";
import { isAtLeast } from "../../src/client/doctor/finding.js";
import { gitFinding, nodeFinding, roomFinding } from "../../src/client/doctor/machine.js";

it.each([
  ["2.39.5", [2, 30], true],
  ["2.9.1", [2, 30], false],
  ["v20.3.0", [20, 3], true],
  ["v20.2.9", [20, 3], false],
  ["3", [2, 30], true],
  ["2", [2, 0], true],
])("compares %s with %j number by number", (version, minimum, answer) => {
  expect(isAtLeast(version, minimum)).toBe(answer);
});

it.each([
  [nodeFinding("v18.20.0"), "fail"],
  [nodeFinding("v20.3.0"), "ok"],
  [gitFinding(null), "fail"],
  [gitFinding("2.20.1"), "fail"],
  [gitFinding("2.39.5"), "ok"],
  [roomFinding("/d", 1024 ** 3), "warn"],
  [roomFinding("/d", 50 * 1024 ** 3), "ok"],
])("finds %j", (finding, level) => {
  expect(finding.level).toBe(level);
  expect(finding.advice === "").toBe(level === "ok");
});
