import { z } from "zod";
import { parseJson, parseShape, refuseIfAny, unwrap, type Parsed } from "./artefact-text.js";

/** A boundary in the codebase along which it can be changed. */
export const Seam = z.looseObject({
  id: z.string().min(1),
  description: z.string().default(""),
  type: z.string().default(""),
  location: z.string().default(""),
  name: z.string().default(""),
  priority: z.string().default("medium"),
  files: z.array(z.string()).default([]),
  dependencies: z.array(z.string()).default([]),
  complexity: z.string().default(""),
  confidence: z.number().default(0),
  suggested_interface: z.string().default(""),
});
export type Seam = z.infer<typeof Seam>;

const SeamList = z.array(Seam);

/** Reads the text of `seams.json`: a list, bare or wrapped as `{"seams": […]}`. */
export function parseSeams(text: string): Parsed<Seam[]> {
  const json = parseJson(text);
  return json.ok ? parseShape("seams", SeamList, unwrap("seams", json.value)) : json;
}

/** The rules beyond the shape: confidence is a share, from 0 to 1. */
export function validateSeams(text: string): Parsed<Seam[]> {
  const shape = parseSeams(text);
  if (!shape.ok) return shape;
  const problems = shape.value.flatMap(({ confidence }, index) =>
    confidence >= 0 && confidence <= 1
      ? []
      : [`seams[${index}].confidence: must lie between 0 and 1, but is ${confidence}`],
  );
  return refuseIfAny(shape.value, problems);
}
