import { z } from "zod";
import { Provenance } from "./documents.js";

export const RequirementsAction = z.enum(["user_owned", "generate", "reuse", "update"]);
export type RequirementsAction = z.infer<typeof RequirementsAction>;

/** Which rule decided, in the order in which they are asked. */
export const RequirementsRule = z.enum([
  "argument",
  "fresh",
  "conventional",
  "nothing-persisted",
  "user",
  "unknown-provenance",
  "edited",
  "code-unchanged",
  "code-changed",
]);
export type RequirementsRule = z.infer<typeof RequirementsRule>;

/** What is known of the document that is persisted in the project. */
export interface PersistedFacts {
  readonly provenance: Provenance;
  /** Its text is no longer the one that was persisted. */
  readonly edited: boolean;
  /** The code is no longer the one that the document is about. */
  readonly codeChanged: boolean;
}

/** Everything that the decision depends on. */
export interface RequirementsFacts {
  /** A document was given as argument. */
  readonly argument: boolean;
  /** `--fresh-prd` */
  readonly fresh: boolean;
  /** null: nothing is persisted. */
  readonly persisted: PersistedFacts | null;
  /** A document lies in the project under a conventional name. */
  readonly conventional: boolean;
}

export interface RequirementsVerdict {
  readonly action: RequirementsAction;
  readonly rule: RequirementsRule;
}

/** What is done about the requirements document of a migration: the first rule that matches. */
export function decideRequirements(facts: RequirementsFacts): RequirementsVerdict {
  const { argument, fresh, persisted, conventional } = facts;
  if (argument) return { action: "user_owned", rule: "argument" };
  if (fresh) return { action: "generate", rule: "fresh" };
  if (persisted === null) {
    return conventional
      ? { action: "user_owned", rule: "conventional" }
      : { action: "generate", rule: "nothing-persisted" };
  }
  return decidePersisted(persisted);
}

function decidePersisted({ provenance, edited, codeChanged }: PersistedFacts): RequirementsVerdict {
  if (provenance === "user") return { action: "user_owned", rule: "user" };
  if (provenance === "unknown") return { action: "user_owned", rule: "unknown-provenance" };
  if (edited) return { action: "user_owned", rule: "edited" };
  return codeChanged
    ? { action: "update", rule: "code-changed" }
    : { action: "reuse", rule: "code-unchanged" };
}

/** Whether the codebase has to be analysed. */
export function needsAnalysis(action: RequirementsAction): boolean {
  return action === "generate" || action === "update";
}

/** The requirements of a migration as its workflow, its memo and its manifest tell of them. */
export const RequirementsView = z.object({
  action: RequirementsAction,
  rule: RequirementsRule,
  /** null: there is no document yet. */
  source: Provenance.nullable(),
  sha: z.string().nullable(),
  why: z.string(),
  /** What the user should know besides. */
  notices: z.array(z.string()),
});
export type RequirementsView = z.infer<typeof RequirementsView>;
