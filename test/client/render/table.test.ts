import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { displayWidth, fit, table, type Column } from "../../../src/client/render/table.js";

const COLUMNS: readonly Column[] = [
  { title: "ID" },
  { title: "NOTE", minimum: 6 },
  { title: "N", align: "right" },
];

describe("displayWidth", () => {
  it.each([
    ["", 0],
    ["abc", 3],
    ["日本", 4],
    ["e\u0301", 1],
    ["🚀", 2],
  ])("%j takes %i columns", (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });
});

describe("fit", () => {
  it.each([
    ["abcdef", 6, "abcdef"],
    ["abcdef", 4, "abc…"],
    ["日本語", 4, "日…"],
    ["abc", 0, ""],
  ])("cuts %j to %i columns: %j", (text, width, expected) => {
    expect(fit(text, width)).toBe(expected);
  });

  it("is never wider than asked", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.nat(40), (text, width) => {
        expect(displayWidth(fit(text, width))).toBeLessThanOrEqual(width);
      }),
    );
  });
});

describe("table", () => {
  it("aligns its columns", () => {
    expect(
      table(COLUMNS, [
        ["a", "first", "1"],
        ["bcd", "x", "20"],
      ]),
    ).toBe(["ID   NOTE    N", "a    first   1", "bcd  x      20"].join("\n"));
  });

  it("cuts only columns with a floor, and not below it", () => {
    const rows = [["an-id-that-stays", "a long note that may go", "1"]];
    expect(table(COLUMNS, rows, 30)).toContain("an-id-that-stays  a long n…  1");
    expect(table(COLUMNS, rows, 5)).toContain("an-id-that-stays  a lon…  1");
  });

  it("cuts nothing without a width", () => {
    expect(table(COLUMNS, [["a", "n".repeat(500), "1"]])).toContain("n".repeat(500));
  });

  it("fits any terminal that is wide enough for its floors", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string(), { maxLength: 5 }),
        fc.integer({ min: 20, max: 120 }),
        (notes, width) => {
          const text = table(
            COLUMNS,
            notes.map((note) => ["id", note, "7"]),
            width,
          );
          for (const line of text.split("\n")) expect(displayWidth(line)).toBeLessThanOrEqual(width);
        },
      ),
    );
  });

  it("shows control characters instead of obeying them", () => {
    expect(table(COLUMNS, [["a", "red \u001B[31m\nline", "1"]])).toContain("red \\x1b[31m\\nline");
  });
});
