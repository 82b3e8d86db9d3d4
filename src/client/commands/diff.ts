import { z } from "zod";
import { dataDirectory } from "../../adapters/store/data-directory.js";
import { diff as gitDiff } from "../../adapters/git/diff.js";
import { openRepository } from "../../adapters/git/repository.js";
import { TowpathError } from "../../model/errors.js";
import { parseStepId } from "../../model/ids.js";
import type { Manifest } from "../../model/manifest.js";
import { stepRecord } from "../../model/steps.js";
import type { CommandBody, CommandContext, CommandResult } from "../command.js";
import { readInput } from "../input.js";
import { findLocal } from "../migrations/local.js";
import { migrationNotFound } from "../migrations/reference.js";
import { renderDiff } from "../render/diff.js";

const Input = z.object({
  arguments: z.tuple([z.string(), z.string().optional()]),
  options: z.object({ stat: z.boolean().default(false) }),
});

/** Two commits, or in words why there is nothing between them. */
type Range = { readonly from: string; readonly to: string } | string;

function wholeRange({ id, base_commit: from, head }: Manifest): Range {
  if (from === undefined || head === undefined) return `${id} has no worktree yet.`;
  return from === head ? `${id} has changed nothing yet.` : { from, to: head };
}

function stepRange(manifest: Manifest, step: string): Range {
  const record = stepRecord(manifest, step);
  if (record === undefined) {
    throw new TowpathError("StepNotFound", `${manifest.id} has no step ${step}: towpath plan ${manifest.id}`);
  }
  if (record.status !== "completed") return `Step ${step} is not completed: it has no commit.`;
  const { base: from, commit: to } = record;
  return from === undefined || to === undefined ? `Step ${step} changed nothing.` : { from, to };
}

async function patch(
  source: string,
  range: { readonly from: string; readonly to: string },
  stat: boolean,
  context: CommandContext,
): Promise<CommandResult> {
  const { from, to } = range;
  const { text, truncated } = await gitDiff({ repo: await openRepository(source), from, to, stat });
  if (truncated) context.progress(`Cut short. All of it: git -C ${source} diff ${from} ${to}`);
  const shown = context.terminal === null ? text : renderDiff(text, context.terminal.colors && !stat);
  return { text: shown, data: { from, to, diff: text, truncated } };
}

/** `towpath diff` */
export const diff: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  const local = await findLocal(args[0], dataDirectory(context.env));
  if (local === null) {
    const { message, details } = migrationNotFound(args[0]);
    throw new TowpathError(
      "MigrationNotFound",
      `${message} on this machine; its branch is in its repository`,
      {
        details,
      },
    );
  }
  const { manifest } = local;
  const range = args[1] === undefined ? wholeRange(manifest) : stepRange(manifest, parseStepId(args[1]));
  if (typeof range !== "string") return patch(manifest.source_info.path, range, options.stat, context);
  context.progress(range);
  return { text: "", data: { from: null, to: null, diff: "", truncated: false } };
};
