import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Client } from "@temporalio/client";
import { z } from "zod";
import { hostId } from "../../adapters/temporal/host.js";
import { errorCategory, isErrorType, messageOf, TowpathError } from "../../model/errors.js";
import { PrunePlan } from "../../model/images/prune-plan.js";
import { formatReference, parseReference, repositoryOf } from "../../model/images/reference.js";
import {
  describeRefresh,
  emptyReport,
  RefreshReport,
  type RefreshOptions,
  refreshWorkflowId,
} from "../../model/images/refresh.js";
import { Json } from "../../model/json.js";
import { hostQueue } from "../../model/queues.js";
import { IMAGE_REFRESH_WORKFLOW } from "../../workflows/image-refresh.contract.js";
import type { CommandBody, CommandResult } from "../command.js";
import { EXIT_CODES } from "../errors.js";
import { KeepOptions, refreshOptions } from "../images/options.js";
import { readInput } from "../input.js";
import { asTowpathError } from "../migrations/failures.js";
import { withClient } from "../runtime.js";

const Input = z.object({
  arguments: z.tuple([z.array(z.string()).min(1)]),
  options: KeepOptions.extend({
    dryRun: z.boolean().default(false),
    apply: z.string().min(1).optional(),
    prune: z.boolean().default(true),
  }),
});

/** `towpath image refresh` */
export const imageRefresh: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Input, input);
  const references = args[0].map((text) => parseReference(text)).map(formatReference);
  if (!options.prune || context.env["TOWPATH_IMAGE_PRUNE"] === "0") {
    return resultOf(references.map((reference) => skipped(reference)));
  }
  const plans = options.apply === undefined ? null : await readPlans(resolve(context.cwd, options.apply));
  const wanted = refreshOptions(options, { dryRun: options.dryRun });
  const reports = await withClient(
    { env: context.env, onProgress: context.progress, worker: "always" },
    async (client, { dataDir }) => {
      const host = await hostId(dataDir);
      const refreshed: RefreshReport[] = [];
      for (const reference of references) {
        context.progress(`refreshing ${reference}…`);
        const shown = plans === null ? null : planFor(reference, plans);
        refreshed.push(await refresh(client, host, reference, { ...wanted, shown }));
      }
      return refreshed;
    },
  );
  return resultOf(reports);
};

function skipped(reference: string): RefreshReport {
  return { ...emptyReport(reference, repositoryOf(parseReference(reference))), outcome: "skipped" };
}

/** A refresh of the same image on this host that runs already is joined; one of another tag is waited for. */
async function refresh(
  client: Client,
  host: string,
  reference: string,
  options: RefreshOptions,
): Promise<RefreshReport> {
  try {
    for (;;) {
      const handle = await client.workflow.start(IMAGE_REFRESH_WORKFLOW, {
        workflowId: refreshWorkflowId(host, repositoryOf(parseReference(reference)), options.dryRun),
        taskQueue: hostQueue(host),
        workflowIdConflictPolicy: "USE_EXISTING",
        staticSummary: reference,
        args: [{ ...options, hostId: host, reference }],
      });
      const report = RefreshReport.parse(await handle.result());
      if (report.reference === reference) return report;
    }
  } catch (error) {
    throw asTowpathError(error);
  }
}

/** The answer of a dry run, as `--json` printed it. */
const Shown = z.object({
  reports: z.array(z.looseObject({ reference: z.string(), plan: PrunePlan.nullable() })),
});

async function readPlans(path: string): Promise<z.infer<typeof Shown>["reports"]> {
  try {
    return Shown.parse(JSON.parse(await readFile(path, "utf8"))).reports;
  } catch (error) {
    throw new TowpathError(
      "Usage",
      `${path} is not what \`towpath image refresh --dry-run --json\` printed: ${messageOf(error).slice(0, 200)}`,
      { cause: error },
    );
  }
}

function planFor(reference: string, plans: z.infer<typeof Shown>["reports"]): PrunePlan {
  const plan = plans.find((each) => each.reference === reference)?.plan ?? null;
  if (plan !== null) return plan;
  throw new TowpathError("Usage", `The plan that is to be applied says nothing about ${reference}`);
}

function resultOf(reports: readonly RefreshReport[]): CommandResult {
  return {
    text: reports.map(describeRefresh).join("\n"),
    data: Json.parse({ reports }),
    exitCode: Math.max(...reports.map(exitCodeFor)),
  };
}

function exitCodeFor({ outcome, problemType, failed }: RefreshReport): number {
  if (outcome === "pull-failed") {
    return EXIT_CODES[isErrorType(problemType) ? errorCategory(problemType) : "unexpected"];
  }
  return failed.length > 0 ? EXIT_CODES.unexpected : 0;
}
