import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";

export interface RecordedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** The JSON that was sent with it, or nothing. */
  body: string;
}

/** Stands before a real engine and writes down what it is asked. */
export interface RecordingProxy {
  /** As `DOCKER_HOST` has it. */
  readonly host: string;
  readonly requests: RecordedRequest[];
  /** Waited for before a request is passed on. */
  before: ((request: RecordedRequest) => Promise<void>) | undefined;
  /** What the engine answers instead, where it answers something. */
  instead: ((request: RecordedRequest) => { status: number; message: string } | undefined) | undefined;
  /** What is passed on for a body of JSON. */
  edit: ((body: string) => string) | undefined;
  /** Breaks every connection off, and takes none until it is set back. */
  set isAway(away: boolean);
  close(): Promise<void>;
}

/** A proxy on a unix socket of its own, or on a port, as engines of other machines are. */
export async function recordingProxy(
  engine: string,
  { tcp = false }: { readonly tcp?: boolean } = {},
): Promise<RecordingProxy> {
  const directory = await mkdtemp(join(tmpdir(), "towpath-proxy-"));
  const socketPath = join(directory, "engine.sock");
  const target = targetOf(engine);
  const requests: RecordedRequest[] = [];
  let away = false;
  let host = `unix://${socketPath}`;
  const proxy: RecordingProxy = {
    get host() {
      return host;
    },
    requests,
    before: undefined,
    instead: undefined,
    edit: undefined,
    set isAway(value: boolean) {
      away = value;
      if (away) server.closeAllConnections();
    },
    close: async () => {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
      await rm(directory, { recursive: true, force: true });
    },
  };
  const server = createServer((incoming, outgoing) => {
    const recorded = { method: incoming.method ?? "", url: incoming.url ?? "", body: "" };
    requests.push(recorded);
    void (async () => {
      const isJson = incoming.headers["content-type"]?.includes("json") === true;
      if (isJson) recorded.body = (await buffer(incoming)).toString("utf8");
      const refusal = proxy.instead?.(recorded);
      if (refusal !== undefined) return refuse(outgoing, refusal);
      await proxy.before?.(recorded);
      pass(target, incoming, outgoing, isJson ? (proxy.edit ?? String)(recorded.body) : null);
    })();
  });
  server.on("connection", (connection) => {
    if (away) connection.destroy();
  });
  await new Promise<void>((resolve) => {
    if (tcp) server.listen(0, "127.0.0.1", resolve);
    else server.listen(socketPath, resolve);
  });
  const address = server.address();
  if (typeof address === "object" && address !== null) host = `tcp://127.0.0.1:${address.port}`;
  return proxy;
}

function refuse(outgoing: ServerResponse, { status, message }: { status: number; message: string }): void {
  outgoing.writeHead(status, { "content-type": "application/json" });
  outgoing.end(JSON.stringify({ message }));
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
  /** What was sent, where it has been read already. */
  body: string | null,
): void {
  const { method, url } = incoming;
  const length = body === null ? {} : { "content-length": String(Buffer.byteLength(body)) };
  const headers = { ...incoming.headers, ...length };
  const asked = request({ ...target, method, path: url, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
    outgoing.flushHeaders();
    answer.pipe(outgoing);
    answer.on("error", () => outgoing.destroy());
  });
  asked.on("error", () => outgoing.destroy());
  outgoing.on("close", () => asked.destroy());
  if (body === null) incoming.pipe(asked);
  else asked.end(body);
}
