import { TowpathError } from "../errors.js";
import {
  type ExpressionFault,
  type ExpressionScope,
  type Reference,
  parseReference,
  valueOf,
} from "./references.js";

/** An expression: names, literals, `== != && || !` and parentheses. Every value is a text. */
export type Expression =
  | { readonly kind: "literal"; readonly value: string }
  | { readonly kind: "reference"; readonly reference: Reference }
  | { readonly kind: "not"; readonly operand: Expression }
  | {
      readonly kind: "binary";
      readonly operator: Operator;
      readonly left: Expression;
      readonly right: Expression;
    };

type Binary = Extract<Expression, { kind: "binary" }>;
type Operator = "==" | "!=" | "&&" | "||";

export type ParsedExpression =
  { readonly ok: true; readonly expression: Expression } | ({ readonly ok: false } & ExpressionFault);

interface Token {
  readonly kind: "string" | "number" | "name" | "symbol";
  readonly text: string;
}

/** Bounds the parser's recursion. */
const MAX_LENGTH = 1_000;

const TOKEN =
  /\s*(?:(?<string>'(?:[^']|'')*')|(?<number>-?\d+(?:\.\d+)?(?![\w.-]))|(?<name>[A-Za-z_][\w-]*(?:\.[\w-]+)*)|(?<symbol>==|!=|&&|\|\||[!()]))/y;

function syntax(message: string, suggestion?: string): TowpathError {
  return new TowpathError(
    "SpecInvalid",
    message,
    suggestion === undefined ? {} : { details: { suggestion } },
  );
}

function toToken(groups: Readonly<Record<string, string | undefined>>): Token {
  for (const kind of ["string", "number", "name"] as const) {
    const text = groups[kind];
    if (text !== undefined) return { kind, text };
  }
  return { kind: "symbol", text: groups["symbol"] ?? "" };
}

function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  const text = source.trim();
  TOKEN.lastIndex = 0;
  for (let index = 0; index < text.length; index = TOKEN.lastIndex) {
    const match = TOKEN.exec(text);
    if (match === null) throw unexpected(text.slice(index).trim());
    tokens.push(toToken(match.groups ?? {}));
  }
  return tokens;
}

function unexpected(rest: string): TowpathError {
  if (rest.startsWith('"')) return syntax("strings in expressions stand in single quotes");
  if (rest.startsWith("'")) return syntax("a string in the expression is not closed");
  return syntax(`cannot read \`${rest.slice(0, 20)}\` in the expression`);
}

/** Precedence climbing: `||` binds loosest, then `&&`, then `==` and `!=`, then `!`. */
const LEVELS: readonly (readonly Operator[])[] = [["||"], ["&&"], ["==", "!="]];

class Parser {
  private position = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  whole(): Expression {
    const expression = this.binary(0);
    const rest = this.tokens[this.position];
    if (rest !== undefined) throw syntax(`\`${rest.text}\` does not belong there in the expression`);
    return expression;
  }

  private binary(level: number): Expression {
    const operators = LEVELS[level];
    if (operators === undefined) return this.unary();
    let left = this.binary(level + 1);
    for (;;) {
      const operator = operators.find((candidate) => this.take(candidate));
      if (operator === undefined) return left;
      left = { kind: "binary", operator, left, right: this.binary(level + 1) };
    }
  }

  private unary(): Expression {
    if (this.take("!")) return { kind: "not", operand: this.unary() };
    if (!this.take("(")) return this.operand();
    const inner = this.binary(0);
    if (!this.take(")")) throw syntax("a parenthesis in the expression is not closed");
    return inner;
  }

  private take(symbol: string): boolean {
    const token = this.tokens[this.position];
    if (token?.kind !== "symbol" || token.text !== symbol) return false;
    this.position++;
    return true;
  }

  private operand(): Expression {
    const token = this.tokens[this.position++];
    if (token === undefined) throw syntax("the expression ends where a value is expected");
    if (token.kind === "string")
      return { kind: "literal", value: token.text.slice(1, -1).replaceAll("''", "'") };
    if (token.kind === "number") return { kind: "literal", value: String(Number(token.text)) };
    if (token.kind === "name") return named(token.text);
    throw syntax(`\`${token.text}\` stands where a value is expected`);
  }
}

function named(text: string): Expression {
  if (text === "true" || text === "false") return { kind: "literal", value: text };
  const parsed = parseReference(text);
  if (!parsed.ok) throw syntax(parsed.message, parsed.suggestion);
  return { kind: "reference", reference: parsed.reference };
}

/** Reads what stands between `${{` and `}}`. */
export function parseExpression(source: string): ParsedExpression {
  try {
    if (source.length > MAX_LENGTH) throw syntax(`an expression is at most ${MAX_LENGTH} characters long`);
    if (source.trim() === "") throw syntax("the expression is empty");
    return { ok: true, expression: new Parser(tokenize(source)).whole() };
  } catch (error) {
    if (!(error instanceof TowpathError)) throw error;
    const { suggestion } = error.details;
    if (typeof suggestion !== "string") return { ok: false, message: error.message };
    return { ok: false, message: error.message, suggestion };
  }
}

/** Every name in an expression, from left to right. */
export function referencesIn(expression: Expression): Reference[] {
  if (expression.kind === "literal") return [];
  if (expression.kind === "reference") return [expression.reference];
  if (expression.kind === "not") return referencesIn(expression.operand);
  return [...referencesIn(expression.left), ...referencesIn(expression.right)];
}

/** Outputs and environment variables are texts, so "false" and "0" count as false, unlike in GitHub Actions. */
function isTrue(value: string): boolean {
  return value !== "" && value !== "false" && value !== "0";
}

/** The value of an expression as text; comparisons give "true" or "false", `&&` and `||` one of their operands. */
export function evaluate(expression: Expression, scope: ExpressionScope): string {
  if (expression.kind === "literal") return expression.value;
  if (expression.kind === "reference") return valueOf(expression.reference, scope);
  if (expression.kind === "not") return String(!isTrue(evaluate(expression.operand, scope)));
  return evaluateBinary(expression, scope);
}

function evaluateBinary({ operator, left, right }: Binary, scope: ExpressionScope): string {
  const value = evaluate(left, scope);
  if (operator === "==") return String(value === evaluate(right, scope));
  if (operator === "!=") return String(value !== evaluate(right, scope));
  if (operator === "&&") return isTrue(value) ? evaluate(right, scope) : value;
  return isTrue(value) ? value : evaluate(right, scope);
}

const WRAPPED = /^\s*\$\{\{(?<inner>[\s\S]*)\}\}\s*$/;

/** Reads the text of an `if`, with or without `${{ }}` around it. */
export function parseCondition(source: string): ParsedExpression {
  return parseExpression(WRAPPED.exec(source)?.groups?.["inner"] ?? source);
}

/**
 * Whether a step's `if` holds.
 * @throws TowpathError `SpecInvalid` where the condition cannot be read, which validation has ruled out
 */
export function conditionHolds(source: string, scope: ExpressionScope): boolean {
  const parsed = parseCondition(source);
  if (!parsed.ok)
    throw syntax(`cannot read the condition \`${source}\`: ${parsed.message}`, parsed.suggestion);
  return isTrue(evaluate(parsed.expression, scope));
}
