import { appendFile, chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { makeHome, type Home } from "../support/cli.js";
import { installation } from "../support/installation.js";
import { createRepository } from "../support/repository.js";

/** What every script may use: waits until the newest migration waits for something. */
const HELPERS = `
waits() {
  for _ in {1..600}; do
    towpath status @latest --json | grep -q '"kind": "'"$1"'"' && return
    sleep 0.3
  done
  towpath status @latest; return 1
}
`;

/** A person's machine: a home, a data directory, and `towpath` on the PATH. */
export interface Machine {
  readonly home: Home;
  readonly scratch: string;
  /** Makes a git repository in a directory `my-project` of its own. */
  project(name: string, files: Readonly<Record<string, string>>): Promise<string>;
  /** Runs a script as a person's shell does, and ends it at the first command that fails. */
  run(script: string, cwd: string, env?: Record<string, string>): Promise<{ exitCode?: number; all: string }>;
  /** Words of every command line of `towpath` that was run. */
  runs(): Promise<string[][]>;
  remove(): Promise<void>;
}

export async function makeMachine(): Promise<Machine> {
  const home = await makeHome("own");
  const scratch = await mkdtemp(path.join(tmpdir(), "towpath-docs-"));
  const bin = path.join(scratch, "bin");
  const log = path.join(scratch, "runs.log");
  await mkdir(bin);
  await appendFile(log, "");
  const program = `#!/bin/sh\necho "$@" >> "${log}"\nexec "${process.execPath}" "${await installation("own")}" "$@"\n`;
  await writeFile(path.join(bin, "towpath"), program);
  await chmod(path.join(bin, "towpath"), 0o755);
  const base = { ...home.env, PATH: `${bin}:${process.env["PATH"] ?? ""}` };
  return {
    home,
    scratch,
    project: async (name, files) =>
      (await createRepository(path.join(scratch, name, "my-project"), files)).path,
    run: async (script, cwd, env = {}) =>
      await execa("bash", ["-e", "-c", HELPERS + script], {
        cwd,
        env: { ...base, ...env },
        extendEnv: false,
        reject: false,
        all: true,
      }),
    runs: async () =>
      (await readFile(log, "utf8"))
        .trim()
        .split("\n")
        .map((line) => line.split(" ")),
    remove: async () => {
      await home.remove();
      await rm(scratch, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
