import type { RequirementsFacts, RequirementsVerdict } from "../../../src/model/requirements/decision.js";

export type Source = "nothing" | "user" | "generated";

/** One row: what is true of a project and a start, whatever can be, and what must come of it. */
export interface Row {
  readonly argument: boolean;
  readonly fresh: boolean;
  readonly source: Source;
  readonly damaged: boolean;
  readonly edited: boolean;
  readonly codeChanged: boolean;
  readonly expected: RequirementsVerdict;
}

const BOTH = [false, true];

/** The reference's rules once more, row by row, as one reads them there. */
function expectedOf(row: Omit<Row, "expected">): RequirementsVerdict {
  if (row.argument) return { action: "user_owned", rule: "argument" };
  if (row.fresh) return { action: "generate", rule: "fresh" };
  if (row.source === "nothing") return { action: "generate", rule: "nothing-persisted" };
  if (row.damaged) return { action: "user_owned", rule: "unknown-provenance" };
  if (row.source === "user") return { action: "user_owned", rule: "user" };
  if (row.edited) return { action: "user_owned", rule: "edited" };
  if (row.codeChanged) return { action: "update", rule: "code-changed" };
  return { action: "reuse", rule: "code-unchanged" };
}

/** Every combination that there can be: what does not exist is neither damaged nor edited. */
export const TABLE: readonly Row[] = BOTH.flatMap((argument) =>
  BOTH.flatMap((fresh) =>
    (["nothing", "user", "generated"] as const).flatMap((source) =>
      BOTH.flatMap((damaged) =>
        BOTH.flatMap((edited) =>
          BOTH.flatMap((codeChanged) => {
            const row = { argument, fresh, source, damaged, edited, codeChanged };
            const impossible = source === "nothing" && (damaged || edited);
            return impossible ? [] : [{ ...row, expected: expectedOf(row) }];
          }),
        ),
      ),
    ),
  ),
);

export function factsOf({ argument, fresh, source, damaged, edited, codeChanged }: Row): RequirementsFacts {
  const known = source === "nothing" ? null : source;
  const persisted = known && {
    provenance: damaged ? ("unknown" as const) : known,
    edited: edited && !damaged,
    codeChanged,
  };
  return { argument, fresh, persisted, conventional: false };
}

/** For a test's title. */
export function titleOf(row: Row): string {
  const { argument, fresh, source, damaged, edited, codeChanged } = row;
  const marks = { argument, fresh, damaged, edited, codeChanged };
  const on = Object.entries(marks).flatMap(([name, value]) => (value ? [name] : []));
  return [source, ...on].join(", ");
}
