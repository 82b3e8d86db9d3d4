import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { CodeSignature } from "../../../src/adapters/requirements/code-signature.js";
import { requirementsPaths, type RequirementsPaths } from "../../../src/adapters/requirements/paths.js";
import { type DocumentDraft, persistDocument } from "../../../src/adapters/requirements/persist.js";
import { DocumentPointer } from "../../../src/model/requirements/documents.js";

export const NOW = new Date("2026-01-02T03:04:05.000Z");

export function sha(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** A directory of the test's own. */
export async function temporary(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "towpath-prd-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** The paths of an empty project. */
export async function emptyProject(): Promise<RequirementsPaths> {
  return requirementsPaths(await temporary());
}

/** A signature as if the code were this one file. */
export function codeOf(content: string): CodeSignature {
  const listing = `f${sha(content)} a.txt\0`;
  const signature = sha(`towpath code 1\0${listing}`);
  return { signature, mode: "files", sampled: false, files: 1, listing };
}

export function draft(text: string | Uint8Array, more: Partial<DocumentDraft> = {}): DocumentDraft {
  return { bytes: Buffer.from(text), source: "user", code: codeOf(String(text)), now: NOW, ...more };
}

export async function persist(
  paths: RequirementsPaths,
  text: string,
  more: Partial<DocumentDraft> = {},
): Promise<string> {
  return (await persistDocument(paths, draft(text, more))).sha;
}

export async function pointerOf(paths: RequirementsPaths): Promise<DocumentPointer> {
  return DocumentPointer.parse(JSON.parse(await readFile(paths.pointer, "utf8")));
}

/** Everything in the state directory that is no record, copy or listing. */
export async function leftovers(paths: RequirementsPaths): Promise<string[]> {
  const pointer = await pointerOf(paths).catch(() => null);
  const copies = pointer === null ? [] : [pointer.prd_sha, ...pointer.history.map((entry) => entry.prd_sha)];
  const expected = new Set([
    "prd",
    "prd-signature.json",
    "code-index",
    `code-${pointer?.signature ?? ""}.list`,
    ...copies.map((name) => `prd/${name}.md`),
  ]);
  const names = await readdir(paths.state, { recursive: true }).catch(() => []);
  return names.filter((name) => !expected.has(name));
}
