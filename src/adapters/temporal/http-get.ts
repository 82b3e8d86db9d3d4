import { get } from "node:http";

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * Asks a server of this machine. Not by `fetch`, which takes a command fifty milliseconds to load.
 * @throws Error when it does not answer in time, or breaks off
 */
export function httpGet(
  url: string,
  timeoutMs: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const request = get(url, { signal, agent: false, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
      });
    });
    request.once("error", reject);
  });
}
