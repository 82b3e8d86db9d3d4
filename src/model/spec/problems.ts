import { TowpathError } from "../errors.js";

/** One thing that is wrong with a spec, and where. */
export interface SpecProblem {
  /** What is wrong and, where that is not obvious, what to do. */
  readonly message: string;
  /** As in `phases.migrate.steps[0].timeout`; empty for the whole file. */
  readonly path: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 code units as editors count them. */
  readonly column: number;
  /** The word that was probably meant. */
  readonly suggestion?: string;
}

/** A path of keys and indices into a spec. */
export type SpecPath = readonly (string | number)[];

/** `["steps", 0, "id"]` → `steps[0].id` */
export function formatPath(path: SpecPath): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return text === "" ? part : `${text}.${part}`;
  }, "");
}

/** A problem as compilers print it: `towpath.yaml:12:5: unknown key …`. */
export function formatProblem(fileName: string, problem: SpecProblem): string {
  const hint = problem.suggestion === undefined ? "" : ` (did you mean \`${problem.suggestion}\`?)`;
  return `${fileName}:${problem.line}:${problem.column}: ${problem.message}${hint}`;
}

/** The error for a spec that cannot be used: its message lists every problem, its details carry them. */
export function specInvalid(fileName: string, problems: readonly SpecProblem[]): TowpathError {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const lines = problems.map((problem) => formatProblem(fileName, problem));
  return new TowpathError("SpecInvalid", `The spec has ${count}:\n${lines.join("\n")}`, {
    details: { file: fileName, problems },
  });
}
