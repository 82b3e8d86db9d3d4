import { describe, expect, it } from "vitest";
import { lackOfMemory } from "../../../src/model/containers/memory.js";

const MIB = 2 ** 20;
const LACK = "it ran out of memory, of which its container has 64.0 MiB: raise container.memory";

describe("a container's lack of memory", () => {
  it.each([
    ["what the engine says ran out of it", "exited", { exitCode: 137, oomKilled: true }, LACK],
    ["one part of a command that went on", "exited", { exitCode: 0, oomKilled: true }, LACK],
    ["what ran out of it until its time was over", "timeout", { exitCode: 137, oomKilled: true }, LACK],
    [
      "what was killed by nobody that the engine knows",
      "exited",
      { exitCode: 137, oomKilled: false },
      `it was killed, most likely because ${LACK}`,
    ],
  ] as const)("is told of %s", (_, end, exit, expected) => {
    expect(lackOfMemory(end, exit, 64 * MIB)).toBe(expected);
  });

  it.each([
    ["failed by itself", "exited", { exitCode: 1, oomKilled: false }],
    ["was ended for its time", "timeout", { exitCode: 137, oomKilled: false }],
    ["was ended for its silence", "idle-timeout", { exitCode: 137, oomKilled: false }],
    ["was cancelled", "cancelled", { exitCode: 137, oomKilled: false }],
  ] as const)("is not told of what %s", (_, end, exit) => {
    expect(lackOfMemory(end, exit, 64 * MIB)).toBeNull();
  });
});
