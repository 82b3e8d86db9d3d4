import { z } from "zod";

/** Any plain JSON value. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

export const Json: z.ZodType<Json> = z.json();
