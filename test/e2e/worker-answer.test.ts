import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { rememberPorts } from "../../src/adapters/temporal/embedded-state.js";
import { type HttpAnswer, httpGet } from "../../src/adapters/temporal/http-get.js";
import { anyFreePort } from "../../src/adapters/temporal/ports.js";
import { MigrationAnswer } from "../../src/worker/migration-answer.js";
import { WorkerRegistration, workerPaths } from "../../src/worker/registration.js";
import { makeHome, type Home } from "../support/cli.js";
import { createRepository } from "../support/repository.js";

const Started = z.object({ id: z.string() });

let home: Home;
let id: string;
let worker: WorkerRegistration;

beforeAll(async () => {
  home = await makeHome("own");
  await rememberPorts(home.dataDir, { grpc: await anyFreePort(), ui: await anyFreePort() });
  const { path } = await createRepository(join(home.dataDir, "..", "project"), { "a.txt": "0\n" });
  const { stdout } = await home.run(["start", path, "--name", "by hand", "--target", "next", "--json"]);
  id = Started.parse(JSON.parse(stdout)).id;
  worker = WorkerRegistration.parse(JSON.parse(await readFile(workerPaths(home.dataDir).state, "utf8")));
});
afterAll(() => home.remove());

function ask(migration: string, key: string): Promise<HttpAnswer> {
  const headers = { authorization: `Bearer ${key}` };
  return httpGet(`http://${worker.healthAddress}/migrations/${migration}`, 60_000, headers);
}

async function told(): Promise<MigrationAnswer> {
  return MigrationAnswer.parse(JSON.parse((await ask(id, worker.key ?? "")).body));
}

it("is what Temporal tells of a migration", async () => {
  await expect
    .poll(async () => (await told()).progress.waiting?.kind, { timeout: 90_000, interval: 200 })
    .toBe("advance");
  expect(await told()).toMatchObject({
    execution: "RUNNING",
    progress: { migrationId: id, name: "by hand" },
  });
  expect((await ask("mig_20260101_000000_none-abcdef", worker.key ?? "")).status).toBe(502);
});

it("is for whoever can show the worker's key", async () => {
  expect((await ask(id, "guess")).status).toBe(404);
  expect((await httpGet(`http://${worker.healthAddress}/migrations/${id}`, 60_000)).status).toBe(404);
});

it("is taken by `status`", async () => {
  const genuine = await told();
  const progress = { ...genuine.progress, name: "told by the worker" };
  const answer = { ...genuine, progress };
  const server = createServer((_request, response) => response.end(JSON.stringify(answer)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  const status = async (): Promise<unknown> => JSON.parse((await home.run(["status", id, "--json"])).stdout);
  const { state } = workerPaths(home.dataDir);
  try {
    await writeFile(state, JSON.stringify({ ...worker, healthAddress: `127.0.0.1:${port}` }));
    expect(await status()).toMatchObject({ name: "told by the worker", execution: "running" });
  } finally {
    await writeFile(state, JSON.stringify(worker));
    server.close();
  }
  expect(await status()).toMatchObject({ name: "by hand", execution: "running", absentHost: null });
  expect((await home.run(["status", "mig_20260101_000000_none-abcdef"])).code).toBe(3);
});
