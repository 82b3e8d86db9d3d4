import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Client } from "@temporalio/client";
import { msToTs } from "@temporalio/common/lib/time.js";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { connect } from "../../src/adapters/temporal/connect.js";
import { ensureSearchAttributes } from "../../src/adapters/temporal/search-attributes.js";
import { mergedRows } from "../../src/client/migrations/server-listing.js";
import { ListName, listQuery } from "../../src/model/dashboard.js";
import { SEARCH_ATTRIBUTES } from "../../src/model/visibility.js";
import * as contract from "../../src/workflows/migration.contract.js";
import type { RunningHost } from "../support/temporal.js";
import { failed } from "../workflows/scripted-activities.js";
import { type Started, startScripted } from "../workflows/start-scripted.js";

const DOCUMENT = fileURLToPath(new URL("../../docs/dashboard.md", import.meta.url));

const hosts: RunningHost[] = [];
let client: Client;
let waiting: Started;
let rejected: Started;
beforeAll(async () => {
  client = await connect({ address: inject("temporalAddress"), namespace: "default" });
  const steps = [{ id: "convert", phase: "migrate" as const }];
  waiting = await startScripted(client, hosts, { steps, attempt: () => failed("no") });
  const approval = { required: 1, timeoutMs: 1, onTimeout: "reject" as const };
  const gate = () => ({ open: true, refusals: [], tree: "a".repeat(40), approval });
  rejected = await startScripted(client, hosts, { gate });
  await rejected.handle.result().catch(() => null);
});
afterAll(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.shutdown()));
  await client.connection.close();
});

async function found(query: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { workflowId } of client.workflow.list({ query })) ids.push(workflowId);
  return ids;
}

const of = (list: ListName, { host }: { host: number }): string =>
  listQuery(list, { now: new Date(), hostId: hosts[host]?.hostId ?? "" });

describe("the lists", () => {
  it("find what waits for somebody", async () => {
    await expect
      .poll(() => found(of("waiting", { host: 0 })), { timeout: 90_000 })
      .toContain(waiting.handle.workflowId);
    expect(await found(of("waiting", { host: 0 }))).not.toContain(rejected.handle.workflowId);
  });

  it("find what failed this week, and not what has not", async () => {
    await expect
      .poll(() => found(of("failed", { host: 1 })), { timeout: 90_000 })
      .toContain(rejected.handle.workflowId);
    const nextMonth = new Date(Date.now() + 30 * 24 * 3_600_000);
    expect(await found(listQuery("failed", { now: nextMonth, hostId: "" }))).toEqual([]);
  });

  it("find what is on a host", async () => {
    await expect
      .poll(() => found(of("here", { host: 0 })), { timeout: 90_000 })
      .toEqual([waiting.handle.workflowId]);
    expect(await found(of("containers", { host: 0 }))).toEqual([]);
  });

  it.each(ListName.options)("are what the document says: %s", async (list) => {
    const document = await readFile(DOCUMENT, "utf8");
    const facts = { now: new Date("2026-01-08T00:00:00.000Z"), hostId: "box-01234567" };
    expect(document).toContain(listQuery(list, facts));
  });

  it("are all of the document's", async () => {
    const document = await readFile(DOCUMENT, "utf8");
    const queries = [...document.matchAll(/^WorkflowType = .*$/gm)].map(([query]) => query);
    expect(queries.length).toBeGreaterThanOrEqual(ListName.options.length);
    for (const query of queries) await expect(client.workflow.count(query)).resolves.toBeDefined();
  });
});

it("`towpath list` knows from the attributes where a migration on another host stands", async () => {
  await expect
    .poll(async () => (await mergedRows([], client)).find(({ id }) => id === waiting.handle.workflowId), {
      timeout: 90_000,
    })
    .toMatchObject({
      status: "waiting",
      phase: "migrate",
      progress: 50,
      waitingFor: "step 'convert' failed (attempt 1): no",
      known: ["server"],
    });
  const rows = await mergedRows([], client);
  expect(rows.find(({ id }) => id === rejected.handle.workflowId)).toMatchObject({
    status: "rejected",
    waitingFor: "",
  });
  await waiting.handle.signal(contract.stop, { by: "ada", reason: "" });
});

const refuse = (code: number, details: string) => async (): Promise<never> => {
  throw Object.assign(new Error(`${code}: ${details}`), { code, details });
};

describe("registering the attributes", () => {
  it("is done once: what is there already is left alone", async () => {
    const { connection } = client;
    await ensureSearchAttributes(connection, "default", SEARCH_ATTRIBUTES);
    await ensureSearchAttributes(connection, "default", { ...SEARCH_ATTRIBUTES, TowpathTest: "KEYWORD" });
    await ensureSearchAttributes(connection, "default", { ...SEARCH_ATTRIBUTES, TowpathTest: "KEYWORD" });
    await expect(client.workflow.count('TowpathTest = "a"')).resolves.toBeDefined();
  });

  it("says what to do where the namespace has no room for them", { timeout: 300_000 }, async () => {
    const { connection } = client;
    const namespace = `full-${randomBytes(3).toString("hex")}`;
    const workflowExecutionRetentionPeriod = msToTs("1 day");
    await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
    const taken = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`Taken${index}`, 2]));
    await expect
      .poll(() => connection.operatorService.addSearchAttributes({ namespace, searchAttributes: taken }), {
        timeout: 90_000,
      })
      .toBeDefined();
    const registered = ensureSearchAttributes(connection, namespace, SEARCH_ATTRIBUTES);
    await expect(registered).rejects.toThrow(
      new RegExp(
        `Namespace ${namespace} does not take[^]*search-attribute create --namespace ${namespace} --name TowpathStatus`,
      ),
    );
  });

  it("says what to do where the key may not register them", async () => {
    const { connection } = client;
    const operatorService = Object.assign(Object.create(connection.operatorService), {
      addSearchAttributes: refuse(7, "Request unauthorized."),
    });
    const limited = Object.assign(Object.create(connection), { operatorService });
    const registered = ensureSearchAttributes(limited, "default", { TowpathMissing: "INT" });
    await expect(registered).rejects.toMatchObject({ type: "TemporalUnavailable" });
    await expect(registered).rejects.toThrow(
      /Request unauthorized\.[^]*temporal operator search-attribute create --namespace default --name TowpathMissing --type Int/,
    );
  });

  it("is content with a key that may not list them, where they work", async () => {
    const { connection } = client;
    const operatorService = { listSearchAttributes: refuse(7, "no"), addSearchAttributes: refuse(7, "no") };
    const limited = Object.assign(Object.create(connection), { operatorService });
    await expect(ensureSearchAttributes(limited, "default", SEARCH_ATTRIBUTES)).resolves.toBeUndefined();
  });

  it("refuses a namespace that has one of another type", async () => {
    const wanted = ensureSearchAttributes(client.connection, "default", { TowpathProgress: "KEYWORD" });
    await expect(wanted).rejects.toThrow("TowpathProgress is no Keyword");
  });
});
