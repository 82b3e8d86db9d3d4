import { assert, property, string } from "fast-check";
import { describe, expect, it } from "vitest";
import { printable, printableBlock } from "../../src/client/printable.js";

describe("printable", () => {
  it.each([
    ["plain text, ümläute, 漢字, 👩‍💻", "plain text, ümläute, 漢字, 👩‍💻"],
    ["\u001b[31mred\u001b[0m", "\\x1b[31mred\\x1b[0m"],
    ["\u001b]0;title\u0007", "\\x1b]0;title\\x07"],
    ["one\ntwo\r\tthree", "one\\ntwo\\r\\tthree"],
    ["\u009b2J", "\\x9b2J"],
    ["gpj.\u202eexe", "gpj.\\u202eexe"],
    ["a\u2028b", "a\\u2028b"],
  ])("shows %j as %j", (text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it("leaves nothing that a terminal obeys, in any text", () => {
    assert(
      property(
        string({ unit: "binary" }),
        (text) => !/\p{Cc}|[\u2028-\u202e\u2066-\u2069]/u.test(printable(text)),
      ),
    );
  });
});

it("keeps the lines and tabs of a block, and nothing else", () => {
  expect(printableBlock("a\n\tb\r\nc\rd\u001b")).toBe("a\n\tb\nc\\rd\\x1b");
});
