import { describe, expect, it } from "vitest";
import type { CommandBody, CommandDefinition } from "../../src/client/command.js";
import { runCli } from "../../src/client/run.js";
import { TowpathError, type ErrorType } from "../../src/model/errors.js";

/** Runs a command line against these commands. */
async function run(argv: readonly string[], commands: readonly CommandDefinition[]) {
  const written = { stdout: "", stderr: "" };
  const write = (stream: "stdout" | "stderr") => async (text: string) => {
    written[stream] += text;
  };
  const code = await runCli({
    argv,
    env: {},
    cwd: "/",
    columns: 80,
    interactive: false,
    output: { stdout: write("stdout"), stderr: write("stderr") },
    commands,
    version: "1.2.3",
  });
  return { code, ...written };
}

function command(body: CommandBody, more: Partial<CommandDefinition> = {}): CommandDefinition {
  return { name: "do", description: "does it", load: async () => body, ...more };
}

const failing = (error: unknown) => [
  command(async () => {
    throw error;
  }),
];

describe("the exit code", () => {
  it.each<[ErrorType, number]>([
    ["Internal", 1],
    ["StateCorrupt", 1],
    ["Usage", 2],
    ["SpecInvalid", 2],
    ["MigrationNotFound", 3],
    ["PhaseGate", 4],
    ["MigrationFailed", 5],
    ["TemporalUnreachable", 6],
    ["EngineUnreachable", 6],
  ])("of %s is %i", async (type, code) => {
    const answer = await run(["do"], failing(new TowpathError(type, "it happened; do this")));
    expect(answer).toMatchObject({ code, stdout: "" });
    expect(answer.stderr).toMatch(/^error: it happened; do this\n/);
  });

  it("of an error that is no Towpath error is 1", async () => {
    const answer = await run(["do"], failing(new RangeError("oops")));
    expect(answer).toMatchObject({ code: 1, stdout: "" });
    expect(answer.stderr).toMatch(/^error: Unexpected error: oops\nWith TOWPATH_LOG_LEVEL=debug /);
  });

  it.each([
    ["an unknown command", ["dont"], /unknown command 'dont'/],
    ["an unknown option", ["do", "--dont"], /unknown option '--dont'/],
    ["too many arguments", ["do", "this"], /too many arguments/],
    ["no command", [], /No command given/],
    [
      "a missing argument",
      ["take"],
      /missing required argument 'thing'\nUsage: towpath take \[options\] <thing>\nSee `towpath take --help`/,
    ],
    ["a value that is no choice", ["take", "x", "--how", "slow"], /Allowed choices are fast/],
  ])("of %s is 2, and says what to do", async (_, argv, message) => {
    const take = command(async () => ({ text: "", data: null }), {
      name: "take",
      arguments: [["<thing>", "what"]],
      options: [{ flags: "--how <how>", description: "how", choices: ["fast"] }],
    });
    const answer = await run(argv, [command(async () => ({ text: "", data: null })), take]);
    expect(answer).toMatchObject({ code: 2, stdout: "" });
    expect(answer.stderr).toMatch(message);
  });

  it("of help and version is 0, on stdout", async () => {
    const commands = failing(new Error("not run"));
    expect(await run(["--version"], commands)).toEqual({ code: 0, stdout: "1.2.3\n", stderr: "" });
    for (const argv of [["--help"], ["do", "--help"], ["help", "do"]]) {
      const answer = await run(argv, commands);
      expect(answer).toMatchObject({ code: 0, stderr: "" });
      expect(answer.stdout).toContain("Usage: towpath");
    }
  });

  it("is the command's own where it gives one", async () => {
    const commands = [command(async () => ({ text: "not well", data: { healthy: false }, exitCode: 1 }))];
    expect(await run(["do"], commands)).toEqual({ code: 1, stdout: "not well\n", stderr: "" });
  });
});

describe("--json", () => {
  it("prints the answer's data", async () => {
    const commands = [command(async () => ({ text: "for people", data: { a: [1] } }))];
    const answer = await run(["do", "--json"], commands);
    expect(JSON.parse(answer.stdout)).toEqual({ a: [1] });
    expect(answer.stdout).not.toContain("people");
  });

  it("prints errors too, on stdout, with their details", async () => {
    const error = new TowpathError("PhaseGate", "closed", {
      details: { phase: "verify" },
      cause: new Error("secret"),
    });
    const answer = await run(["do", "--json"], failing(error));
    expect(answer).toMatchObject({ code: 4, stderr: "" });
    expect(JSON.parse(answer.stdout)).toEqual({
      error: { type: "PhaseGate", message: "closed", details: { phase: "verify" } },
    });
  });

  it("covers what the parser refuses", async () => {
    const answer = await run(["do", "--dont", "--json"], failing(new Error("not run")));
    expect(answer.code).toBe(2);
    expect(JSON.parse(answer.stdout)).toMatchObject({ error: { type: "Usage" } });
  });

  it("is data behind --", async () => {
    const echo = command(async (input) => ({ text: String(input.arguments[0]), data: null }), {
      arguments: [["[text]", "text"]],
    });
    expect(await run(["do", "--", "--json"], [echo])).toMatchObject({ stdout: "--json\n" });
  });

  it("emits one value a line", async () => {
    const follow = command(async (_input, context) => {
      await context.emit({ text: "one", data: { n: 1 } });
      await context.emit({ text: "two", data: { n: 2 } });
      return { text: "", data: { done: true } };
    });
    const answer = await run(["do", "--json"], [follow]);
    const lines = answer.stdout.trim().split("\n");
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual([{ n: 1 }, { n: 2 }, { done: true }]);
    expect((await run(["do"], [follow])).stdout).toBe("one\ntwo\n");
  });
});

it("escapes what an error's data would do to the terminal", async () => {
  const answer = await run(["do"], failing(new TowpathError("Usage", "bad \u001b[2J name\nsecond line")));
  expect(answer.stderr).toBe("error: bad \\x1b[2J name\nsecond line\n");
});

it("tells progress on stderr, one line each", async () => {
  const slow = command(async (_input, context) => {
    context.progress("building\u0007…");
    return { text: "done", data: null };
  });
  expect(await run(["do"], [slow])).toEqual({ code: 0, stdout: "done\n", stderr: "building\\x07…\n" });
});

it("groups commands whose names have two words, and collects repeated options", async () => {
  const refresh = command(async (input) => ({ text: JSON.stringify(input), data: null }), {
    name: "image refresh",
    options: [{ flags: "--keep <tag>", description: "keep", repeatable: true }],
  });
  const answer = await run(["image", "refresh", "--keep", "a", "--keep", "b"], [refresh]);
  expect(JSON.parse(answer.stdout)).toMatchObject({ arguments: [], options: { keep: ["a", "b"] } });
});
