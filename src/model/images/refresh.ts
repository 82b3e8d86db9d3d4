import { z } from "zod";
import { KeptImage, type PlannedRemoval, PrunePlan } from "./prune-plan.js";

/** What is asked of an image refresh; plain JSON, no secrets. */
export const RefreshRequest = z.object({
  /** The host whose engine it is about. */
  hostId: z.string(),
  /** As the user wrote it. */
  reference: z.string(),
  /** False: nothing is pulled and nothing removed, and the engine is not even asked. */
  prune: z.boolean(),
  dryRun: z.boolean(),
  keepNewest: z.int().nonnegative(),
  minAgeMs: z.number().nonnegative(),
  pins: z.array(z.string()),
  keepTagged: z.boolean(),
  /** Images go only when the engine's images take at least so many bytes; null: always. */
  aboveBytes: z.number().nonnegative().nullable(),
  /** Images go only when the engine's disk is at least so full, in percent; null: always. */
  aboveDiskPercent: z.number().min(0).max(100).nullable(),
  /** A plan that was shown: only what it lists goes. */
  shown: PrunePlan.nullable(),
  /** A failed pull fails the workflow: for schedules, which are tried again and paused by failures. */
  failOnProblem: z.boolean(),
});
export type RefreshRequest = z.infer<typeof RefreshRequest>;

/** What holds where nobody says otherwise: superseded images go at once. */
export const REFRESH_DEFAULTS = {
  prune: true,
  dryRun: false,
  keepNewest: 1,
  minAgeMs: 0,
  pins: [],
  keepTagged: false,
  aboveBytes: null,
  aboveDiskPercent: null,
  shown: null,
  failOnProblem: false,
} as const satisfies Omit<Mutable<RefreshRequest>, "hostId" | "reference">;

type Mutable<T> = { readonly [K in keyof T]: T[K] extends (infer U)[] ? readonly U[] : T[K] };

/** One refresh at a time of a repository on a host: the second request joins the first. */
export function refreshWorkflowId(hostId: string, repository: string, dryRun: boolean): string {
  return `image-refresh:${hostId}:${repository}${dryRun ? ":dry-run" : ""}`;
}

export const Removed = z.object({ id: z.string(), references: z.array(z.string()), bytes: z.number() });
export type Removed = z.infer<typeof Removed>;
const Named = z.object({ id: z.string(), reason: z.string() });

/** What a refresh came to; small enough for a workflow's result and memo. */
export const RefreshReport = z.object({
  reference: z.string(),
  /** Normalised repository. */
  repository: z.string(),
  outcome: z.enum(["refreshed", "planned", "skipped", "pull-failed"]),
  /** Null where nothing was pulled. */
  pulled: z.object({ reference: z.string(), digest: z.string(), changed: z.boolean() }).nullable(),
  /** Why the pull failed. */
  problem: z.string().nullable(),
  /** The same as an error's type. */
  problemType: z.string().nullable(),
  /** With a failed pull: whether the engine has the image all the same, from before. */
  local: z.boolean(),
  /** What would go, of a dry run. */
  plan: PrunePlan.nullable(),
  removed: z.array(Removed),
  kept: z.array(KeptImage),
  /** Planned, but not removed: something came to use it meanwhile. */
  skipped: z.array(Named),
  failed: z.array(Named),
  estimatedBytes: z.number(),
  /** By disk usage before and after; null where nothing was removed. */
  measuredBytes: z.number().nullable(),
  /** What the lists leave out. */
  more: z.int().nonnegative(),
});
export type RefreshReport = z.infer<typeof RefreshReport>;

const MAX_LISTED = 100;

/** A report that says nothing yet. */
export function emptyReport(reference: string, repository: string): RefreshReport {
  return {
    reference,
    repository,
    outcome: "refreshed",
    pulled: null,
    problem: null,
    problemType: null,
    local: false,
    plan: null,
    removed: [],
    kept: [],
    skipped: [],
    failed: [],
    estimatedBytes: 0,
    measuredBytes: null,
    more: 0,
  };
}

/** The refresh that a user asks for, without the host that does it. */
export type RefreshOptions = Omit<RefreshRequest, "hostId" | "reference">;

/** Bounds a report for payloads: the longest lists are cut, and what is cut is counted. */
export function boundedReport(report: RefreshReport): RefreshReport {
  const lists = [report.removed, report.kept, report.skipped, report.failed, report.plan?.kept ?? []];
  const more = lists.reduce((sum, list) => sum + Math.max(0, list.length - MAX_LISTED), 0);
  if (more === 0) return report;
  return {
    ...report,
    removed: report.removed.slice(0, MAX_LISTED),
    kept: report.kept.slice(0, MAX_LISTED),
    skipped: report.skipped.slice(0, MAX_LISTED),
    failed: report.failed.slice(0, MAX_LISTED),
    plan: report.plan === null ? null : { ...report.plan, kept: report.plan.kept.slice(0, MAX_LISTED) },
    more,
  };
}

/** True only when there was no candidate and nothing went wrong. */
export function nothingToReclaim(report: RefreshReport): boolean {
  const went = report.outcome === "planned" ? (report.plan?.remove.length ?? 0) : report.removed.length;
  const wellDone = report.outcome === "refreshed" || report.outcome === "planned";
  return wellDone && went + report.skipped.length + report.failed.length === 0;
}

/** The report for people, a line each. */
export function describeRefresh(report: RefreshReport): string {
  const { reference } = report;
  if (report.outcome === "skipped") return `${reference}: skipped, image refresh is switched off`;
  if (report.outcome === "pull-failed") {
    const goesOn = report.local ? "; the image that is here stays in use" : "; there is none here either";
    return `${reference}: not pulled, nothing removed${goesOn}\n  ${report.problem ?? ""}`;
  }
  const lines = [`${reference}: ${pullText(report)}`];
  if (nothingToReclaim(report)) lines.push("  nothing to reclaim");
  const gone: readonly (Removed | PlannedRemoval)[] =
    report.outcome === "planned" ? (report.plan?.remove ?? []) : report.removed;
  const verb = report.outcome === "planned" ? "would remove" : "removed";
  for (const image of gone)
    lines.push(`  ${verb} ${shortId(image.id)} ${namesOf(image)} (${size(image.bytes)})`);
  for (const { id, reason } of report.skipped) lines.push(`  skipped ${shortId(id)}: ${reason}`);
  for (const { id, reason } of report.failed) lines.push(`  failed ${shortId(id)}: ${reason}`);
  for (const kept of report.kept)
    lines.push(`  kept ${shortId(kept.id)} ${kept.references.join(" ")} (${kept.reason})`);
  if (report.more > 0) lines.push(`  … and ${report.more} more`);
  if (gone.length > 0) lines.push(`  ${reclaimed(report)}`);
  return lines.join("\n");
}

function pullText({ pulled }: RefreshReport): string {
  if (pulled === null) return "not pulled";
  return `${pulled.changed ? "pulled a newer image" : "up to date"} (${pulled.digest})`;
}

function namesOf(image: Removed | PlannedRemoval): string {
  const names = "references" in image ? image.references : [...image.tags, ...image.digests];
  return names.join(" ");
}

function reclaimed(report: RefreshReport): string {
  const estimated = `at most ${size(report.estimatedBytes)}`;
  if (report.outcome === "planned") return `would reclaim ${estimated}`;
  return `reclaimed ${size(report.measuredBytes ?? 0)} (estimated ${estimated})`;
}

function shortId(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}

/** Bytes for people: `1.5 GiB`. */
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power] ?? "B"}`;
}
