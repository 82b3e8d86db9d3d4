import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkpointTag,
  createMigrationId,
  migrationBranch,
  parseMigrationId,
  parseStepId,
  stepOfCheckpointTag,
} from "../../src/model/ids.js";

const now = new Date("2025-03-04T05:06:07.890Z");
const random = new Uint8Array([0x0a, 0xbc, 0xff]);

describe("createMigrationId", () => {
  it.each([
    ["/home/me/sqlparse", "sqlparse"],
    ["/home/me/sqlparse/", "sqlparse"],
    ["https://example.org/a/my.app.git", "my_app_git"],
    ["/", "unnamed"],
    ["", "unnamed"],
    ["..", "__"],
    ["Größe 😀", "Gr__e__"],
  ])("names the migration of %j %s", (codebase, name) => {
    expect(createMigrationId({ now, codebase, random })).toBe(`mig_20250304_050607_${name}-0abcff`);
  });

  it("gives for any codebase and moment an id that loads, stays under 200 characters and is safe in git and on disk", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 400 }),
        fc.date({ min: new Date("1970-01-01"), max: new Date("9999-12-31"), noInvalidDate: true }),
        fc.uint8Array({ minLength: 3, maxLength: 3 }),
        (codebase, moment, bytes) => {
          const id = createMigrationId({ now: moment, codebase, random: bytes });
          expect(parseMigrationId(id)).toBe(id);
          expect(id.length).toBeLessThan(200);
          expect(id).not.toMatch(/\.|\/|\\|\s/u);
        },
      ),
    );
  });

  it("refuses fewer random bytes than keep two starts apart", () => {
    expect(() => createMigrationId({ now, codebase: "a", random: new Uint8Array(2) })).toThrow(
      /3 random bytes/,
    );
  });
});

describe("parseMigrationId", () => {
  it.each(["mig_20250101_000000_app", "mig_20250101_000000_a-b_c-012abc"])("accepts %s", (id) => {
    expect(parseMigrationId(id)).toBe(id);
  });

  it.each([
    "",
    "mig_20250101_000000_",
    "mig_2025_000000_app",
    "mig_20250101_000000_../x",
    "mig_20250101_000000_a.lock",
    "mig_20250101_000000_a\n",
    "../mig_20250101_000000_a",
    `mig_20250101_000000_${"a".repeat(250)}`,
  ])("refuses %j", (id) => {
    expect(() => parseMigrationId(id)).toThrow(
      expect.objectContaining({ type: "InvalidMigrationId", message: `Invalid migration id '${id}'` }),
    );
  });
});

describe("parseStepId", () => {
  it.each(["a", "step-1", "A_b-9", "constructor", "a".repeat(63)])("accepts %s", (id) => {
    expect(parseStepId(id)).toBe(id);
  });

  it.each(["", "a b", "a/b", "..", "a.lock", "é", "a\n"])(
    "refuses %j with the text that scripts know",
    (id) => {
      expect(() => parseStepId(id)).toThrow(
        expect.objectContaining({
          type: "InvalidStepId",
          message: `Invalid step_id '${id}': must match ^[a-zA-Z0-9_-]+$`,
        }),
      );
    },
  );

  it.each(["a".repeat(64), "__proto__"])("refuses %s", (id) => {
    expect(() => parseStepId(id)).toThrow(expect.objectContaining({ type: "InvalidStepId" }));
  });
});

describe("git names", () => {
  const id = "mig_20250101_000000_app-0abcff";

  it("scopes tags and branch by migration", () => {
    expect(checkpointTag(id, "s1")).toBe(`towpath/${id}/s1/pre`);
    expect(migrationBranch(id)).toBe(`towpath/${id}`);
  });

  it.each([
    [`towpath/${id}/s1/pre`, "s1"],
    ["loki-migrate/s1/pre", "s1"],
    ["towpath/x/y/z/pre", null],
    ["v1.0", null],
    ["loki-migrate/../pre", null],
  ])("tells the step of the tag %s", (tag, step) => {
    expect(stepOfCheckpointTag(tag)).toBe(step);
  });
});
