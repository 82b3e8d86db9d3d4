import { tracesWanted } from "../adapters/tracing/wanted.js";
import type { CommandContext, CommandDefinition } from "./command.js";

/** Runs a command in a span of its own where traces are asked for. Otherwise nothing of them is loaded. */
export async function inCommandSpan<T>(
  definition: CommandDefinition,
  { env, progress }: Pick<CommandContext, "env" | "progress">,
  body: () => Promise<T>,
): Promise<T> {
  if (definition.hidden === true || definition.traced === false || !tracesWanted(env)) return body();
  const { startTracing } = await import("../adapters/tracing/start-tracing.js");
  const tracing = await startTracing(env, progress);
  if (tracing === null) return body();
  try {
    return await tracing.span(`towpath ${definition.name}`, body);
  } finally {
    await tracing.shutdown();
  }
}
