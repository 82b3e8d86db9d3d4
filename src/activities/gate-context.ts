import type { Worktree } from "../adapters/git/places.js";
import type { Phase } from "../model/phases.js";
import { commandEnv, DEFAULT_TIMEOUT_MS } from "../model/spec/resolve.js";
import { runScript, type ScriptResult } from "./commands.js";
import { type Host, projectDirectory, scopeOf, type SpecMigration } from "./host.js";

/** A gate's scripts have no limits of their own in a spec. */
export const GATE_LIMITS = { timeoutMs: DEFAULT_TIMEOUT_MS, idleTimeoutMs: null };

/** What a gate's checks share. */
export interface GateContext {
  readonly host: Host;
  readonly migration: SpecMigration;
  readonly phase: Phase;
  readonly worktree: Worktree;
  /** The committed tree that is checked. */
  readonly tree: string;
  /** Which check of this gate it is, from 1: names its logs. */
  readonly check: number;
  /** Throws once the migration has gone on without this check. */
  readonly guard: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** What one part of a gate found. */
export interface Finding {
  readonly refusals: readonly string[];
  readonly evidence: readonly string[];
  /** What does not hold and a person may approve by name. */
  readonly exceptions?: readonly string[];
}

export const NOTHING: Finding = { refusals: [], evidence: [] };

/** Runs a script of a gate in the project's directory of the worktree. */
export async function runGateScript(
  context: GateContext,
  what: string,
  script: string,
): Promise<ScriptResult> {
  const { host, migration, phase, worktree, check, guard, signal } = context;
  await guard();
  const env = commandEnv(migration.spec);
  return await runScript(
    host,
    migration,
    {
      place: { owner: `gate-${phase}`, attempt: check },
      what,
      script,
      scope: scopeOf(migration, env),
      env,
      cwd: projectDirectory(worktree),
      ...GATE_LIMITS,
    },
    signal,
  );
}

/** A name for a log file, from a name for people. */
export function fileName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_-]+/g, "-").slice(0, 60);
}
