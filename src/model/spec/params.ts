import { TowpathError } from "../errors.js";
import type { Spec, SpecParam } from "./schema.js";
import { suggest } from "./suggest.js";

export type ParamValue = string | number | boolean;

/** Values travel in environment variables, and the kernel takes no longer ones than 128 KiB. */
const MAX_VALUE_BYTES = 65_536;
const NUMBER = /^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

type Read =
  { readonly ok: true; readonly value: ParamValue } | { readonly ok: false; readonly message: string };

function refuse(message: string): Read {
  return { ok: false, message };
}

function readNumber(text: string): Read {
  const value = Number(text);
  if (!NUMBER.test(text) || !Number.isFinite(value)) return refuse("expected a number");
  return { ok: true, value };
}

/** Reads a value that was given as text, as the parameter's type demands. */
export function readParam(param: SpecParam, text: string): Read {
  if (text.includes("\0")) return refuse("the value contains a NUL character");
  if (new TextEncoder().encode(text).length > MAX_VALUE_BYTES)
    return refuse(`more than ${MAX_VALUE_BYTES} bytes`);
  if (param.type === "number") return readNumber(text);
  if (param.type === "boolean" && text !== "true" && text !== "false")
    return refuse("expected true or false");
  if (param.type === "boolean") return { ok: true, value: text === "true" };
  const options = param.type === "choice" ? (param.options ?? []) : [text];
  return options.includes(text) ? { ok: true, value: text } : refuse(`expected one of ${options.join(", ")}`);
}

function unknownParam(name: string, known: readonly string[]): string {
  const nearest = suggest(name, known);
  const hint = nearest === undefined ? "" : `; did you mean \`${nearest}\`?`;
  const list = known.length === 0 ? "the spec has no parameters" : `there is ${known.join(", ")}`;
  return `unknown parameter \`${name}\`: ${list}${hint}`;
}

/**
 * The value of every parameter: what was given, read as its type, else its default.
 * @param given by name, as text, as `--param name=value` has it
 * @throws TowpathError `Usage` listing every unknown, missing or unreadable parameter
 */
export function resolveParams(
  spec: Pick<Spec, "params">,
  given: Readonly<Record<string, string>>,
): Record<string, ParamValue> {
  const params = Object.entries(spec.params ?? {});
  const known = params.map(([name]) => name);
  const problems = Object.keys(given)
    .filter((name) => !known.includes(name))
    .map((name) => unknownParam(name, known));
  const values: Record<string, ParamValue> = {};
  for (const [name, param] of params) {
    const text = Object.hasOwn(given, name) ? given[name] : undefined;
    const read = text === undefined ? defaultOf(param) : readParam(param, text);
    if (read.ok) values[name] = read.value;
    else problems.push(`parameter \`${name}\`: ${read.message}`);
  }
  if (problems.length > 0) {
    throw new TowpathError("Usage", `Parameters do not fit the spec: ${problems.join("; ")}`, {
      details: { problems },
    });
  }
  return values;
}

function defaultOf(param: SpecParam): Read {
  if (param.default === undefined) return refuse("it is required: give it with --param name=value");
  return { ok: true, value: param.default };
}
