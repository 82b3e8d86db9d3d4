import type {
  AttemptResult,
  FinishMigration,
  GateResult,
  MigrationActivities,
  RecordApproval,
  RecordWaiting,
  StepOrder,
} from "../../src/activities/contract.js";
import { nextPhase, type Phase } from "../../src/model/phases.js";
import { NO_TESTS, type Tally } from "../../src/model/tally.js";

export const TREE = "a".repeat(40);
const COMMIT = "b".repeat(40);
const NOTHING_DONE: Tally = { completed: 0, total: 0, percent: 0, tests: NO_TESTS };

export interface ScriptedStep {
  readonly id: string;
  readonly phase: Phase;
  readonly maxAttempts?: number;
  readonly continueOnError?: boolean;
}

/** What a test changes of the script. */
export interface Script {
  readonly steps?: readonly ScriptedStep[];
  readonly attempt?: (step: string, attempt: number) => Promise<AttemptResult> | AttemptResult;
  readonly gate?: (phase: Phase, check: number) => GateResult;
  readonly overrides?: Partial<MigrationActivities>;
}

/** Activities that follow a script, so that the workflow's decisions are seen alone; they write down what was asked. */
export class ScriptedActivities {
  readonly asked: string[] = [];
  readonly finished: FinishMigration[] = [];
  readonly waits: RecordWaiting[] = [];
  readonly approvals: RecordApproval[] = [];
  private readonly done = new Set<string>();
  private readonly attempts = new Map<string, number>();
  private readonly checks = new Map<Phase, number>();

  constructor(private readonly script: Script = {}) {}

  get activities(): MigrationActivities {
    const steps = this.script.steps ?? [];
    const counts = () => ({ ...NOTHING_DONE, completed: this.done.size, total: steps.length });
    const scripted: MigrationActivities = {
      createMigration: async () => this.note("create"),
      adoptMigration: async () => {
        this.note("adopt");
        const phases = { understand: "completed", guardrail: "completed" } as const;
        return { phase: "migrate", phases: { ...phases, migrate: "in_progress", verify: "pending" } };
      },
      layWorkspace: async () => ({ branch: "towpath/test", baseCommit: COMMIT }),
      runSetup: async () => ({ ok: true, message: "" }),
      decideRequirements: async () => ({
        action: "reuse",
        rule: "code-unchanged",
        source: "generated",
        sha: "c".repeat(64),
        why: "reuse",
        notices: [],
      }),
      generateRequirements: async () => ({ ok: true, message: "", requirements: null }),
      runBaseline: async () => ({ ok: true, message: "" }),
      startPhase: async ({ phase }) => {
        this.note(`start ${phase}`);
        return { ...counts(), manual: false };
      },
      nextSteps: async ({ phase, limit }) =>
        steps
          .filter((step) => step.phase === phase && !this.done.has(step.id))
          .slice(0, limit)
          .map((step) => this.order(step)),
      attemptStep: async ({ step, attempt }) => {
        this.note(`attempt ${step} ${attempt}`);
        this.attempts.set(step, attempt);
        const result = (await this.script.attempt?.(step, attempt)) ?? success(counts());
        if (result.outcome !== "failed") this.done.add(step);
        return { ...result, ...counts() };
      },
      tolerateFailure: async ({ step }) => {
        this.note(`tolerate ${step}`);
        this.done.add(step);
      },
      skipStep: async ({ step, reason, by }) => {
        this.note(`skip ${step} by ${by}: ${reason}`);
        this.done.add(step);
        return counts();
      },
      rollbackTo: async ({ step }) => {
        this.note(`rollback ${step}`);
        const index = steps.findIndex((known) => known.id === step);
        for (const later of steps.slice(index)) this.done.delete(later.id);
        return { ...counts(), phase: steps[index]?.phase ?? "understand", commit: COMMIT, undone: null };
      },
      continueWithSpec: async ({ spec }) => {
        this.note(`continue with ${spec.fileName}`);
        return { ...counts(), phase: "understand", step: null, kept: 0, undone: null };
      },
      checkGate: async ({ phase }) => {
        this.note(`gate ${phase}`);
        const check = (this.checks.get(phase) ?? 0) + 1;
        this.checks.set(phase, check);
        return this.script.gate?.(phase, check) ?? openGate();
      },
      recordApproval: async (approval) => {
        this.approvals.push(approval);
        const approvedBy = this.approvals.filter(({ verdict }) => verdict === "approved").map(({ by }) => by);
        return { accepted: true, approvedBy, tree: approval.tree };
      },
      advancePhase: async ({ phase }) => {
        this.note(`advance ${phase}`);
        return { advanced: true, next: nextPhase(phase) };
      },
      recordWaiting: async (waiting) => void this.waits.push(waiting),
      finishMigration: async (finish) => {
        this.finished.push(finish);
        return { branch: "towpath/test", head: COMMIT, report: null };
      },
    };
    return { ...scripted, ...this.script.overrides };
  }

  note(what: string): void {
    this.asked.push(what);
  }

  private order(step: ScriptedStep): StepOrder {
    return {
      id: step.id,
      attempts: this.attempts.get(step.id) ?? 0,
      maxAttempts: step.maxAttempts ?? 1,
      backoffMs: 1,
      budgetMs: 60_000,
      continueOnError: step.continueOnError ?? false,
      summary: step.id,
    };
  }
}

export function openGate(approval: GateResult["approval"] = null): GateResult {
  return { open: true, refusals: [], tree: TREE, approval };
}

export function closedGate(...refusals: string[]): GateResult {
  return { open: false, refusals, tree: TREE, approval: null };
}

export function success(counts = NOTHING_DONE): AttemptResult {
  return { ...counts, durationMs: 5, outcome: "committed", commit: COMMIT };
}

export function failed(message: string): AttemptResult {
  return { ...NOTHING_DONE, durationMs: 5, outcome: "failed", failure: { kind: "command", message } };
}
