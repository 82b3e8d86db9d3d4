import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "@temporalio/client";
import { claimHost, readHost } from "../adapters/temporal/hosts.js";
import { TowpathError } from "../model/errors.js";
import { foreignHostText, GRACE_MS, type HostPlace, isSamePlace, SILENCE_MS } from "../model/hosts.js";
import type { HostId } from "../model/queues.js";

const POLL_MS = 500;
/** Whoever lives has said something in this time, and whoever died is known to be silent. */
const WAIT_MS = SILENCE_MS + 2 * GRACE_MS;

export interface HostIdentity {
  readonly hostId: HostId;
  readonly place: HostPlace;
  /** One for each worker process. */
  readonly session: string;
}

/**
 * Sees to it that no other data directory's worker serves this host id, before this one does.
 * @throws TowpathError `WrongStatus` where another one has it, or where another worker of this data directory runs on
 * another machine or in another container
 */
export async function requireHost(client: Client, identity: HostIdentity, stop: AbortSignal): Promise<void> {
  const { hostId, place, session } = identity;
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const known = await readHost(client, hostId, new Date());
    const owner = known?.place ?? null;
    if (owner !== null && !isSamePlace(owner, place))
      throw refused(foreignHostText(hostId, owner, place), hostId);
    const other = known?.isHere === true ? known.record : null;
    // On this machine the data directory's own registration has told that nobody else is there.
    const isElsewhere = other !== null && other.session !== session && other.place.machine !== place.machine;
    if (!isElsewhere) {
      if (JSON.stringify(owner) !== JSON.stringify(place)) await claimHost(client, hostId, place);
      return;
    }
    if (Date.now() > deadline) {
      const { machine, dataDir } = other.place;
      const text = `A worker of ${dataDir} runs already, on ${machine} (process ${other.pid}): one is enough.`;
      throw refused(`${text} Give each worker a data directory of its own.`, hostId);
    }
    await delay(POLL_MS, undefined, { signal: stop });
  }
}

function refused(message: string, hostId: string): TowpathError {
  return new TowpathError("WrongStatus", message, { details: { hostId } });
}
