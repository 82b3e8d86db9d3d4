import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";

/** What each step does: changes the one file, and looks at it. */
const changesTheFile = (i: number) => `run: "echo ${i} > a.txt", verify: ["true"]`;

/** A git repository with one small file and a spec of `steps` steps, each of which changes it if not told otherwise. */
export async function makeProject(path: string, steps: number, stepOf = changesTheFile): Promise<string> {
  await mkdir(path, { recursive: true });
  await writeFile(join(path, "a.txt"), "0\n");
  await writeFile(join(path, "towpath.yaml"), specOf(steps, stepOf));
  const git = (...args: string[]) =>
    execa("git", ["-c", "user.name=Bench", "-c", "user.email=bench@example.org", ...args], { cwd: path });
  await git("init", "--quiet", "--initial-branch=main");
  await git("add", "--all");
  await git("commit", "--quiet", "--message=first");
  return path;
}

function specOf(count: number, stepOf: (i: number) => string): string {
  const steps = Array.from({ length: count }, (_, i) => `      - { id: s${i + 1}, ${stepOf(i + 1)} }`);
  return `version: 1
name: bench
target: next
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  guardrail: { features: [{ id: stands, description: it stands, test: "true" }] }
  migrate:
    steps:
${steps.join("\n")}
`;
}
