import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface RecordedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
}

/** Stands before a real engine and writes down what it is asked. */
export interface RecordingProxy {
  /** As `DOCKER_HOST` has it. */
  readonly host: string;
  readonly requests: RecordedRequest[];
  /** Waited for before a request is passed on. */
  before: ((request: RecordedRequest) => Promise<void>) | undefined;
  close(): Promise<void>;
}

/** A proxy on a unix socket of its own. */
export async function recordingProxy(engine: string): Promise<RecordingProxy> {
  const directory = await mkdtemp(join(tmpdir(), "towpath-proxy-"));
  const socketPath = join(directory, "engine.sock");
  const target = targetOf(engine);
  const requests: RecordedRequest[] = [];
  const proxy: RecordingProxy = {
    host: `unix://${socketPath}`,
    requests,
    before: undefined,
    close: async () => {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
      await rm(directory, { recursive: true, force: true });
    },
  };
  const server = createServer((incoming, outgoing) => {
    const recorded = { method: incoming.method ?? "", url: incoming.url ?? "" };
    requests.push(recorded);
    void (proxy.before?.(recorded) ?? Promise.resolve()).then(() => pass(target, incoming, outgoing));
  });
  await new Promise<void>((resolve) => {
    server.listen(socketPath, resolve);
  });
  return proxy;
}

function targetOf(engine: string): { socketPath: string } | { host: string; port: number } {
  const socketPath = /^unix:\/\/(.+)$/.exec(engine)?.[1];
  if (socketPath !== undefined) return { socketPath };
  const url = new URL(engine.replace(/^tcp:/, "http:"));
  return { host: url.hostname, port: Number(url.port) };
}

function pass(
  target: ReturnType<typeof targetOf>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): void {
  const { method, url, headers } = incoming;
  const asked = request({ ...target, method, path: url, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
    outgoing.flushHeaders();
    answer.pipe(outgoing);
    answer.on("error", () => outgoing.destroy());
  });
  asked.on("error", () => outgoing.destroy());
  outgoing.on("close", () => asked.destroy());
  incoming.pipe(asked);
}
