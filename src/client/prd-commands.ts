import type { CommandDefinition } from "./command.js";

const PROJECT = ["[path]", "the project's directory (default: the working directory)"] as const;

/** The commands about a project's requirements document, in the order of the help. */
export const PRD_COMMANDS: readonly CommandDefinition[] = [
  {
    name: "prd show",
    description: "print the project's requirements document",
    arguments: [PROJECT],
    load: async () => (await import("./commands/prd.js")).show,
  },
  {
    name: "prd history",
    description: "list the requirements documents that the project has had",
    arguments: [PROJECT],
    load: async () => (await import("./commands/prd.js")).history,
  },
  {
    name: "prd diff",
    description: "compare two requirements documents (default: the previous one with the current)",
    arguments: [PROJECT],
    options: [
      { flags: "--from <sha>", description: "the older one, by its sha or the beginning of it" },
      { flags: "--to <sha>", description: "the newer one (default: the current)" },
    ],
    load: async () => (await import("./commands/prd.js")).diff,
  },
  {
    name: "prd restore",
    description: "make an earlier requirements document the current one, byte for byte",
    arguments: [["<sha>", "its sha, or the beginning of it, as `towpath prd history` shows it"], PROJECT],
    help: "The document that it replaces is archived. What was restored counts as a user's and is never rewritten.",
    load: async () => (await import("./commands/prd.js")).restore,
  },
  {
    name: "prd why",
    description: "explain what the next start would do about the requirements document",
    arguments: [PROJECT],
    options: [
      { flags: "--prd <file>", description: "as if the start were given this document" },
      { flags: "--fresh-prd", description: "as if the start were given --fresh-prd" },
      { flags: "--of <migration>", description: "explain what this migration decided instead" },
    ],
    load: async () => (await import("./commands/prd.js")).why,
  },
];
