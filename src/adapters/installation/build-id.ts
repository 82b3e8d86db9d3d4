import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { hasCode } from "../../model/system-errors.js";

/** The directory that this very code runs from: `dist`, or `src` in a checkout that was not built. */
export const CODE_ROOT = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Names the code that is installed now: 16 hex digits that change with any file of it. A worker that answers with
 * another one runs older code and has to be replaced.
 */
export function buildId(): string {
  try {
    return readFileSync(join(CODE_ROOT, BUILD_ID_FILE), "utf8").trim();
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
    return codeDigest();
  }
}

/** Written at the end of a build, for every command asks. Code that was only compiled is read. */
const BUILD_ID_FILE = "build-id";

/** What `buildId` answers where no build has written it down. */
export function codeDigest(): string {
  const hash = createHash("sha256");
  for (const path of codeFiles())
    hash
      .update(path)
      .update("\0")
      .update(readFileSync(join(CODE_ROOT, path)));
  return hash.digest("hex").slice(0, 16);
}

function codeFiles(): string[] {
  const entries = readdirSync(CODE_ROOT, { recursive: true, encoding: "utf8" });
  return entries.filter((path) => /\.(js|cjs|ts|cts)$/.test(path)).sort();
}
