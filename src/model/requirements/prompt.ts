import { listFiles } from "../scope.js";
import type { CodeChange } from "./code.js";

/** What a program that writes the requirements is told besides its own prompt. */
export interface GenerationTask {
  readonly name: string;
  readonly target: string;
  /** The document that is to be brought up to date; null: there is none. */
  readonly previous: { readonly changes: readonly CodeChange[] | null } | null;
}

const CONTENT = `Say, in Markdown, in this order:
1. what the program does, for whom, and how it is used;
2. what must stay as it is: behaviour, interfaces, formats, limits, with the file that shows each;
3. what must change, and what is free to change;
4. when the migration is done: what can be checked, and by which command.
Write what the code shows, not what is usual. Write the document only, without any text around it.`;

/** The prompt where the spec has none. */
export function defaultPrompt({ name, target, previous }: GenerationTask): string {
  const head = `The codebase in the working directory is about to be migrated (${name}) to: ${target}.`;
  if (previous === null) {
    return `${head}\nWrite its requirements document.\n\n${CONTENT}\n`;
  }
  const { changes } = previous;
  const changed =
    changes === null ? "" : ` These files changed: ${listFiles(changes.map(({ path }) => path))}.`;
  return (
    `${head}\nThe file $TOWPATH_PRD has its requirements document, and the code has changed since it was written.${changed}\n` +
    `Bring the document up to date: keep what still holds, word for word.\n\n${CONTENT}\n`
  );
}
