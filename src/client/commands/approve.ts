import { z } from "zod";
import { TowpathError } from "../../model/errors.js";
import { approve as approveUpdate } from "../../workflows/migration.contract.js";
import type { CommandBody } from "../command.js";
import { readInput } from "../input.js";
import type { RemoteMigration } from "../migrations/remote.js";
import { withMigration } from "../migrations/session.js";
import { whoAmI } from "../migrations/who.js";
import { printable } from "../printable.js";

const Input = z.object({
  arguments: z.tuple([z.string()]),
  options: z.object({
    comment: z.string().max(4000).default(""),
    as: z.string().min(1).max(200).optional(),
    tree: z
      .string()
      .regex(/^[0-9a-f]{7,64}$/, "expected a tree's id, or at least the first 7 characters of it")
      .optional(),
  }),
});

/** The tree that awaits approval; the workflow itself refuses where another is there meanwhile. */
async function awaitedTree(migration: RemoteMigration): Promise<string> {
  const { waiting, status } = await migration.progress();
  if (waiting?.kind === "approval" && waiting.tree !== undefined) return waiting.tree;
  const why =
    waiting === null ? `its status is ${status}` : `it waits for something else: ${waiting.message}`;
  throw new TowpathError(
    "WrongStatus",
    `The migration ${migration.id} does not wait for an approval; ${why}`,
    {
      details: { id: migration.id, status },
    },
  );
}

/** The awaited tree where nobody named one; a whole id is left to the workflow, which knows what is there by then. */
async function approvedTree(migration: RemoteMigration, given: string | undefined): Promise<string> {
  if (given !== undefined && [40, 64].includes(given.length)) return given;
  const awaited = await awaitedTree(migration);
  if (given === undefined || awaited.startsWith(given)) return awaited;
  throw new TowpathError(
    "ApprovalRefused",
    `Approval refused: it is for tree ${given}, but tree ${awaited} awaits approval. Look at that one first: towpath diff ${migration.id}`,
    { details: { id: migration.id, given, awaited } },
  );
}

/** `towpath approve` */
export const approve: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  return withMigration(args[0], context, async ({ migration }) => {
    const by = options.as ?? (await whoAmI(context.cwd));
    const tree = await approvedTree(migration, options.tree);
    const answer = await migration.update(approveUpdate, { by, comment: options.comment, tree });
    const missing = answer.required - answer.approvedBy.length;
    const rest = missing > 0 ? `${missing} more needed.` : "The migration goes on.";
    return {
      text: `Phase ${answer.phase} approved by ${printable(by)} (tree ${tree}). ${rest}`,
      data: {
        id: migration.id,
        phase: answer.phase,
        by,
        tree,
        approvedBy: [...answer.approvedBy],
        required: answer.required,
      },
    };
  });
};
