import { z } from "zod";

/** Workflow tasks of every migration; any worker may take them. */
export const WORKFLOW_QUEUE = "towpath";

/** `<hostname>-<8 hex>`: names the machine (more exactly: the data directory) that holds workspaces. */
export const HostId = z
  .string()
  .max(72)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?-[0-9a-f]{8}$/);
export type HostId = z.infer<typeof HostId>;

const HOSTNAME_LENGTH = 63;

/**
 * Makes a host id from the machine's name and four random bytes.
 * What DNS does not allow in a label becomes `-`; a name of which nothing is left becomes `host`.
 */
export function makeHostId(hostname: string, random: Uint8Array): HostId {
  const name = hostname
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, HOSTNAME_LENGTH)
    .replaceAll(/^-+|-+$/g, "");
  const suffix = Array.from(random.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return HostId.parse(`${name === "" ? "host" : name}-${suffix}`);
}

/** The queue of everything that touches the workspaces, files and engine of one host. */
export function hostQueue(hostId: HostId): string {
  return `${WORKFLOW_QUEUE}-host-${hostId}`;
}
