import { z } from "zod";

/** What the worker asks of its spawn helper. The payload of `capture` is the child's input. */
export type HelperRequest =
  | {
      readonly kind: "capture";
      readonly id: number;
      readonly file: string;
      readonly args: readonly string[];
      readonly cwd: string;
      readonly env: Readonly<Record<string, string>>;
      readonly hasInput: boolean;
      readonly maxBytes: number;
    }
  | {
      readonly kind: "command";
      readonly id: number;
      readonly file: string;
      readonly args: readonly string[];
      readonly cwd: string;
      readonly env: Readonly<Record<string, string>>;
      /** Paths under which the helper opens the worker's own descriptors. */
      readonly stdin: string;
      readonly output: string;
    }
  /** Ends a captured process; its answer is still given. */
  | { readonly kind: "cancel"; readonly id: number };

const Exit = { exitCode: z.int().nullable(), signal: z.string().nullable() };

/** What the helper answers. The payload of `captured` is stdout. */
export const HelperAnswer = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("ready") }),
  z.object({
    kind: z.literal("captured"),
    id: z.int(),
    ...Exit,
    stderr: z.string(),
    truncated: z.boolean(),
  }),
  z.object({ kind: z.literal("started"), id: z.int(), pid: z.int(), startTime: z.string().nullable() }),
  z.object({ kind: z.literal("exited"), id: z.int(), ...Exit }),
  /** The worker's descriptors could not be opened, so the helper cannot start anything with them. */
  z.object({ kind: z.literal("unreachable"), id: z.int(), message: z.string() }),
  /** The process could not be started. */
  z.object({ kind: z.literal("failed"), id: z.int(), code: z.string().nullable(), message: z.string() }),
]);
export type HelperAnswer = z.infer<typeof HelperAnswer>;
