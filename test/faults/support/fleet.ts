import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { inject } from "vitest";
import type { Client } from "@temporalio/client";
import { z } from "zod";
import { createMigrationId } from "../../../src/model/ids.js";
import type { MigrationInput } from "../../../src/model/messages.js";
import type { migration } from "../../../src/workflows/migration.js";
import * as contract from "../../../src/workflows/migration.contract.js";
import { installation } from "../../support/installation.js";
import type { MigrationHandle } from "../../support/migrations.js";
import { createRepository, temporaryDirectory, type TestRepository } from "../../support/repository.js";
import { connectClient } from "../../support/temporal.js";
import { type Scene, userSide } from "../invariants.js";
import { lookOn, type Onlooker } from "./onlooker.js";

const HOST = fileURLToPath(new URL("../fixtures/host.js", import.meta.url));

/** When a host's process sends itself a signal; see `fixtures/host.js`. */
export interface Aim {
  readonly moments: readonly string[];
  readonly activity?: string;
  readonly every: number;
  readonly from: number;
  readonly signal: "SIGKILL" | "SIGSTOP";
}

/** A pending activity that a worker has taken; its state is `PENDING_ACTIVITY_STATE_STARTED`. */
const Started = z.looseObject({ activityId: z.string(), state: z.literal(2) });

let installed: Promise<string> | undefined;

/** A host whose worker is a process, with its data directory and a repository. */
export class Fleet implements Scene {
  /** Every process that was started for this host and lives, oldest first. */
  readonly living: ChildProcess[] = [];
  deaths = 0;
  /** Few, so that a worker that stands still takes few tasks with it. */
  pollers: number | null = null;
  /** What the next process does. */
  roles: readonly ("workflow" | "host")[] = ["workflow", "host"];
  /** Temporal is told of a death at once, instead of waiting for the heartbeats to stay out. */
  reportsDeaths = false;
  private isEnded = false;
  private readonly started: MigrationHandle[] = [];
  readonly onlookers = new Map<string, Onlooker>();
  readonly hostId = `fault-${randomBytes(4).toString("hex")}`;
  readonly log: string;

  private constructor(
    readonly client: Client,
    readonly directory: string,
    readonly repository: TestRepository,
    readonly before: string,
    private readonly dist: string,
    private readonly address: string,
    private readonly env: Readonly<Record<string, string>>,
  ) {
    this.log = join(directory, "worker.log");
  }

  static async make(
    cleanups: (() => Promise<void>)[],
    files: Readonly<Record<string, string>>,
    options: { readonly address?: string; readonly env?: Readonly<Record<string, string>> } = {},
  ): Promise<Fleet> {
    const directory = await temporaryDirectory(cleanups);
    const repository = await createRepository(join(directory, "project"), files);
    const client = await connectClient();
    cleanups.push(() => client.connection.close());
    const dist = join(dirname(dirname(await (installed ??= installation("own")))), "dist");
    const address = options.address ?? inject("temporalAddress");
    const before = await userSide(repository);
    const fleet = new Fleet(client, directory, repository, before, dist, address, options.env ?? {});
    cleanups.push(() => fleet.end());
    return fleet;
  }

  get dataDir(): string {
    return join(this.directory, "data");
  }

  get trace(): string {
    return join(this.directory, "trace");
  }

  async traced(prefix: string): Promise<string[]> {
    const text = await readFile(this.trace, "utf8").catch(() => "");
    return text.split("\n").filter((line) => line.startsWith(prefix));
  }

