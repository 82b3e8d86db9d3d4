import { changes } from "../adapters/git/changes.js";
import type { Repository, Worktree } from "../adapters/git/places.js";
import { resolveCommit, treeOf } from "../adapters/git/repository.js";
import { layWorktree } from "../adapters/git/worktree.js";
import { undo } from "../adapters/git/undo.js";
import { succeeded } from "../model/command.js";
import { refreshedImages } from "../model/containers/settings.js";
import { TowpathError } from "../model/errors.js";
import { migrationBranch } from "../model/ids.js";
import { headOf, type Manifest, type StepRecord } from "../model/manifest.js";
import { countTests } from "../model/reports/report.js";
import { listFiles } from "../model/scope.js";
import { stepsInOrder } from "../model/spec/order.js";
import { parseSpec } from "../model/spec/parse.js";
import { commandEnv, resolveBaseline, resolveSteps, resolveWorkspace } from "../model/spec/resolve.js";
import type { Spec } from "../model/spec/schema.js";
import { specInvalid } from "../model/spec/problems.js";
import { createManifest } from "../model/transitions.js";
import { clearOutDirectory, failureLine, runScript } from "./commands.js";
import type { CreateMigration, PreparationResult, Workspace } from "./contract.js";
import { heartbeating } from "./heartbeat.js";
import { optedOut } from "./images.js";
import {
  type Host,
  openSpecMigration,
  projectDirectory,
  scopeOf,
  specDigest,
  type SpecMigration,
  worktreePath,
} from "./host.js";
import { openSource, refInSource, sourcePlace } from "./remote.js";
import { BASELINE, readStepReport, saveReport } from "./reports.js";
import { openWorktree, refuseDuringStep } from "./workspace.js";

/** Makes the migration's directory and manifest, once, and stores the spec in it. */
export async function createMigration(host: Host, input: CreateMigration): Promise<void> {
  const spec = input.spec === null ? null : readSpec(input.spec);
  const source = sourcePlace(host, input.source);
  const manifest = createManifest({
    id: input.migrationId,
    now: host.now(),
    source: source.path,
    url: source.url,
    target: input.target,
    options: { ...input.params },
    mode: spec === null ? "hands-on" : "spec",
    own: {
      name: input.name,
      host_id: input.hostId,
      branch: migrationBranch(input.migrationId),
      ...(spec === null ? {} : stepsOf(spec)),
    },
  });
  await host.store.create(
    {
      ...manifest,
      allow_host: input.allowHost,
      author: input.author,
      ...(input.spec === null ? {} : { spec_digest: specDigest(input.spec.text) }),
    },
    input.operation,
  );
  if (input.spec !== null) await host.store.writeSpec(input.migrationId, input.spec.text);
}

function readSpec({ fileName, text }: { fileName: string; text: string }): Spec {
  const result = parseSpec(text, { fileName });
  if (result.ok) return result.spec;
  throw specInvalid(fileName, result.problems);
}

function stepsOf(spec: Spec): Pick<Manifest, "steps" | "step_order"> {
  const steps: Record<string, StepRecord> = {};
  for (const { id, phase } of resolveSteps(spec)) {
    steps[id] = { phase, status: "pending", attempts: 0, started_at: "", completed_at: "", duration_ms: 0 };
  }
  return { steps, step_order: stepsInOrder(spec) };
}

/** Fixes the base commit, once, and lays the worktree on a branch of its own. */
export function layWorkspace(
  host: Host,
  input: { migrationId: string; operation: string },
): Promise<Workspace> {
  return heartbeating(async (signal) => {
    const known = await host.store.readManifest(input.migrationId);
    const repo = await openSource(host, known, signal);
    const base = known.base_commit ?? (await resolveBase(host, known, repo, signal));
    const { manifest } = await host.store.updateManifest(input.migrationId, input.operation, (current) => ({
      manifest: {
        ...current,
        base_commit: base,
        head: base,
        worktree: worktreePath(host.dataDir, current.id),
        project_prefix: repo.prefix,
      },
      result: null,
    }));
    const branch = migrationBranch(manifest.id);
    await layWorktree({
      repo,
      path: worktreePath(host.dataDir, manifest.id),
      branch,
      base: headOf(manifest),
      migrationId: manifest.id,
      signal,
    });
    return { branch, baseCommit: headOf(manifest), images: await imagesToRefresh(host, manifest) };
  });
}

async function imagesToRefresh(host: Host, manifest: Manifest): Promise<string[]> {
  if (manifest.mode !== "spec" || optedOut(host)) return [];
  return refreshedImages((await openSpecMigration(host, manifest.id)).spec);
}

async function resolveBase(
  host: Host,
  manifest: Manifest,
  repo: Repository,
  signal: AbortSignal,
): Promise<string> {
  const ref = await refInSource(manifest, repo, await baseRef(host, manifest), signal);
  return resolveCommit(repo, ref, signal);
}

async function baseRef(host: Host, manifest: Manifest): Promise<string> {
  if (manifest.mode !== "spec") return "HEAD";
  const { spec } = await openSpecMigration(host, manifest.id);
  return resolveWorkspace(spec).base ?? "HEAD";
}

