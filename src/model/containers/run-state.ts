import { z } from "zod";

/** Which container runs for a project: a hint for people and tools, never proof of anything. */
export const RunState = z.object({
  /** The container's name. */
  container: z.string(),
  image: z.string(),
  project_dir: z.string(),
  /** ISO-8601 UTC. */
  started_at: z.string(),
});
export type RunState = z.infer<typeof RunState>;
