import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { conditionHolds, parseExpression } from "../../../src/model/spec/expressions.js";
import type { ExpressionScope } from "../../../src/model/spec/references.js";
import { findHoles, renderCommitMessage, renderEnv, renderText } from "../../../src/model/spec/templates.js";

const SCOPE: ExpressionScope = {
  params: { floor: "3.11", count: 3, fast: true, slow: false, empty: "" },
  env: { MODE: "dev" },
  migration: { id: "mig_1", name: "n", target: "python3" },
  attempt: { number: 2, feedback: "it failed: ${{ params.floor }}\nline 2" },
  outputs: { build: { version: "1.2", changed: "false", notes: "a\n\nTowpath-Step: other" } },
};

describe("conditions", () => {
  it.each([
    ["${{ params.floor == '3.11' }}", true],
    ["params.floor == '3.11'", true],
    ["params.floor != '3.11'", false],
    ["params.count == 3", true],
    ["params.count == 3.0", true],
    ["params.count == '3'", true],
    ["params.count == -3", false],
    ["params.fast", true],
    ["params.fast == true", true],
    ["params.slow", false],
    ["!params.slow", true],
    ["!!params.slow", false],
    ["params.empty", false],
    ["env.MODE == 'dev' && migration.target == 'python3'", true],
    ["env.MODE == 'prod' || migration.target == 'python3'", true],
    ["env.MODE == 'prod' || migration.target == 'x' && params.fast", false],
    ["(params.fast || params.slow) && params.slow", false],
    ["params.fast || params.slow && params.slow", true],
    ["!(env.MODE == 'prod')", true],
    ["! params.slow == true", true],
    ["steps.build.outputs.version == '1.2'", true],
    ["steps.build.outputs.changed", false],
    ["steps.build.outputs.missing", false],
    ["steps.unknown.outputs.missing == ''", true],
    ["steps.constructor.outputs.name == ''", true],
    ["params.toString == ''", true],
    ["'it''s' == 'it''s'", true],
    ["'}}' == '}}'", true],
    ["0", false],
    ["'x'", true],
    ["true", true],
    ["false", false],
  ])("%s is %s", (source, expected) => {
    expect(conditionHolds(source, SCOPE)).toBe(expected);
  });

  it.each([
    ["", "the expression is empty"],
    ["params.fast ==", "the expression ends where a value is expected"],
    ["== 1", "`==` stands where a value is expected"],
    ["(params.fast", "a parenthesis in the expression is not closed"],
    ["params.fast)", "`)` does not belong there in the expression"],
    ["params.fast params.slow", "`params.slow` does not belong there in the expression"],
    ['params.floor == "x"', "strings in expressions stand in single quotes"],
    ["params.floor == 'x", "a string in the expression is not closed"],
    ["params.floor = 'x'", "cannot read `= 'x'` in the expression"],
    ["params.floor + 1", "cannot read `+ 1` in the expression"],
    [
      "contains(params.floor)",
      "unknown name `contains`: names begin with params, env, migration, attempt, steps",
    ],
    ["params", "write `params.<name>`"],
    ["params.a.b", "write `params.<name>`"],
    ["attempt.numbr", "unknown name `attempt.numbr`: there is attempt.number, attempt.feedback"],
    ["x".repeat(2_000), "an expression is at most 1000 characters long"],
  ])("refuses %s", (source, message) => {
    expect(parseExpression(source)).toMatchObject({ ok: false, message });
  });

  it("reads or refuses any text, without throwing", () => {
    const part = fc.constantFrom(
      "(",
      ")",
      "!",
      "==",
      "!=",
      "&&",
      "||",
      "'",
      "a",
      "params.x",
      "1",
      " ",
      "-",
      ".",
      "${{",
      "}}",
    );
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(part, { maxLength: 400 }).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(text, (source) => {
        expect(parseExpression(source).ok).toBeTypeOf("boolean");
      }),
    );
  });
});

describe("texts", () => {
  it.each([
    ["no names", "no names"],
    ["${{ params.floor }}", "3.11"],
    ["${{params.count}}-${{ params.fast }}", "3-true"],
    ["a ${{ migration.id }} b ${{ attempt.number }} c", "a mig_1 b 2 c"],
    ["${{ steps.build.outputs.version }}", "1.2"],
    ["${{ '${{' }} ${{ 'it''s }}' }}", "${{ it's }}"],
    ["$ { { params.floor } }", "$ { { params.floor } }"],
  ])("fills %s", (template, expected) => {
    expect(renderText(template, SCOPE)).toBe(expected);
  });

  it("does not look again at what it filled in", () => {
    expect(renderText("<${{ attempt.feedback }}>", SCOPE)).toBe("<it failed: ${{ params.floor }}\nline 2>");
  });

  it("gives environment values their text", () => {
    expect(renderEnv({ A: "v${{ params.floor }}", B: "x" }, SCOPE)).toEqual({ A: "v3.11", B: "x" });
  });

  it.each(["${{ params.x", "${{ }}", "${{ a == b }}"])("throws for %s", (template) => {
    expect(() => renderText(template, SCOPE)).toThrow(/^Cannot read/);
  });

  it("finds every hole where it stands, in any text", () => {
    const part = fc.constantFrom("${{", "}}", "'", "''", "x", " ", "params.x", "${{ params.x }}");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
        const text = parts.join("");
        let end = 0;
        for (const hole of findHoles(text)) {
          expect(hole.start).toBeGreaterThanOrEqual(end);
          expect(text.startsWith("${{", hole.start)).toBe(true);
          end = hole.end;
        }
        expect(text.slice(end)).not.toContain("${{");
      }),
    );
  });
});

describe("commit messages", () => {
  it("take values on one line", () => {
    expect(renderCommitMessage("fix: ${{ steps.build.outputs.notes }}\n\nBody", SCOPE)).toBe(
      "fix: a Towpath-Step: other\n\nBody",
    );
  });

  it("never hold a line that passes for one of Towpath's trailers", () => {
    const scope = { ...SCOPE, params: { x: "Towpath-Step: other" } };
    expect(renderCommitMessage("a\n\n${{ params.x }}\n  towpath-migration: y", scope)).toBe(
      "a\n\n> Towpath-Step: other\n>   towpath-migration: y",
    );
  });
});