/** Runs `workspace.setup` in the fresh worktree; where there is none, nothing. */
export function runSetup(host: Host, { migrationId }: { migrationId: string }): Promise<PreparationResult> {
  return heartbeating(async (signal) => {
    const manifest = await host.store.readManifest(migrationId);
    if (manifest.mode !== "spec") return { ok: true, message: "hands-on" };
    const migration = await openSpecMigration(host, migrationId);
    if (resolveWorkspace(migration.spec).setup === null) return { ok: true, message: "" };
    refuseDuringStep(manifest);
    const worktree = await openWorktree(host, manifest, signal);
    try {
      await ensureSetup(host, migration, worktree, signal);
      return { ok: true, message: "" };
    } catch (error) {
      if (!(error instanceof TowpathError) || error.type !== "CommandFailed") throw error;
      return { ok: false, message: error.message };
    }
  });
}

/**
 * Runs `workspace.setup` unless it has run in this very worktree: one that was laid anew has none of the ignored files
 * (installed dependencies) of the old one.
 * @returns whether it was run now
 * @throws TowpathError `CommandFailed` when it fails, or leaves files that the first undo would take away
 */
export async function ensureSetup(
  host: Host,
  migration: SpecMigration,
  worktree: Worktree,
  signal: AbortSignal,
): Promise<boolean> {
  const setup = resolveWorkspace(migration.spec);
  const { prepared } = await host.store.readManifest(migration.id);
  if (setup.setup === null || prepared === worktree.incarnation) return false;
  const commit = headOf(await host.store.readManifest(migration.id));
  const place = { owner: "setup", attempt: 1 };
  const env = commandEnv(migration.spec);
  await clearOutDirectory(migration, place);
  const result = await runScript(
    host,
    migration,
    {
      place,
      what: "run",
      script: setup.setup,
      scope: scopeOf(migration, env),
      env,
      cwd: projectDirectory(worktree),
      timeoutMs: setup.timeoutMs,
      idleTimeoutMs: setup.idleTimeoutMs,
    },
    signal,
  );
  if (!succeeded(result)) {
    throw new TowpathError("CommandFailed", `${failureLine(setup.setup, result, setup)} (see ${result.log})`);
  }
  const left = await changes({ worktree, base: commit, exclude: migration.exclude, signal });
  if (left.length > 0) {
    await undo({ worktree, commit, exclude: migration.exclude });
    throw new TowpathError(
      "CommandFailed",
      `workspace.setup changed files that git does not ignore: ${listFiles(left.map(({ path }) => path))}. ` +
        "Name them in workspace.exclude, or let setup leave them alone (npm ci instead of npm install)",
    );
  }
  await host.store.updateManifest(migration.id, `prepared/${worktree.incarnation}`, (manifest) => ({
    manifest: { ...manifest, prepared: worktree.incarnation },
    result: null,
  }));
  return true;
}

/** Runs the baseline on the untouched base commit and keeps its report; its tests may fail, but there must be some. */
export function runBaseline(
  host: Host,
  input: { migrationId: string; operation: string },
): Promise<PreparationResult> {
  return heartbeating(async (signal) => {
    const manifest = await host.store.readManifest(input.migrationId);
    if (manifest.mode !== "spec") return { ok: true, message: "hands-on" };
    const migration = await openSpecMigration(host, input.migrationId);
    const baseline = resolveBaseline(migration.spec);
    if (baseline === null) return { ok: true, message: "no baseline" };
    if (manifest.baseline !== undefined) return { ok: true, message: testsFound(manifest.baseline) };
    refuseDuringStep(manifest);
    const worktree = await openWorktree(host, manifest, signal);
    const commit = headOf(manifest);
    const place = { owner: BASELINE, attempt: 1 };
    await undo({ worktree, commit, exclude: migration.exclude });
    await clearOutDirectory(migration, place);
    const startedMs = Date.now();
    const result = await runScript(
      host,
      migration,
      {
        ...baseline,
        place,
        what: "run",
        scope: scopeOf(migration, baseline.env),
        cwd: `${projectDirectory(worktree)}/${baseline.workingDirectory}`,
      },
      signal,
    );
    await undo({ worktree, commit, exclude: migration.exclude });
    if (result.end !== "exited" || result.exitCode === null) {
      return { ok: false, message: `${failureLine(baseline.script, result, baseline)} (see ${result.log})` };
    }
    return await recordBaseline(host, migration, worktree, {
      ...input,
      commit,
      startedMs,
      report: baseline.report,
    });
  });
}

async function recordBaseline(
  host: Host,
  migration: SpecMigration,
  worktree: Worktree,
  run: { operation: string; commit: string; startedMs: number; report: string },
): Promise<PreparationResult> {
  const place = { owner: BASELINE, attempt: 1 };
  try {
    const report = await readStepReport(migration, place, run.report, run.startedMs);
    const name = await saveReport(host, migration.id, BASELINE, await treeOf(worktree, run.commit), report);
    const counts = countTests(report);
    const baseline = { report: name, tests: counts.total, failures: counts.failed, counts };
    await host.store.updateManifest(migration.id, run.operation, (manifest) => ({
      manifest: { ...manifest, baseline },
      result: null,
    }));
    return { ok: true, message: testsFound(baseline) };
  } catch (error) {
    if (!(error instanceof TowpathError) || error.type !== "ArtefactInvalid") throw error;
    return { ok: false, message: error.message };
  }
}

function testsFound({ tests, failures }: { tests: number; failures: number }): string {
  return `${tests} tests, ${failures} failing`;
}
