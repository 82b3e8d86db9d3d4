import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The test files whose text matches, by their paths from the repository's root. */
export function testFilesWith(pattern: RegExp): string[] {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  return readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `test/${name}`)
    .filter((name) => pattern.test(readFileSync(join(root, name), "utf8")))
    .sort();
}
