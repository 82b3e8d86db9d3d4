import { checkGates } from "./checks/gates.js";
import { checkNames } from "./checks/names.js";
import { checkPaths } from "./checks/paths.js";
import { checkSteps } from "./checks/steps.js";
import { checkVariables } from "./checks/variables.js";
import type { CheckContext } from "./checks/context.js";
import { type SpecDocument, type SpecFormat, readDocument } from "./document.js";
import { issueProblems } from "./issues.js";
import { type SpecProblem, specInvalid } from "./problems.js";
import { Spec } from "./schema.js";
import { without } from "./values.js";

export type ParsedSpec =
  | { readonly ok: true; readonly spec: Spec }
  | { readonly ok: false; readonly problems: readonly SpecProblem[] };

export interface ParseSpecOptions {
  /** Its ending tells the format where `format` does not. */
  readonly fileName: string;
  readonly format?: SpecFormat;
}

/** A file of a million brackets has a million problems; nobody reads them. */
const MAX_PROBLEMS = 200;

/**
 * Reads a `towpath.yaml` or `towpath.json` and checks every rule that can be checked without running anything.
 * Never throws, whatever the text. The problems are all that were found, in the order of the file.
 */
export function parseSpec(text: string, { fileName, format }: ParseSpecOptions): ParsedSpec {
  const read = readDocument(text, format ?? formatOf(fileName));
  if (!read.ok) return { ok: false, problems: inOrder(read.problems) };
  const { document } = read;
  const parsed = Spec.safeParse(document.value);
  const problems = parsed.success
    ? semanticProblems({ spec: parsed.data, document })
    : shapeProblems(document, parsed.error.issues);
  if (problems.length > 0 || !parsed.success) return { ok: false, problems: inOrder(problems) };
  return { ok: true, spec: parsed.data };
}

/**
 * The same for callers that cannot go on without a spec.
 * @throws TowpathError `SpecInvalid`, its message and details listing every problem
 */
export function requireSpec(text: string, options: ParseSpecOptions): Spec {
  const parsed = parseSpec(text, options);
  if (!parsed.ok) throw specInvalid(options.fileName, parsed.problems);
  return parsed.spec;
}

function formatOf(fileName: string): SpecFormat {
  return fileName.toLowerCase().endsWith(".json") ? "json" : "yaml";
}

function semanticProblems(context: CheckContext): SpecProblem[] {
  return [checkSteps, checkVariables, checkGates, checkPaths, checkNames].flatMap((check) => check(context));
}

type Issues = Parameters<typeof issueProblems>[0];

/**
 * What is wrong with the shape and, where the rest of the spec stands without the wrong parts, what else is wrong. A
 * rule that fails around or below a wrong part says nothing that is certain.
 */
function shapeProblems(document: SpecDocument, issues: Issues): SpecProblem[] {
  const problems = issueProblems(issues, document);
  const rest = Spec.safeParse(issues.reduce(withoutIssue, document.value));
  if (!rest.success) return problems;
  const related = (path: string): boolean =>
    problems.some((problem) => contains(path, problem.path) || contains(problem.path, path));
  return [
    ...problems,
    ...semanticProblems({ spec: rest.data, document }).filter(({ path }) => !related(path)),
  ];
}

function withoutIssue(value: unknown, issue: Issues[number]): unknown {
  const path = issue.path.map((part) => (typeof part === "number" ? part : String(part)));
  if (issue.code !== "unrecognized_keys") return without(value, path);
  return issue.keys.reduce<unknown>((rest, key) => without(rest, [...path, key]), value);
}

function contains(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(`${outer}.`) || inner.startsWith(`${outer}[`);
}

function inOrder(problems: readonly SpecProblem[]): SpecProblem[] {
  const seen = new Set<string>();
  const ordered = [...problems]
    .sort((a, b) => a.line - b.line || a.column - b.column)
    .filter(({ line, column, message }) => {
      const key = `${line}:${column}:${message}`;
      return !seen.has(key) && seen.add(key);
    });
  const next = ordered[MAX_PROBLEMS];
  if (next === undefined) return ordered;
  const { path, line, column } = next;
  const rest = {
    message: `… and ${ordered.length - MAX_PROBLEMS} more problems from here on`,
    path,
    line,
    column,
  };
  return [...ordered.slice(0, MAX_PROBLEMS), rest];
}
