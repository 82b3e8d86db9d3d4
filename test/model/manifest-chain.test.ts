import fastJsonPatch from "fast-json-patch";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyPatches, deepFreeze, diff } from "../../src/model/json-patch.js";
import {
  checkedManifest,
  entryBody,
  entryFileName,
  entryVersion,
  nextManifest,
  parseEntry,
  replay,
  withForeignKeys,
} from "../../src/model/manifest-chain.js";
import type { Manifest } from "../../src/model/manifest.js";
import { createManifest } from "../../src/model/transitions.js";

const key = fc.oneof(fc.constantFrom("a", "b", "a/b", "~", "~1", "", "0", "-", "constructor"), fc.string());
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, 0, 1, "x", ""),
    fc.array(tie("any"), { maxLength: 4 }),
    fc.dictionary(
      key.filter((name) => name !== "__proto__"),
      tie("any"),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
})).any;

describe("diff and applyPatches", () => {
  it("lead from any JSON value to any other, leave the first as it was, and agree with another implementation", () => {
    fc.assert(
      fc.property(value, value, (before, after) => {
        const frozen = deepFreeze(structuredClone(before));
        const patch = diff(frozen, after);
        expect(applyPatches(frozen, [patch])).toEqual(after);
        expect(frozen).toEqual(before);
        const operations = structuredClone(patch);
        const theirs = fastJsonPatch.applyPatch(structuredClone(before), operations, true, true, false);
        expect(theirs.newDocument).toEqual(after);
      }),
      { numRuns: 1000 },
    );
  });

  it("share what did not change", () => {
    const before = { kept: { x: 1 }, changed: { y: 1 } };
    const after = applyPatches(before, [diff(before, { ...before, changed: { y: 2 } })]);
    expect(after).toHaveProperty(
      "kept",
      expect.toSatisfy((kept) => kept === before.kept),
    );
    expect(after).toHaveProperty("changed.y", 2);
  });

  it("take a key without a value for an absent one", () => {
    expect(diff({ a: 1, b: 2 }, { a: undefined, b: 2, c: undefined })).toEqual([
      { op: "remove", path: "/a" },
    ]);
  });

  it.each([
    [Number.NaN],
    [new Date(0)],
    [() => 1],
    [Symbol("s")],
    [{ deep: [1n] }],
    [JSON.parse('{"__proto__": 1}')],
  ])("refuse what JSON cannot hold: %s", (bad: unknown) => {
    expect(() => diff({}, { bad })).toThrow(expect.objectContaining({ type: "ManifestInvalid" }));
  });

  it.each([
    ["remove", "/b"],
    ["replace", "/a/x/y"],
    ["add", "/list/7"],
  ] as const)("take %s %s for damage where it does not fit", (op, path) => {
    const operation = op === "remove" ? { op, path } : { op, path, value: 1 };
    expect(() => applyPatches({ a: {}, list: [1] }, [[operation]])).toThrow(
      expect.objectContaining({ type: "StateCorrupt" }),
    );
  });
});

const at = "2025-01-01T00:00:00.000Z";
const base = createManifest({
  id: "mig_20250101_000000_app",
  now: new Date(at),
  source: "/s",
  target: "t",
  mode: "spec",
});
const record = { phase: "migrate" as const, status: "pending" as const, attempts: 0 };
const complete = { ...record, started_at: "", completed_at: "", duration_ms: 0 };

describe("checkedManifest", () => {
  it("names every problem", () => {
    const bad = {
      ...base,
      progress_pct: 101,
      checkpoints: "x",
      steps: { "a b": complete, c: { phase: "later" } },
    };
    expect(() => checkedManifest(null, bad)).toThrow(
      expect.objectContaining({
        type: "ManifestInvalid",
        message: expect.stringMatching(
          /checkpoints: .*progress_pct: .*steps: 'a b' is no step id.*steps\.c\.phase: /,
        ),
      }),
    );
  });

  it("passes over records that were checked before, and fills in the defaults of the others", () => {
    const before = checkedManifest(null, { ...base, steps: { a: complete } });
    const after = checkedManifest(before, { ...before, steps: { ...before.steps, b: record } });
    expect(after.steps?.["a"]).toBe(before.steps?.["a"]);
    expect(after.steps?.["b"]).toEqual(complete);
  });

  it("lets steps be taken away as a whole", () => {
    const before = checkedManifest(null, { ...base, steps: { a: complete } });
    const { steps: _, ...rest } = before;
    expect(checkedManifest(before, rest).steps).toBeUndefined();
  });
});

describe("nextManifest", () => {
  it("raises the revision, stamps the time, and is read-only", () => {
    const next = nextManifest(base, { ...base, progress_pct: 50, revision: 70 }, at);
    expect(next).toMatchObject({ revision: 1, updated_at: at, progress_pct: 0 });
    expect(() => next.checkpoints.push("x")).toThrow(TypeError);
  });

  it("refuses another migration's manifest", () => {
    expect(() => nextManifest(base, { ...base, id: "mig_20250101_000000_other" }, at)).toThrow(
      /id: must stay/,
    );
  });
});

