import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDuration } from "../../../src/model/spec/durations.js";
import { parseOutputs } from "../../../src/model/spec/outputs.js";
import { resolveParams } from "../../../src/model/spec/params.js";
import { suggest } from "../../../src/model/spec/suggest.js";

describe("parseDuration", () => {
  it.each([
    ["500ms", 500],
    ["30s", 30_000],
    ["10m", 600_000],
    ["2h", 7_200_000],
    ["7d", 604_800_000],
  ])("reads %s", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    "",
    "0s",
    "00s",
    "05s",
    "1",
    "s",
    "1.5h",
    "-1s",
    "+1s",
    "1 s",
    " 1s",
    "1s ",
    "1S",
    "1w",
    "1h30m",
    "1e3s",
    "1s\n",
    "١s",
  ])("refuses %j", (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  it("is exact for every whole number", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), (n) => {
        expect(parseDuration(`${n}s`)).toBe(n * 1000);
      }),
    );
  });
});

describe("suggest", () => {
  const KEYS = ["timeout", "idle-timeout", "retry", "run", "needs", "depends_on", "continue-on-error"];
  it.each([
    ["timout", "timeout"],
    ["tiemout", "timeout"],
    ["Timeout", "timeout"],
    ["idletimeout", "idle-timeout"],
    ["idle_timeout", "idle-timeout"],
    ["rnu", "run"],
    ["need", "needs"],
    ["continue-on-eror", "continue-on-error"],
    ["zebra", undefined],
    ["", undefined],
    ["x".repeat(1000), undefined],
  ])("for %s it is %s", (word, expected) => {
    expect(suggest(word, KEYS)).toBe(expected);
  });

  it("finds every word behind one slip", () => {
    const word = fc.constantFrom(...KEYS.filter((key) => key.length > 5));
    fc.assert(
      fc.property(word, fc.nat(4), (known, at) => {
        expect(suggest(known.slice(0, at) + known.slice(at + 1), KEYS)).toBe(known);
        expect(suggest(`${known.slice(0, at)}x${known.slice(at)}`, KEYS)).toBe(known);
      }),
    );
  });
});

describe("resolveParams", () => {
  const spec = {
    params: {
      floor: { type: "choice", options: ["3.8", "3.11"], default: "3.11" },
      count: { type: "number", default: 1 },
      fast: { type: "boolean", default: false },
      title: { type: "string", required: true },
    },
  } as const;
  const params = { params: { ...spec.params, floor: { ...spec.params.floor, options: ["3.8", "3.11"] } } };

  it("gives defaults and reads what was given as its type", () => {
    expect(resolveParams(params, { title: "a b", count: "-2.5", fast: "true", floor: "3.8" })).toEqual({
      title: "a b",
      count: -2.5,
      fast: true,
      floor: "3.8",
    });
    expect(resolveParams(params, { title: "" })).toEqual({ title: "", count: 1, fast: false, floor: "3.11" });
  });

  it.each([
    [{}, "parameter `title`: it is required: give it with --param name=value"],
    [
      { title: "x", flor: "3.8" },
      "unknown parameter `flor`: there is floor, count, fast, title; did you mean `floor`?",
    ],
    [{ title: "x", floor: "3.9" }, "parameter `floor`: expected one of 3.8, 3.11"],
    [{ title: "x", count: "1,5" }, "parameter `count`: expected a number"],
    [{ title: "x", count: "" }, "parameter `count`: expected a number"],
    [{ title: "x", count: "0x10" }, "parameter `count`: expected a number"],
    [{ title: "x", count: "1e999" }, "parameter `count`: expected a number"],
    [{ title: "x", fast: "yes" }, "parameter `fast`: expected true or false"],
    [{ title: "a\0b" }, "parameter `title`: the value contains a NUL character"],
    [{ title: "x".repeat(70_000) }, "parameter `title`: more than 65536 bytes"],
    [{ title: "x", constructor: "y" }, "unknown parameter `constructor`: there is floor, count, fast, title"],
  ])("refuses %j", (given: Record<string, string>, message) => {
    expect(() => resolveParams(params, given)).toThrow(`Parameters do not fit the spec: ${message}`);
  });

  it("says everything at once", () => {
    expect(() => resolveParams(params, { a: "1", count: "x" })).toThrow(
      /unknown parameter `a`.*; .*`count`.*; .*`title`/,
    );
    expect(() => resolveParams({}, { a: "1" })).toThrow("unknown parameter `a`: the spec has no parameters");
  });
});

describe("parseOutputs", () => {
  it.each([
    ["", {}],
    ["a=1\n", { a: "1" }],
    ["a=1\nb=x=y\n\nc=\n", { a: "1", b: "x=y", c: "" }],
    ["a=1\r\nb= 2 \r\n", { a: "1", b: " 2 " }],
    ["a=1\na=2", { a: "2" }],
    ["a<<EOF\nline 1\nb=2\nEOF\nc=3\n", { a: "line 1\nb=2", c: "3" }],
    ["a<<EOF\nEOF\n", { a: "" }],
    ["a=x<<EOF\n", { a: "x<<EOF" }],
  ])("reads %j", (text, expected) => {
    expect(parseOutputs(text)).toEqual(expected);
  });

  it.each([
    ["nonsense", "line 1: expected `key=value`"],
    ["a=1\n=2", "line 2: a key consists of letters, digits, _ and -"],
    ["a b=1", "line 1: a key consists of letters, digits, _ and -"],
    ["__proto__=1", "line 1: a key consists of letters, digits, _ and -"],
    ["a<<EOF\nx\n", "line 1: the value of `a` is not closed by a line `EOF`"],
    ["a=b\0c", "line 1: the value of `a` contains a NUL character"],
    [`a=${"x".repeat(70_000)}`, "line 1: the value of `a` is larger than 65536 bytes: write a file instead"],
  ])("refuses %j", (text, message) => {
    expect(() => parseOutputs(text)).toThrow(`$TOWPATH_OUTPUT, ${message}`);
  });

  it("holds a step to the outputs that it declares", () => {
    expect(parseOutputs("a=1\nb=2", ["a", "b"])).toEqual({ a: "1", b: "2" });
    expect(() => parseOutputs("a=1\nc=2", ["a"])).toThrow(
      "line 2: `c` is not among the step's `outputs` (a)",
    );
    expect(() => parseOutputs("a=1", ["a", "b"])).toThrow("The step did not write to $TOWPATH_OUTPUT: b");
  });

  it("brings back any value that was written in the form for several lines", () => {
    const value = fc.array(
      fc.string({ unit: "binary", maxLength: 20 }).filter((line) => !/[\r\n\0]/.test(line) && line !== "EOF"),
    );
    fc.assert(
      fc.property(value, (lines) => {
        const text = lines.join("\n");
        expect(parseOutputs(`k<<EOF\n${text === "" && lines.length === 0 ? "" : `${text}\n`}EOF\n`)).toEqual({
          k: text,
        });
      }),
    );
  });
});
