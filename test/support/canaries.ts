import { join } from "node:path";
import { expect } from "vitest";
import { z } from "zod";
import type { Home } from "./cli.js";
import { createRepository } from "./repository.js";

/** A word for each thing that must not be readable; each is told from the others where one is found. */
export const CANARIES = {
  spec: "canaryspec4d1f",
  target: "canarytarget77",
  prompt: "canaryprompt0e",
  output: "canaryoutput9b",
  path: "canarypath5c2a",
  repository: "canaryrepo8f3d",
  step: "canarystep61aa",
  failure: "canaryfailure2",
  feature: "canaryfeature4",
  reason: "canaryreason3c",
} as const;

const SPEC = `
version: 1
name: ${CANARIES.spec}
target: ${CANARIES.target}
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  guardrail: { features: [{ id: stands, description: ${CANARIES.feature}, test: "true" }] }
  migrate:
    steps:
      - id: ${CANARIES.step}
        agent: { command: "cat >> told.txt; echo ${CANARIES.output}", prompt: "Port it, ${CANARIES.prompt}." }
      - id: writes
        run: mkdir -p ${CANARIES.path} && echo ok > ${CANARIES.path}/file.txt
      - id: fails
        run: echo ${CANARIES.failure} >&2; exit 4
`;

const Started = z.object({ id: z.string() });
const Progress = z.object({ status: z.string() });

type Run = (...args: string[]) => ReturnType<Home["run"]>;

/** Starts the migration, which then waits at the step that fails. */
export async function startWaiting(home: Home, run: Run): Promise<string> {
  const project = join(home.dataDir, "..", CANARIES.path, CANARIES.repository);
  await createRepository(project, { "towpath.yaml": SPEC });
  const started = await run("start", project, "--allow-host", "--json");
  expect(started).toMatchObject({ code: 0, stdout: expect.stringContaining('"id"') });
  const { id } = Started.parse(JSON.parse(started.stdout));
  await reaches(run, id, "waiting");
  return id;
}

export async function reaches(run: Run, id: string, status: string): Promise<void> {
  const current = async (): Promise<string> => {
    const answer = await run("status", id, "--json");
    return answer.code === 0 ? Progress.parse(JSON.parse(answer.stdout)).status : answer.stderr;
  };
  await expect.poll(current, { timeout: 180_000, interval: 1_000 }).toBe(status);
}

export async function skip(run: Run, id: string): Promise<void> {
  // Refused first: a refusal's message names the step.
  expect(await run("skip", id, CANARIES.step, "--reason", "no", "--yes")).toMatchObject({ code: 4 });
  expect(await run("skip", id, "fails", "--reason", CANARIES.reason, "--yes")).toMatchObject({ code: 0 });
}
