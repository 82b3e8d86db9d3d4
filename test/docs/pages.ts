import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CommandDefinition } from "../../src/client/command.js";
import { COMMANDS } from "../../src/client/commands.js";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Everything that users read. */
export const DOCUMENTS: readonly string[] = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

export function textOf(document: string): string {
  return readFileSync(join(ROOT, document), "utf8");
}

/** What a document's blocks of shell commands hold, one text a block. */
export function shellBlocks(document: string): string[] {
  return [...textOf(document).matchAll(/^ *```sh\n(?<script>[\s\S]*?)^ *```$/gm)].map(
    (match) => match.groups?.["script"] ?? "",
  );
}

/** A command line of Towpath's as a document shows it, `towpath` itself left out. */
export interface Mention {
  readonly words: readonly string[];
  /** Its long options. */
  readonly options: readonly string[];
}

/** Every `towpath …`, in blocks and within sentences. */
export function mentionsIn(document: string): Mention[] {
  const found = textOf(document).matchAll(/(?:^ *|`|<\()towpath (?<rest>[a-z][^`\n)]*)/gm);
  return [...found].map((match) => {
    // What the shell does with it is no part of it.
    const [command = ""] = (match.groups?.["rest"] ?? "").split(/ (?:#|\|\|?|&&?|[<>] ) ?/);
    const words = command.trim().split(/\s+/);
    return { words, options: words.flatMap((word) => /^--[a-z-]+/.exec(word)?.[0] ?? []) };
  });
}

export function definitionOf(words: readonly string[]): CommandDefinition | undefined {
  return COMMANDS.find(({ name }) => name.split(" ").every((word, index) => word === words[index]));
}

/** True where a command line that was run is one of those that a mention stands for: `<…>`, `[…]` and `…` are anything. */
export function stands(mention: Mention, run: readonly string[]): boolean {
  const fixed = mention.words.filter((word) => !/[<>[\]…]/.test(word));
  const rest = [...run];
  return fixed.every((word) => {
    const at = rest.indexOf(word);
    rest.splice(0, at + 1);
    return at !== -1;
  });
}
