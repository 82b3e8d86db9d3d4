import { z } from "zod";

/** The largest requirements document, in bytes. */
export const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/** Names under which a project may already have a requirements document; the first that is there counts. */
export const CONVENTIONAL_NAMES = [
  "PRD.md",
  "prd.md",
  "SPEC.md",
  "spec.md",
  "REQUIREMENTS.md",
  "requirements.md",
  "docs/PRD.md",
  "docs/prd.md",
] as const;

/** The document as it lies in the project, relative to it. */
export const DOCUMENT_PATH = ".towpath/generated-prd.md";

/** sha256 in lower-case hex. */
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

export const DocumentSource = z.enum(["user", "generated"]);
export type DocumentSource = z.infer<typeof DocumentSource>;

/** Who a document is by; `unknown` where nothing reliable says so. */
export const Provenance = z.enum(["user", "generated", "unknown"]);
export type Provenance = z.infer<typeof Provenance>;

export const SignatureMode = z.enum(["git", "files"]);
export type SignatureMode = z.infer<typeof SignatureMode>;

/** A document that was replaced; its bytes are kept under their sha. */
export const ArchivedDocument = z.looseObject({
  prd_sha: Sha256,
  source: Provenance,
  /** When it was persisted; "" where that is not known. */
  generated_at: z.string(),
  replaced_at: z.string(),
  origin_path: z.string().optional(),
});
export type ArchivedDocument = z.infer<typeof ArchivedDocument>;

/**
 * `state/prd-signature.json`: which document is the current one, and the signature of the code that it is about. The
 * first block is the format that other tools know; keys that Towpath does not know are kept out of the way.
 */
export const DocumentPointer = z.looseObject({
  signature: z.string().min(1),
  generated_at: z.string().min(1),
  prd_path: z.string(),
  prd_sha: Sha256,
  mode: SignatureMode,
  source: DocumentSource,
  /** Where a user's document came from. */
  origin_path: z.string().optional(),

  /** The migration's operation that wrote it; absent where a person did. */
  operation: z.string().optional(),
  /** Identity of what lay at `prd_path` when this was committed: if it still lies there, its writer died in between. */
  over: z.string().nullable().optional(),
  /** Copies that this write made: the ones to remove when it was never committed. */
  created: z.array(Sha256).default([]),
  /** Copies that this write let go: to be removed when its writer died before it could. */
  dropped: z.array(Sha256).default([]),
  /** Replaced documents, the newest first. */
  history: z.array(ArchivedDocument).default([]),
});
export type DocumentPointer = z.infer<typeof DocumentPointer>;

/** How many replaced documents that Towpath generated are kept; those of people are all kept. */
export const KEPT_GENERATED = 20;

/** The history with an entry in front; the oldest generated ones beyond the limit are let go. */
export function withArchived(
  history: readonly ArchivedDocument[],
  replaced: readonly ArchivedDocument[],
): ArchivedDocument[] {
  let generated = 0;
  return [...replaced, ...history].filter((entry) => {
    if (entry.source === "generated") generated += 1;
    return entry.source !== "generated" || generated <= KEPT_GENERATED;
  });
}

/** Every copy that a pointer names: its own document and the archived ones. */
export function namedCopies(pointer: Pick<DocumentPointer, "prd_sha" | "history">): Set<string> {
  return new Set([pointer.prd_sha, ...pointer.history.map((entry) => entry.prd_sha)]);
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const;
const BLANKS = new Set([0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20]);

/** Whether there is nothing in a document but blanks, and perhaps a byte order mark. */
export function isBlank(bytes: Uint8Array): boolean {
  const start = BYTE_ORDER_MARK.every((byte, at) => bytes[at] === byte) ? BYTE_ORDER_MARK.length : 0;
  return bytes.subarray(start).every((byte) => BLANKS.has(byte));
}

/** A sha as it is shown to people. */
export function shortSha(sha: string): string {
  return sha.slice(0, 12);
}
