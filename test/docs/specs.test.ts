import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parseSpec } from "../../src/model/spec/parse.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

const documents = [
  "README.md",
  ...readdirSync(path.join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => path.join("docs", name)),
];

/** The whole specs (not the fragments) among a document's YAML blocks. */
function specsIn(document: string): string[] {
  const text = readFileSync(path.join(root, document), "utf8");
  const blocks = [...text.matchAll(/^```yaml\n(?<spec>[\s\S]*?)^```$/gm)].map(
    (match) => match.groups?.["spec"] ?? "",
  );
  return blocks.filter((block) => /^version:/m.test(block));
}

describe("the specs that users are shown", () => {
  const shown = documents.flatMap((document) => specsIn(document).map((spec) => [document, spec] as const));

  it.each(shown)("in %s are valid", (document, spec) => {
    expect(parseSpec(spec, { fileName: document })).toMatchObject({ ok: true });
  });

  it("are there", () => {
    expect(shown.map(([document]) => document)).toEqual(
      expect.arrayContaining(["README.md", "docs/spec.md"]),
    );
  });

  it.each(readdirSync(path.join(root, "examples")))("in examples/%s are valid", (example) => {
    const file = path.join(root, "examples", example, "towpath.yaml");
    const parsed = parseSpec(readFileSync(file, "utf8"), { fileName: file });
    expect(parsed).toMatchObject({ ok: true });
  });
});
