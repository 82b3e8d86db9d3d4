import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { TowpathError, messageOf } from "../model/errors.js";
import type { HealthReport } from "./health-report.js";

const JSON_TYPE = { "content-type": "application/json" } as const;

export interface HealthServer {
  /** `host:port` */
  readonly address: string;
  close(): Promise<void>;
}

/** What is answered besides, to whoever shows the key. */
export interface KeyedAnswers {
  readonly key: string;
  /** Null: nothing is known of it here. */
  readonly migration: (id: string) => Promise<object | null>;
}

/**
 * Serves `GET /healthz`, and `GET /migrations/<id>` to whoever shows the key; nothing else.
 * @param address `host:port`, or null for a free port of the loopback interface
 * @throws TowpathError `Usage` where the address cannot be bound
 */
export async function serveHealth(
  address: string | null,
  report: () => HealthReport,
  keyed: KeyedAnswers,
): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const id = /^\/migrations\/([\w.-]+)$/.exec(request.url ?? "")?.[1];
    if (request.method === "GET" && request.url === "/healthz") answerHealth(response, report());
    else if (request.method === "GET" && id !== undefined && showsKey(request, keyed.key)) {
      void answerMigration(response, keyed.migration(id));
    } else response.writeHead(404, { "content-type": "text/plain" }).end("only GET /healthz is here\n");
  });
  return { address: await listen(server, address ?? "127.0.0.1:0"), close: () => close(server) };
}

function answerHealth(response: ServerResponse, report: HealthReport): void {
  response.writeHead(report.status === "running" ? 200 : 503, JSON_TYPE).end(`${JSON.stringify(report)}\n`);
}

async function answerMigration(response: ServerResponse, asked: Promise<object | null>): Promise<void> {
  try {
    const answer = await asked;
    response.writeHead(answer === null ? 404 : 200, JSON_TYPE).end(`${JSON.stringify(answer)}\n`);
  } catch (error) {
    // Whoever asked asks Temporal now, and gets its answer first-hand.
    response.writeHead(502, JSON_TYPE).end(`${JSON.stringify({ problem: messageOf(error) })}\n`);
  }
}

/** Compared by digest: neither length nor content can be told from how long it takes. */
function showsKey({ headers }: IncomingMessage, key: string): boolean {
  return timingSafeEqual(digest(headers.authorization ?? ""), digest(`Bearer ${key}`));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function listen(server: Server, address: string): Promise<string> {
  const split = address.lastIndexOf(":");
  const [host, port] = [address.slice(0, split), Number(address.slice(split + 1))];
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      reject(
        new TowpathError(
          "Usage",
          `Health cannot be served on ${address}: ${messageOf(cause)}. Change TOWPATH_HEALTH_ADDRESS.`,
          { cause },
        ),
      );
    });
    server.listen(port, host, () => {
      const bound = server.address();
      const actual = typeof bound === "object" && bound !== null ? bound.port : port;
      resolve(`${host}:${actual}`);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
