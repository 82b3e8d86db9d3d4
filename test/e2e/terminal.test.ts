import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { displayWidth } from "../../src/client/render/table.js";
import { makeHome, type Home } from "../support/cli.js";
import { installation } from "../support/installation.js";
import { createRepository, temporaryDirectory, type TestRepository } from "../support/repository.js";
import { HAS_TERMINALS, runInTerminal, type TerminalRun } from "../support/terminal.js";

const SPEC = `version: 1
name: letters
target: next
phases:
  understand:
    steps: [{ id: survey, uses: survey }]
  guardrail:
    features: [{ id: stands, description: a.txt is there, test: "test -e a.txt" }]
  migrate:
    steps:
      - id: slow
        run: |
          for i in {1..30}; do echo "line $i of the work"; done
          while ! test -e "$HOME/go"; do sleep 0.1; done
          for i in {1..100}; do echo "line $i" >> a.txt; done
      - { id: broken, run: "echo no; exit 1" }
`;

const cleanups: (() => Promise<void>)[] = [];
let home: Home;
let repository: TestRepository;
let bin: string;
let env: Record<string, string>;

function terminal(args: string, columns = 80, more: Record<string, string> = {}, rows = 24): TerminalRun {
  return runInTerminal(`${process.execPath} ${bin} ${args}`, { columns, rows, env: { ...env, ...more } });
}

function expectFits(lines: readonly string[], columns: number): void {
  for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(columns);
}

describe.skipIf(!HAS_TERMINALS)(
  "in a terminal (skipped where there is no util-linux)",
  { timeout: 300_000 },
  () => {
    beforeAll(async () => {
      home = await makeHome("own");
      cleanups.push(() => home.remove());
      bin = await installation("own");
      const directory = await temporaryDirectory(cleanups);
      repository = await createRepository(join(directory, "project"), {
        "a.txt": "a\n",
        "towpath.yaml": SPEC,
      });
      await mkdir(join(directory, "bin"));
      await writeFile(join(directory, "bin", "xdg-open"), `#!/bin/bash\necho "$1" >> ${directory}/opened\n`, {
        mode: 0o755,
      });
      const { NO_COLOR: _, ...rest } = home.env;
      env = { ...rest, PATH: `${directory}/bin:${rest.PATH ?? ""}`, OPENED: join(directory, "opened") };
    }, 300_000);
    afterAll(async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    });

    it("start --wait and watch draw the migration, in 80 columns and in 200, and what is awaited at last", async () => {
      const started = terminal(`start ${repository.path} --allow-host --wait`, 80, {
        DISPLAY: ":99",
        CI: "",
      });
      await expect
        .poll(() => started.screen().join("\n"), { timeout: 90_000 })
        .toMatch(
          /\[x\] understand\n +\[x\] survey .*\n\[x\] guardrail\n\[>\] migrate {2}\(1 of 3 steps done\)\n +\[>\] slow {2}.*s\n(?: +│ line \d+ of the work\n){5}\[ \] verify/,
        );
      const wide = terminal("watch @latest", 200);
      await expect
        .poll(() => wide.screen().join("\n"), { timeout: 90_000 })
        .toContain("│ line 30 of the work");

      await writeFile(join(home.env.HOME ?? "", "go"), "");
      for (const run of [started, wide]) {
        await expect
          .poll(() => run.screen().join("\n"), { timeout: 90_000 })
          .toMatch(
            /\[x\] slow[^]*\[!\] broken[^]*Waiting \(migrate\)[^]*step 'broken' failed[^]*towpath retry mig_/,
          );
        // Drawn in place: every phase stands there once.
        expect(run.screen().filter((line) => line.startsWith("[>] migrate"))).toHaveLength(1);
        expect(run.written()).toContain("\u001B[32m");
        run.type("\u0003");
        expect(await run.ended).toBe(130);
      }
      expectFits(started.screen(), 80);
      expectFits(wide.screen(), 200);
      expect(wide.screen().join("\n")).toContain("undo the step and every later one");
      // The terminal itself may have echoed the key.
      expect(wide.screen().at(-2)).toMatch(/^(?:\^C)?mig_\S+ goes on\. See: towpath watch/);
    });

    it("start opens the migration's page in a browser, once", async () => {
      const opened = await home.run(["list", "--json"]);
      const [{ id }] = z
        .object({ migrations: z.tuple([z.looseObject({ id: z.string() })]) })
        .parse(JSON.parse(opened.stdout)).migrations;
      const addresses = (await readFile(env.OPENED ?? "", "utf8")).trim().split("\n");
      expect(addresses).toEqual([
        expect.stringMatching(
          new RegExp(`^http://127.0.0.1:\\d+/namespaces/${home.namespace}/workflows/${id}$`),
        ),
      ]);
    });

    it("open prints the address where no browser can be opened", async () => {
      const answer = await home.run(["open", "@latest"]);
      const page = `http://127\\.0\\.0\\.1:\\d+/namespaces/${home.namespace}/workflows/mig_\\S+/user-metadata`;
      expect(answer.stdout).toMatch(new RegExp(`^${page}\\n\\(not opened: stdout is no terminal\\)\\n$`));
      const list = await home.run(["open", "--list", "waiting", "--json"]);
      expect(JSON.parse(list.stdout)).toMatchObject({
        opened: false,
        url: expect.stringContaining("TowpathWaitingFor") as unknown,
      });
    });

    it("lists and plans fit the terminal, and NO_COLOR leaves no colour", async () => {
      for (const [args, columns] of [
        ["list", 80],
        ["list", 60],
        ["plan @latest", 80],
        ["list", 200],
      ] as const) {
        const run = terminal(args, columns, { NO_COLOR: "1" });
        expect(await run.ended).toBe(0);
        expectFits(run.screen(), columns);
        expect(run.screen().join("\n")).toMatch(/mig_|broken/);
        expect(run.written()).not.toContain("\u001B[");
      }
      expect((await home.run(["list"])).stdout).toContain(
        "step 'broken' failed (attempt 1): `echo no; exit 1` exited with code 1",
      );
    });

    it("diff shows what a step changed: coloured and paged for people, as it is for programs", async () => {
      const plain = await home.run(["diff", "@latest", "slow"]);
      expect(plain.stdout).toMatch(/^diff --git a\/a\.txt b\/a\.txt\n[^]*\n\+line 100\n$/);
      const paged = terminal("diff @latest", 80, { PAGER: "head -n 8" });
      expect(await paged.ended).toBe(0);
      expect(paged.written()).toContain("\u001B[32m+line 1\u001B[39m");
      expect(paged.screen().length).toBeLessThan(12);
      expect((await home.run(["diff", "@latest", "--stat"])).stdout).toContain("a.txt | 100");
      expect(await home.run(["diff", "@latest", "broken"])).toMatchObject({ code: 0, stdout: "" });
      expect(await home.run(["diff", "@latest", "nothing"])).toMatchObject({ code: 3 });
    });

    it("an error tells the cause first, then what to do", async () => {
      const run = terminal("status mig_nothing --local");
      expect(await run.ended).toBe(3);
      expect(run.screen()[0]).toBe("error: Migration not found: mig_nothing");
      expect(run.written()).toContain("\u001B[31merror:");
    });
  },
);
