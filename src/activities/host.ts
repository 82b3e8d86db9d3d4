import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Worktree } from "../adapters/git/places.js";
import { type FileIdentity, identityAt, sameIdentity } from "../adapters/store/files.js";
import { type MigrationPaths, migrationPaths } from "../adapters/store/paths.js";
import type { MigrationStore } from "../adapters/store/migration-store.js";
import { credentialsIn, type Variables } from "../model/environment.js";
import { TowpathError } from "../model/errors.js";
import type { Manifest } from "../model/manifest.js";
import { ParamValue } from "../model/messages.js";
import { createRedactor, MIN_SECRET_LENGTH, type Redactor, secretTooShort } from "../model/redaction.js";
import { parseSpec } from "../model/spec/parse.js";
import type { ExpressionScope } from "../model/spec/references.js";
import { resolveWorkspace } from "../model/spec/resolve.js";
import type { Spec } from "../model/spec/schema.js";
import { summaryOf } from "../model/step-summary.js";

/** What the activities of one host work with. */
export interface Host {
  readonly dataDir: string;
  readonly store: MigrationStore;
  /** The worker's own environment: where commands get their tools and the spec's secrets from. */
  readonly environment: Variables;
  readonly now: () => Date;
}

/** The values of the spec's named secrets, and why not all of them can be used. */
export interface Secrets {
  readonly values: Readonly<Record<string, string>>;
  readonly problem: string | null;
}

/** A migration with its spec, as an activity finds it on disk. */
export interface SpecMigration {
  readonly id: string;
  readonly manifest: Manifest;
  readonly paths: MigrationPaths;
  readonly spec: Spec;
  readonly exclude: readonly string[];
  readonly secrets: Secrets;
  readonly redactor: Redactor;
}

/** Where a migration's worktree lies: outside its directory, so that a step can be given the one without the other. */
export function worktreePath(dataDir: string, migrationId: string): string {
  return join(dataDir, "workspaces", migrationId);
}

/** The project's directory in the worktree. */
export function projectDirectory(worktree: Worktree): string {
  return join(worktree.path, worktree.prefix);
}

export function pathsOf(host: Host, migrationId: string): MigrationPaths {
  return migrationPaths(host.dataDir, migrationId);
}

/**
 * Reads a migration and the spec that is stored with it.
 * @throws TowpathError `MigrationNotFound` | `StateCorrupt` when the stored spec is not the one that was started
 */
export async function openSpecMigration(host: Host, migrationId: string): Promise<SpecMigration> {
  const manifest = await host.store.readManifest(migrationId);
  const paths = pathsOf(host, migrationId);
  const spec = await readStoredSpec(host, manifest);
  const secrets = secretsOf(spec, host.environment);
  return {
    id: migrationId,
    manifest,
    paths,
    spec,
    exclude: resolveWorkspace(spec).exclude,
    secrets,
    redactor: createRedactor([...Object.values(secrets.values), ...credentialsIn(host.environment)]),
  };
}

/** Digest under which a spec is recorded. */
export function specDigest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Specs that were read, by digest: parsing one of many steps takes longer than running one of them. */
const parsedSpecs = new Map<string, Spec>();
const MAX_PARSED = 16;

/** The files that they were read from, by path: one that has not been touched since is not read again. */
const readSpecs = new Map<string, { readonly identity: FileIdentity; readonly digest: string }>();
const MAX_READ = 1_000;

async function readStoredSpec(host: Host, manifest: Manifest): Promise<Spec> {
  const path = pathsOf(host, manifest.id).spec;
  const identity = identityAt(path);
  const read = readSpecs.get(path);
  if (identity !== null && read !== undefined && sameIdentity(read.identity, identity)) {
    const known = read.digest === manifest.spec_digest ? parsedSpecs.get(read.digest) : undefined;
    if (known !== undefined) return known;
  }
  const text = await storedText(host, manifest);
  const digest = specDigest(text);
  if (digest !== manifest.spec_digest) {
    throw new TowpathError(
      "StateCorrupt",
      `${path} is not the spec that the migration was started with; put that one back`,
    );
  }
  if (identity !== null) noteIn(readSpecs, path, { identity, digest }, MAX_READ);
  const spec = parsedSpecs.get(digest) ?? parsedSpec(text, path);
  noteIn(parsedSpecs, digest, spec, MAX_PARSED);
  return spec;
}

function parsedSpec(text: string, path: string): Spec {
  const result = parseSpec(text, { fileName: path });
  if (result.ok) return result.spec;
  throw new TowpathError("StateCorrupt", `${path} cannot be read: ${result.problems[0]?.message ?? ""}`);
}

/** Puts an entry last, and drops the first ones above a number. */
function noteIn<T>(map: Map<string, T>, key: string, value: T, most: number): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= most) return;
    map.delete(oldest);
  }
}

/** An edit of the spec that died half-way has recorded the new one and not yet put it in the old one's place. */
async function storedText(host: Host, manifest: Manifest): Promise<string> {
  const text = (await host.store.readSpec(manifest.id)) ?? "";
  if (manifest.spec_digest === undefined || specDigest(text) === manifest.spec_digest) return text;
  return (await host.store.readDocument(manifest.id, "specs", specFileName(manifest.spec_digest))) ?? text;
}

/** The name below `specs/` of a spec that an edit brought in or replaced. */
export function specFileName(digest: string): string {
  return `${digest}.yaml`;
}

function secretsOf(spec: Spec, environment: Variables): Secrets {
  const values: Record<string, string> = {};
  const problems: string[] = [];
  for (const name of spec.secrets ?? []) {
    const value = environment[name];
    if (value === undefined || value === "") {
      problems.push(`the secret ${name} is not set in the worker's environment`);
    } else if (secretTooShort(value)) {
      problems.push(
        `the secret ${name} has fewer than ${MIN_SECRET_LENGTH} characters, too few to be redacted`,
      );
    } else {
      values[name] = value;
    }
  }
  return { values, problem: problems.length === 0 ? null : problems.join("; ") };
}

/** Patterns of `workspace.exclude`; none in a hands-on migration. */
export async function excludeOf(host: Host, manifest: Manifest): Promise<readonly string[]> {
  return manifest.mode === "spec" ? (await openSpecMigration(host, manifest.id)).exclude : [];
}

/** What `${{ … }}` stands for in a migration, outside of a step's attempt. */
export function scopeOf(migration: SpecMigration, env: Readonly<Record<string, string>>): ExpressionScope {
  const { manifest } = migration;
  const params: Record<string, ParamValue> = {};
  for (const [name, value] of Object.entries(manifest.target_info.options)) {
    const param = ParamValue.safeParse(value);
    if (param.success) params[name] = param.data;
  }
  return {
    params,
    env,
    migration: {
      id: migration.id,
      name: manifest.name ?? migration.spec.name,
      target: manifest.target_info.target,
    },
    outputs: summaryOf(manifest.steps).outputs,
  };
}
