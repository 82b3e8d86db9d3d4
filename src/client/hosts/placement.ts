import type { Client } from "@temporalio/client";
import { TowpathError } from "../../model/errors.js";
import { type HostView, hostViews, requireHostView } from "./hosts.js";

/** A host with less than this left takes nothing new. */
const LEAST_FREE_BYTES = 1024 ** 3;

/**
 * The host that a migration of a remote repository is placed on: the one that was asked for, else of those that are there and
 * have room the one with the least to do.
 * @throws TowpathError `HostNotFound`; `WrongStatus` where the host that was asked for is gone
 */
export async function placeOnHost(client: Client, wanted: string | undefined): Promise<string> {
  if (wanted !== undefined) {
    const { hostId, isHere } = await requireHostView(client, wanted);
    if (isHere) return hostId;
    throw new TowpathError(
      "WrongStatus",
      `The host ${hostId} is gone: start its worker, or leave --host out.`,
    );
  }
  const hosts = await hostViews(client);
  const chosen = leastBusy(hosts.filter(hasRoom));
  if (chosen !== null) return chosen.hostId;
  throw new TowpathError(
    "HostNotFound",
    hosts.some(({ isHere }) => isHere)
      ? "No host has room: `towpath hosts` shows what they do. Wait, or start a worker on another machine."
      : "No host is there to place it on: start a worker, with `towpath up` on a machine of yours or with Docker Compose.",
  );
}

/** The host with the least to do for what it can do; null where there is none. */
export function leastBusy<H extends Pick<HostView, "migrations" | "record">>(hosts: readonly H[]): H | null {
  const [first = null, ...others] = hosts;
  return others.reduce<H | null>(
    (best, host) => (best !== null && burden(host) < burden(best) ? host : best),
    first,
  );
}

/** Migrations for each slot count first; between equal ones the machine's own load decides. */
function burden({ migrations, record }: Pick<HostView, "migrations" | "record">): number {
  if (record === null) return Number.POSITIVE_INFINITY;
  return (migrations + record.running) / record.slots + (0.01 * record.loadAverage) / record.cpus;
}

export function hasRoom({ isHere, record }: Pick<HostView, "isHere" | "record">): boolean {
  if (!isHere || record === null) return false;
  return record.running < record.slots && (record.freeBytes ?? LEAST_FREE_BYTES) >= LEAST_FREE_BYTES;
}
