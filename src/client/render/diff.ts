import picocolors from "picocolors";
import { printableBlock } from "../printable.js";

/** A patch for a person's terminal: harmless, and coloured where that is wanted. */
export function renderDiff(patch: string, colored: boolean): string {
  const { bold, green, red, cyan } = picocolors.createColors(colored);
  let inHunk = false;
  return printableBlock(patch)
    .split("\n")
    .map((line) => {
      if (line.startsWith("diff --git ")) inHunk = false;
      if (line.startsWith("@@")) inHunk = true;
      if (line.startsWith("@@")) return cyan(line);
      if (!inHunk) return line === "" ? line : bold(line);
      if (line.startsWith("+")) return green(line);
      return line.startsWith("-") ? red(line) : line;
    })
    .join("\n");
}