  /** Starts one more worker process of the host; one that dies of SIGKILL gets a successor, as a supervisor would do. */
  launch(aim: Aim | null = null, next: Aim | null = aim): ChildProcess {
    const config = {
      dist: this.dist,
      address: this.address,
      hostId: this.hostId,
      workflowQueue: `towpath-${this.hostId}`,
      dataDir: this.dataDir,
      trace: this.trace,
      roles: this.roles,
      pollers: this.pollers,
      aim,
    };
    const log = openSync(this.log, "a");
    const child = spawn(process.execPath, [HOST, JSON.stringify(config)], {
      stdio: ["ignore", log, log],
      env: { ...process.env, ...this.env },
    });
    this.living.push(child);
    child.once("exit", () => {
      this.living.splice(this.living.indexOf(child), 1);
      if (this.isEnded) return;
      this.deaths += 1;
      void this.succeed(next);
    });
    return child;
  }

  private async succeed(next: Aim | null): Promise<void> {
    if (this.reportsDeaths) for (const handle of this.started) await this.reportDeath(handle);
    if (!this.isEnded) this.launch(next);
  }

  /** Fails what the dead worker was at, as its heartbeat's timeout would do some seconds later. */
  private async reportDeath(handle: MigrationHandle): Promise<void> {
    const { raw, workflowId } = await handle.describe();
    for (const pending of raw.pendingActivities ?? []) {
      const { success, data } = Started.safeParse(pending);
      if (!success) continue;
      const which = { workflowId, activityId: data.activityId };
      await this.client.activity.fail(which, new Error("its worker was killed"));
    }
  }

  async start(spec: string | null, input: Partial<MigrationInput> = {}): Promise<MigrationHandle> {
    const migrationId = createMigrationId({ now: new Date(), codebase: "project", random: randomBytes(3) });
    const handle = await this.client.workflow.start<typeof migration>(contract.MIGRATION_WORKFLOW, {
      workflowId: migrationId,
      taskQueue: `towpath-${this.hostId}`,
      args: [
        {
          migrationId,
          name: "fault",
          target: "next",
          hostId: this.hostId,
          source: this.repository.path,
          spec: spec === null ? null : { fileName: "towpath.yaml", text: spec },
          params: {},
          manual: false,
          allowHost: true,
          author: { name: "Ada", email: "ada@example.org" },
          startedBy: "ada",
          ...input,
        },
      ],
    });
    this.started.push(handle);
    this.onlookers.set(migrationId, lookOn(this.dataDir, migrationId));
    return handle;
  }

  async end(): Promise<void> {
    this.isEnded = true;
    for (const onlooker of this.onlookers.values()) await onlooker.stop();
    for (const child of Array.from(this.living)) {
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    }
  }
}

/** Steps one behind the other, each of which writes its name once for every run of it. */
function specOf(names: readonly string[]): string {
  const steps = names.map((id, index) => {
    const needs = index === 0 ? "" : `, needs: [${names[index - 1] ?? ""}]`;
    const run = `echo ${id} >> steps.txt; echo x > made-by-${id}.txt`;
    return `      - { id: ${id}, run: "${run}", verify: ["test $(tail -n 1 steps.txt) = ${id}"]${needs} }`;
  });
  return `
version: 1
name: fault
target: next
workspace: { setup: "mkdir -p deps && echo installed > deps/marker" }
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  guardrail: { features: [{ id: stands, description: it stands, test: "true" }] }
  migrate:
    steps:
${steps.join("\n")}
  verify: { gate: { run: ["test $(wc -l < steps.txt) -eq ${names.length}", "test -e deps/marker"] } }
`;
}

export const FIVE_STEPS = specOf(["one", "two", "three", "four", "five"]);

/** Enough where the third step would go the ways of the second again. */
export const TWO_STEPS = specOf(["one", "two"]);

/** What the branch of {@link TWO_STEPS} holds in the end. */
export const TWO_STEP_TEXT = "one\ntwo";

export const FIVE_STEP_FILES = { "steps.txt": "", "src/app.txt": "old\n", ".gitignore": "deps/\n" };

/** What the branch of {@link FIVE_STEPS} holds when every step ran on the one before it, once. */
export const FIVE_STEP_TEXT = "one\ntwo\nthree\nfour\nfive";
