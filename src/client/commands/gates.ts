import { z } from "zod";
import { Json } from "../../model/json.js";
import type { GateView, ProgressView } from "../../model/messages.js";
import type { CommandBody, CommandResult } from "../command.js";
import { dataDirectory } from "../../adapters/store/data-directory.js";
import { readInput } from "../input.js";
import { localGates, localProgress } from "../migrations/local-view.js";
import { findLocal, type LocalMigration } from "../migrations/local.js";
import { migrationNotFound } from "../migrations/reference.js";
import { withMigration } from "../migrations/session.js";
import { renderGates, type GateReport } from "../render/gates.js";

const Input = z.object({
  arguments: z.tuple([z.string()]),
  options: z.object({ local: z.boolean().default(false) }),
});

function reported(gate: GateView): GateReport {
  return { ...gate, evidence: [], checkedAt: "", approvals: [] };
}

function answer(id: string, gates: readonly GateReport[], phases: ProgressView["phases"]): CommandResult {
  return {
    text: renderGates(gates, phases, new Date()),
    data: Json.parse({ id, phases, gates }),
  };
}

function localAnswer({ manifest, plan }: LocalMigration): CommandResult {
  return answer(manifest.id, localGates(manifest), localProgress(manifest, plan).phases);
}

/** `towpath gates`: with evidence and approvals where this machine holds the migration. */
export const gates: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  const local = await findLocal(args[0], dataDirectory(context.env));
  if (local !== null) return localAnswer(local);
  if (options.local) throw migrationNotFound(args[0]);
  return withMigration(args[0], context, async ({ migration }) => {
    const [views, progress] = await Promise.all([migration.gates(), migration.progress()]);
    const reports = views.map((gate) => reported(gate));
    return answer(migration.id, reports, progress.phases);
  });
};
