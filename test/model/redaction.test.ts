import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TowpathError } from "../../src/model/errors.js";
import { createRedactor, MIN_SECRET_LENGTH, secretTooShort } from "../../src/model/redaction.js";

/** Masks contain `*`, so a secret with one may seem to appear where a mask meets a neighbour. */
const secret = fc
  .oneof(
    fc.string({ minLength: 4, maxLength: 40, unit: "grapheme" }),
    fc.string({ minLength: 4, unit: fc.constantFrom("a", "b", " ", "\n") }),
  )
  .filter((value) => !secretTooShort(value) && !value.includes("*"));
const secrets = fc.uniqueArray(secret, { minLength: 1, maxLength: 5 });

/** Texts with many secrets, halves of secrets, and other things between. */
function textOf(values: string[]): fc.Arbitrary<string> {
  const part = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...values) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(...values).chain((v) => fc.nat(v.length).map((n) => v.slice(0, n))),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...values).chain((v) => fc.nat(v.length).map((n) => v.slice(n))),
    },
    { weight: 2, arbitrary: fc.string({ maxLength: 5 }).map((text) => text.replaceAll("*", "")) },
  );
  return fc.array(part, { maxLength: 12 }).map((parts) => parts.join(""));
}

function cut(text: string, at: number[]): string[] {
  const places = [0, ...at.map((n) => n % (text.length + 1)), text.length].sort((a, b) => a - b);
  return places.slice(1).map((end, index) => text.slice(places[index], end));
}

const cases = secrets.chain((values) =>
  fc.record({
    values: fc.constant(values),
    text: textOf(values),
    at: fc.array(fc.nat(500), { maxLength: 10 }),
  }),
);

function keyLine(index: number): string {
  return Buffer.from(`${index}-`.repeat(24)).toString("base64").slice(0, 64);
}

describe("redaction", () => {
  it("never lets a secret through, however the text is cut", () => {
    fc.assert(
      fc.property(cases, ({ values, text, at }) => {
        const stream = createRedactor(values).stream();
        const output =
          cut(text, at)
            .map((chunk) => stream.push(chunk))
            .join("") + stream.end();
        for (const value of values) expect(output).not.toContain(value);
      }),
      { numRuns: 1000 },
    );
  });

  it("gives the same text whole and in pieces", () => {
    fc.assert(
      fc.property(cases, ({ values, text, at }) => {
        const redactor = createRedactor(values);
        const stream = redactor.stream();
        const pieces =
          cut(text, at)
            .map((chunk) => stream.push(chunk))
            .join("") + stream.end();
        expect(pieces).toBe(redactor.text(text));
      }),
      { numRuns: 1000 },
    );
  });

  it("leaves text without secrets as it is", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(createRedactor(["\uE000\uE001\uE002\uE003"]).text(text)).toBe(text);
        expect(createRedactor([]).text(text)).toBe(text);
      }),
    );
  });

  it("masks overlapping and touching secrets as one", () => {
    const redactor = createRedactor(["abcd", "cdef", "efgh1234"]);
    expect(redactor.text("x abcdef y abcdabcd z abcdefgh1234")).toBe("x *** y *** z ***");
  });

  it("prefers the longest of secrets that begin alike", () => {
    expect(createRedactor(["pass", "password"]).text("password!")).toBe("***!");
  });

  it("holds nothing back that cannot be the start of a secret", () => {
    const stream = createRedactor(["a-very-long-secret-value"]).stream();
    expect(stream.push("Password? ")).toBe("Password? ");
    expect(stream.push("Name: a-ve")).toBe("Name: ");
    expect(stream.push("ctor")).toBe("a-vector");
  });

  it("keeps its memory small in an endless run of one secret", () => {
    const stream = createRedactor(["aaaa"]).stream();
    const output = Array.from({ length: 100 }, () => stream.push("a".repeat(1000))).join("");
    expect(output + stream.end()).toBe("***");
  });

  it("refuses values that are too short, without saying them", () => {
    expect(secretTooShort("abc \n")).toBe(true);
    expect(secretTooShort("x".repeat(MIN_SECRET_LENGTH))).toBe(false);
    expect(() => createRedactor(["good-value", "zq"])).toThrow(TowpathError);
    expect(() => createRedactor(["zq"])).not.toThrow(/zq/);
  });

  const awkward = `p@ss/w"o'rd & <ü>?`;
  it.each([
    ["as it is", awkward],
    ["base64", Buffer.from(awkward).toString("base64")],
    ["URL-safe base64", Buffer.from(awkward).toString("base64url")],
    ["URL-encoded", encodeURIComponent(awkward)],
    [
      "URL-encoded with small digits",
      encodeURIComponent(awkward).replace(/%../g, (hex) => hex.toLowerCase()),
    ],
    ["as a form field", new URLSearchParams({ k: awkward }).toString().slice(2)],
    ["JSON", JSON.stringify(awkward).slice(1, -1)],
    ["JSON within JSON", JSON.stringify(JSON.stringify(awkward)).slice(3, -3)],
    ["ASCII JSON of Python", String.raw`p@ss/w\"o'rd & <\u00fc>?`],
    ["XML", "p@ss/w&quot;o&apos;rd &amp; &lt;ü&gt;?"],
    ["a shell's quotes", `p@ss/w"o'\\''rd & <ü>?`],
  ])("masks a secret written %s", (_, written) => {
    expect(createRedactor([awkward]).text(`[${written}]`)).toBe("[***]");
  });

  it.each([0, 1, 2])("masks a secret inside longer base64, %i bytes in", (offset) => {
    const value = "hunter2-hunter2";
    const encoded = Buffer.from(`${"u".repeat(offset)}${value}:tail`).toString("base64");
    const output = createRedactor([value]).text(encoded);
    expect(output).toContain("***");
    expect(Buffer.from(output.replaceAll("***", ""), "base64").toString("latin1")).not.toContain("hunter");
    expect(output.length).toBeLessThan(encoded.length - 10);
  });

  it("masks every line of a value of several lines, and its wrapped base64", () => {
    const key = `-----BEGIN KEY-----\n${"k".repeat(70)}\n  indented line\n}\n-----END KEY-----\n`;
    const redactor = createRedactor([key]);
    expect(redactor.text("log: indented line.")).toBe("log: ***.");
    expect(redactor.text(key.replaceAll("\n", "\r\n"))).not.toMatch(/k{4}|indented|KEY/);
    const wrapped = Buffer.from(key).toString("base64").replace(/.{76}/g, "$&\n");
    expect(redactor.text(wrapped).trim()).toMatch(/^[*\s]+$/);
  });

  it("redacts at a useful speed, also with a private key of a thousand forms", () => {
    const key = Array.from({ length: 50 }, (_, index) => keyLine(index)).join("\n");
    const values = Array.from({ length: 20 }, (_, index) => `secret-number-${index}-${"x".repeat(30)}`);
    const chunk = "an ordinary line of a test runner's output, secret of nothing\n".repeat(1000);
    const begin = process.cpuUsage();
    const stream = createRedactor([key, ...values]).stream();
    for (let round = 0; round < 100; round++) stream.push(chunk);
    // Not elapsed time, which is also that of others on the machine.
    const { user } = process.cpuUsage(begin);
    expect(user / 1000).toBeLessThan(2000);
  });
});
