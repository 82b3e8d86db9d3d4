import { type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { expect } from "vitest";
import { z } from "zod";
import { ensureEmbedded } from "../../src/adapters/temporal/embedded.js";
import { type CliAnswer, type Home, makeHome } from "./cli.js";

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

/** A Temporal server, and machines whose workers use it. */
export async function machines(count: number, cleanups: (() => Promise<void>)[]): Promise<Machine[]> {
  const serverHome = await makeHome("own");
  cleanups.push(() => serverHome.remove());
  const { address } = await ensureEmbedded({ dataDir: serverHome.dataDir, env: process.env });
  return Promise.all(Array.from({ length: count }, () => machine(address, cleanups)));
}

async function machine(address: string, cleanups: (() => Promise<void>)[]): Promise<Machine> {
  const home = await makeHome("own");
  const env = { TEMPORAL_ADDRESS: address };
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
