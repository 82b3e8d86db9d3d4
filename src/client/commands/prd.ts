import { stat } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { findDocument, type KnownDocument, knownDocuments } from "../../adapters/requirements/archive.js";
import { codeSignature } from "../../adapters/requirements/code-signature.js";
import { readCurrent } from "../../adapters/requirements/current.js";
import { decideFor } from "../../adapters/requirements/decide.js";
import { diffDocuments } from "../../adapters/requirements/diff.js";
import { readDocumentFile } from "../../adapters/requirements/input.js";
import { requirementsPaths, type RequirementsPaths } from "../../adapters/requirements/paths.js";
import { persistDocument } from "../../adapters/requirements/persist.js";
import { messageOf, TowpathError } from "../../model/errors.js";
import { Json } from "../../model/json.js";
import { shortSha } from "../../model/requirements/documents.js";
import type { CommandBody, CommandContext, CommandResult } from "../command.js";
import { readInput } from "../input.js";
import { printable, printableBlock } from "../printable.js";
import { findLocal } from "../migrations/local.js";
import { migrationNotFound } from "../migrations/reference.js";
import { type Column, table } from "../render/table.js";
import { dataDirectory } from "../../adapters/store/data-directory.js";

const Sha = z
  .string()
  .regex(/^[0-9a-f]{4,64}$/, "give at least 4 characters of a sha, as `towpath prd history` shows it");

const ProjectOnly = z.object({ arguments: z.tuple([z.string().optional()]), options: z.object({}) });

async function projectPaths(given: string | undefined, context: CommandContext): Promise<RequirementsPaths> {
  const project = path.resolve(context.cwd, given ?? ".");
  if (await isDirectory(project)) return requirementsPaths(project);
  throw new TowpathError("Usage", `${project} is no directory: give the project's directory.`);
}

async function isDirectory(directory: string): Promise<boolean> {
  try {
    return (await stat(directory)).isDirectory();
  } catch (error) {
    throw new TowpathError("Usage", `Cannot look at ${directory}: ${messageOf(error)}`, { cause: error });
  }
}

function nothingPersisted({ project }: RequirementsPaths): TowpathError {
  return new TowpathError(
    "RequirementsNotFound",
    `${project} has no requirements document yet: the next start generates one, or takes the one that --prd names`,
  );
}

/** `towpath prd show`: the document and what is known of it. */
export const show: CommandBody = async (input, context) => {
  const { arguments: args } = readInput(ProjectOnly, input);
  const paths = await projectPaths(args[0], context);
  const { document, pointer } = await readCurrent(paths);
  if (document === null) throw nothingPersisted(paths);
  const { sha, provenance, edited, persistedAt, origin } = document;
  const text = document.bytes.toString("utf8");
  return {
    text: printableBlock(text.replace(/\n$/, "")),
    data: Json.parse({
      path: paths.document,
      sha,
      source: provenance,
      edited,
      persistedAt,
      origin,
      signature: pointer?.signature ?? null,
      mode: pointer?.mode ?? null,
      text,
    }),
  };
};

function historyRow({ sha, source, state, persistedAt, replacedAt, origin }: KnownDocument): string[] {
  return [shortSha(sha), source, state, persistedAt, replacedAt, origin ?? ""];
}

const COLUMNS: readonly Column[] = [
  { title: "SHA" },
  { title: "SOURCE" },
  { title: "STATE" },
  { title: "PERSISTED" },
  { title: "REPLACED" },
  { title: "FROM", minimum: 10 },
];

/** `towpath prd history`: the current document and those that it replaced, the newest first. */
export const history: CommandBody = async (input, context) => {
  const { arguments: args } = readInput(ProjectOnly, input);
  const paths = await projectPaths(args[0], context);
  const documents = await knownDocuments(paths);
  const text =
    documents.length === 0
      ? "No requirements document yet."
      : table(COLUMNS, documents.map(historyRow), context.columns);
  return { text, data: Json.parse({ documents }) };
};

