import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { z } from "zod";

const Lock = z.object({
  packages: z.record(
    z.string(),
    z.looseObject({
      resolved: z.string().optional(),
      optionalDependencies: z.record(z.string(), z.string()).optional(),
    }),
  ),
});

const text = await readFile(fileURLToPath(new URL("../../package-lock.json", import.meta.url)), "utf8");
const { packages } = Lock.parse(JSON.parse(text));

describe("the committed lock", () => {
  it("records no download addresses", () => {
    expect(Object.values(packages).filter((entry) => entry.resolved?.startsWith("http"))).toEqual([]);
  });

  it("has the packages of every platform: npm ci refuses it otherwise, and each machine installs others", () => {
    const missing = Object.entries(packages).flatMap(([path, entry]) =>
      Object.keys(entry.optionalDependencies ?? {}).filter(
        (name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
      ),
    );
    expect(missing).toEqual([]);
  });
});
