import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkReference, matchReference, type Candidate } from "../../../src/client/migrations/reference.js";

const CANDIDATES: readonly Candidate[] = [
  { id: "mig_20260101_000000_app-aaaaaa", createdAt: "2026-01-01T00:00:00.100Z" },
  { id: "mig_20260101_000000_app-bbbbbb", createdAt: "2026-01-01T00:00:00.050Z" },
  { id: "mig_20250101_000000_old", createdAt: "2025-01-01T00:00:00.000Z" },
  { id: "mig_20250101_000000_old-two", createdAt: "2025-01-01T00:00:00.000Z" },
];

describe("matchReference", () => {
  it.each([
    ["mig_20260101_000000_app-aaaaaa", "mig_20260101_000000_app-aaaaaa"],
    ["mig_20260101_000000_app-a", "mig_20260101_000000_app-aaaaaa"],
    ["mig_20250101_000000_old-", "mig_20250101_000000_old-two"],
    ["mig_20250101_000000_old", "mig_20250101_000000_old"],
    ["@latest", "mig_20260101_000000_app-aaaaaa"],
    ["mig_2024", null],
    ["app", null],
  ])("takes %j for %j", (reference, id) => {
    expect(matchReference(reference, CANDIDATES)).toBe(id);
  });

  it("refuses a beginning of several, and names them", () => {
    expect(() => matchReference("mig_2026", CANDIDATES)).toThrow(
      expect.objectContaining({
        type: "Usage",
        message: expect.stringMatching(/2 migrations(.|\n)*app-aaaaaa\n(.|\n)*app-bbbbbb/) as unknown,
      }),
    );
  });

  it("counts one migration that two sources name once", () => {
    expect(
      matchReference(
        "mig_2026",
        [CANDIDATES[0], CANDIDATES[0]].flatMap((known) => known ?? []),
      ),
    ).toBe("mig_20260101_000000_app-aaaaaa");
  });

  it("finds no latest among none", () => {
    expect(matchReference("@latest", [])).toBeNull();
  });

  it("finds every migration by its own id, whatever the others are called", () => {
    const ids = fc.uniqueArray(fc.stringMatching(/^mig_[A-Za-z0-9_-]{1,8}$/), { minLength: 1 });
    fc.assert(
      fc.property(ids, (known) => {
        const candidates = known.map((id) => ({ id, createdAt: "" }));
        for (const id of known) expect(matchReference(id, candidates)).toBe(id);
      }),
    );
  });
});

describe("checkReference", () => {
  it.each(["../etc", "a b", "", "mig*", "@", "mig_1/2", 'mig" OR "', "@latest2"])(
    "refuses %j",
    (reference) => {
      expect(() => checkReference(reference)).toThrow(
        expect.objectContaining({ type: "InvalidMigrationId" }),
      );
    },
  );
});
