import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { XMLParser } from "fast-xml-parser";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

const MIGRATION = fileURLToPath(new URL("../../examples/minimist-tape-to-jest/migration", import.meta.url));

interface Run {
  readonly exitCode: number | undefined;
  readonly output: string;
  /** Null when no report was written. */
  readonly report: string | null;
}

let tools: string;
let tests: string;

beforeAll(async () => {
  tools = await mkdtemp(path.join(tmpdir(), "towpath-tape-tools-"));
  await cp(MIGRATION, tools, {
    recursive: true,
    filter: (source) => path.basename(source) !== "node_modules",
  });
  await execa("npm", ["ci", "--ignore-scripts", "--prefer-offline"], { cwd: tools });
}, 300_000);

beforeEach(async () => {
  tests = await mkdtemp(path.join(tmpdir(), "towpath-tape-tests-"));
  return () => rm(tests, { recursive: true });
});

afterAll(() => rm(tools, { recursive: true }));

async function run(files: readonly string[]): Promise<Run> {
  const { exitCode, all } = await execa(
    "node",
    [path.join(tools, "tape-report.mjs"), "report.xml", ...files],
    {
      cwd: tests,
      reject: false,
      all: true,
    },
  );
  const report = path.join(tests, "report.xml");
  return { exitCode, output: all, report: existsSync(report) ? await readFile(report, "utf8") : null };
}

/** Runs test files that print the given texts and end with `exitCode`. */
async function runPrinting(tap: Record<string, string>, exitCode = 0): Promise<Run> {
  for (const [file, text] of Object.entries(tap)) {
    const script = `process.stdout.write(${JSON.stringify(text)}); process.exitCode = ${exitCode};`;
    await writeFile(path.join(tests, file), script);
  }
  return run(Object.keys(tap));
}

function parsed(report: string | null): unknown {
  return new XMLParser({ ignoreAttributes: false, attributeNamePrefix: "" }).parse(report ?? "");
}

const TWO_BLOCKS =
  "TAP version 13\n# first\nok 1 a\nok 2 b\n# second\nok 3 c\n\n1..3\n# tests 3\n# pass  3\n\n# ok\n";

describe("the tape report of the minimist example", () => {
  it("has a testcase for each block, and counts each file's exit code as an assertion", async () => {
    const { exitCode, output, report } = await runPrinting({ "a.js": TWO_BLOCKS, "b.js": TWO_BLOCKS });
    expect(exitCode).toBe(0);
    expect(output).toBe("4 tests, 0 failed; 8 assertions (6 in tests, 2 exit codes)");
    expect(parsed(report)).toMatchObject({
      testsuites: {
        tests: "4",
        failures: "0",
        assertions: "8",
        testsuite: [
          {
            name: "a.js",
            assertions: "4",
            testcase: [
              { classname: "a.js", name: "first", assertions: "2" },
              { classname: "a.js", name: "second", assertions: "1" },
            ],
          },
          { name: "b.js" },
        ],
      },
    });
  });

  it("fails the block of a failed assertion, with what tape says of it", async () => {
    const diag = '  ---\n    operator: equal\n    expected: "<1>"\n    actual: 2\n  ...\n';
    const { exitCode, output, report } = await runPrinting(
      {
        "a.js": `TAP version 13\n# good\nok 1 a\n# bad & "ugly"\nok 2 b\nnot ok 3 c\n${diag}\n1..3\n# fail  1\n`,
      },
      1,
    );
    expect(exitCode).toBe(1);
    expect(output).toContain("2 tests, 1 failed");
    expect(report).toContain("bad &amp; &quot;ugly&quot;");
    expect(parsed(report)).toMatchObject({
      testsuites: {
        failures: "1",
        testsuite: {
          testcase: [
            { name: "good" },
            { failure: { message: "not ok 3 c", "#text": expect.stringContaining(`expected: "<1>"`) } },
          ],
        },
      },
    });
  });

  it("skips a block whose assertions are all skipped, and takes todo for no failure", async () => {
    const { exitCode, report } = await runPrinting({
      "a.js": "TAP version 13\n# skipped\nok 1 a # SKIP later\n# planned\nnot ok 2 b # TODO\n\n1..2\n",
    });
    expect(exitCode).toBe(0);
    expect(report).toMatch(/name="skipped"[^>]*>\s*<skipped\/>/);
    expect(report).toMatch(/name="planned"[^>]*\/>/);
  });

  it.each([
    ["a file without any output", "", 0, /asserted nothing/],
    ["output that is no TAP", "all good\n", 0, /asserted nothing/],
    ["a file that ends before its plan", "TAP version 13\n# a\nok 1 x\n", 0, /before its plan/],
    ["a plan of no assertions", "TAP version 13\n1..0\n", 0, /asserted nothing/],
    [
      "fewer assertions than planned",
      "TAP version 13\n# a\nok 1 x\n\n1..2\n",
      0,
      /planned 2 assertions and made 1/,
    ],
    ["more assertions than planned", "TAP version 13\n# a\nok 1 x\nok 2 y\n\n1..1\n", 0, /a\.js/],
    ["a bail out", "TAP version 13\n# a\nok 1 x\nBail out! no database\n", 1, /bailed out: no database/],
    ["an exit code that no assertion explains", TWO_BLOCKS, 3, /exit code 3 although no assertion failed/],
  ])("refuses %s and leaves no report, not even an old one", async (_case, tap, exitCode, message) => {
    await writeFile(path.join(tests, "report.xml"), "<testsuites/>");
    const result = await runPrinting({ "a.js": tap }, exitCode);
    expect(result.exitCode).toBe(2);
    expect(result.output).toMatch(message);
    expect(result.report).toBeNull();
  });

  it("refuses a run of no files", async () => {
    expect(await run([])).toMatchObject({ exitCode: 2, report: null });
  });

  it("writes XML also for names that XML cannot carry", async () => {
    const { report } = await runPrinting({ "a.js": "TAP version 13\n# a\u0007 <b> 'c'\nok 1 x\n\n1..1\n" });
    expect(parsed(report)).toMatchObject({
      testsuites: { testsuite: { testcase: { name: "a\ufffd <b> 'c'" } } },
    });
  });
});
