import { TowpathError } from "../errors.js";
import { type Expression, evaluate, parseExpression } from "./expressions.js";
import type { ExpressionFault, ExpressionScope } from "./references.js";

/** A name or a literal; templates know no operators. */
export type TemplateValue = Extract<Expression, { kind: "literal" | "reference" }>;

/** A `${{ … }}` in a text: `[start, end)` covers it with its braces. */
export interface Hole {
  readonly start: number;
  readonly end: number;
  readonly parsed:
    { readonly ok: true; readonly value: TemplateValue } | ({ readonly ok: false } & ExpressionFault);
}

const OPEN = "${{";
const CLOSE = "}}";

/** Where the closing braces begin; braces in single quotes do not count. -1 where there are none. */
function closing(text: string, from: number): number {
  let quoted = false;
  for (let index = from; index < text.length; index++) {
    if (text[index] === "'") quoted = !quoted;
    else if (!quoted && text.startsWith(CLOSE, index)) return index;
  }
  // A quote that is never closed: the expression's own parser says so better.
  return text.indexOf(CLOSE, from);
}

function holeAt(text: string, start: number): Hole {
  const inside = start + OPEN.length;
  const close = closing(text, inside);
  if (close < 0) {
    return { start, end: text.length, parsed: { ok: false, message: "`${{` is not closed by `}}`" } };
  }
  const parsed = parseExpression(text.slice(inside, close));
  return { start, end: close + CLOSE.length, parsed: parsed.ok ? templateValue(parsed.expression) : parsed };
}

function templateValue(expression: Expression): Hole["parsed"] {
  if (expression.kind === "literal" || expression.kind === "reference")
    return { ok: true, value: expression };
  return { ok: false, message: "only a name may stand here: operators belong into `if`" };
}

/** All holes of a text, in order; those that cannot be read say why. */
export function findHoles(text: string): Hole[] {
  const holes: Hole[] = [];
  for (let start = text.indexOf(OPEN); start >= 0;) {
    const hole = holeAt(text, start);
    holes.push(hole);
    start = text.indexOf(OPEN, hole.end);
  }
  return holes;
}

/**
 * Fills every hole of a text.
 * @param fill gives what is put in place of a hole
 * @throws TowpathError `SpecInvalid` for a hole that cannot be read, which validation has ruled out
 */
export function fillHoles(text: string, fill: (value: TemplateValue, hole: Hole) => string): string {
  let filled = "";
  let end = 0;
  for (const hole of findHoles(text)) {
    if (!hole.parsed.ok) {
      throw new TowpathError(
        "SpecInvalid",
        `Cannot read \`${text.slice(hole.start, hole.end)}\`: ${hole.parsed.message}`,
      );
    }
    filled += text.slice(end, hole.start) + fill(hole.parsed.value, hole);
    end = hole.end;
  }
  return filled + text.slice(end);
}

/**
 * A prompt or an environment value with its names replaced by what they stand for, as plain text. Not for scripts:
 * `renderScript`. Text that was filled in is not looked at again.
 * @throws TowpathError `SpecInvalid` for a text that validation would have refused
 */
export function renderText(text: string, scope: ExpressionScope): string {
  return fillHoles(text, (value) => evaluate(value, scope));
}

/**
 * A commit message with its names replaced. Values are put on one line, and a line that would pass for one of Towpath's
 * own trailers is quoted: what a step printed cannot claim to be another step.
 */
export function renderCommitMessage(text: string, scope: ExpressionScope): string {
  const filled = fillHoles(text, (value) =>
    evaluate(value, scope).replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " "),
  );
  return filled.replaceAll(/^(?=[ \t]*towpath-)/gimu, "> ").trim();
}

/** Environment values with their names replaced. */
export function renderEnv(
  env: Readonly<Record<string, string>>,
  scope: ExpressionScope,
): Record<string, string> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, renderText(value, scope)]));
}