describe("a run of versions", () => {
  const change = fc.oneof(
    fc.record({ kind: fc.constant("tag" as const), tag: fc.string() }),
    fc.record({
      kind: fc.constant("step" as const),
      step: fc.constantFrom("a", "b", "c"),
      attempts: fc.nat(9),
    }),
    fc.record({ kind: fc.constant("foreign" as const), key: key.filter((k) => k !== "__proto__"), value }),
    fc.record({ kind: fc.constant("forget" as const) }),
  );
  type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

  function changed(manifest: Manifest, made: Change): unknown {
    if (made.kind === "tag") return { ...manifest, checkpoints: [...manifest.checkpoints, made.tag] };
    if (made.kind === "forget") return { ...manifest, checkpoints: manifest.checkpoints.slice(1) };
    if (made.kind === "foreign") return { ...manifest, [`x-${made.key}`]: made.value };
    return {
      ...manifest,
      steps: { ...manifest.steps, [made.step]: { ...complete, attempts: made.attempts } },
    };
  }

  it("gives the last manifest again, whichever versions were stored whole", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), fc.nat(600), (changes, snapshot) => {
        let manifest = nextManifest(null, base, at);
        const entry = { previous: null, operation: "o", result: null, at };
        const entries = [JSON.stringify({ ...entry, version: 1, ...entryBody(null, manifest, NO_WEIGHT) })];
        let patches = 0;
        for (const made of changes) {
          const next = nextManifest(manifest, changed(manifest, made), at);
          const body = entryBody(manifest, next, { snapshot, patches });
          entries.push(JSON.stringify({ ...entry, version: next.revision, ...body }));
          patches = "snapshot" in body ? 0 : patches + JSON.stringify(body).length;
          manifest = next;
        }
        const stored = entries.map((text, i) => parseEntry(text, { version: i, digest: null }));
        expect(replay(null, stored)).toEqual(manifest);
        expect(checkedManifest(null, replay(null, stored))).toEqual(manifest);
      }),
    );
  });
});

const NO_WEIGHT = { snapshot: 0, patches: 0 };

describe("parseEntry", () => {
  const good = { version: 2, previous: "a".repeat(64), operation: "o", result: null, at, patch: [] };
  const link = { version: 1, digest: "a".repeat(64) };

  it("takes an entry that follows", () => {
    expect(parseEntry(JSON.stringify(good), link)).toEqual(good);
  });

  it.each([
    ["half written", JSON.stringify(good).slice(0, 40), /not valid JSON/],
    ["of another shape", "{}", /no version of a manifest/],
    ["of another version", JSON.stringify({ ...good, version: 3 }), /says version 3/],
    ["behind a changed one", JSON.stringify({ ...good, previous: "b".repeat(64) }), /does not follow/],
  ])("names the file of an entry that is %s", (_, text, why) => {
    expect(() => parseEntry(text, link)).toThrow(
      expect.objectContaining({
        type: "StateCorrupt",
        message: expect.stringMatching(why),
        details: { file: "state/manifest.2.json" },
      }),
    );
  });

  it("wants a whole manifest first", () => {
    expect(() =>
      parseEntry(JSON.stringify({ ...good, version: 1, previous: null }), { version: 0, digest: null }),
    ).toThrow(/holds no manifest/);
  });
});

describe("entry files", () => {
  it.each([1, 10, 123456])("version %d", (version) => {
    expect(entryVersion(entryFileName(version))).toBe(version);
  });
  it.each([
    "manifest.0.json",
    "manifest.01.json",
    "manifest.1.json.x",
    "manifest.json",
    ".tmp-manifest.1.json",
  ])("%s is none", (name) => {
    expect(entryVersion(name)).toBeNull();
  });
});

function edited(change: object): unknown {
  return JSON.parse(JSON.stringify({ ...base, ...change }));
}

describe("withForeignKeys", () => {
  it("takes in added, changed and removed keys that Towpath does not know", () => {
    const known = { ...base, old: 1, gone: 2 };
    const newer = { ...known, checkpoints: ["later"] };
    expect(withForeignKeys(newer, known, edited({ old: 5, "n/ew": { x: [] } }))).toEqual({
      ...base,
      checkpoints: ["later"],
      old: 5,
      "n/ew": { x: [] },
    });
  });

  it.each([{ status: "completed" }, { phases: {} }, { revision: 9 }, { steps: {} }, { id: "x" }])(
    "takes in nothing when a key of Towpath's is touched: %j",
    (change) => {
      expect(withForeignKeys(base, base, edited({ ...change, mine: 1 }))).toBeNull();
    },
  );

  it.each([[null], [[]], ["text"]])("takes in no %j", (text) => {
    expect(withForeignKeys(base, base, text)).toBeNull();
  });
});
