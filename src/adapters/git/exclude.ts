import { join } from "node:path";
import { TowpathError } from "../../model/errors.js";
import { readIfPresent, replaceFile } from "./files.js";
import type { Worktree } from "./places.js";

/**
 * `workspace.exclude` as lines of a gitignore file at the top of the worktree. A pattern means the same below the
 * project's directory as it would in a `.gitignore` there.
 */
export function excludeLines(patterns: readonly string[], prefix: string): string[] {
  return patterns.map((pattern) => {
    if (/[\r\n\0]/.test(pattern)) {
      throw new TowpathError(
        "SpecInvalid",
        `workspace.exclude: a pattern must be one line: ${JSON.stringify(pattern)}`,
      );
    }
    return prefix === "" ? pattern : belowPrefix(pattern, prefix);
  });
}

function belowPrefix(pattern: string, prefix: string): string {
  const negation = pattern.startsWith("!") ? "!" : "";
  const bare = pattern.slice(negation.length);
  if (bare.trim() === "" || bare.startsWith("#")) return pattern;
  const literalPrefix = prefix.replaceAll(/[\\*?[\]]/g, String.raw`\$&`);
  const isAnchored = bare.slice(0, -1).includes("/");
  return `${negation}/${literalPrefix}/${isAnchored ? bare.replace(/^\//, "") : `**/${bare}`}`;
}

/**
 * Writes the patterns where `core.excludesFile` can name them, in the worktree's own git directory.
 * @returns the file's path, or undefined without patterns
 */
export function writeExcludes(worktree: Worktree, patterns: readonly string[]): string | undefined {
  if (patterns.length === 0) return undefined;
  const path = join(worktree.gitDir, "towpath-exclude");
  const text = `${excludeLines(patterns, worktree.prefix).join("\n")}\n`;
  if (readIfPresent(path) !== text) replaceFile(path, text);
  return path;
}
