import { z } from "zod";
import { hostQueue, type HostId } from "./queues.js";

/** The workflow that stands for a host: it lives as long as the host does, whether its worker runs or not. */
export const HOST_WORKFLOW = "host";
/** The signal by which a migration is told that its host went away, or came back. */
export const HOST_ABSENCE_SIGNAL = "hostAbsence";
/** The update by which a worker says whose host it is. */
export const HOST_CLAIM_UPDATE = "claim";
/** The activity that lasts as long as the host's worker runs. */
export const PRESENCE_ACTIVITY = "remain";

/** How often a worker says that it is there. */
export const BEAT_MS = 5_000;
/** A worker that said nothing for so long is not there any more. */
export const SILENCE_MS = 20_000;
/** How long a worker may be away (an upgrade, a restart) before anybody is told. */
export const GRACE_MS = 10_000;

/** Which data directory a host id belongs to. A copy of it is another place. */
export const HostPlace = z.object({
  /** Name of the machine, or of the container. */
  machine: z.string(),
  dataDir: z.string(),
  /** Of the file that holds the host id: a copy has another one, the same volume in a new container has not. */
  inode: z.string(),
});
export type HostPlace = z.infer<typeof HostPlace>;

/** What a host's worker says of itself with every beat. */
export const HostRecord = z.object({
  place: HostPlace,
  /** One for each worker process. */
  session: z.string(),
  pid: z.int(),
  version: z.string(),
  startedAt: z.string(),
  /** Activities that run now, and how many may. */
  running: z.int().nonnegative(),
  slots: z.int().positive(),
  cpus: z.int().positive(),
  /** Of the last minute, for the whole machine. */
  loadAverage: z.number().nonnegative(),
  /** Where the data directory lies; null: it cannot be told. */
  freeBytes: z.number().nonnegative().nullable(),
  /** null: nothing says that there is one. */
  engine: z
    .object({ host: z.string(), apiVersion: z.string().nullable(), problem: z.string().nullable() })
    .nullable(),
});
export type HostRecord = z.infer<typeof HostRecord>;

/** What the workflow of a host is started with, and takes over when its history is begun anew. */
export const HostInput = z.object({
  hostId: z.string(),
  place: HostPlace.nullable(),
  record: HostRecord.nullable(),
  absent: z.boolean(),
});
export type HostInput = z.infer<typeof HostInput>;

/** What is kept in the workflow's memo: what is known of a host that says nothing. */
export const HostMemo = z.object({
  place: HostPlace.nullable().catch(null),
  record: HostRecord.nullable().catch(null),
  /** null: it is there. */
  lastSeen: z.string().nullable().catch(null),
});
export type HostMemo = z.infer<typeof HostMemo>;

/** That a host is away, for the migrations that it holds. */
export const HostAbsence = z.object({
  hostId: z.string(),
  /** ISO time of its last beat; null: it has never been there. */
  lastSeen: z.string().nullable(),
  machine: z.string(),
  dataDir: z.string(),
});
export type HostAbsence = z.infer<typeof HostAbsence>;

export function hostWorkflowId(hostId: string): string {
  return `host-${hostId}`;
}

/** The queue on which a host's worker says that it is there; apart from its work, which may take all slots. */
export function presenceQueue(hostId: HostId): string {
  return `${hostQueue(hostId)}-presence`;
}

/**
 * True where both are the same data directory: the very same file says so, or the same path on the same machine. Either
 * may change by itself, a container's name or a network drive's numbers; a copy changes both.
 */
export function isSamePlace(one: HostPlace, other: HostPlace): boolean {
  if (one.inode === other.inode) return true;
  return one.machine === other.machine && one.dataDir === other.dataDir;
}

/** Why a worker may not serve a host id. */
export function foreignHostText(hostId: string, known: HostPlace, own: HostPlace): string {
  return (
    `The host id ${hostId} belongs to the data directory ${known.dataDir} on ${known.machine}, and this one is ` +
    `${own.dataDir} on ${own.machine}. If it is a copy, remove its host.json, and it becomes a host of its own. ` +
    `If it was moved here, say so with \`towpath hosts --forget ${hostId}\`, then start the worker again.`
  );
}

/** What a migration waits for whose host is away, and how it is helped. */
export function absenceText({ hostId, lastSeen, machine, dataDir }: HostAbsence): string {
  const seen = lastSeen === null ? "never seen" : `last seen ${lastSeen}`;
  const where = machine === "" ? "" : ` on ${machine}`;
  const holding = dataDir === "" ? "" : ` (data directory ${dataDir})`;
  return `host ${hostId}, ${seen}${where}${holding}. Start its worker there: towpath up`;
}

/** True where a beat is so old that nobody is there any more. */
export function isSilent(lastSeen: string, now: Date): boolean {
  return now.getTime() - Date.parse(lastSeen) > SILENCE_MS + GRACE_MS;
}
