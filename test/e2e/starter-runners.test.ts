import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseJUnit } from "../../src/model/reports/junit.js";
import { requireSpec } from "../../src/model/spec/parse.js";
import { makeHome, type Home } from "../support/cli.js";
import { createRepository, temporaryDirectory } from "../support/repository.js";

const cleanups: (() => Promise<void>)[] = [];
let home: Home;
let scratch: string;

beforeAll(async () => {
  home = await makeHome("own");
  cleanups.push(() => home.remove());
  scratch = await temporaryDirectory(cleanups);
}, 300_000);
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** One test that passes, one that fails, one that is skipped, in a runner's own words. */
function tests(words: { readonly head: string; readonly skip: string; readonly fail: string }): string {
  const { head, skip, fail } = words;
  return `${head}\ntest("adds", () => {});\ntest("breaks", () => { ${fail} });\n${skip}("waits", () => {});\n`;
}

interface Runner {
  readonly script: string;
  readonly install: Readonly<Record<string, string>>;
  readonly file: string;
  readonly text: string;
}

const RUNNERS: Readonly<Record<string, Runner>> = {
  "node --test": {
    script: "node --test",
    install: {},
    file: "test/all.test.js",
    text: tests({
      head: 'const { test } = require("node:test");',
      skip: "test.skip",
      fail: 'throw Error("no")',
    }),
  },
  mocha: {
    script: "mocha test",
    install: { mocha: "10.8.2" },
    file: "test/all.js",
    text: tests({ head: "const test = it;", skip: "it.skip", fail: 'throw Error("no")' }),
  },
  vitest: {
    script: "vitest",
    install: { vitest: "2.1.9" },
    file: "test/all.test.js",
    text: tests({ head: 'import { test } from "vitest";', skip: "test.skip", fail: 'throw Error("no")' }),
  },
  jest: {
    script: "echo linted && jest",
    install: { jest: "29.7.0" },
    file: "test/all.test.js",
    text: tests({ head: "", skip: "test.skip", fail: 'throw Error("no")' }),
  },
  tape: {
    script: "tape test/*.js",
    install: { tape: "5.9.0" },
    file: "test/all.js",
    text: `const test = require("tape");
test("sums", (t) => { t.pass("adds"); t.end(); });
test("products", (t) => { t.fail("breaks"); t.end(); });
`,
  },
};

describe("the set-up that init writes for an npm package", { timeout: 900_000 }, () => {
  it.each(Object.keys(RUNNERS))("makes %s report every test by name, also where one fails", async (name) => {
    const runner = RUNNERS[name];
    if (runner === undefined) throw new Error(name);
    const directory = join(scratch, name.replaceAll(" ", ""));
    const manifest = { name: "tiny", version: "1.0.0", scripts: { test: runner.script } };
    await createRepository(directory, {
      "package.json": JSON.stringify({ ...manifest, devDependencies: runner.install }),
      [runner.file]: runner.text,
    });
    expect(await home.run(["init", directory])).toMatchObject({ code: 0 });
    const file = join(directory, "towpath.yaml");
    const spec = requireSpec(await readFile(file, "utf8"), { fileName: file });
    const out = join(scratch, `${name.replaceAll(" ", "")}-out`);
    await mkdir(out);
    // As Towpath runs them.
    const bash = (script: string) =>
      execa("bash", ["-e", "-o", "pipefail", "-c", script], {
        cwd: directory,
        env: { TOWPATH_OUT: out },
        reject: false,
        all: true,
      });
    const laid = await bash(spec.workspace?.setup ?? "true");
    if (laid.exitCode !== 0) throw new Error(laid.all);
    const ran = await bash(spec.baseline?.run ?? "");
    expect(ran.exitCode).not.toBe(0);
    const report = parseJUnit(await readFile(join(out, "baseline.xml"), "utf8"), "baseline.xml");
    const statuses = report.tests.map((test) => `${test.name.replace(/^.* /, "")} ${test.status}`);
    // TAP tells of assertions, and nothing of a test that is skipped.
    const skipped = name === "tape" ? [] : ["waits skipped"];
    expect(statuses.sort()).toEqual(["adds passed", "breaks failed", ...skipped]);
  });
});
