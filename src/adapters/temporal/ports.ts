import { connect, createServer } from "node:net";
import { TowpathError } from "../../model/errors.js";
import { hasCode } from "../../model/system-errors.js";

const LAST_PORT = 65_535;
const MAX_TRIES = 100;

/** True when `port` of the loopback interface can be bound now: binding it is the only test. */
export async function portIsFree(port: number): Promise<boolean> {
  return (await bindOnce(port)) !== null;
}

/**
 * The first free port from `first` upwards.
 * @param taken ports that are free but promised to somebody else
 * @throws TowpathError `TemporalUnavailable` after 100 tries or behind port 65535
 */
export async function nextFreePort(first: number, taken: readonly number[] = []): Promise<number> {
  const last = Math.min(LAST_PORT, first + MAX_TRIES - 1);
  for (let port = first; port <= last; port += 1) {
    if (!taken.includes(port) && (await portIsFree(port))) return port;
  }
  throw new TowpathError(
    "TemporalUnavailable",
    `No free port from ${first} to ${last} on 127.0.0.1. End what uses them, or set TEMPORAL_ADDRESS.`,
  );
}

/** Any port that is free now. */
export async function anyFreePort(): Promise<number> {
  const port = await bindOnce(0);
  if (port === null) throw new TowpathError("TemporalUnavailable", "No free port on 127.0.0.1.");
  return port;
}

/** True when something accepts connections on `port` of the loopback interface. Binds nothing. */
export function portAnswers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    const answer = (answers: boolean): void => {
      socket.destroy();
      resolve(answers);
    };
    socket.once("connect", () => answer(true));
    socket.once("error", () => answer(false));
  });
}

function bindOnce(port: number): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) => {
      if (hasCode(error, "EADDRINUSE") || hasCode(error, "EACCES")) resolve(null);
      else reject(error);
    });
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === "object" && bound !== null ? bound.port : null));
    });
  });
}
