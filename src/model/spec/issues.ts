import type { z } from "zod";
import type { SpecDocument } from "./document.js";
import { knownKeys } from "./known-keys.js";
import { type SpecPath, type SpecProblem, formatPath } from "./problems.js";
import { suggest } from "./suggest.js";
import { valueAt } from "./values.js";

/** Words from neighbouring tools whose meaning here is another's, or is not there. */
const HINTS: Readonly<Record<string, string>> = {
  strategy: "`strategy` is not supported by this version",
  matrix: "`matrix` is not supported by this version",
  "max-parallel": "`max-parallel` is not supported by this version: steps run one after the other",
  services: "`services` is not supported by this version",
  jobs: "unknown key `jobs`: a migration has `phases`, each with `steps`",
  "timeout-minutes": "unknown key `timeout-minutes`: write `timeout: 10m`",
  shell: "unknown key `shell`: scripts run in bash",
};

type Issue = z.core.$ZodIssue;

/** What zod found wrong, with its place in the file. */
export function issueProblems(issues: readonly Issue[], document: SpecDocument): SpecProblem[] {
  return issues.flatMap((issue) => problemsOf(issue, [], document));
}

function toPath(path: readonly PropertyKey[]): SpecPath {
  return path.map((part) => (typeof part === "number" ? part : String(part)));
}

function problemsOf(issue: Issue, parent: SpecPath, document: SpecDocument): SpecProblem[] {
  const path = [...parent, ...toPath(issue.path)];
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(key, path, document));
  if (issue.code === "invalid_union") return unionProblems(issue, path, document);
  if (issue.code !== "invalid_key") return [valueProblem(issue, path, document)];
  return [nameProblem(issue.issues[0]?.message ?? issue.message, path, document)];
}

function unknownKey(key: string, path: SpecPath, document: SpecDocument): SpecProblem {
  const at = [...path, key];
  const place = { path: formatPath(at), ...document.placeOfKey(at) };
  const hint = Object.hasOwn(HINTS, key) ? HINTS[key] : undefined;
  if (hint !== undefined) return { message: hint, ...place };
  if (key === "features" && path[0] === "phases") {
    return { message: "`features` belongs to `phases.guardrail`", ...place };
  }
  const nearest = suggest(key, knownKeys(path));
  const message = `unknown key \`${key}\``;
  return nearest === undefined ? { message, ...place } : { message, ...place, suggestion: nearest };
}

function nameProblem(message: string, path: SpecPath, document: SpecDocument): SpecProblem {
  return {
    message: `\`${String(path.at(-1))}\`: ${message}`,
    path: formatPath(path),
    ...document.placeOfKey(path),
  };
}

/** Of the ways in which a value could have been written, the one that was meant: that went furthest. */
function unionProblems(
  issue: Extract<Issue, { code: "invalid_union" }>,
  path: SpecPath,
  document: SpecDocument,
): SpecProblem[] {
  const value = valueAt(document.value, path);
  const fitting = issue.errors.find((branch) => !branch.some(isWrongType));
  if (fitting !== undefined) return fitting.flatMap((each) => problemsOf(each, path, document));
  const expected = [...new Set(issue.errors.flatMap((branch) => branch.map(expectation)))];
  const message = `expected ${expected.join(" or ")}, found ${describe(value)}`;
  return [{ message, path: formatPath(path), ...document.placeOf(path) }];
}

function isWrongType(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === "invalid_type" || issue.code === "invalid_value");
}

function expectation(issue: Issue): string {
  if (issue.code === "invalid_type") return TYPE_NAMES[issue.expected] ?? `a ${issue.expected}`;
  if (issue.code === "invalid_value") return issue.values.map((each) => `\`${String(each)}\``).join(" or ");
  return issue.message;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: "a mapping",
  record: "a mapping",
  array: "a list",
  string: "a text",
  int: "a whole number",
  number: "a number",
  boolean: "true or false",
};

function valueProblem(issue: Issue, path: SpecPath, document: SpecDocument): SpecProblem {
  const value = valueAt(document.value, path);
  const at = { path: formatPath(path), ...document.placeOf(path) };
  if ((issue.code === "invalid_type" || issue.code === "invalid_value") && value === undefined) {
    return { message: `\`${String(path.at(-1) ?? "spec")}\` is missing`, ...at };
  }
  if (issue.code === "invalid_type" && !hasOwnMessage(issue)) {
    return { message: `expected ${expectation(issue)}, found ${describe(value)}`, ...at };
  }
  if (issue.code === "invalid_value" && !hasOwnMessage(issue)) return choiceProblem(issue, value, at);
  return { message: issue.message, ...at };
}

/** zod's own messages begin alike; those of our schema say what to write. */
function hasOwnMessage(issue: Issue): boolean {
  return !issue.message.startsWith("Invalid ");
}

function choiceProblem(
  issue: Extract<Issue, { code: "invalid_value" }>,
  value: unknown,
  at: Pick<SpecProblem, "path" | "line" | "column">,
): SpecProblem {
  const nearest = typeof value === "string" ? suggest(value, issue.values.map(String)) : undefined;
  const message = `expected ${expectation(issue)}, found ${describe(value)}`;
  return nearest === undefined ? { message, ...at } : { message, ...at, suggestion: nearest };
}

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "an empty value";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  if (typeof value === "string") return `\`${value.length > 40 ? `${value.slice(0, 40)}…` : value}\``;
  if (typeof value === "number" || typeof value === "boolean") return `the ${typeof value} \`${value}\``;
  return `a ${typeof value}`;
}
