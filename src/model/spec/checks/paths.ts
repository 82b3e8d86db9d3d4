import picomatch from "picomatch/posix.js";
import { messageOf } from "../../errors.js";
import { type PlacedStep, placedSteps } from "../order.js";
import type { SpecPath, SpecProblem } from "../problems.js";
import { type CheckContext, problemAt } from "./context.js";
import { stepPath } from "./steps.js";

/** The rules of paths and globs: they stay below the directory that they are relative to. */
export function checkPaths(context: CheckContext): SpecProblem[] {
  const { spec } = context;
  return [
    ...(spec.workspace?.exclude ?? []).flatMap((pattern, index) =>
      report(context, ["workspace", "exclude", index], ignoreFault(pattern)),
    ),
    ...plain(context, ["baseline", "working-directory"], spec.baseline?.["working-directory"]),
    ...globs(context, ["baseline", "report"], spec.baseline?.report),
    ...plain(context, ["requirements", "document"], spec.requirements?.document),
    ...placedSteps(spec).flatMap((placed) => checkStepPaths(context, placed)),
  ];
}

function checkStepPaths(context: CheckContext, placed: PlacedStep): SpecProblem[] {
  const path = stepPath(placed);
  const { step } = placed;
  return [
    ...plain(context, [...path, "working-directory"], step["working-directory"]),
    ...globs(context, [...path, "report"], step.report),
    ...globs(context, [...path, "scope", "include"], step.scope?.include),
    ...globs(context, [...path, "scope", "protect"], step.scope?.protect),
    ...globs(context, [...path, "with", "ignore"], step.with?.ignore),
  ];
}

function report(context: CheckContext, path: SpecPath, fault: string | null): SpecProblem[] {
  return fault === null ? [] : [problemAt(context, path, fault)];
}

function plain(context: CheckContext, path: SpecPath, value: string | undefined): SpecProblem[] {
  return value === undefined ? [] : report(context, path, pathFault(value));
}

function globs(
  context: CheckContext,
  path: SpecPath,
  value: string | readonly string[] | undefined,
): SpecProblem[] {
  if (value === undefined) return [];
  if (typeof value === "string") return report(context, path, globFault(value));
  return value.flatMap((glob, index) => report(context, [...path, index], globFault(glob)));
}

function pathFault(path: string): string | null {
  if (/[\p{Cc}]/u.test(path)) return "a path contains no control characters";
  if (path.startsWith("/") || path.startsWith("~") || /^[A-Za-z]:/.test(path)) {
    return `\`${path}\` is absolute: paths are relative`;
  }
  if (path.split("/").includes("..")) return `\`${path}\` leads out of its directory: \`..\` is not allowed`;
  return path.includes("\\") ? `\`${path}\`: write \`/\` between directories` : null;
}

function globFault(glob: string): string | null {
  if (glob.startsWith("!")) return `\`${glob}\`: a pattern cannot be negated; list what is meant`;
  const fault = pathFault(glob);
  if (fault !== null) return fault;
  if (glob.startsWith("./")) return `\`${glob}\`: leave out \`./\``;
  try {
    picomatch.makeRe(glob, { strictBrackets: true, dot: true });
    return null;
  } catch (error) {
    return `\`${glob}\` is no glob: ${messageOf(error)}`;
  }
}

/** Patterns as in .gitignore, where a leading slash only anchors. */
function ignoreFault(pattern: string): string | null {
  if (pattern.startsWith("!")) return `\`${pattern}\`: an exclude pattern cannot be negated`;
  if (pattern.trim() === "" || pattern.startsWith("#")) return "the pattern excludes nothing";
  return pathFault(pattern.replace(/^\//, ""));
}
