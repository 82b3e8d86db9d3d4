import { TowpathError } from "./errors.js";

/** How git may reach a remote: encrypted, or a path that the host itself can read. */
export const GIT_PROTOCOLS = ["https", "ssh", "file"] as const;

const SCHEME = /^([a-z][a-z0-9+.-]*):(?:\/\/|:)/i;
/** `git@host:path`, as ssh has it; a path of this machine has no colon before its first slash. */
const SCP_LIKE = /^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:(?!\/\/)[^\s]+$/;

/** True for what names a remote repository rather than a directory of this machine. */
export function isGitUrl(source: string): boolean {
  return SCHEME.test(source) || SCP_LIKE.test(source);
}

/**
 * Checks the URL of a repository. It is kept in history and shown: it must hold no credentials.
 * @throws TowpathError `Usage`
 */
export function requireGitUrl(source: string): string {
  if (SCP_LIKE.test(source)) return source;
  const scheme = SCHEME.exec(source)?.[1]?.toLowerCase() ?? "";
  if (!GIT_PROTOCOLS.some((allowed) => allowed === scheme)) {
    throw new TowpathError(
      "Usage",
      `A repository is reached by ${GIT_PROTOCOLS.join(", ")}, not by '${scheme}:': give such a URL.`,
    );
  }
  if (!URL.canParse(source) || /\s/.test(source)) {
    throw new TowpathError("Usage", "That is no URL of a git repository.");
  }
  const url = new URL(source);
  if (
    url.password !== "" ||
    (scheme !== "ssh" && url.username !== "") ||
    url.search !== "" ||
    url.hash !== ""
  ) {
    throw new TowpathError(
      "Usage",
      "The URL of a repository may hold no credentials, query or fragment: it is kept in history. Give the workers what " +
        "they need to reach it: TOWPATH_GIT_CREDENTIALS_FILE, or ssh keys.",
    );
  }
  return source;
}