const Diff = z.object({
  arguments: z.tuple([z.string().optional()]),
  options: z.object({ from: Sha.optional(), to: Sha.optional() }),
});

/** `towpath prd diff`: what is different between two documents. */
export const diff: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Diff, input);
  const paths = await projectPaths(args[0], context);
  const documents = await knownDocuments(paths);
  const to = options.to ?? documents[0]?.sha;
  if (to === undefined) throw nothingPersisted(paths);
  const newer = await findDocument(paths, to);
  const from = options.from ?? documents.find(({ sha }) => sha !== newer.document.sha)?.sha;
  if (from === undefined) {
    throw new TowpathError(
      "RequirementsNotFound",
      "There is one requirements document only: nothing to compare it with",
    );
  }
  const older = await findDocument(paths, from);
  const patch = await diffDocuments(
    { name: shortSha(older.document.sha), bytes: older.bytes },
    { name: shortSha(newer.document.sha), bytes: newer.bytes },
  );
  return {
    text: patch === "" ? "No difference." : printableBlock(patch.replace(/\n$/, "")),
    data: Json.parse({ from: older.document.sha, to: newer.document.sha, patch }),
  };
};

const Restore = z.object({ arguments: z.tuple([Sha, z.string().optional()]), options: z.object({}) });

/** `towpath prd restore`: makes an earlier document the current one, byte for byte, as a user's. */
export const restore: CommandBody = async (input, context) => {
  const { arguments: args } = readInput(Restore, input);
  const paths = await projectPaths(args[1], context);
  const { document, bytes } = await findDocument(paths, args[0]);
  const { origin } = document;
  const { outcome } = await persistDocument(paths, {
    bytes,
    source: "user",
    ...(origin === null ? {} : { origin }),
    code: await codeSignature(paths),
    now: new Date(),
  });
  const did = outcome === "persisted" ? "Restored" : "Already the current one:";
  return {
    text: printable(
      `${did} ${shortSha(document.sha)} in ${paths.document}. It is a user's document now, and is never rewritten.`,
    ),
    data: Json.parse({ sha: document.sha, path: paths.document, restored: outcome === "persisted" }),
  };
};

const Why = z.object({
  arguments: z.tuple([z.string().optional()]),
  options: z.object({
    prd: z.string().min(1).optional(),
    freshPrd: z.boolean().default(false),
    of: z.string().min(1).optional(),
  }),
});

async function recordedWhy(reference: string, context: CommandContext): Promise<CommandResult> {
  const local = await findLocal(reference, dataDirectory(context.env));
  if (local === null) throw migrationNotFound(reference);
  const { id, requirements } = local.manifest;
  if (requirements === undefined) {
    throw new TowpathError(
      "RequirementsNotFound",
      `${id} has not decided on its requirements document (yet)`,
    );
  }
  const { action, rule, source, sha, why: reason, notices } = requirements;
  return {
    text: [reason, ...notices].map((line) => printable(line)).join("\n"),
    data: Json.parse({ id, action, rule, source, sha, why: reason, notices }),
  };
}

/** `towpath prd why`: what a start would decide now, or what a migration decided, and why. */
export const why: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Why, input);
  if (options.of !== undefined) return recordedWhy(options.of, context);
  const paths = await projectPaths(args[0], context);
  if (options.prd !== undefined) await readDocumentFile(path.resolve(context.cwd, options.prd));
  const request = { argument: options.prd !== undefined, fresh: options.freshPrd };
  const decided = await decideFor(paths, request, { remember: false });
  const { verdict, notices, facts, changes } = decided;
  const listed = (changes ?? []).map(({ path: file, kind }) => `  ${kind.padEnd(8)} ${printable(file)}`);
  return {
    text: [printable(decided.why), ...listed, ...notices.map((notice) => printable(notice))].join("\n"),
    data: Json.parse({ ...verdict, why: decided.why, notices, facts, changes }),
  };
};
