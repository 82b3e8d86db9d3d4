import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  estimatedBytes,
  onlyShown,
  planPrune,
  type PrunePolicy,
  type PruneSnapshot,
} from "../../../src/model/images/prune-plan.js";
import { parseReference, repositoryOf, tryParseReference } from "../../../src/model/images/reference.js";
import type { ImageFacts } from "../../../src/model/images/snapshot.js";

const OURS = parseReference("docker.io/x/y:1");
const POLICY: PrunePolicy = { keepNewest: 1, minAgeMs: 0, pins: [], keepTagged: false };
const NOW = 1_000_000;

function image(id: string, facts: Partial<ImageFacts> = {}): ImageFacts {
  return { id, tags: [], digests: [], createdMs: 0, bytes: 100, labels: {}, ...facts };
}

function snapshot(images: readonly ImageFacts[], more: Partial<PruneSnapshot> = {}): PruneSnapshot {
  return {
    images,
    containers: [],
    currentId: "current",
    reserved: [],
    firstSeen: {},
    nowMs: NOW,
    pressure: true,
    ...more,
  };
}

const current = image("current", { tags: ["x/y:1"] });

function reasonOf(old: ImageFacts, policy: Partial<PrunePolicy> = {}, more: Partial<PruneSnapshot> = {}) {
  const plan = planPrune(OURS, { ...POLICY, ...policy }, snapshot([current, old], more));
  if (plan.remove.some(({ id }) => id === old.id)) return "removed";
  return plan.kept.find(({ id }) => id === old.id)?.reason ?? "not-ours";
}

describe("planPrune", () => {
  it.each([
    ["x/y:old", "removed"],
    ["docker.io/x/y:old", "removed"],
    ["x/y-extra:1", "not-ours"],
    ["host:5000/x/y:1", "not-ours"],
    ["prefix/x/y:1", "not-ours"],
    ["y:1", "not-ours"],
  ])("an image tagged %s is %s", (tag, expected) => {
    expect(reasonOf(image("old", { tags: [tag] }))).toBe(expected);
  });

  it("knows its own by digest, and one that lost its name by what was seen", () => {
    const digest = `x/y@sha256:${"0".repeat(64)}`;
    const dangling = `moby-dangling@sha256:${"0".repeat(64)}`;
    expect(reasonOf(image("old", { digests: [digest] }))).toBe("removed");
    expect(reasonOf(image("old", { digests: [dangling] }))).toBe("not-ours");
    expect(reasonOf(image("old", { digests: [dangling] }), {}, { firstSeen: { old: 1 } })).toBe("removed");
    expect(reasonOf(image("old"), {}, { firstSeen: { old: 1 } })).toBe("removed");
    // Somebody has given it a name of his own since.
    expect(reasonOf(image("old", { tags: ["other:1"] }), {}, { firstSeen: { old: 1 } })).toBe("not-ours");
  });

  it("gives the first reason that holds", () => {
    const old = image("old", { tags: ["x/y:old"], labels: { "towpath.keep": "true" } });
    const everything = {
      containers: [{ imageId: "old" }],
      reserved: ["old"],
      firstSeen: { old: NOW },
      pressure: false,
    };
    const policy = { pins: ["old"], keepNewest: 9, minAgeMs: 10, keepTagged: true };
    const order = ["in-use", "reserved", "pinned", "tagged", "newest", "young", "below-threshold", "removed"];
    const steps: [Partial<PrunePolicy>, Partial<PruneSnapshot>, ImageFacts][] = [
      [policy, everything, old],
      [policy, { ...everything, containers: [] }, old],
      [policy, { ...everything, containers: [], reserved: [] }, old],
      [
        { ...policy, pins: [] },
        { firstSeen: { old: NOW }, pressure: false },
        { ...old, labels: {} },
      ],
      [
        { keepNewest: 9, minAgeMs: 10 },
        { firstSeen: { old: NOW }, pressure: false },
        { ...old, labels: {} },
      ],
      [{ minAgeMs: 10 }, { firstSeen: { old: NOW }, pressure: false }, { ...old, labels: {} }],
      [{ minAgeMs: 10 }, { firstSeen: { old: NOW - 10 }, pressure: false }, { ...old, labels: {} }],
      [{ minAgeMs: 10 }, { firstSeen: { old: NOW - 10 } }, { ...old, labels: {} }],
    ];
    expect(steps.map(([rules, facts, facts2]) => reasonOf(facts2, rules, facts))).toEqual(order);
    expect(reasonOf(image("current", { tags: ["x/y:old"] }))).toBe("current");
  });

  it("counts age from the first sight, not from the build", () => {
    const built = image("old", { tags: ["x/y:old"], createdMs: 0 });
    expect(reasonOf(built, { minAgeMs: 1 }, { firstSeen: {} })).toBe("young");
    expect(reasonOf(built, { minAgeMs: 1 }, { firstSeen: { old: 5 } })).toBe("removed");
  });

  it.each([
    ["old*", "pinned"],
    ["x/y:o*", "pinned"],
    ["docker.io/x/y:old", "removed"],
    ["new*", "removed"],
  ])("the pin %s makes x/y:old %s", (pin, expected) => {
    expect(reasonOf(image("old", { tags: ["x/y:old"] }), { pins: [pin] })).toBe(expected);
  });

  it("takes of an image with a foreign name only ours, and never the image", () => {
    const shared = image("old", { tags: ["x/y:old", "mine:1"], digests: [`x/y@sha256:${"0".repeat(64)}`] });
    const plan = planPrune(OURS, POLICY, snapshot([current, shared]));
    expect(plan.remove).toEqual([
      { id: "old", tags: ["x/y:old"], digests: [`x/y@sha256:${"0".repeat(64)}`], whole: false, bytes: 100 },
    ]);
    expect(estimatedBytes(plan)).toBe(0);
  });

  it("applies of a plan only what was shown of it", () => {
    const old = image("old", { tags: ["x/y:old"] });
    const shown = planPrune(OURS, POLICY, snapshot([current, old]));
    const more = planPrune(
      OURS,
      POLICY,
      snapshot([current, { ...old, tags: ["x/y:old", "x/y:two"] }, image("new", { tags: ["x/y:new"] })]),
    );
    expect(onlyShown(more, shown).remove).toEqual([{ ...shown.remove[0], whole: false }]);
    expect(onlyShown(shown, shown)).toEqual(shown);
    expect(onlyShown(shown, { ...shown, repository: "docker.io/other/one" }).remove).toEqual([]);
  });
});

