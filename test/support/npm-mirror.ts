import { createServer } from "node:http";
import { execa } from "execa";

/** Passes on what npm asks for to the registry that this machine uses, so that a network without a way out is enough. */
export interface NpmMirror {
  readonly url: string;
  close(): Promise<void>;
}

/** @param host the address on which it listens: a network's gateway, where containers find this machine */
export async function npmMirror(host: string): Promise<NpmMirror> {
  const { stdout } = await execa("npm", ["config", "get", "registry"]);
  const registry = stdout.trim().replace(/\/$/, "");
  let url = "";
  const server = createServer((request, response) => {
    void (async () => {
      const accept = request.headers.accept ?? "*/*";
      const answer = await fetch(`${registry}${request.url ?? "/"}`, { headers: { accept } });
      const type = answer.headers.get("content-type") ?? "application/octet-stream";
      const body = Buffer.from(await answer.arrayBuffer());
      response.writeHead(answer.status, { "content-type": type });
      // Where the packages' files are is said in full.
      response.end(type.includes("json") ? body.toString("utf8").replaceAll(registry, url) : body);
    })().catch((error: unknown) => {
      response.writeHead(502, { "content-type": "text/plain" });
      response.end(String(error));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the mirror has no port");
  url = `http://${host}:${address.port}`;
  return {
    url,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
