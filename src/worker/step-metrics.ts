import { Context } from "@temporalio/activity";
import type { ActivityInterceptorsFactory } from "@temporalio/worker";
import { z } from "zod";

const Outcome = z.object({ outcome: z.enum(["committed", "unchanged", "not-needed", "failed"]) });

/** What attempts come to, short ones several together, and what gate checks do: of what their activities answer. */
const Attempts = Outcome.extend({ following: z.array(Outcome).default([]) });
const GateCheck = z.object({ open: z.boolean() });

/** Counts what Temporal's own metrics cannot tell: there an attempt that failed is an activity that succeeded. */
export const stepMetrics: ActivityInterceptorsFactory = () => ({
  inbound: {
    execute: async (input, next) => {
      const answer: unknown = await next(input);
      count(answer);
      return answer;
    },
  },
});

function count(answer: unknown): void {
  const { activityType } = Context.current().info;
  if (activityType === "attemptStep") countAttempts(answer);
  if (activityType === "checkGate") countGateCheck(answer);
}

function countAttempts(answer: unknown): void {
  const attempts = Attempts.safeParse(answer);
  if (!attempts.success) return;
  const { metricMeter } = Context.current();
  const counter = metricMeter.createCounter(
    "towpath_step_attempts",
    "attempt",
    "Attempts of steps, by what they came to",
  );
  for (const { outcome } of [attempts.data, ...attempts.data.following]) counter.add(1, { outcome });
}

function countGateCheck(answer: unknown): void {
  const check = GateCheck.safeParse(answer);
  if (!check.success) return;
  const { metricMeter } = Context.current();
  metricMeter
    .createCounter("towpath_gate_checks", "check", "Checks of gates, by whether they were open")
    .add(1, { open: check.data.open });
}