const names = [
  "x/y:1",
  "x/y:2",
  "docker.io/x/y:3",
  "x/y-extra:1",
  "host:5000/x/y:1",
  "mine:1",
  `x/y@sha256:${"0".repeat(64)}`,
];
const ids = ["current", "a", "b", "c", "d"];
const anyImage = (id: string) =>
  fc.record({
    id: fc.constant(id),
    tags: fc.subarray(names.slice(0, 6)),
    digests: fc.subarray(names.slice(6)),
    createdMs: fc.nat(100),
    bytes: fc.nat(1000),
    labels: fc.constantFrom<Record<string, string>>({}, { "towpath.keep": "true" }, { "towpath.keep": "no" }),
  });
const anySnapshot = fc.record({
  images: fc.tuple(...ids.map(anyImage)),
  containers: fc.array(fc.record({ imageId: fc.constantFrom(...ids) }), { maxLength: 3 }),
  currentId: fc.constant("current"),
  reserved: fc.subarray(ids),
  firstSeen: fc.dictionary(fc.constantFrom(...ids), fc.nat(NOW)),
  nowMs: fc.constant(NOW),
  pressure: fc.boolean(),
});
const anyPolicy = fc.record({
  keepNewest: fc.nat(6),
  minAgeMs: fc.nat(NOW),
  pins: fc.subarray(["1", "2", "x/y:3", "*"]),
  keepTagged: fc.boolean(),
});
const isOurs = (name: string) => {
  const parsed = tryParseReference(name);
  return parsed !== null && repositoryOf(parsed) === "docker.io/x/y";
};

function without(all: readonly string[], mine: readonly string[]): string[] {
  return all.filter((name) => !mine.includes(name));
}

describe("for every snapshot and policy, planPrune", () => {
  it("never removes what is current, in use, reserved or labelled, and nothing of others", () => {
    fc.assert(
      fc.property(anySnapshot, anyPolicy, (facts, policy) => {
        const plan = planPrune(OURS, policy, facts);
        for (const { id, tags, digests, whole } of plan.remove) {
          const found = facts.images.find((each) => each.id === id);
          expect(id).not.toBe("current");
          expect(facts.containers.map(({ imageId }) => imageId)).not.toContain(id);
          expect(facts.reserved).not.toContain(id);
          expect(found?.labels["towpath.keep"]).not.toBe("true");
          expect([...tags, ...digests].every(isOurs)).toBe(true);
          const others = [...(found?.tags ?? []), ...(found?.digests ?? [])].filter((name) => !isOurs(name));
          expect(whole).toBe(others.length === 0);
          expect(facts.pressure).toBe(true);
        }
      }),
    );
  });

  it("decides about each image exactly once", () => {
    fc.assert(
      fc.property(anySnapshot, anyPolicy, (facts, policy) => {
        const plan = planPrune(OURS, policy, facts);
        const decided = [...plan.remove.map(({ id }) => id), ...plan.kept.map(({ id }) => id)];
        expect(new Set(decided).size).toBe(decided.length);
        expect(decided.length + plan.notOurs).toBe(facts.images.length);
      }),
    );
  });

  it("removes no more when it is told to keep more", () => {
    fc.assert(
      fc.property(anySnapshot, anyPolicy, fc.nat(3), fc.nat(NOW), (facts, policy, more, older) => {
        const removed = (rules: PrunePolicy) => planPrune(OURS, rules, facts).remove.map(({ id }) => id);
        const strict = removed({
          ...policy,
          keepNewest: policy.keepNewest + more,
          minAgeMs: policy.minAgeMs + older,
        });
        expect(removed(policy)).toEqual(expect.arrayContaining(strict));
      }),
    );
  });

  it("leaves nothing to do for itself", () => {
    fc.assert(
      fc.property(anySnapshot, anyPolicy, (facts, policy) => {
        const plan = planPrune(OURS, policy, facts);
        const gone = new Map(plan.remove.map((removal) => [removal.id, removal]));
        const images = facts.images.flatMap((each) => {
          const removal = gone.get(each.id);
          if (removal === undefined) return [each];
          if (removal.whole) return [];
          return [
            {
              ...each,
              tags: without(each.tags, removal.tags),
              digests: without(each.digests, removal.digests),
            },
          ];
        });
        const again = planPrune(OURS, policy, { ...facts, images }).remove.map(({ id }) => id);
        expect(again.filter((id) => gone.has(id))).toEqual([]);
      }),
    );
  });
});
