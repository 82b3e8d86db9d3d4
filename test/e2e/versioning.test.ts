import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Client } from "@temporalio/client";
import { execa } from "execa";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { connect } from "../../src/adapters/temporal/connect.js";
import { embeddedEndpoint, ensureEmbedded } from "../../src/adapters/temporal/embedded.js";
import { workerStatus } from "../../src/worker/background.js";
import { makeHome, type Home } from "../support/cli.js";
import { installation } from "../support/installation.js";
import { cleanUp } from "../support/migrations.js";
import { createRepository } from "../support/repository.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const SPEC = `
version: 1
name: upgraded
target: next
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  guardrail: { features: [{ id: stands, description: it stands, test: "true" }] }
  migrate: { steps: [{ id: fails, run: exit 4 }, { id: changes, run: echo b >> b.txt }] }
`;

const NEXT_BUILD = "next-build-of-this-test";

/** The same installation under another build id, beside it, so that it finds the same packages. */
async function otherBuild(): Promise<string> {
  const root = dirname(dirname(await installation("own")));
  const copy = `${root}-next-${process.pid}`;
  await cp(root, copy, { recursive: true });
  cleanups.push(() => rm(copy, { recursive: true, force: true }));
  await writeFile(join(copy, "dist", "build-id"), `${NEXT_BUILD}\n`);
  return join(copy, "bin", "towpath.js");
}

async function launch(home: Home, bin: string, env: Record<string, string>): Promise<string> {
  const worker = spawn(process.execPath, [bin, "worker"], { env: { ...home.env, ...env }, stdio: "ignore" });
  cleanups.push(() => ended(worker));
  const report = async () => (await workerStatus(home.dataDir))?.report?.status;
  await expect.poll(report, { timeout: 120_000, interval: 250 }).toBe("running");
  return (await workerStatus(home.dataDir))?.report?.buildId ?? "";
}

async function ended(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const gone = once(worker, "exit");
  worker.kill("SIGTERM");
  await gone;
}

/** Starts a migration, which then waits at the step that fails. */
async function startWaiting(home: Home, env: Record<string, string>): Promise<string> {
  const project = await createRepository(await mkdtemp(join(home.dataDir, "..", "project-")), {
    "towpath.yaml": SPEC,
  });
  const started = await home.run(["start", project.path, "--allow-host", "--json"], env);
  expect(started).toMatchObject({ code: 0 });
  const { id } = z.object({ id: z.string() }).parse(JSON.parse(started.stdout));
  await reaches(home, env, id, "waiting");
  return id;
}

async function reaches(home: Home, env: Record<string, string>, id: string, status: string): Promise<void> {
  const current = async (): Promise<string> => (await home.run(["status", id, "--json"], env)).stdout;
  await expect.poll(current, { timeout: 180_000, interval: 1_000 }).toContain(`"status": "${status}"`);
}

/** The builds that have decided something in a migration, in their order. */
async function buildsOf(client: Client, id: string): Promise<string[]> {
  const { events } = await client.workflow.getHandle(id).fetchHistory();
  const builds = (events ?? []).flatMap(({ workflowTaskCompletedEventAttributes: task }) => {
    const buildId = task?.deploymentVersion?.buildId ?? "";
    return buildId === "" ? [] : [buildId];
  });
  return builds.filter((build, at) => build !== builds[at - 1]);
}

describe("a rolling upgrade", () => {
  it(
    "lets migrations in flight go on with the new build once it is the current one, and on their own host",
    { timeout: 900_000 },
    async () => {
      const serverHome = await makeHome("own");
      cleanups.push(() => serverHome.remove());
      const server = await ensureEmbedded({ dataDir: serverHome.dataDir, env: process.env });
      const env = { TEMPORAL_ADDRESS: server.address, TEMPORAL_NAMESPACE: "", TOWPATH_DEPLOYMENT: "towpath" };
      const client = await connect(embeddedEndpoint(server));
      cleanups.push(() => client.connection.close());
      const [first, second] = [await makeHome("own"), await makeHome("own")];
      cleanups.push(
        () => first.remove(),
        () => second.remove(),
      );

      const oldBuild = await launch(first, await installation("own"), env);
      const inFlight = await startWaiting(first, env);
      expect(await launch(second, await otherBuild(), env)).toBe(NEXT_BUILD);
      expect(await first.run(["retry", inFlight], env)).toMatchObject({ code: 0 });
      await reaches(first, env, inFlight, "waiting");
      expect(await buildsOf(client, inFlight)).toEqual([oldBuild]);

      const deployment = ["worker", "deployment", "set-current-version", "--deployment-name", "towpath"];
      const temporal = process.env.TOWPATH_TEMPORAL_CLI ?? "temporal";
      await execa(temporal, [...deployment, "--build-id", NEXT_BUILD, "--yes", "--address", server.address]);

      const answer = await first.run(["skip", inFlight, "fails", "--reason", "upgrade", "--yes"], env);
      expect(answer).toMatchObject({ code: 0 });
      await reaches(first, env, inFlight, "completed");
      expect(await buildsOf(client, inFlight)).toEqual([oldBuild, NEXT_BUILD]);

      const fresh = await startWaiting(first, env);
      expect(await buildsOf(client, fresh)).toEqual([NEXT_BUILD]);
    },
  );
});
