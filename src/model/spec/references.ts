import { suggest } from "./suggest.js";

/** A name that stands in `${{ … }}`. */
export type Reference =
  | { readonly root: "params" | "env"; readonly name: string }
  | { readonly root: "migration"; readonly name: MigrationFact }
  | { readonly root: "attempt"; readonly name: AttemptFact }
  | { readonly root: "steps"; readonly step: string; readonly output: string };

const MIGRATION_FACTS = ["id", "name", "target"] as const;
type MigrationFact = (typeof MIGRATION_FACTS)[number];
const ATTEMPT_FACTS = ["number", "feedback"] as const;
type AttemptFact = (typeof ATTEMPT_FACTS)[number];
const ROOTS = ["params", "env", "migration", "attempt", "steps"] as const;

/** What the names stand for, at one moment of a migration. */
export interface ExpressionScope {
  readonly params: Readonly<Record<string, string | number | boolean>>;
  readonly env: Readonly<Record<string, string>>;
  readonly migration: Readonly<Record<MigrationFact, string>>;
  /** Absent outside of a step's attempt. */
  readonly attempt?: { readonly number: number; readonly feedback: string };
  /** By step, then by name. */
  readonly outputs: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** Something in an expression that cannot be read. */
export interface ExpressionFault {
  readonly message: string;
  readonly suggestion?: string;
}

export type ParsedReference =
  { readonly ok: true; readonly reference: Reference } | ({ readonly ok: false } & ExpressionFault);

function fault(message: string, suggestion?: string): ParsedReference {
  return suggestion === undefined ? { ok: false, message } : { ok: false, message, suggestion };
}

function fact<Fact extends string>(
  root: string,
  facts: readonly Fact[],
  parts: readonly string[],
  make: (name: Fact) => Reference,
): ParsedReference {
  const name = parts.join(".");
  const found = facts.find((candidate) => candidate === name);
  if (found !== undefined) return { ok: true, reference: make(found) };
  const nearest = suggest(name, facts);
  return fault(
    `unknown name \`${root}.${name}\`: there is ${facts.map((each) => `${root}.${each}`).join(", ")}`,
    nearest === undefined ? undefined : `${root}.${nearest}`,
  );
}

function stepOutput(parts: readonly string[]): ParsedReference {
  const [step, word, output] = parts;
  if (parts.length !== 3 || step === undefined || word !== "outputs" || output === undefined) {
    return fault("an output is named `steps.<id>.outputs.<name>`");
  }
  return { ok: true, reference: { root: "steps", step, output } };
}

/** Reads a dotted name. What it names need not exist. */
export function parseReference(text: string): ParsedReference {
  const [root = "", ...parts] = text.split(".");
  switch (root) {
    case "params":
    case "env": {
      const [name] = parts;
      if (parts.length !== 1 || name === undefined) return fault(`write \`${root}.<name>\``);
      return { ok: true, reference: { root, name } };
    }
    case "migration":
      return fact(root, MIGRATION_FACTS, parts, (name) => ({ root, name }));
    case "attempt":
      return fact(root, ATTEMPT_FACTS, parts, (name) => ({ root, name }));
    case "steps":
      return stepOutput(parts);
    case "secrets":
      return fault("secrets stand in no expression: commands find them in their environment");
    default:
      return fault(`unknown name \`${text}\`: names begin with ${ROOTS.join(", ")}`, suggest(root, ROOTS));
  }
}

/** The name as a spec writes it. */
export function formatReference(reference: Reference): string {
  if (reference.root === "steps") return `steps.${reference.step}.outputs.${reference.output}`;
  return `${reference.root}.${reference.name}`;
}

function own(record: Readonly<Record<string, string | number | boolean>>, name: string): string {
  return Object.hasOwn(record, name) ? String(record[name]) : "";
}

/** The text that a name stands for; an output that was not written is the empty text. */
export function valueOf(reference: Reference, scope: ExpressionScope): string {
  if (reference.root === "steps") {
    const outputs = Object.hasOwn(scope.outputs, reference.step) ? scope.outputs[reference.step] : undefined;
    return own(outputs ?? {}, reference.output);
  }
  if (reference.root === "migration") return scope.migration[reference.name];
  if (reference.root === "attempt") {
    return scope.attempt === undefined ? "" : String(scope.attempt[reference.name]);
  }
  return own(scope[reference.root], reference.name);
}
