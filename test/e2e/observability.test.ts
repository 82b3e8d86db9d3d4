import { createServer, type Server } from "node:http";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { workerStatus } from "../../src/worker/background.js";
import { makeHome, type Home } from "../support/cli.js";
import { cleanUp } from "../support/migrations.js";
import { createRepository } from "../support/repository.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const WITHOUT = new URL("../support/without-opentelemetry.mjs", import.meta.url);

const CANARY = "canaryprompt5e1d";

const SPEC = `
version: 1
name: ${CANARY}
target: next
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  guardrail: { features: [{ id: stands, description: it stands, test: "true" }] }
  migrate:
    steps:
      - { id: ${CANARY}, run: "echo ${CANARY} >> told.txt" }
      - { id: fails, run: "echo ${CANARY} >&2; exit 4" }
`;

const Span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
});
type Span = z.infer<typeof Span>;

/** OTLP over HTTP in JSON, as far as it is looked at here. */
const Export = z.object({
  resourceSpans: z.array(z.object({ scopeSpans: z.array(z.object({ spans: z.array(Span) })) })),
});

interface Receiver {
  readonly address: string;
  readonly spans: Span[];
  /** Everything that was sent. */
  text(): string;
}

async function receiver(): Promise<Receiver> {
  const bodies: string[] = [];
  const spans: Span[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      bodies.push(body);
      const { resourceSpans } = Export.parse(JSON.parse(body));
      spans.push(...resourceSpans.flatMap((each) => each.scopeSpans.flatMap((scope) => scope.spans)));
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  const port = await listening(server);
  cleanups.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return { address: `http://127.0.0.1:${port}`, spans, text: () => bodies.join("\n") };
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : 0);
    });
  });
}

async function migrate(home: Home, env: Record<string, string>): Promise<string> {
  const project = await createRepository(join(home.dataDir, "..", "project"), { "towpath.yaml": SPEC });
  const started = await home.run(["start", project.path, "--allow-host", "--json"], env);
  expect(started).toMatchObject({ code: 0, stderr: expect.not.stringContaining("Error") });
  const { id } = z.object({ id: z.string() }).parse(JSON.parse(started.stdout));
  const status = async (): Promise<string> => (await home.run(["status", id, "--json"], env)).stdout;
  await expect.poll(status, { timeout: 180_000, interval: 1_000 }).toContain('"step-failed"');
  expect(await home.run(["skip", id, "fails", "--reason", CANARY, "--yes"], env)).toMatchObject({ code: 0 });
  await expect.poll(status, { timeout: 180_000, interval: 1_000 }).toContain('"completed"');
  return id;
}

/** The names from a span up to the root of its trace. */
function lineage(span: Span, spans: readonly Span[]): string[] {
  const parent = spans.find(
    ({ spanId, traceId }) => spanId === span.parentSpanId && traceId === span.traceId,
  );
  return parent === undefined ? [span.name] : [span.name, ...lineage(parent, spans)];
}

