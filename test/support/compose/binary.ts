import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { provisionInto, runTool } from "../../../src/adapters/temporal/fetching.js";
import { makePrivateDirectory } from "../../../src/adapters/temporal/files.js";
import { withLock } from "../../../src/adapters/temporal/lock.js";
import { cacheDirectory } from "../../../src/adapters/temporal/provision.js";
import { messageOf } from "../../../src/model/errors.js";

const MODULE = "github.com/docker/compose/v2/cmd";
const VERSION = "v2.32.4";
/** Three minutes on two cores; slow machines and networks get ten times that. */
const BUILD_LIMIT_MS = 30 * 60_000;

function target(): string {
  return join(cacheDirectory(process.env), "docker-compose", VERSION);
}

/** Why there is no compose command here and none can be built; null where there is, or Go to build it with. */
export function composeProblem(): string | null {
  if (existsSync(target())) return null;
  try {
    execFileSync("go", ["version"]);
    return null;
  } catch {
    return "no Go on PATH to build Docker Compose with";
  }
}

/**
 * The compose command from the machine's cache, built where it is not there yet.
 * @throws Error where it cannot be built
 */
export async function composeCommand(): Promise<string> {
  const directory = target();
  if (!existsSync(directory)) {
    await makePrivateDirectory(join(directory, ".."));
    await withLock(directory, BUILD_LIMIT_MS, async () => {
      if (existsSync(directory)) return;
      console.error("building Docker Compose with Go (about 3 minutes, once)…");
      const failure = await provisionInto(directory, build);
      if (failure !== null) throw new Error(`Docker Compose cannot be built: ${failure}`);
    });
  }
  return join(directory, "docker-compose");
}

async function build(directory: string): Promise<{ made: string } | { failure: string }> {
  const made = join(directory, "built");
  const failure = await runTool({
    command: "go",
    args: ["install", `${MODULE}@${VERSION}`],
    env: { ...process.env, GOBIN: made, CGO_ENABLED: "0" },
    timeoutMs: BUILD_LIMIT_MS,
  });
  if (failure !== null) return { failure };
  try {
    // Under this name it is a command of its own, and no plug-in.
    await rename(join(made, "cmd"), join(made, "docker-compose"));
    return { made };
  } catch (error) {
    return { failure: messageOf(error) };
  }
}
