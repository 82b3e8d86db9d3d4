import type { Socket } from "node:net";
import { readTextIfPresent } from "../files.js";

const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"] as const;

/**
 * True where the other end of a connection over loopback belongs to this user: others on the machine can reach the port,
 * and read the Web UI's settings. Linux tells whose it is; elsewhere it is not known, and the answer is yes.
 */
export async function isOwnPeer(socket: Socket): Promise<boolean> {
  if (process.platform !== "linux") return true;
  const { remotePort, localPort } = socket;
  if (remotePort === undefined || localPort === undefined) return false;
  for (const table of TABLES) {
    const owner = ownerOf((await readTextIfPresent(table)) ?? "", remotePort, localPort);
    if (owner !== null) return owner === process.geteuid?.();
  }
  return false;
}

/** The user of the socket that is bound to `local` and connected to `remote`, by the kernel's table. */
export function ownerOf(table: string, local: number, remote: number): number | null {
  for (const line of table.split("\n")) {
    const [, from = "", to = "", , , , , owner] = line.trim().split(/\s+/);
    const matches = from.endsWith(`:${hex(local)}`) && to.endsWith(`:${hex(remote)}`);
    if (matches && owner !== undefined) return Number(owner);
  }
  return null;
}

function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}
