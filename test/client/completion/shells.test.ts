import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MigrationStore } from "../../../src/adapters/store/migration-store.js";
import { COMPLETION_SCRIPTS } from "../../../src/client/completion/scripts.js";
import { createManifest } from "../../../src/model/transitions.js";
import { installation } from "../../support/installation.js";
import { temporaryDirectory } from "../../support/repository.js";
import { HAS_TERMINALS, runInTerminal } from "../../support/terminal.js";

const ID = "mig_20260101_000000_shop-aaaaaa";
const cleanups: (() => Promise<void>)[] = [];
let directory: string;
let env: Record<string, string>;

beforeAll(async () => {
  directory = await temporaryDirectory(cleanups);
  const dataDir = join(directory, "data");
  const now = new Date("2026-01-01T00:00:00.000Z");
  const manifest = createManifest({ id: ID, source: directory, target: "next", mode: "spec", now });
  const pending = {
    phase: "migrate",
    status: "pending",
    attempts: 0,
    started_at: "",
    completed_at: "",
    duration_ms: 0,
  } as const;
  const steps = { "two-to-three": pending, polish: pending };
  await new MigrationStore({ dataDir }).create(
    { ...manifest, steps, step_order: Object.keys(steps) },
    "test",
  );
  await mkdir(join(directory, "bin"));
  const program = `#!/bin/bash\nexec ${process.execPath} ${await installation("own")} "$@"\n`;
  await writeFile(join(directory, "bin", "towpath"), program, { mode: 0o755 });
  for (const [shell, script] of Object.entries(COMPLETION_SCRIPTS))
    await writeFile(join(directory, shell), script);
  for (const name of ["spec-one.yaml", "odd=name.yaml"]) await writeFile(join(directory, name), "");
  env = { PATH: `${directory}/bin:${process.env.PATH ?? ""}`, HOME: directory, TOWPATH_DATA_DIR: dataDir };
}, 300_000);
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const has = (shell: string): boolean => spawnSync(shell, ["-c", "exit 0"]).status === 0;

/** What a person types, and what stands on the line once Tab was pressed. */
const TYPED = [
  ["a command", "towpath validat", "towpath validate "],
  ["an id", "towpath status mig_2026", `towpath status ${ID} `],
  ["the newest migration", "towpath status @lat", "towpath status @latest "],
  ["a step", `towpath logs ${ID} two`, `towpath logs ${ID} two-to-three `],
  ["a step of the newest", "towpath logs @latest pol", "towpath logs @latest polish "],
  ["an option", "towpath start --dry", "towpath start --dry-run "],
  ["an option's choice", "towpath open --list wai", "towpath open --list waiting "],
  ["a phase", `towpath advance ${ID} gua`, `towpath advance ${ID} guardrail `],
  ["a file", "towpath start --spec spec-o", "towpath start --spec spec-one.yaml "],
  ["a file with an odd name", "towpath start --spec odd=na", "towpath start --spec odd=name.yaml "],
] as const;

/** Interactive shells that have nothing of their user's, and a prompt that can be waited for. */
async function shellCommand(shell: "bash" | "zsh"): Promise<string> {
  const script = join(directory, shell);
  if (shell === "bash") {
    await writeFile(
      join(directory, "bashrc"),
      `source ${script}\nPS1="> "\nbind "set enable-bracketed-paste off"\n`,
    );
    return `bash --noprofile --rcfile ${directory}/bashrc -i`;
  }
  const rc = `autoload -Uz compinit; compinit -u -d ${directory}/dump\nsource ${script}\nPS1="> "\nunset zle_bracketed_paste\n`;
  await writeFile(join(directory, ".zshrc"), rc);
  return `ZDOTDIR=${directory} zsh -i`;
}

async function typed(shell: "bash" | "zsh", line: string): Promise<string> {
  const command = `cd ${directory}; ${await shellCommand(shell)}`;
  const run = runInTerminal(command, { columns: 120, rows: 24, env });
  const last = (): string => run.screen().at(-1) ?? "";
  try {
    await expect.poll(last, { timeout: 90_000 }).toBe(">");
    run.type(`${line}\t`);
    await expect.poll(() => last().length, { timeout: 90_000 }).toBeGreaterThan(`> ${line}`.length);
    // Shows where the cursor stands: behind the blank that ends a word which is complete.
    run.type("#");
    await expect.poll(() => last().endsWith("#"), { timeout: 90_000 }).toBe(true);
    return last().slice(2, -1);
  } finally {
    run.kill();
  }
}

describe.skipIf(!HAS_TERMINALS)(
  "Tab in a real bash (skipped where there is no util-linux)",
  { timeout: 300_000 },
  () => {
    it.each(TYPED)("completes %s", async (_, line, expected) => {
      expect(await typed("bash", line)).toBe(expected);
    });
  },
);

describe.skipIf(!HAS_TERMINALS || !has("zsh"))(
  "Tab in a real zsh (skipped where there is none)",
  { timeout: 300_000 },
  () => {
    it.each(TYPED)("completes %s", async (_, line, expected) => {
      expect(await typed("zsh", line)).toBe(expected);
    });
  },
);

describe.skipIf(!has("fish"))("fish (skipped where there is none)", { timeout: 300_000 }, () => {
  it.each(TYPED)("completes %s", (_, line, expected) => {
    const script = `cd ${directory}; source ${directory}/fish; complete -C '${line}'`;
    const { stdout } = spawnSync("fish", ["--no-config", "-c", script], { env, encoding: "utf8" });
    const word = expected.trimEnd().split(" ").at(-1) ?? "";
    expect(stdout.split("\n").map((row) => row.split("\t")[0])).toContain(word);
  });
});
