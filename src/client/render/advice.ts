import type { Advice } from "../../model/advice.js";

/** The advice as indented lines, the commands one below the other. */
export function adviceLines(advice: readonly Advice[]): string[] {
  const width = Math.max(0, ...advice.map((entry) => entry.command.length));
  return advice.map((entry) => `  ${entry.command.padEnd(width)}   ${entry.effect}`);
}
