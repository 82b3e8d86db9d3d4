import { fileURLToPath } from "node:url";
import type { DataConverter } from "@temporalio/common";
import type { TemporalEndpoint } from "../endpoint.js";
import { EncryptionCodec } from "./payload-codec.js";

/**
 * How everything that goes to Temporal is written, and read again: the same for clients, workers and replays. The
 * codec is there without keys as well, so that what is encrypted is recognised.
 */
export function dataConverterOf(endpoint: Pick<TemporalEndpoint, "encryption">): DataConverter {
  return { payloadCodecs: [new EncryptionCodec(endpoint.encryption ?? null)] };
}

/** The same for workers, which also write failures: with keys their messages and stacks are encrypted too. */
export function workerDataConverterOf(endpoint: Pick<TemporalEndpoint, "encryption">): DataConverter {
  const converter = dataConverterOf(endpoint);
  if (endpoint.encryption === undefined) return converter;
  const failureConverterPath = fileURLToPath(new URL("./failure-converter.cjs", import.meta.url));
  return { ...converter, failureConverterPath };
}
