import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { expect } from "vitest";
import { z } from "zod";
import { readEmbeddedState } from "../../../src/adapters/temporal/embedded-state.js";
import { type Home, makeHome } from "../../support/cli.js";
import { createRepository } from "../../support/repository.js";
import { checkInvariants, checkReplay, type Scene, userSide } from "../invariants.js";
import { FIVE_STEP_FILES, FIVE_STEP_TEXT, FIVE_STEPS } from "./fleet.js";
import { lookOn } from "./onlooker.js";

const Started = z.object({ id: z.string() });
const Status = z.object({ status: z.string() });
const Background = z.object({ pid: z.int().positive() });

/** Each step takes long enough for a server to go and come back in it. */
const SLOW = FIVE_STEPS.replaceAll(/run: "echo (\w+) /g, 'run: "sleep 1; echo $1 ');

/** A migration that was started by the installed command, with a server and a worker of its own. */
export interface Running extends Scene {
  readonly home: Home;
  readonly id: string;
}

/** @param furnish what is done to the empty home before */
export async function startMigration(
  cleanups: (() => Promise<void>)[],
  furnish: (home: Home) => Promise<void> = async () => {},
): Promise<Running> {
  const home = await makeHome("own");
  cleanups.push(() => home.remove());
  await furnish(home);
  const repository = await createRepository(join(home.dataDir, "..", "project"), {
    ...FIVE_STEP_FILES,
    "towpath.yaml": SLOW,
  });
  const before = await userSide(repository);
  const answer = await home.run(["start", repository.path, "--allow-host", "--json"]);
  expect(answer).toMatchObject({ code: 0 });
  const { id } = Started.parse(JSON.parse(answer.stdout));
  const onlooker = lookOn(home.dataDir, id);
  cleanups.push(() => onlooker.stop());
  return { home, repository, before, dataDir: home.dataDir, id, onlookers: new Map([[id, onlooker]]) };
}

/** The process that a state file below the data directory names. */
export async function pidIn(home: Home, file: "server/state.json" | "worker/state.json"): Promise<number> {
  return Background.parse(JSON.parse(await readFile(join(home.dataDir, file), "utf8"))).pid;
}

export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Waits for the end, and checks everything. */
export async function expectCompleted(running: Running): Promise<void> {
  const { home, id, repository } = running;
  await expect
    .poll(async () => statusOf(await home.run(["status", id, "--json"])), { timeout: 600_000, interval: 500 })
    .toBe("completed");
  await checkInvariants(running, id);
  expect(await repository.git("show", `towpath/${id}:steps.txt`)).toBe(FIVE_STEP_TEXT);
  const address = (await readEmbeddedState(home.dataDir))?.address ?? "";
  const connection = await Connection.connect({ address });
  try {
    const client = new Client({ connection });
    const { runId } = await client.workflow.getHandle(id).describe();
    await checkReplay(client.workflow, id, runId);
  } finally {
    await connection.close();
  }
}

export function statusOf({ code, stdout }: { code: number; stdout: string }): string {
  const parsed = code === 0 ? Status.safeParse(JSON.parse(stdout)) : null;
  return parsed?.success ? parsed.data.status : `exit ${code}`;
}
