import { isObject, type Parsed, parseJson } from "./artefact-text.js";
import { TowpathError } from "./errors.js";
import { parseFeatures } from "./features.js";
import { isMigrationId, migrationBranch, stepOfCheckpointTag } from "./ids.js";
import type { Json } from "./json.js";
import { Manifest, type PhaseRecord, type StepRecord } from "./manifest.js";
import type { ParamValue } from "./messages.js";
import { PHASES, type Phase } from "./phases.js";
import { validatePlan } from "./plan.js";
import { validateSeams } from "./seams.js";
import { stepsInOrder } from "./spec/order.js";
import { resolveSteps } from "./spec/resolve.js";
import type { Spec } from "./spec/schema.js";
import { statusOf } from "./transitions.js";

/** What lies in a predecessor's migration directory; a text is null where there is no such file. */
export interface ForeignTexts {
  /** The directory's name. */
  readonly id: string;
  readonly manifest: string | null;
  readonly seams: string | null;
  readonly features: string | null;
  readonly plan: string | null;
  readonly checkpoints: readonly { readonly name: string; readonly text: string }[];
}

export interface Inspection {
  /** null: it cannot be understood. */
  readonly manifest: Manifest | null;
  /** Why the migration cannot be adopted, everything that was found. */
  readonly problems: readonly string[];
  /** What is adopted otherwise than the directory says. */
  readonly notices: readonly string[];
}

/**
 * The predecessor's manifest in the shape that a manifest has now: it knew a target's `language`, and plain texts for
 * source and target. Anything else stays as it is.
 */
export function modernShape(value: unknown): unknown {
  if (!isObject(value)) return value;
  const { source_info: source, target_info: target } = value;
  return {
    ...value,
    ...(typeof source === "string" ? { source_info: { path: source } } : {}),
    ...(typeof target === "string" ? { target_info: { target } } : {}),
    ...(isObject(target) && target["target"] === undefined && typeof target["language"] === "string"
      ? { target_info: { ...target, target: target["language"] } }
      : {}),
  };
}

/** Looks at a predecessor's directory: what it holds, and everything that is wrong with it. */
export function inspectForeign(texts: ForeignTexts): Inspection {
  const manifest = readManifest(texts);
  const problems = [
    ...(isMigrationId(texts.id)
      ? []
      : [`'${texts.id}' is no migration id; the directory's name must be one`]),
    ...manifest.problems,
    ...artefactProblems("seams.json", texts.seams, validateSeams),
    ...artefactProblems("features.json", texts.features, parseFeatures),
    ...artefactProblems("migration-plan.json", texts.plan, validatePlan),
    ...texts.checkpoints.flatMap(checkpointProblems),
  ];
  const found = manifest.value;
  return { manifest: found, problems, notices: found === null ? [] : contradictions(found) };
}

function readManifest({ id, manifest: text }: ForeignTexts): { value: Manifest | null; problems: string[] } {
  if (text === null) return unreadable("there is none");
  const json = parseJson(text);
  if (!json.ok) return unreadable(...json.problems);
  const result = Manifest.safeParse(modernShape(json.value));
  if (!result.success) {
    return unreadable(
      ...result.error.issues.map(({ path, message }) => `${path.map(String).join(".")}: ${message}`),
    );
  }
  const { data } = result;
  const problems = [
    ...(data.id === id ? [] : [`id: must be '${id}', as the directory is called, but is '${data.id}'`]),
    ...PHASES.filter((phase) => data.phases[phase] === undefined).map(
      (phase) => `phases.${phase}: is missing`,
    ),
    ...data.checkpoints
      .filter((tag) => stepOfCheckpointTag(tag) === null)
      .map((tag) => `checkpoints: '${tag}' is no checkpoint's tag`),
    ...(currentPhase(data) === null ? ["all four phases are completed: there is nothing left to do"] : []),
  ];
  return { value: data, problems: problems.map((problem) => `manifest.json: ${problem}`) };
}

function unreadable(...problems: string[]): { value: null; problems: string[] } {
  return { value: null, problems: problems.map((problem) => `manifest.json: ${problem}`) };
}

function artefactProblems(
  file: string,
  text: string | null,
  read: (text: string) => Parsed<unknown>,
): string[] {
  if (text === null) return [];
  const result = read(text);
  return result.ok ? [] : result.problems.map((problem) => `${file}: ${problem}`);
}

