import type { z } from "zod";
import { TowpathError } from "../model/errors.js";
import type { CommandInput } from "./command.js";

/**
 * A command's arguments and options as its schema reads them.
 * @throws TowpathError `Usage`
 */
export function readInput<T>(schema: z.ZodType<T>, input: CommandInput): T {
  const parsed = schema.safeParse({ arguments: input.arguments, options: input.options });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const name = issue.path[0] === "options" ? `--${issue.path.slice(1).join(".")}` : "argument";
    return `${name}: ${issue.message}`;
  });
  throw new TowpathError("Usage", `${problems.join("; ")}\nSee \`towpath ${input.command} --help\`.`);
}
