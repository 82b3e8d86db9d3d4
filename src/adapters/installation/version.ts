import { readFileSync } from "node:fs";

/** Towpath's version, from package.json: the same distance away from the sources and from `dist`. */
export function packageVersion(): string {
  const content: unknown = JSON.parse(
    readFileSync(new URL("../../../package.json", import.meta.url), "utf8"),
  );
  if (typeof content === "object" && content !== null && "version" in content) return String(content.version);
  return "unknown";
}
