import { setTimeout as delay } from "node:timers/promises";
import { messageOf, TowpathError } from "../../model/errors.js";
import { type ContainerIdentity, identityOf, isInherited } from "../../model/containers/labels.js";
import type { ReapedContainer } from "../../model/containers/reaping.js";
import { createRedactor } from "../../model/redaction.js";
import type { ContainerFacts } from "../../model/images/snapshot.js";
import type { ContainerStatus } from "./answers.js";
import { demuxed } from "./demux.js";
import { answered, EngineAnswer } from "./failures.js";
import type { Engine } from "./engine.js";

const REMOVAL_LIMIT_MS = 30_000;
const POLL_MS = 200;
const TAIL_LINES = 20;
const MAX_TAIL = 4_000;
const KILLED = 137;

export interface ReapOptions {
  /** Which of Towpath's containers; all others are never looked at. */
  readonly select: (identity: ContainerIdentity, facts: ContainerFacts) => boolean;
  /** Seconds between SIGTERM and SIGKILL. */
  readonly graceSeconds: number;
}

/**
 * Ends and removes containers of Towpath's, whatever state they are in, and proves that each is gone. What goes wrong
 * with one is in its result and keeps none of the others.
 * @throws TowpathError `EngineUnreachable`, `EngineFailed` when the containers cannot be listed
 */
export async function reapContainers(engine: Engine, options: ReapOptions): Promise<ReapedContainer[]> {
  const chosen = await findContainers(engine, options.select);
  return Promise.all(
    chosen.map(({ facts, identity }) => reapOne(engine, facts, identity, options.graceSeconds)),
  );
}

export interface FoundContainer {
  readonly facts: ContainerFacts;
  readonly identity: ContainerIdentity;
}

/** Towpath's containers in every state, by their labels. */
export async function findContainers(
  engine: Engine,
  select: ReapOptions["select"],
): Promise<FoundContainer[]> {
  const chosen = (await engine.containers()).flatMap((facts) => {
    const identity = identityOf(facts.labels);
    return identity !== null && select(identity, facts) ? [{ facts, identity }] : [];
  });
  return withOwnLabels(engine, chosen);
}

/** Those whose labels are not their image's. */
async function withOwnLabels(engine: Engine, found: readonly FoundContainer[]): Promise<FoundContainer[]> {
  const labels = new Map<string, Readonly<Record<string, string>>>();
  for (const imageId of new Set(found.map(({ facts }) => facts.imageId)))
    labels.set(imageId, (await engine.image(imageId))?.labels ?? {});
  return found.filter(({ facts, identity }) => !isInherited(identity, labels.get(facts.imageId) ?? {}));
}

async function reapOne(
  engine: Engine,
  { id, name }: ContainerFacts,
  identity: ContainerIdentity,
  graceSeconds: number,
): Promise<ReapedContainer> {
  const reaped = { id, name, workflowId: identity.workflowId, exitCode: null, tail: "", problem: null };
  try {
    const before = await engine.container(id);
    if (before === null) return { ...reaped, result: "already-gone" };
    // What stands still hears no signal: it would be killed after the grace period.
    if (before.state === "paused") await engine.unpause(id);
    await engine.stop(id, graceSeconds);
    const after = await engine.container(id);
    if (after === null) return { ...reaped, result: "already-gone" };
    const kept = {
      ...reaped,
      exitCode: after.startedMs === null ? null : after.exitCode,
      tail: await tailOf(engine, after, identity),
    };
    if (!(await removed(engine, id))) {
      return {
        ...kept,
        result: "failed",
        problem: `it could not be removed within ${REMOVAL_LIMIT_MS / 1000} s`,
      };
    }
    return { ...kept, result: before.running && after.exitCode === KILLED ? "killed" : "stopped" };
  } catch (error) {
    // Another stop may have removed it between any two of these calls; then there is nothing left to fail at.
    if (await isGone(engine, id)) return { ...reaped, result: "already-gone" };
    return { ...reaped, result: "failed", problem: messageOf(error) };
  }
}

/** False also where the engine does not answer: what is not known to be gone may still be there. */
async function isGone(engine: Engine, id: string): Promise<boolean> {
  try {
    return (await engine.container(id)) === null;
  } catch (error) {
    if (error instanceof TowpathError || error instanceof EngineAnswer) return false;
    throw error;
  }
}

/** A removal that somebody else began is waited for. */
async function removed(engine: Engine, id: string): Promise<boolean> {
  const deadline = Date.now() + REMOVAL_LIMIT_MS;
  for (;;) {
    await engine.remove(id);
    if ((await engine.container(id)) === null) return true;
    if (Date.now() > deadline) return false;
    await delay(POLL_MS);
  }
}

/** The last lines that it wrote, without the secrets that it was given. */
async function tailOf(engine: Engine, status: ContainerStatus, identity: ContainerIdentity): Promise<string> {
  if (status.startedMs === null) return "";
  const names = new Set(identity.secretNames.split(",").filter((name) => name !== ""));
  const secrets = status.env
    .filter((entry) => names.has(entry.slice(0, entry.indexOf("="))))
    .map((entry) => entry.slice(entry.indexOf("=") + 1));
  const pieces: Buffer[] = [];
  try {
    for await (const piece of demuxed(await engine.logTail(status.id, TAIL_LINES))) pieces.push(piece);
  } catch (error) {
    // A container that is being removed has no log any more.
    if (!answered(error, 404, 409)) throw error;
  }
  return createRedactor(secrets).text(Buffer.concat(pieces).toString("utf8")).slice(-MAX_TAIL);
}
