import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What an engine answered: status and body as it came, or something that happens to the connection. */
export type Recorded =
  | { readonly status: number; readonly body: unknown }
  | { readonly act: (request: IncomingMessage, response: ServerResponse) => void };

export interface RecordedEngine {
  readonly env: Record<string, string>;
  /** `METHOD /path?query`, in the order in which they came. */
  readonly asked: string[];
  readonly headers: Record<string, string | string[] | undefined>[];
  /** Replaces an answer. */
  answer(request: string, recorded: Recorded): void;
  /** Forgets what it was asked and told, but for these answers. */
  reset(answers: Readonly<Record<string, Recorded>>): void;
  close(): Promise<void>;
}

/**
 * An engine on a unix socket that says what real ones were heard saying. Requests are told by method and path, with
 * or without their query; what nobody recorded is a 404.
 */
export async function recordedEngine(
  answers: Readonly<Record<string, Recorded>> = {},
): Promise<RecordedEngine> {
  const directory = await mkdtemp(join(tmpdir(), "towpath-recorded-"));
  const socketPath = join(directory, "engine.sock");
  const known = new Map(Object.entries(answers));
  const asked: string[] = [];
  const headers: RecordedEngine["headers"] = [];
  const server = createServer((request, response) => {
    const url = decodeURIComponent(request.url ?? "");
    const name = `${request.method ?? ""} ${url}`;
    asked.push(name);
    headers.push(request.headers);
    request.resume();
    const recorded = known.get(name) ?? known.get(name.split("?")[0] ?? "");
    if (recorded === undefined) return json(response, 404, { message: `no such thing: ${name}` });
    if ("act" in recorded) return recorded.act(request, response);
    return json(response, recorded.status, recorded.body);
  });
  await new Promise<void>((resolve) => {
    server.listen(socketPath, resolve);
  });
  return {
    env: { DOCKER_HOST: `unix://${socketPath}`, HOME: directory, PATH: process.env["PATH"] ?? "" },
    asked,
    headers,
    answer: (request, recorded) => void known.set(request, recorded),
    reset: (afresh) => {
      known.clear();
      for (const [request, answer] of Object.entries(afresh)) known.set(request, answer);
      asked.length = 0;
      headers.length = 0;
    },
    close: async () => {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(body === undefined ? "" : JSON.stringify(body));
}

/** A stream of JSON lines that ends as told. */
export function lines(
  values: readonly unknown[],
  end: "properly" | "without newline" | "cut" = "properly",
): Recorded {
  return {
    act: (_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const text = values.map((value) => JSON.stringify(value)).join("\r\n");
      if (end === "properly") response.end(`${text}\r\n`);
      else if (end === "without newline") response.end(text);
      else response.write(`${text}\r\n`, () => response.socket?.destroy());
    },
  };
}
