import { randomInt } from "node:crypto";
import { nextFreePort } from "../../../src/adapters/temporal/ports.js";

/** Below those that systems give to outgoing connections: a server that is down keeps its port. */
const FIRST = 15_000;
const LAST = 32_000;

/** A free port for a server that will be restarted on it. */
export function lastingPort(taken: readonly number[] = []): Promise<number> {
  return nextFreePort(randomInt(FIRST, LAST), taken);
}
