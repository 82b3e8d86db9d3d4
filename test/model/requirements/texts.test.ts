import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codeChanges, codeListing, type CodeRecord } from "../../../src/model/requirements/code.js";
import { type ArchivedDocument, isBlank, withArchived } from "../../../src/model/requirements/documents.js";
import { defaultPrompt } from "../../../src/model/requirements/prompt.js";
import { requirementsFromSurvey } from "../../../src/model/requirements/survey-document.js";
import type { SurveyFacts } from "../../../src/model/survey/facts.js";
import { summarise } from "../../../src/model/survey/summary.js";

const records = fc.uniqueArray(
  fc.record({
    kind: fc.constantFrom("f" as const, "x" as const, "l" as const),
    digest: fc.stringMatching(/^[0-9a-f]{4}$/),
    path: fc.stringMatching(/^[a-z\n ÿ]{1,6}$/),
  }),
  { selector: ({ path }) => path },
);

function contents(files: readonly CodeRecord[]): Map<string, string> {
  return new Map(files.map(({ kind, digest, path }) => [path, kind + digest]));
}

function entry(source: "user" | "generated", n: number): ArchivedDocument {
  return { prd_sha: String(n).padStart(64, "0"), source, generated_at: "", replaced_at: "" };
}

function facts(name: string): SurveyFacts {
  const file = { language: "Python", bytes: 4, lines: 1, declares: null };
  return summarise({
    files: [
      { ...file, path: `src/${name}`, imports: [] },
      { ...file, path: "src/b.py", imports: ["json"] },
    ],
    manifests: [],
    skipped: { binary: 0, tooLarge: 0, symlinks: 0, missing: 0, unreadable: 0, beyondLimit: 0 },
  });
}

describe("a listing of code", () => {
  it("is the same in whatever order the files come", () => {
    fc.assert(
      fc.property(records, (files) => {
        expect(codeListing([...files].reverse())).toBe(codeListing(files));
      }),
    );
  });

  it("differs from another exactly where the files do", () => {
    fc.assert(
      fc.property(records, records, (one, other) => {
        const [before, after] = [contents(one), contents(other)];
        const paths = [...new Set([...before.keys(), ...after.keys()])];
        const differing = paths.filter((path) => before.get(path) !== after.get(path));
        const found = codeChanges(codeListing(one), codeListing(other)).map(({ path }) => path);
        expect(found.toSorted()).toEqual(differing.toSorted());
      }),
    );
  });
});

describe("the history of documents", () => {
  it("lets only old generated ones go", () => {
    const long = Array.from({ length: 60 }, (_, n) => entry(n % 2 === 0 ? "user" : "generated", n));
    const kept = withArchived(long, [entry("generated", 99)]);
    expect(kept.filter(({ source }) => source === "user")).toHaveLength(30);
    expect(kept.filter(({ source }) => source === "generated")).toHaveLength(20);
    expect(kept[0]?.prd_sha).toMatch(/99$/);
  });
});

describe("a document", () => {
  it.each([
    ["", true],
    [" \r\n\t", true],
    ["\ufeff\n", true],
    ["a", false],
    ["\ufeffa", false],
    ["\0", false],
  ])("%j is blank: %s", (text, blank) => {
    expect(isBlank(new TextEncoder().encode(text))).toBe(blank);
  });

  it("that is made of a survey is the same for equal code, and starts no markup with names", () => {
    const text = requirementsFromSurvey(facts("a.py"));
    expect(text).toBe(requirementsFromSurvey(facts("a.py")));
    expect(text).toContain("## What must stay");
    expect(requirementsFromSurvey(facts("a\n# b.py"))).not.toMatch(/^# b/m);
  });
});

describe("the prompt of a generator", () => {
  it("asks for a new document, or for the old one to be brought up to date", () => {
    const task = { name: "m", target: "python3" };
    expect(defaultPrompt({ ...task, previous: null })).toContain("Write its requirements document");
    const changes = [{ path: "a.py", kind: "modified" as const }];
    expect(defaultPrompt({ ...task, previous: { changes } })).toMatch(/\$TOWPATH_PRD.*a\.py/s);
    expect(defaultPrompt({ ...task, previous: { changes: null } })).toContain("keep what still holds");
  });
});
