import type { HostAbsence } from "../model/hosts.js";
import { isTerminal, type MigrationStatus, type Waiting } from "../model/manifest.js";
import type {
  CarriedState,
  GateView,
  MigrationInput,
  PlanView,
  ProgressView,
  StepView,
} from "../model/messages.js";
import { PHASES, type Phase, type PhaseStatus } from "../model/phases.js";
import type { RequirementsView } from "../model/requirements/decision.js";
import { NO_TESTS, type Tally, type TestsView } from "../model/tally.js";

/** Steps that the workflow itself remembers; all of them are in the migration's directory. */
const RECENT_STEPS = 50;

/** The workflow's own small state: what its queries answer and what a continued run takes over. */
export class MigrationState {
  status: MigrationStatus = "in_progress";
  phase: Phase = "understand";
  phases: Record<Phase, PhaseStatus> = {
    understand: "pending",
    guardrail: "pending",
    migrate: "pending",
    verify: "pending",
  };
  waiting: Waiting | null = null;
  /** Its host is away: nothing goes on until it is back. */
  absentHost: HostAbsence | null = null;
  /** Why it ended as it did; null while it goes on. */
  outcome: string | null = null;
  paused = false;
  completedSteps = 0;
  totalSteps = 0;
  tests: TestsView = NO_TESTS;
  currentStep: { id: string; attempt: number; startedAt: string } | null = null;
  recentSteps: StepView[] = [];
  /** What steps took since the search attributes were last written; they are at the first occasion. */
  unlistedMs = Number.POSITIVE_INFINITY;
  workspace = { branch: "", baseCommit: "" };
  gates: Partial<Record<Phase, GateView>> = {};
  requirements: RequirementsView | null = null;
  private countedPercent = 0;
  /** Counts the operations, so that each has a name of its own that replays the same. */
  private operations = 0;

  constructor(
    private readonly input: MigrationInput,
    private readonly startedAt: string,
    private readonly firstRunId: string,
  ) {
    if (input.carried) this.takeOver(input.carried);
  }

  get terminal(): boolean {
    return isTerminal(this.status);
  }

  get hasSpec(): boolean {
    return this.input.spec !== null;
  }

  /** A number above all earlier ones, in the order in which things are asked for. */
  nextTurn(): number {
    this.operations += 1;
    return this.operations;
  }

  /** A name for the next effect: unique in the migration, and the same whenever the workflow is replayed. */
  nextOperation(name: string): string {
    this.operations += 1;
    return `${this.firstRunId.slice(0, 8)}/${this.operations}/${name}`;
  }

  enterPhase(phase: Phase): void {
    this.phase = phase;
    this.phases[phase] = "in_progress";
    for (const later of PHASES.slice(PHASES.indexOf(phase) + 1)) this.phases[later] = "pending";
  }

  /** Whole per cent; a phase that was just left counts before the directory is asked again. */
  get percent(): number {
    const left = PHASES.filter((phase) => this.phases[phase] === "completed").length;
    return Math.max(this.countedPercent, Math.floor((left * 100) / PHASES.length));
  }

  noteCounts({ completed, total, percent, tests }: Tally): void {
    this.completedSteps = completed;
    this.totalSteps = total;
    this.countedPercent = percent;
    this.tests = tests;
  }

  noteStep(view: StepView): void {
    this.recentSteps = [...this.recentSteps.filter((step) => step.id !== view.id), view].slice(-RECENT_STEPS);
  }

  forgetSteps(ids: (step: StepView) => boolean): void {
    this.recentSteps = this.recentSteps.filter((step) => !ids(step));
  }

  carry(): CarriedState {
    return {
      phase: this.phase,
      phases: this.phases,
      operations: this.operations,
      paused: this.paused,
      completedSteps: this.completedSteps,
      totalSteps: this.totalSteps,
      percent: this.countedPercent,
      tests: this.tests,
      recentSteps: this.recentSteps,
      workspace: this.workspace,
      startedAt: this.startedAt,
      requirements: this.requirements,
    };
  }

  progressView(): ProgressView {
    return {
      migrationId: this.input.migrationId,
      name: this.input.name,
      target: this.input.target,
      source: this.input.source,
      hostId: this.input.hostId,
      branch: this.workspace.branch,
      mode: this.input.spec === null ? "hands-on" : "spec",
      status: this.status,
      phase: this.phase,
      phases: this.phases,
      steps: { completed: this.completedSteps, total: this.totalSteps, current: this.currentStep },
      percent: this.percent,
      tests: this.tests,
      waiting: this.waiting,
      outcome: this.outcome,
      absentHost: this.absentHost,
      startedAt: this.startedAt,
      requirements: this.requirements,
    };
  }

  planView(): PlanView {
    return { completed: this.completedSteps, total: this.totalSteps, recent: this.recentSteps };
  }

  gateViews(): GateView[] {
    return PHASES.flatMap((phase) => this.gates[phase] ?? []);
  }

  private takeOver(carried: CarriedState): void {
    this.phase = carried.phase;
    this.phases = carried.phases;
    this.operations = carried.operations;
    this.paused = carried.paused;
    this.completedSteps = carried.completedSteps;
    this.totalSteps = carried.totalSteps;
    this.countedPercent = carried.percent;
    this.tests = carried.tests;
    this.recentSteps = carried.recentSteps;
    this.workspace = carried.workspace;
    this.requirements = carried.requirements ?? null;
  }
}
