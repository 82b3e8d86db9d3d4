import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { CommandDefinition } from "../../src/client/command.js";
import { COMMANDS } from "../../src/client/commands.js";
import type { CliAnswer } from "../support/cli.js";
import { temporaryDirectory } from "../support/repository.js";
import { runUnreachable } from "../support/unreachable.js";

const Failure = z.object({
  error: z.strictObject({ type: z.string(), message: z.string(), details: z.looseObject({}) }),
});

/** What the arguments of every command may be, by the name that its usage gives them. */
const EXAMPLES: Readonly<Record<string, string>> = {
  "<migration>": "@latest",
  "<phase>": "migrate",
  "<step>": "change",
  "<images...>": "example:1",
  "<image>": "example:1",
  "<schedule>": "example",
  "<sha>": "0123456789",
  "<file>": "keys",
  "<shell>": "bash",
};

/** What takes something away for good, and asks before it does: nothing else has `--yes`. */
const DESTRUCTIVE: Readonly<Record<string, readonly string[]>> = {
  reject: [],
  skip: ["--reason", "no need"],
  rollback: [],
  stop: ["@latest"],
  hosts: ["--forget", "host-1"],
  "image schedule delete": [],
};

const cleanups: (() => Promise<void>)[] = [];
let directory: string;

beforeAll(async () => {
  directory = await temporaryDirectory(cleanups);
  await mkdir(join(directory, "project"));
});
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function towpath(...argv: readonly string[]): Promise<CliAnswer> {
  const env = { PATH: process.env.PATH };
  return runUnreachable(
    { dataDir: join(directory, "data"), cwd: join(directory, "project"), columns: 80, env },
    argv,
  );
}

/** Its words, and an argument for each that it needs. */
function commandLine({ name, arguments: args = [] }: CommandDefinition): string[] {
  const needed = args.filter(([argument]) => argument.startsWith("<"));
  return [
    ...name.split(" "),
    ...needed.map(([argument]) => {
      const example = EXAMPLES[argument];
      if (example === undefined) throw new Error(`no example of ${argument}, which ${name} takes`);
      return example;
    }),
  ];
}

function takes(option: string, { options = [] }: CommandDefinition): boolean {
  return options.some(({ flags }) => flags.includes(option));
}

function named(names: readonly string[]): CommandDefinition[] {
  return COMMANDS.filter(({ name }) => names.includes(name));
}

/** The one JSON document that an error is, with nothing beside it. */
function failureOf({ stdout, stderr }: CliAnswer): z.infer<typeof Failure>["error"] {
  expect(stderr).toBe("");
  return Failure.parse(JSON.parse(stdout)).error;
}

describe.concurrent("every command", () => {
  it.each(COMMANDS)("$name explains itself, without anything being loaded or contacted", async (command) => {
    const answer = await towpath(...command.name.split(" "), "--help");
    expect(answer).toMatchObject({ code: 0, stderr: "" });
    expect(answer.stdout).toContain(`Usage: towpath ${command.name}`);
    expect(answer.stdout.toLowerCase()).toContain(command.description.slice(0, 20).toLowerCase());
    expect(answer.stdout).toContain("--json");
  });

  it.each(COMMANDS.filter(({ hidden }) => hidden !== true))(
    "$name refuses an option that it does not know: code 2, and one JSON document",
    async (command) => {
      const answer = await towpath(...commandLine(command), "--no-such-option", "--json");
      expect(answer.code).toBe(2);
      expect(failureOf(answer)).toMatchObject({
        type: "Usage",
        message: expect.stringContaining("--no-such-option") as unknown,
      });
    },
  );

  it.each(COMMANDS.filter((command) => commandLine(command).length > command.name.split(" ").length))(
    "$name asks for the arguments that it needs: code 2, and its usage",
    async ({ name }) => {
      const answer = await towpath(...name.split(" "), "--json");
      expect(answer.code).toBe(2);
      expect(failureOf(answer)).toMatchObject({
        type: "Usage",
        message: expect.stringContaining(`Usage: towpath ${name}`) as unknown,
      });
    },
  );
});

const OF_A_MIGRATION = COMMANDS.filter(
  ({ name, arguments: args = [] }) => args[0]?.[0] === "<migration>" && name !== "adopt",
);

/** Everything behind the migration, so that nothing is missing. */
function rest(command: CommandDefinition): string[] {
  return [
    ...commandLine(command).slice(command.name.split(" ").length + 1),
    ...(DESTRUCTIVE[command.name] ?? []),
    ...(takes("--yes", command) ? ["--yes"] : []),
  ];
}

describe.concurrent("every command about a migration", () => {
  it("is known here", () => {
    expect(OF_A_MIGRATION.length).toBeGreaterThan(12);
  });

  it.each(OF_A_MIGRATION)(
    "$name takes @latest, and says when there is none or nobody knows",
    async (command) => {
      const answer = await towpath(command.name, "@latest", ...rest(command), "--json");
      const { type } = failureOf({ ...answer, stderr: "" });
      // What is only on this host's disk is not there; for all else Temporal is asked, which is away.
      expect([
        [3, "MigrationNotFound"],
        [6, "TemporalUnreachable"],
      ]).toContainEqual([answer.code, type]);
    },
  );

  it.each(OF_A_MIGRATION)(
    "$name refuses what is no migration's id before it does anything",
    async (command) => {
      const answer = await towpath(command.name, "../etc", ...rest(command), "--json");
      expect([answer.code, failureOf(answer).type]).toEqual([2, "InvalidMigrationId"]);
    },
  );

  it.each(OF_A_MIGRATION.filter((command) => takes("--local", command)))(
    "$name answers with --local from this machine alone",
    async ({ name }) => {
      const answer = await towpath(name, "@latest", "--local", "--json");
      expect([answer.code, failureOf(answer).type]).toEqual([3, "MigrationNotFound"]);
    },
  );
});

describe.concurrent("every command that takes something away for good", () => {
  it("has --yes, and nothing else has", () => {
    const asking = COMMANDS.filter((command) => takes("--yes", command)).map(({ name }) => name);
    expect(asking.sort()).toEqual(Object.keys(DESTRUCTIVE).sort());
  });

  it.each(named(Object.keys(DESTRUCTIVE)))(
    "$name does nothing unasked where nobody can be asked",
    async (command) => {
      const line = [...commandLine(command), ...(DESTRUCTIVE[command.name] ?? [])];
      const unasked = await towpath(...line, "--json");
      expect([unasked.code, failureOf(unasked).message]).toEqual([2, expect.stringContaining("--yes")]);
      const agreed = await towpath(...line, "--yes", "--json");
      expect(agreed.stdout).not.toContain("--yes");
    },
  );
});