describe("a migration that is traced", () => {
  it(
    "is one trace from the command to its activities, without a word of what it is about",
    { timeout: 600_000 },
    async () => {
      const home = await makeHome("own");
      cleanups.push(() => home.remove());
      const collector = await receiver();
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.address, OTEL_BSP_SCHEDULE_DELAY: "200" };
      await migrate(home, env);
      await expect
        .poll(() => collector.spans.map(({ name }) => name), { timeout: 90_000 })
        .toEqual(expect.arrayContaining(["RunWorkflow:migration", "RunActivity:finishMigration"]));
      await home.run(["down"], env);
      const attempt = collector.spans.find(({ name }) => name === "RunActivity:attemptStep");
      expect(attempt === undefined ? [] : lineage(attempt, collector.spans)).toEqual([
        "RunActivity:attemptStep",
        "StartActivity:attemptStep",
        "RunWorkflow:migration",
        "StartWorkflow:migration",
        "towpath start",
      ]);
      const update = collector.spans.find(({ name }) => name === "HandleUpdate:skip");
      expect(update === undefined ? [] : lineage(update, collector.spans).at(-1)).toBe("towpath skip");
      expect(collector.text()).not.toContain(CANARY);
      expect(collector.text()).toContain("temporalWorkflowId");
    },
  );

  it("is not held up by a collector that is not there", { timeout: 600_000 }, async () => {
    const home = await makeHome("own");
    cleanups.push(() => home.remove());
    expect(await migrate(home, { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" })).toMatch(/^mig_/);
  });
});

describe("traces whose packages are not installed", () => {
  it("are named by a command that is asked for them, and missed by nobody else", async () => {
    const home = await makeHome("own");
    cleanups.push(() => home.remove());
    const without = { NODE_OPTIONS: `--import ${fileURLToPath(WITHOUT)}` };
    const asked = await home.run(["validate", "--json"], { ...without, TOWPATH_TRACES: "1" });
    expect(asked.code).toBe(2);
    expect(asked.stdout).toContain("what writes them is not installed");
    expect(asked.stdout).toContain("npm install @temporalio/interceptors-opentelemetry @opentelemetry/api");
    expect((await home.run(["schema"], without)).code).toBe(0);
  });
});

const Dashboard = z.object({
  title: z.string().min(1),
  uid: z.string().regex(/^[\w-]{1,40}$/),
  schemaVersion: z.int().min(36),
  templating: z.object({
    list: z.array(z.object({ name: z.string(), type: z.enum(["datasource", "query"]) })),
  }),
  panels: z.array(
    z.object({
      id: z.int(),
      type: z.enum(["timeseries", "stat"]),
      title: z.string().min(1),
      gridPos: z.object({ x: z.int(), y: z.int(), w: z.int().max(24), h: z.int() }),
      datasource: z.object({ type: z.literal("prometheus"), uid: z.literal("${datasource}") }),
      targets: z.array(z.object({ refId: z.string(), expr: z.string().min(1) })).min(1),
    }),
  ),
});

describe("the Grafana dashboard", () => {
  it(
    "asks for metrics that a worker serves, and for labels that they have",
    { timeout: 600_000 },
    async () => {
      const path = fileURLToPath(new URL("../../deploy/grafana/towpath.json", import.meta.url));
      const { panels } = Dashboard.parse(JSON.parse(await readFile(path, "utf8")));
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
      const home = await makeHome("own");
      cleanups.push(() => home.remove());
      await migrate(home, {});
      const worker = await workerStatus(home.dataDir);
      const read = async (): Promise<string> =>
        await (await fetch(`http://${worker?.report?.metricsAddress}/metrics`)).text();
      const asked = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
      // The SDK counts a workflow a moment after its end is known.
      await expect
        .poll(async () => missingIn(await read(), asked), { timeout: 90_000, interval: 200 })
        .toEqual([]);
      const metrics = await read();
      expect(metrics).toMatch(/towpath_step_attempts\{[^}]*outcome="failed"[^}]*\} 1/);
      expect(metrics).not.toContain(CANARY);
      // What docs/observability.md names is there, too.
      const docs = join(dirname(path), "..", "..", "docs", "observability.md");
      const named = (await readFile(docs, "utf8")).match(/`(?:temporal|towpath)_\w+`/g) ?? [];
      expect(named.length).toBeGreaterThan(10);
      expect(named.filter((name) => !metrics.includes(name.replaceAll("`", "")))).toEqual([]);
    },
  );
});

function missingIn(metrics: string, expressions: readonly string[]): string[] {
  return expressions.filter((expression) => !isServed(expression, metrics));
}

/** Whether there is a metric of that name, with the labels that it is grouped by. */
function isServed(expression: string, metrics: string): boolean {
  const name = /\b(?:temporal|towpath)_\w+/.exec(expression)?.[0] ?? "";
  const lines = metrics.split("\n").filter((line) => line.startsWith(`${name}{`));
  return (
    lines.length > 0 &&
    labelsOf(expression).every((label) => lines.some((line) => line.includes(`${label}="`)))
  );
}

function labelsOf(expression: string): string[] {
  const grouped = /\bby \((?<labels>[^)]*)\)/.exec(expression)?.groups?.["labels"] ?? "";
  return grouped
    .split(",")
    .map((label) => label.trim())
    .filter((label) => label !== "");
}
