import { randomBytes } from "node:crypto";
import type { Client } from "@temporalio/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { locate } from "../../../src/client/migrations/locate.js";
import { RemoteMigration } from "../../../src/client/migrations/remote.js";
import * as contract from "../../../src/workflows/migration.contract.js";
import { temporaryDirectory } from "../../support/repository.js";
import { connectClient } from "../../support/temporal.js";

const cleanups: (() => Promise<void>)[] = [];
let client: Client;
let dataDir: string;

beforeAll(async () => {
  client = await connectClient();
  cleanups.push(() => client.connection.close());
  dataDir = await temporaryDirectory(cleanups);
});
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A migration whose workflow no worker ever takes up. */
async function unattended(): Promise<RemoteMigration> {
  const id = `mig_20260101_000000_unattended-${randomBytes(3).toString("hex")}`;
  const taskQueue = `nobody-${id}`;
  await client.workflow.start(contract.MIGRATION_WORKFLOW, { workflowId: id, taskQueue, args: [] });
  cleanups.push(async () => {
    const handle = client.workflow.getHandle(id);
    if ((await handle.describe()).status.name === "RUNNING") await handle.terminate();
  });
  return new RemoteMigration(client, id, { queryMs: 500, readyMs: 500, acceptMs: 500 });
}

const NO_WORKER = {
  type: "TemporalUnreachable",
  message: expect.stringContaining("No worker answered") as unknown,
};

describe("a migration for which no worker runs", () => {
  it("answers no query, and the error says why", async () => {
    const migration = await unattended();
    await expect(migration.progress()).rejects.toMatchObject(NO_WORKER);
    expect(await migration.execution()).toBe("RUNNING");
  });

  it("takes no request up, and the error says why", async () => {
    const migration = await unattended();
    await expect(migration.update(contract.retry, { by: "Ann" })).rejects.toMatchObject(NO_WORKER);
  });

  it("takes signals, and has not ended in time", async () => {
    const migration = await unattended();
    await migration.signal(contract.pause);
    expect(await migration.ended(200)).toBe(false);
  });
});

describe("a migration that Temporal has ended", () => {
  it("says so to who wants to change it", async () => {
    const migration = await unattended();
    await client.workflow.getHandle(migration.id).terminate();
    const over = { type: "WrongStatus", message: expect.stringContaining("is over (terminated)") as unknown };
    await expect(migration.signal(contract.pause)).rejects.toMatchObject(over);
    await expect(migration.update(contract.retry, { by: "Ann" })).rejects.toMatchObject(over);
    expect(await migration.ended(5000)).toBe(true);
  });
});

function nobody(): RemoteMigration {
  return new RemoteMigration(client, "mig_20260101_000000_none-000000");
}

describe("a migration that nobody knows", () => {
  const missing = {
    type: "MigrationNotFound",
    message: "Migration not found: mig_20260101_000000_none-000000",
  };

  it.each([
    ["query", () => nobody().progress()],
    ["request", () => nobody().update(contract.retry, { by: "Ann" })],
    ["signal", () => nobody().signal(contract.pause)],
    ["wait", () => nobody().ended(1000)],
    ["look", () => nobody().execution()],
  ])("is not found by a %s", async (_, ask) => {
    await expect(ask()).rejects.toMatchObject(missing);
  });
});

describe("locate", () => {
  it("finds a migration of the server by the beginning of its id", async () => {
    const { id } = await unattended();
    await expect.poll(() => locate(id.slice(0, -1), dataDir, client), { timeout: 90_000 }).toBe(id);
  });

  it("takes a full id that is not listed yet as it is, and refuses a beginning of none", async () => {
    const id = "mig_20260101_000000_fresh-000000";
    expect(await locate(id, dataDir, client)).toBe(id);
    await expect(locate("mig_1999", dataDir, client)).rejects.toMatchObject({ type: "MigrationNotFound" });
  });
});
