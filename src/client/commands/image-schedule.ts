import type { Client } from "@temporalio/client";
import { z } from "zod";
import { hostId } from "../../adapters/temporal/host.js";
import { TowpathError } from "../../model/errors.js";
import { parseReference } from "../../model/images/reference.js";
import { describeRefresh } from "../../model/images/refresh.js";
import { Json } from "../../model/json.js";
import type { CommandBody, CommandContext, CommandInput, CommandResult } from "../command.js";
import { agreed, calledOff, requireYesOrTerminal } from "../confirm.js";
import { DurationOption, KeepOptions, refreshOptions } from "../images/options.js";
import {
  createSchedule,
  describeSchedule,
  listSchedules,
  onSchedule,
  refreshRuns,
  type RunView,
  scheduleNamed,
  type ScheduleView,
  type Timing,
} from "../images/schedules.js";
import { readInput } from "../input.js";
import { withClient } from "../runtime.js";

const DAY_MS = 24 * 3_600_000;

const Named = z.object({ arguments: z.tuple([z.string().min(1)]), options: z.object({}) });

const Create = z.object({
  arguments: z.tuple([z.string().min(1)]),
  options: KeepOptions.extend({ every: DurationOption.optional(), cron: z.string().min(1).optional() }),
});

/** `towpath image schedule create` */
export const create: CommandBody = async (input, context) => {
  const { arguments: args, options } = readInput(Create, input);
  const reference = parseReference(args[0]);
  const timing = timingOf(options);
  return withHost(context, async (client, host) => {
    const id = await createSchedule(client, host, reference, timing, refreshOptions(options));
    const schedule = await describeSchedule(client, id);
    return { text: `Created ${describe(schedule)}`, data: Json.parse(schedule) };
  });
};

function timingOf({ every, cron }: { every?: number | undefined; cron?: string | undefined }): Timing {
  if (every !== undefined && cron !== undefined) {
    throw new TowpathError("Usage", "--every and --cron say the same thing: give one of them.");
  }
  return cron === undefined ? { everyMs: every ?? DAY_MS } : { cron };
}

/** `towpath image schedule list` */
export const list: CommandBody = async (_input, context) =>
  withHost(context, async (client) => {
    const schedules = await listSchedules(client);
    const text = schedules.length === 0 ? "No schedules." : schedules.map(describe).join("\n");
    return { text, data: Json.parse({ schedules }) };
  });

/** `towpath image schedule show` */
export const show: CommandBody = (input, context) =>
  withSchedule(input, context, async (client, id) => {
    const schedule = await describeSchedule(client, id);
    const runs = await refreshRuns(client, id);
    const text = [describe(schedule), ...runs.map(describeRun)].join("\n");
    return { text, data: Json.parse({ ...schedule, runs }) };
  });

/** `towpath image schedule trigger` */
export const trigger: CommandBody = (input, context) =>
  withSchedule(input, context, async (client, id) => {
    await onSchedule(client, id, (handle) => handle.trigger());
    return done(id, "triggered");
  });

const Pause = z.object({
  arguments: z.tuple([z.string().min(1)]),
  options: z.object({ reason: z.string().max(1000).optional() }),
});

/** `towpath image schedule pause` */
export const pause: CommandBody = (input, context) => {
  const { options } = readInput(Pause, input);
  return withSchedule({ ...input, options: {} }, context, async (client, id) => {
    await onSchedule(client, id, (handle) => handle.pause(options.reason));
    return done(id, "paused");
  });
};

/** `towpath image schedule resume` */
export const resume: CommandBody = (input, context) =>
  withSchedule(input, context, async (client, id) => {
    await onSchedule(client, id, (handle) => handle.unpause());
    return done(id, "resumed");
  });

const Delete = z.object({
  arguments: z.tuple([z.string().min(1)]),
  options: z.object({ yes: z.boolean().default(false) }),
});

/** `towpath image schedule delete` */
export const remove: CommandBody = (input, context) => {
  const { yes } = readInput(Delete, input).options;
  requireYesOrTerminal(yes, "delete the schedule", context);
  return withSchedule({ ...input, options: {} }, context, async (client, id) => {
    const consequences = `${id} and its settings go, for good. What it has pulled and removed stays as it is.`;
    if (!(await agreed(yes, consequences))) return calledOff(id);
    await onSchedule(client, id, (handle) => handle.delete());
    return done(id, "deleted");
  });
};

function done(id: string, what: string): CommandResult {
  return { text: `${id} ${what}.`, data: { id, done: what } };
}

function withHost(
  context: CommandContext,
  body: (client: Client, host: string) => Promise<CommandResult>,
): Promise<CommandResult> {
  const options = { env: context.env, onProgress: context.progress, worker: "embedded" as const };
  return withClient(options, async (client, { dataDir }) => body(client, await hostId(dataDir)));
}

function withSchedule(
  input: CommandInput,
  context: CommandContext,
  body: (client: Client, id: string) => Promise<CommandResult>,
): Promise<CommandResult> {
  const { arguments: args } = readInput(Named, input);
  return withHost(context, (client, host) => body(client, scheduleNamed(args[0], host)));
}

function describe({ id, paused, note, next }: ScheduleView): string {
  const when = next[0] === undefined ? "not again" : `next ${next[0]}`;
  return `${id}  ${paused ? "paused" : when}${note === "" ? "" : `  (${note})`}`;
}

function describeRun({ startedAt, status, report }: RunView): string {
  const what = report === null ? status.toLowerCase() : describeRefresh(report).replaceAll("\n", "\n  ");
  return `${startedAt}  ${what}`;
}
