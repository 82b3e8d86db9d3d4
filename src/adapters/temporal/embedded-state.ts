import { join } from "node:path";
import { z } from "zod";
import { readHint, removeFile, writePrivateFile } from "./files.js";
import { BackgroundProcess } from "./identity.js";

/** What is known of the running embedded server: `<data dir>/server/state.json`. */
export const EmbeddedState = BackgroundProcess.extend({
  /** `127.0.0.1:<port>` of the gRPC frontend. */
  address: z.string().regex(/^127\.0\.0\.1:\d+$/),
  /** `http://127.0.0.1:<port>` of the Web UI. */
  uiAddress: z.url(),
  binary: z.string(),
  startedAt: z.string(),
});
export type EmbeddedState = z.infer<typeof EmbeddedState>;

/** The ports of the last server stay its ports, so that links to the Web UI stay true. */
const RememberedPorts = z.object({ grpc: z.int().min(1).max(65_535), ui: z.int().min(1).max(65_535) });
type RememberedPorts = z.infer<typeof RememberedPorts>;

/** Every file of the embedded server. */
export function serverPaths(dataDir: string) {
  const directory = join(dataDir, "server");
  return {
    directory,
    state: join(directory, "state.json"),
    ports: join(directory, "ports.json"),
    database: join(directory, "temporal.db"),
    log: join(directory, "server.log"),
    lock: join(directory, "start"),
  };
}

/** The recorded server; whether it runs is another question. Null where none is recorded. */
export function readEmbeddedState(dataDir: string): Promise<EmbeddedState | null> {
  return readHint(serverPaths(dataDir).state, EmbeddedState);
}

export async function writeEmbeddedState(dataDir: string, state: EmbeddedState): Promise<void> {
  await writePrivateFile(serverPaths(dataDir).state, `${JSON.stringify(state, null, 2)}\n`);
}

export async function removeEmbeddedState(dataDir: string): Promise<void> {
  await removeFile(serverPaths(dataDir).state);
}

export function readRememberedPorts(dataDir: string): Promise<RememberedPorts | null> {
  return readHint(serverPaths(dataDir).ports, RememberedPorts);
}

export async function rememberPorts(dataDir: string, ports: RememberedPorts): Promise<void> {
  await writePrivateFile(serverPaths(dataDir).ports, `${JSON.stringify(ports)}\n`);
}
