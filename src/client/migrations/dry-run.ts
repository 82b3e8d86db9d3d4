import { Json } from "../../model/json.js";
import { createRedactor, secretTooShort } from "../../model/redaction.js";
import type { CommandResult } from "../command.js";
import { renderStartPlan } from "../render/start-plan.js";
import type { StartPlan } from "./start-plan.js";

type Environment = Readonly<Record<string, string | undefined>>;

function secretValues(plan: StartPlan, env: Environment): string[] {
  return plan.secrets.flatMap(({ name }) => {
    const value = env[name];
    return value === undefined || secretTooShort(value) ? [] : [value];
  });
}

function redacted(value: Json, redact: (text: string) => string): Json {
  if (typeof value === "string") return redact(value);
  if (Array.isArray(value)) return value.map((item) => redacted(item, redact));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redacted(item, redact)]));
}

/** What a start would do, with the values of its secrets masked wherever the spec or a parameter holds one. */
export function dryRunResult(plan: StartPlan, env: Environment): CommandResult {
  const redactor = createRedactor(secretValues(plan, env));
  const redact = (text: string): string => redactor.text(text);
  return {
    text: redact(renderStartPlan(plan)),
    data: redacted(Json.parse({ dryRun: true, ...plan }), redact),
  };
}
