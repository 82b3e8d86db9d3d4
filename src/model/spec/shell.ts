import { TowpathError } from "../errors.js";
import { evaluate } from "./expressions.js";
import { type ExpressionScope, formatReference } from "./references.js";
import { type ShellContext, ShellLexer } from "./shell-lexer.js";
import { type Hole, type TemplateValue, fillHoles, findHoles } from "./templates.js";

/** A script that contains no data, and the variables that carry the data to it. */
export interface RenderedScript {
  readonly script: string;
  /** To be added to the environment of the script's process, and of no other. */
  readonly env: Readonly<Record<string, string>>;
}

const VARIABLE_PREFIX = "TOWPATH_EXPR_";
const REFUSED =
  "cannot stand here, where bash would not expand it or would take the value for code: " +
  'set it as a variable in `env:` and write "$NAME"';

/** The holes of a script that stand where a value cannot be passed safely, and why. */
export function unsafeHoles(script: string): { readonly hole: Hole; readonly message: string }[] {
  const holes = findHoles(script);
  if (holes.length === 0) return [];
  const contexts = new ShellLexer(script, holes).read();
  return holes
    .filter((hole) => (contexts.get(hole.start) ?? "refused") === "refused")
    .map((hole) => ({ hole, message: `\`${script.slice(hole.start, hole.end)}\` ${REFUSED}` }));
}

function quoted(variable: string, context: ShellContext): string {
  if (context === "refused") throw new TowpathError("SpecInvalid", `An expression ${REFUSED}.`);
  if (context === "word") return `"\${${variable}}"`;
  if (context === "single") return `'"\${${variable}}"'`;
  return `\${${variable}}`;
}

function keyOf(value: TemplateValue): string {
  return value.kind === "literal" ? `'${value.value}'` : formatReference(value.reference);
}

/**
 * Puts no data into a script: each `${{ name }}` becomes a quoted reference to a variable `TOWPATH_EXPR_<n>`, which
 * carries the value. So no value, whatever it contains, is ever read as shell code, or split into words.
 * @throws TowpathError `SpecInvalid` for a script that validation would have refused
 */
export function renderScript(script: string, scope: ExpressionScope): RenderedScript {
  const contexts = new ShellLexer(script, findHoles(script)).read();
  const variables = new Map<string, string>();
  const env: Record<string, string> = {};
  const rendered = fillHoles(script, (value, hole) => {
    const key = keyOf(value);
    const variable = variables.get(key) ?? `${VARIABLE_PREFIX}${variables.size}`;
    variables.set(key, variable);
    env[variable] = evaluate(value, scope);
    return quoted(variable, contexts.get(hole.start) ?? "refused");
  });
  return { script: rendered, env };
}
