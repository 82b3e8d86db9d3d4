import { z } from "zod";
import { readReport } from "../adapters/reports/read-report.js";
import { parseJson } from "../model/artefact-text.js";
import { TowpathError } from "../model/errors.js";
import type { Phase } from "../model/phases.js";
import { compareReports, judgeNoNewFailures } from "../model/reports/compare.js";
import { TestReport } from "../model/reports/report.js";
import { resolvePhase } from "../model/spec/resolve.js";
import { type CommandPlace, outDirectory } from "./commands.js";
import type { Host, SpecMigration } from "./host.js";

/** A test report with the tree that it is about. */
const StoredReport = z.object({ tree: z.string(), report: TestReport });
export type StoredReport = z.infer<typeof StoredReport>;

export const BASELINE = "baseline";

/**
 * Reads the report that a command wrote to its output directory.
 * @throws TowpathError `ArtefactInvalid` when there is none, it is older than the command, or proves nothing
 */
export async function readStepReport(
  migration: SpecMigration,
  place: CommandPlace,
  pattern: string,
  startedMs: number,
): Promise<TestReport> {
  const { report } = await readReport({
    directory: outDirectory(migration, place),
    pattern,
    notBeforeMs: startedMs,
    redactor: migration.redactor,
  });
  return report;
}

/** Keeps a report below the migration's directory; answers its name there. */
export async function saveReport(
  host: Host,
  migrationId: string,
  owner: string,
  tree: string,
  report: TestReport,
): Promise<string> {
  const name = `${owner}.json`;
  const stored: StoredReport = { tree, report };
  await host.store.writeDocument(migrationId, "reports", name, JSON.stringify(stored));
  return name;
}

/**
 * Reads a kept report by its name; null where there is none.
 * @throws TowpathError `ArtefactInvalid` when it is not one that Towpath wrote
 */
export async function loadReport(
  host: Host,
  migrationId: string,
  name: string,
): Promise<StoredReport | null> {
  const text = await host.store.readDocument(migrationId, "reports", name);
  if (text === null) return null;
  const json = parseJson(text);
  const stored = StoredReport.safeParse(json.ok ? json.value : null);
  if (stored.success) return stored.data;
  throw new TowpathError(
    "ArtefactInvalid",
    `reports/${name} is not a report that Towpath wrote; run its step again`,
  );
}

/** The report of the untouched code; null where the spec has no baseline. */
export async function loadBaseline(host: Host, migration: SpecMigration): Promise<TestReport | null> {
  const name = migration.manifest.baseline?.report;
  return name === undefined ? null : ((await loadReport(host, migration.id, name))?.report ?? null);
}

/**
 * What a report of failing tests says against the baseline: the reasons to refuse it, none when every failure was
 * there before; null where there is no baseline to compare with, or no failing test that would explain the exit code.
 */
export async function judgeStepReport(
  host: Host,
  migration: SpecMigration,
  phase: Phase,
  report: TestReport,
): Promise<readonly string[] | null> {
  const baseline = await loadBaseline(host, migration);
  if (baseline === null || !report.tests.some((test) => test.status === "failed")) return null;
  const tests = resolvePhase(migration.spec, phase).gate.tests;
  const comparison = compareReports(baseline, report, {
    identity: tests?.identity ?? "classname-and-name",
    allowed: tests?.allow ?? [],
  });
  // What is missing or skipped is for the phase's gate to say; the exit code speaks of failures.
  return judgeNoNewFailures({ ...comparison, missing: [], newlySkipped: [] }).reasons;
}
