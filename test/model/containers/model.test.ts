import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type ContainerIdentity,
  containerName,
  identityOf,
  labelsOf,
  sameCommand,
} from "../../../src/model/containers/labels.js";
import {
  containerImages,
  defaultContainer,
  parseMemory,
  refreshedImages,
  stepContainer,
} from "../../../src/model/containers/settings.js";
import { requireSpec } from "../../../src/model/spec/parse.js";

const IDENTITY: ContainerIdentity = {
  kind: "step",
  namespace: "default",
  workflowId: "mig_20260101_000000_a",
  runId: "run",
  stepId: "one",
  attempt: 2,
  command: "verify-1",
  projectId: "ab".repeat(32),
  projectDir: "/home/ada/my project",
  hostId: "host-00000000",
  createdAt: "2026-01-01T00:00:00.000Z",
  secretNames: "A,B",
};

describe("labels", () => {
  it("say the same when they are read as when they were written", () => {
    expect(identityOf(labelsOf(IDENTITY))).toEqual(IDENTITY);
  });

  it("make nothing ours that is not complete", () => {
    const labels = labelsOf(IDENTITY);
    for (const name of Object.keys(labels)) {
      const { [name]: _, ...rest } = labels;
      expect(identityOf(rest)).toBeNull();
    }
    expect(identityOf({ ...labels, "towpath.managed": "false" })).toBeNull();
    expect(identityOf({ ...labels, "towpath.attempt": "0" })).toBeNull();
    expect(identityOf({})).toBeNull();
  });

  it("tell the commands of attempts apart, whoever ran them", () => {
    expect(sameCommand(IDENTITY, { ...IDENTITY, runId: "another", createdAt: "later" })).toBe(true);
    for (const change of [
      { attempt: 3 },
      { command: "run" },
      { stepId: "two" },
      { hostId: "h-1" },
      { workflowId: "x" },
    ])
      expect(sameCommand(IDENTITY, { ...IDENTITY, ...change })).toBe(false);
  });

  it("name containers as engines take names", () => {
    const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
    const step = fc.stringMatching(/^[A-Za-z0-9_-]{1,63}$/);
    fc.assert(
      fc.property(
        hex,
        hex,
        step,
        fc.integer({ min: 1, max: 99 }),
        (pathDigest, migrationDigest, stepId, attempt) => {
          const name = containerName({ pathDigest, migrationDigest, stepId, attempt, command: "run" });
          expect(name).toMatch(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/);
          expect(name.startsWith(`towpath-${pathDigest.slice(0, 12)}`)).toBe(true);
        },
      ),
    );
  });
});

function spec(defaults: string, step: string) {
  return requireSpec(
    `version: 1
name: a
target: b
${defaults}
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  migrate: { steps: [{ id: one, run: x${step} }] }
`,
    { fileName: "towpath.yaml" },
  );
}

describe("container settings", () => {
  it.each([
    ["512m", 512 * 1024 ** 2],
    ["2g", 2 * 1024 ** 3],
    ["1.5G", 1.5 * 1024 ** 3],
    ["100k", 102_400],
    ["7b", 7],
    ["2", null],
    ["g", null],
    ["-1g", null],
  ])("read %s as %s bytes", (text, bytes) => {
    expect(parseMemory(text)).toBe(bytes);
  });

  it("are hardened by default, and merge a step's over the defaults'", () => {
    const parsed = spec(
      "defaults: { container: { image: tools, memory: 1g, env: { A: 1, B: 2 } } }",
      ", container: { cpus: 4, env: { B: 3 } }",
    );
    expect(defaultContainer(parsed)).toEqual({
      image: "tools",
      network: "none",
      memoryBytes: 1024 ** 3,
      cpus: 2,
      pids: 2048,
      env: { A: "1", B: "2" },
      user: null,
      prune: true,
    });
    const [, one] = [null, parsed.phases.migrate?.steps?.[0]?.container];
    expect(stepContainer(parsed, one)).toMatchObject({
      image: "tools",
      memoryBytes: 1024 ** 3,
      cpus: 4,
      env: { A: "1", B: "3" },
    });
  });

  it("let a step have an image of its own, or the host", () => {
    expect(stepContainer(spec("", ", container: other:1"), "other:1")).toMatchObject({ image: "other:1" });
    expect(stepContainer(spec("defaults: { container: tools }", ", container: false"), false)).toBeNull();
    expect(stepContainer(spec("", ""), undefined)).toBeNull();
  });

  it("list every image once, and those that are refreshed", () => {
    const parsed = spec(
      "defaults: { container: { image: tools, prune: false } }",
      ", container: { image: other, prune: true }",
    );
    expect(containerImages(parsed)).toEqual(["tools", "other"]);
    expect(refreshedImages(parsed)).toEqual(["other"]);
    expect(containerImages(spec("", ""))).toEqual([]);
  });
});
