import { readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { expect, inject, it } from "vitest";
import { z } from "zod";
import { installation } from "../support/installation.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SHARING = join(ROOT, "src", "workflows", "shared-modules.ts");

/** The modules of ours that the workflows are made of, from the repository's root. */
async function modulesOfBundle(): Promise<string[]> {
  const bundle = await readFile(inject("workflowBundle"), "utf8");
  const modules = [...bundle.matchAll(/!\*\*\* \.\/(src\/\S+\.ts) \*\*\*!/g)];
  return modules.map(([, path = ""]) => path);
}

/** Those that are kept from being frozen. */
async function shielded(): Promise<string[]> {
  const imports = (await readFile(SHARING, "utf8")).matchAll(/^import \* as \w+ from "(\S+)\.js";$/gm);
  return Array.from(imports, ([, path = ""]) => relative(ROOT, `${join(dirname(SHARING), path)}.ts`));
}

function holdsSchemas(value: unknown): boolean {
  if (value instanceof z.ZodType) return true;
  const isPlain = Object.getPrototypeOf(Object(value)) === Object.prototype;
  return isPlain && Object.values(Object(value)).some(holdsSchemas);
}

it("is loaded before any workflow, with all that workflows load", async () => {
  const bundle = join(dirname(await installation("own")), "..", "dist", "workflow-bundle.js");
  const loaded: Record<string, unknown> = {};
  const context = createContext({ __webpack_module_cache__: loaded, TextEncoder, TextDecoder });
  const code = await readFile(bundle, "utf8");

  runInContext(`${code}\n;__TEMPORAL__.preloadModules();`, context);

  const before = Object.keys(loaded);
  runInContext("__TEMPORAL__.importWorkflows();", context);
  expect(Object.keys(loaded)).toEqual(before);
  expect(before.filter((path) => path.includes("/model/")).length).toBeGreaterThan(10);
});

it("keeps from being frozen every shared module that holds schemas, and no other", async () => {
  const withSchemas: string[] = [];
  for (const path of await modulesOfBundle()) {
    if (!path.startsWith("src/model/")) continue;
    const exported: unknown = await import(join(ROOT, path));
    if (Object.values(Object(exported)).some(holdsSchemas)) withSchemas.push(path);
  }

  expect(withSchemas.length).toBeGreaterThan(5);
  expect((await shielded()).toSorted()).toEqual(withSchemas.toSorted());
});

it("shares modules that keep nothing between workflows", async () => {
  for (const path of await modulesOfBundle()) {
    const source = await readFile(join(ROOT, path), "utf8");
    expect.soft(source, `${path} has a variable of its own`).not.toMatch(/^(export )?(let|var) /m);
    expect
      .soft(source, `${path} has a collection that grows`)
      .not.toMatch(/^(export )?const .*= (new (Map|Set)\(\)|\[\]|\{\});$/m);
  }
});
