import type { TestProject } from "vitest/node";
import { pingEngine } from "../../src/adapters/machine/engine-ping.js";
import { testFilesWith } from "./test-files.js";

/** What tests against a real container engine talk to. */
export interface EngineForTests {
  /** As `DOCKER_HOST` has it. */
  readonly host: string;
  /** `localhost:<port>` of a registry that takes pushes; null where there is none. */
  readonly registry: string | null;
}

declare module "vitest" {
  interface ProvidedContext {
    engine: EngineForTests | null;
  }
}

/**
 * Finds the container engine that tests use: the one of `scripts/test-engine.mjs`, else whichever answers. Without one
 * the tests that need it are named and skipped; in CI that is a failure.
 */
export default async function setup(project: TestProject): Promise<void> {
  const own = process.env.TOWPATH_TEST_DOCKER_HOST;
  const ping = await pingEngine(own === undefined ? process.env : { DOCKER_HOST: own });
  const problem = ping === null ? "no container engine" : ping.problem;
  if (ping !== null && problem === null) {
    project.provide("engine", { host: ping.host, registry: process.env.TOWPATH_TEST_REGISTRY ?? null });
    return;
  }
  const remedy =
    "Install docker.io, docker-registry and busybox-static, and use: node scripts/test-engine.mjs npm test";
  if (process.env.CI === "true" || process.env.CI === "1") {
    throw new Error(`The tests need a container engine in CI: ${problem}. ${remedy}`);
  }
  project.provide("engine", null);
  const skipped = testFilesWith(/describeWith(Engine|Registry)\(/).map((name) => `  ${name}`);
  console.error([`Skipped, ${problem}:`, ...skipped, remedy].join("\n"));
}
