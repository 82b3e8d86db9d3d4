import { pingEngine } from "../../adapters/machine/engine-ping.js";
import { gitVersion } from "../../adapters/machine/git-version.js";
import { probeStorage } from "../../adapters/machine/storage.js";
import { hostId } from "../../adapters/temporal/host.js";
import { fail, isAtLeast, ok, warn, type Finding } from "./finding.js";

type Environment = Readonly<Record<string, string | undefined>>;

const OLDEST_NODE = [20, 3] as const;
/** `--end-of-options` and what worktrees need of it. */
const OLDEST_GIT = [2, 30] as const;
const LITTLE_ROOM = 2 * 1024 ** 3;

/** Node, git, container engine. */
export async function checkTools(env: Environment): Promise<Finding[]> {
  return [nodeFinding(process.version), gitFinding(await gitVersion(env)), await engineFinding(env)];
}

export function nodeFinding(version: string): Finding {
  if (isAtLeast(version, OLDEST_NODE)) return ok("node", version);
  return fail("node", `${version} is too old`, `Install Node ${OLDEST_NODE.join(".")} or newer.`);
}

export function gitFinding(version: string | null): Finding {
  if (version === null) return fail("git", "no git on PATH", "Install git.");
  if (isAtLeast(version, OLDEST_GIT)) return ok("git", version);
  return fail("git", `${version} is too old`, `Install git ${OLDEST_GIT.join(".")} or newer.`);
}

async function engineFinding(env: Environment): Promise<Finding> {
  const ping = await pingEngine(env);
  const needed = "Only steps in containers need one; start it, or set DOCKER_HOST.";
  if (ping === null) return warn("engine", "no container engine", needed);
  if (ping.problem !== null) return warn("engine", `${ping.host} does not answer: ${ping.problem}`, needed);
  return ok("engine", `${ping.host} (API ${ping.apiVersion ?? "unknown"})`);
}

/** Data directory, room, host id. */
export async function checkData(dataDir: string): Promise<Finding[]> {
  const { problem, freeBytes } = await probeStorage(dataDir);
  if (problem !== null || freeBytes === null)
    return [
      fail(
        "data",
        `${dataDir} cannot be written: ${problem}`,
        "Set TOWPATH_DATA_DIR to a directory of yours.",
      ),
    ];
  return [roomFinding(dataDir, freeBytes), ok("host", await hostId(dataDir))];
}

export function roomFinding(dataDir: string, freeBytes: number): Finding {
  const text = `${dataDir} (${(freeBytes / 1024 ** 3).toFixed(1)} GiB free)`;
  if (freeBytes >= LITTLE_ROOM) return ok("data", text);
  return warn("data", text, "Make room: logs, reports and worktrees are kept here.");
}
