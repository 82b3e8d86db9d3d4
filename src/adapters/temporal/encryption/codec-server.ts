import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Payload, PayloadCodec } from "@temporalio/common";
import { z } from "zod";
import { TowpathError, messageOf } from "../../../model/errors.js";
import { isOwnPeer } from "./peer.js";

/** What the Web UI sends for one page of a history is far below it. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;

export interface CodecServerOptions {
  readonly codec: PayloadCodec;
  readonly host: string;
  readonly port: number;
  /** Asked for as `Authorization: Bearer …`. */
  readonly token: string;
  /** Lets the embedded Web UI in, which has no token: `/ui/<secret>/…`, for this user's own processes. Null: nobody. */
  readonly uiSecret: string | null;
  /** Origins of pages that may ask: the Web UI's. */
  readonly origins: readonly string[];
}

export interface CodecServer {
  /** `http://host:port` */
  readonly address: string;
  close(): Promise<void>;
}

/** An answer other than what was asked for. */
class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const Base64 = z.base64().transform((text) => new Uint8Array(Buffer.from(text, "base64")));

/** Payloads as Protobuf's JSON writes them. */
const Body = z.object({
  payloads: z.array(
    z.object({
      metadata: z.record(z.string(), Base64).default({}),
      data: Base64.default(() => new Uint8Array()),
    }),
  ),
});

/**
 * Serves Temporal's remote codec protocol: `POST /encode` and `POST /decode`.
 * @throws TowpathError `Usage` where the address cannot be bound
 */
export async function serveCodec(options: CodecServerOptions): Promise<CodecServer> {
  const server = createServer((request, response) => {
    void respond(request, response, options);
  });
  const port = await listen(server, options);
  return {
    address: `http://${options.host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  options: CodecServerOptions,
): Promise<void> {
  try {
    allowOrigin(request, response, options.origins);
    if (request.method === "OPTIONS") {
      response.writeHead(204).end();
      return;
    }
    const operation = await authorize(request, options);
    const { payloads } = await readBody(request);
    const answer = await options.codec[operation](payloads);
    send(response, 200, { payloads: answer.map(asJson) });
  } catch (error) {
    if (error instanceof Refusal) send(response, error.status, { error: error.message });
    else if (error instanceof TowpathError) send(response, 422, { error: error.message });
    else send(response, 500, { error: messageOf(error) });
  }
}

/** A page of any other origin is refused, whatever it knows; programs send no origin. */
function allowOrigin(request: IncomingMessage, response: ServerResponse, origins: readonly string[]): void {
  const { origin } = request.headers;
  response.setHeader("vary", "origin");
  if (origin === undefined) return;
  if (!origins.includes(origin)) throw new Refusal(403, "Pages of this origin may not ask here.");
  response.setHeader("access-control-allow-origin", origin);
  response.setHeader("access-control-allow-methods", "POST, OPTIONS");
  response.setHeader(
    "access-control-allow-headers",
    "authorization, authorization-extras, content-type, x-namespace",
  );
  response.setHeader("access-control-max-age", "600");
}

async function authorize(
  request: IncomingMessage,
  { token, uiSecret }: CodecServerOptions,
): Promise<"encode" | "decode"> {
  const path = /^(?:\/ui\/(?<secret>[\w-]+))?\/(?<operation>encode|decode)$/.exec(request.url ?? "");
  const operation = path?.groups?.["operation"];
  if (request.method !== "POST" || (operation !== "encode" && operation !== "decode"))
    throw new Refusal(404, "Only POST /encode and POST /decode are here.");
  const secret = path?.groups?.["secret"];
  const allowed =
    secret === undefined
      ? isSame(/^Bearer (?<token>.+)$/i.exec(request.headers.authorization ?? "")?.groups?.["token"], token)
      : uiSecret !== null && isSame(secret, uiSecret) && (await isOwnPeer(request.socket));
  if (!allowed) throw new Refusal(401, "This needs the codec server's token: Authorization: Bearer …");
  return operation;
}

/** In the same time, however much of it is right. */
function isSame(given: string | undefined, wanted: string): boolean {
  return timingSafeEqual(digest(given ?? ""), digest(wanted)) && given !== undefined;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

async function readBody(request: IncomingMessage): Promise<z.infer<typeof Body>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(z.instanceof(Uint8Array).parse(chunk));
    size += bytes.length;
    if (size > MAX_BODY_BYTES) throw new Refusal(413, `More than ${MAX_BODY_BYTES} bytes.`);
    chunks.push(bytes);
  }
  const body = Body.safeParse(parseJson(Buffer.concat(chunks).toString("utf8")));
  if (body.success) return body.data;
  throw new Refusal(400, "The body is not {payloads: [{metadata, data}]} in Protobuf's JSON.");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function asJson({ metadata, data }: Payload): object {
  return {
    metadata: Object.fromEntries(
      Object.entries(metadata ?? {}).map(([name, value]): [string, string] => [name, base64(value)]),
    ),
    data: base64(data ?? new Uint8Array()),
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function send(response: ServerResponse, status: number, body: object): void {
  if (status >= 400) response.setHeader("connection", "close");
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(`${JSON.stringify(body)}\n`);
}

function listen(server: Server, { host, port }: CodecServerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      reject(
        new TowpathError(
          "Usage",
          `The codec server cannot listen on ${host}:${port}: ${messageOf(cause)}. End what listens there.`,
          {
            cause,
          },
        ),
      );
    });
    server.listen(port, host, () => {
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : port);
    });
  });
}