function checkpointProblems({ name, text }: ForeignTexts["checkpoints"][number]): string[] {
  const file = `checkpoints/${name}`;
  const json = parseJson(text);
  if (!json.ok) return json.problems.map((problem) => `${file}: ${problem}`);
  const tag = isObject(json.value) ? json.value["tag"] : undefined;
  if (typeof tag !== "string" || stepOfCheckpointTag(tag) === null)
    return [`${file}: names no checkpoint's tag`];
  return `${stepOfCheckpointTag(tag)}.json` === name ? [] : [`${file}: its tag ${tag} is another step's`];
}

/** The first phase that is not completed: the ones behind it rest on it, whatever they say. */
function currentPhase(manifest: Manifest): Phase | null {
  return PHASES.find((phase) => statusOf(manifest, phase) !== "completed") ?? null;
}

function contradictions(manifest: Manifest): string[] {
  const current = currentPhase(manifest);
  if (current === null) return [];
  const status = statusOf(manifest, current);
  const later = PHASES.slice(PHASES.indexOf(current) + 1).filter(
    (phase) => statusOf(manifest, phase) !== "pending",
  );
  return [
    ...(status === "failed" ? [`phase ${current} had failed: it is started again`] : []),
    ...later.map(
      (phase) =>
        `phase ${phase} says ${statusOf(manifest, phase)}, but ${current} is not completed: it is pending again`,
    ),
  ];
}

export interface AdoptionRequest {
  readonly name: string;
  readonly hostId: string;
  /** Where the codebase is now. */
  readonly source: string;
  /** null: hands-on. */
  readonly spec: { readonly spec: Spec; readonly digest: string } | null;
  readonly params: Readonly<Record<string, ParamValue>>;
  readonly allowHost: boolean;
  readonly author: { readonly name: string; readonly email: string };
  /** Ids of steps that the predecessor's plan calls completed. */
  readonly done: readonly string[];
}

/**
 * A predecessor's manifest as Towpath goes on with it: in its first phase that is not completed. Recorded tags stay. With
 * a spec, steps of phases that are left, and those that the predecessor's plan calls completed, are not run: nobody
 * claims that they hold, and the gates look at what is there.
 * @throws TowpathError `PhaseStatus` where there is nothing left to do
 */
export function adoptManifest(manifest: Manifest, request: AdoptionRequest, now: Date): Manifest {
  const current = currentPhase(manifest);
  if (current === null) {
    throw new TowpathError(
      "PhaseStatus",
      `All phases of ${manifest.id} are completed: there is nothing left to do`,
    );
  }
  const { name, hostId, source, spec, params, allowHost, author } = request;
  const options: Record<string, Json> = { ...manifest.target_info.options, ...params };
  return {
    ...manifest,
    source_info: { ...manifest.source_info, path: source },
    target_info: { ...manifest.target_info, options },
    source_path: source,
    phases: standingIn(manifest, current, now),
    status: "in_progress",
    mode: spec === null ? "hands-on" : "spec",
    name,
    host_id: hostId,
    branch: migrationBranch(manifest.id),
    allow_host: allowHost,
    author: { ...author },
    adopted: { at: now.toISOString(), source_path: manifest.source_info.path },
    ...(spec === null ? {} : { spec_digest: spec.digest, ...stepsOf(spec.spec, current, request.done, now) }),
  };
}

function standingIn(manifest: Manifest, current: Phase, now: Date): Manifest["phases"] {
  const started = manifest.phases[current]?.started_at || now.toISOString();
  const entries = PHASES.map((phase): [Phase, PhaseRecord] => {
    const record = manifest.phases[phase] ?? { status: "pending", started_at: "", completed_at: "" };
    const place = PHASES.indexOf(phase) - PHASES.indexOf(current);
    if (place < 0) return [phase, record];
    if (place > 0) return [phase, { ...record, status: "pending", started_at: "", completed_at: "" }];
    return [phase, { ...record, status: "in_progress", started_at: started, completed_at: "" }];
  });
  return Object.fromEntries(entries);
}

function stepsOf(
  spec: Spec,
  current: Phase,
  done: readonly string[],
  now: Date,
): Pick<Manifest, "steps" | "step_order"> {
  const at = now.toISOString();
  const steps: Record<string, StepRecord> = {};
  for (const { id, phase } of resolveSteps(spec)) {
    const blank: StepRecord = {
      phase,
      status: "pending",
      attempts: 0,
      started_at: "",
      completed_at: "",
      duration_ms: 0,
    };
    const reason =
      PHASES.indexOf(phase) < PHASES.indexOf(current)
        ? `phase ${phase} was completed before the adoption`
        : phase === "migrate" && done.includes(id)
          ? "the adopted plan says that it is completed"
          : null;
    steps[id] =
      reason === null ? blank : { ...blank, completed_at: at, skipped: { reason, by: "towpath", at } };
  }
  return { steps, step_order: stepsInOrder(spec) };
}
