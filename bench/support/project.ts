import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";

/** A git repository with one small file and a spec of `steps` steps, each of which changes it. */
export async function makeProject(path: string, steps: number): Promise<string> {
  await mkdir(path, { recursive: true });
  await writeFile(join(path, "a.txt"), "0\n");
  await writeFile(join(path, "towpath.yaml"), specOf(steps));
  const git = (...args: string[]) =>
    execa("git", ["-c", "user.name=Bench", "-c", "user.email=bench@example.org", ...args], { cwd: path });
  await git("init", "--quiet", "--initial-branch=main");
  await git("add", "--all");
  await git("commit", "--quiet", "--message=first");
  return path;
}

function specOf(count: number): string {
  const steps = Array.from(
    { length: count },
    (_, i) => `      - { id: s${i + 1}, run: "echo ${i + 1} > a.txt", verify: ["true"] }`,
  );
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
