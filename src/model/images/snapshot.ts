import { z } from "zod";

/** An image as the engine lists it. References are the engine's own texts, without `<none>`. */
export const ImageFacts = z.object({
  /** Full id. */
  id: z.string(),
  /** `repository:tag` */
  tags: z.array(z.string()),
  /** `repository@sha256:…` */
  digests: z.array(z.string()),
  /** Build time in ms since the epoch. */
  createdMs: z.number(),
  /** All layers, shared ones too. */
  bytes: z.number(),
  labels: z.record(z.string(), z.string()),
});
export type ImageFacts = z.infer<typeof ImageFacts>;

export const CONTAINER_STATES = [
  "created",
  "running",
  "paused",
  "restarting",
  "removing",
  "exited",
  "dead",
  "unknown",
] as const;

/** A container as the engine lists it, in any state. */
export const ContainerFacts = z.object({
  /** Full id. */
  id: z.string(),
  /** Without the leading slash. */
  name: z.string(),
  /** Full id of its image; what it was created by as text turns into a bare digest once a tag moves. */
  imageId: z.string(),
  state: z.enum(CONTAINER_STATES),
  labels: z.record(z.string(), z.string()),
  /** ms since the epoch. */
  createdMs: z.number(),
});
export type ContainerFacts = z.infer<typeof ContainerFacts>;
