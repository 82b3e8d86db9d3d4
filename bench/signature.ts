import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { codeSignature } from "../src/adapters/requirements/code-signature.js";
import { ensureDirectories, requirementsPaths } from "../src/adapters/requirements/paths.js";
import { median, type Row, type Section } from "./support/table.js";

const FILES = 20_000;
const REPEATED = 5;
const SETTINGS = [
  "user.name=Bench",
  "user.email=bench@localhost",
  "gc.auto=0",
  "maintenance.auto=false",
].flatMap((setting) => ["-c", setting]);
/** Files that have just been written are read again the next time; a project's files are older. */
const SETTLING_MS = 2_500;

/** How long it takes to find out whether a project's code has changed: the first time, and every later one. */
export async function benchSignature(): Promise<Section> {
  const rows: Row[] = [];
  for (const mode of ["git", "files"] as const) rows.push(...(await measured(mode)));
  return { title: `Signature of ${FILES} files`, rows };
}

async function measured(mode: "git" | "files"): Promise<Row[]> {
  const project = await mkdtemp(join(tmpdir(), "towpath-bench-signature-"));
  try {
    await writeFiles(project);
    if (mode === "git") commitAll(project);
    const paths = requirementsPaths(project);
    await ensureDirectories(paths);
    await pause(SETTLING_MS);
    const sign = async (): Promise<number> => {
      const begun = performance.now();
      const { files } = await codeSignature(paths);
      if (files !== FILES) throw new Error(`${files} files were signed`);
      return performance.now() - begun;
    };
    const first = await sign();
    const later: number[] = [];
    for (let n = 0; n < REPEATED; n += 1) later.push(await sign());
    return [
      { name: `${mode}, the first time`, value: first, unit: "ms", note: "every file is read" },
      { name: `${mode}, again`, value: median(later), unit: "ms", target: 2_000 },
    ];
  } finally {
    await rm(project, { recursive: true, force: true });
  }
}

async function writeFiles(project: string): Promise<void> {
  const perDirectory = 100;
  for (let directory = 0; directory < FILES / perDirectory; directory += 1) {
    const path = join(project, "src", `part-${directory}`);
    await mkdir(path, { recursive: true });
    const text = (file: number): string =>
      `export const value = ${directory * perDirectory + file};\n`.repeat(40);
    const names = Array.from({ length: perDirectory }, (_, file) => file);
    await Promise.all(names.map((file) => writeFile(join(path, `file-${file}.ts`), text(file))));
  }
}

function commitAll(project: string): void {
  const git = (...args: string[]): unknown => execFileSync("git", [...SETTINGS, ...args], { cwd: project });
  git("init", "--quiet");
  git("add", "--all");
  git("commit", "--quiet", "--message=first");
}
