import { createServer, type Server } from "node:http";
import { TowpathError, messageOf } from "../model/errors.js";
import type { HealthReport } from "./health-report.js";

export interface HealthServer {
  /** `host:port` */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Serves `GET /healthz` and nothing else.
 * @param address `host:port`, or null for a free port of the loopback interface
 * @throws TowpathError `Usage` where the address cannot be bound
 */
export async function serveHealth(address: string | null, report: () => HealthReport): Promise<HealthServer> {
  const server = createServer((request, response) => {
    if (request.method !== "GET" || request.url !== "/healthz") {
      response.writeHead(404, { "content-type": "text/plain" }).end("only GET /healthz is here\n");
      return;
    }
    const answer = report();
    response.writeHead(answer.status === "running" ? 200 : 503, { "content-type": "application/json" });
    response.end(`${JSON.stringify(answer)}\n`);
  });
  return { address: await listen(server, address ?? "127.0.0.1:0"), close: () => close(server) };
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
