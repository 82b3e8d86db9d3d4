import { type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { expect, inject } from "vitest";
import { z } from "zod";
import { ensureEmbedded } from "../../src/adapters/temporal/embedded.js";
import { EMBEDDED_NAMESPACE } from "../../src/adapters/temporal/target.js";
import { type CliAnswer, type Home, makeHome } from "./cli.js";
import { makeNamespace } from "./cluster/namespaces.js";

const Hosts = z.object({
  hosts: z.array(
    z.object({
      hostId: z.string(),
      isHere: z.boolean(),
      lastSeen: z.string().nullable(),
      migrations: z.int(),
      record: z.object({ pid: z.int(), slots: z.int() }).nullable(),
    }),
  ),
});
export type ListedHost = z.infer<typeof Hosts>["hosts"][number];

/** A machine of its own as far as Towpath can tell: a data directory, and a worker process on a Temporal of others. */
export interface Machine {
  readonly home: Home;
  readonly env: Record<string, string>;
  worker: ChildProcess;
  run(args: readonly string[]): Promise<CliAnswer>;
  /** Starts its worker (again). */
  launch(): void;
}

/** Machines whose workers use one Temporal server: the one given, or one of their own. */
export async function machines(
  count: number,
  cleanups: (() => Promise<void>)[],
  server?: { readonly address: string },
): Promise<Machine[]> {
  const { address, namespace } =
    server === undefined
      ? await temporalOfTheirOwn(cleanups)
      : { address: server.address, namespace: EMBEDDED_NAMESPACE };
  const env = { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace };
  return Promise.all(Array.from({ length: count }, () => machine(env, cleanups)));
}

/** An embedded server; in a run against a cluster, a namespace of their own there. */
async function temporalOfTheirOwn(cleanups: (() => Promise<void>)[]) {
  const namespace = EMBEDDED_NAMESPACE;
  if (inject("temporalServer") === "cluster") {
    const address = inject("temporalAddress");
    return { address, namespace: await makeNamespace({ address, namespace }, "machines") };
  }
  const serverHome = await makeHome("own");
  cleanups.push(() => serverHome.remove());
  const { address } = await ensureEmbedded({ dataDir: serverHome.dataDir, env: process.env });
  return { address, namespace };
}

async function machine(env: Record<string, string>, cleanups: (() => Promise<void>)[]): Promise<Machine> {
  const home = await makeHome("own");
  const start = (): ChildProcess => {
    const worker = home.spawn(["worker"], env);
    worker.stdout?.resume();
    worker.stderr?.resume();
    return worker;
  };
  const made: Machine = {
    home,
    env,
    worker: start(),
    run: (args) => home.run(args, env),
    launch: () => void (made.worker = start()),
  };
  cleanups.push(async () => {
    await killed(made.worker);
    await home.remove();
  });
  return made;
}

/** Ends a process without warning. */
export async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

export async function listedHosts(asked: Machine): Promise<ListedHost[]> {
  const answer = await asked.run(["hosts", "--json"]);
  expect(answer).toMatchObject({ code: 0 });
  return Hosts.parse(JSON.parse(answer.stdout)).hosts;
}
