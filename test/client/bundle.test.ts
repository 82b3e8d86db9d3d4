import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { installation } from "../support/installation.js";

let directory: string;
let names: string[];
beforeAll(async () => {
  directory = join(dirname(await installation("own")), "..", "dist", "cli");
  names = await readdir(directory);
});

/** The text of a bundled file with all that it loads before it runs. */
async function loadedBy(name: string, seen = new Set<string>()): Promise<string> {
  if (seen.has(name)) return "";
  seen.add(name);
  const text = await readFile(join(directory, name), "utf8");
  const imported = [...text.matchAll(/^(?:import|\} from) ?.*?"\.\/([^"]+\.js)";$/gm)].map(
    ([, file = ""]) => file,
  );
  const others = await Promise.all(imported.map((file) => loadedBy(file, seen)));
  return [text, ...others].join("\n");
}

const chunkOf = (command: string) =>
  names.find((name) => new RegExp(`^${command}-[A-Z0-9]+\\.js$`).test(name)) ?? "";

it("does not load schemas to show help", async () => {
  expect(await loadedBy("main.js")).not.toContain("node_modules/zod/");
});

// What is asked with --local, or needs no server at all, is not to wait for its library.
it.each(["status", "list", "plan", "gates", "validate", "schema", "logs"])(
  "does not load Temporal's client before it is needed: %s",
  async (command) => {
    const loaded = await loadedBy(chunkOf(command));
    expect(loaded).toContain("node_modules/zod/");
    expect(loaded).not.toContain("node_modules/@temporalio/client/");
  },
);

it("speaks one language, and leaves the worker as it is", async () => {
  const texts = await Promise.all(
    names.filter((name) => name.endsWith(".js")).map((name) => readFile(join(directory, name), "utf8")),
  );
  expect(texts.join("\n")).not.toMatch(/zod\/v4\/locales\/(?!en\.js|index\.js)/);
  expect(texts.join("\n")).toContain('import("./../client/commands/worker.js")');
});
