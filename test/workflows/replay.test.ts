import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "@temporalio/worker";
import { DeterminismViolationError } from "@temporalio/workflow";
import { describe, expect, inject, it } from "vitest";
import { z } from "zod";
import { installation } from "../support/installation.js";
import { quietRuntime } from "../support/temporal.js";

const DIRECTORY = fileURLToPath(new URL("../histories/", import.meta.url));
/** Of this version, and in directories of their own those of the versions before: migrations outlive upgrades. */
const RECORDED = (await readdir(DIRECTORY, { recursive: true })).filter((name) => name.endsWith(".json"));

const History = z.looseObject({
  events: z.array(
    z.looseObject({
      eventTime: z.iso.datetime(),
      activityTaskScheduledEventAttributes: z
        .looseObject({ activityType: z.looseObject({ name: z.string() }) })
        .optional(),
    }),
  ),
});

async function recorded(name: string): Promise<z.infer<typeof History>> {
  return History.parse(JSON.parse(await readFile(`${DIRECTORY}${name}`, "utf8")));
}

/** The history as it would be if everything in it had taken `factor` times as long. */
function atPace(history: z.infer<typeof History>, factor: number): z.infer<typeof History> {
  const begun = Date.parse(history.events[0]?.eventTime ?? "");
  return {
    ...history,
    events: history.events.map((event) => ({
      ...event,
      eventTime: new Date(begun + (Date.parse(event.eventTime) - begun) * factor).toISOString(),
    })),
  };
}

quietRuntime();

async function replay(history: unknown, bundle = inject("workflowBundle")): Promise<void> {
  const workflowBundle = { code: await readFile(bundle, "utf8") };
  await Worker.runReplayHistory({ workflowBundle }, history);
}

describe("the workflows of this version", () => {
  it("have histories to be replayed", () => {
    expect(RECORDED.length).toBeGreaterThan(0);
  });

  it.each(RECORDED)("replay %s as it was", async (name) => {
    await expect(replay(await recorded(name))).resolves.toBeUndefined();
  });

  it.each([
    ["stood still", 0],
    ["ran a thousand times faster", 1_000],
  ])("decide the same if the clock %s", async (_, factor) => {
    for (const name of RECORDED)
      await expect(replay(atPace(await recorded(name), factor))).resolves.toBeUndefined();
  });

  it("replay all of them with the bundle that traces, too", async () => {
    const traced = join(dirname(dirname(await installation("own"))), "dist", "workflow-bundle-traced.js");
    for (const name of RECORDED) await expect(replay(await recorded(name), traced)).resolves.toBeUndefined();
  });

  it("are found out when they decide otherwise than a history says", async () => {
    const history = await recorded("straight-through.json");
    const scheduled = history.events.find(
      (event) => event.activityTaskScheduledEventAttributes?.activityType.name === "layWorkspace",
    );
    if (scheduled?.activityTaskScheduledEventAttributes === undefined) throw new Error("no such event");
    scheduled.activityTaskScheduledEventAttributes.activityType.name = "startPhase";
    await expect(replay(history)).rejects.toBeInstanceOf(DeterminismViolationError);
  });
});
