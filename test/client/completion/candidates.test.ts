import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../../src/client/commands.js";
import { candidates, type Names } from "../../../src/client/completion/candidates.js";

const NAMES: Names = {
  migrations: async () => [
    { value: "@latest", description: "" },
    { value: "mig_1", description: "" },
  ],
  steps: async (reference) => [{ value: `step-of-${reference}`, description: "" }],
};

async function complete(...words: string[]): Promise<readonly string[] | string> {
  const found = await candidates(words, COMMANDS, NAMES);
  return typeof found === "string" ? found : found.map(({ value }) => value);
}

describe("what may come next", () => {
  it("are the commands, but none that is for programs", async () => {
    const commands = await complete("");
    const shown = COMMANDS.filter(({ hidden }) => hidden !== true).map(({ name }) => name.split(" ")[0]);
    expect(commands).toEqual([...new Set(shown)]);
    expect(commands).not.toContain("complete");
  });

  it.each<[string, readonly string[], readonly string[] | string]>([
    ["a command's beginning", ["stat"], ["status"]],
    ["a migration", ["status", ""], ["@latest", "mig_1"]],
    ["a migration behind an option", ["status", "--local", "mi"], ["mig_1"]],
    ["a migration behind an option's value", ["approve", "--comment", "good", ""], ["@latest", "mig_1"]],
    ["a step of the migration that was named", ["skip", "mig_1", ""], ["step-of-mig_1"]],
    ["an option's value that nobody can guess", ["approve", "mig_1", "--comment", ""], []],
    ["a choice", ["open", "--list", "w"], ["waiting"]],
    ["a file", ["start", "--spec", ""], "files"],
    ["a directory", ["start", ""], "directories"],
    ["options", ["watch", "--"], ["--json"]],
    ["a shell", ["completion", "z"], ["zsh"]],
    ["nothing behind the last argument", ["watch", "mig_1", ""], []],
    ["nothing behind an unknown command", ["nothing", ""], []],
  ])("is %s", async (_, words, expected) => {
    expect(await complete(...words)).toEqual(expected);
  });
});
