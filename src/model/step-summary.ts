import type { StepRecord } from "./manifest.js";
import type { Phase } from "./phases.js";
import type { TestCounts } from "./reports/report.js";

type StepRecords = Readonly<Record<string, StepRecord>>;

export interface StepCount {
  readonly total: number;
  readonly done: number;
}

/** What is asked of all step records together, again behind every step. */
export interface StepSummary {
  readonly all: StepCount;
  readonly phases: Readonly<Record<Phase, StepCount>>;
  /** Of the steps that have written some, by step. */
  readonly outputs: Readonly<Record<string, Record<string, string>>>;
  /** Of the completed steps that ran tests, by step. */
  readonly tests: ReadonlyMap<string, TestCounts>;
}

const NONE: StepCount = { total: 0, done: 0 };
const NOTHING: StepSummary = {
  all: NONE,
  phases: { understand: NONE, guardrail: NONE, migrate: NONE, verify: NONE },
  outputs: {},
  tests: new Map(),
};

/** By the records: carried along when one of them is replaced, so that nobody reads ten thousand for it. */
const known = new WeakMap<StepRecords, StepSummary>();

/** The summary of step records. */
export function summaryOf(records: StepRecords | undefined): StepSummary {
  if (records === undefined) return NOTHING;
  const found = known.get(records) ?? summarised(records);
  known.set(records, found);
  return found;
}

/** Notes what becomes of the summary where one record is replaced or added. */
export function carrySummary(from: StepRecords, to: StepRecords, id: string): void {
  const before = known.get(from);
  const record = to[id];
  if (before === undefined || record === undefined) return;
  known.set(to, withRecord(before, Object.hasOwn(from, id) ? from[id] : undefined, record, id));
}

/** True when nothing more is expected of a step: it is completed, was skipped, or its failure is tolerated. */
export function isStepDone(record: StepRecord): boolean {
  return record.status === "completed" || record.skipped !== undefined || record.tolerated === true;
}

function summarised(records: StepRecords): StepSummary {
  let all = NOTHING.all;
  const phases = { ...NOTHING.phases };
  const outputs: Record<string, Record<string, string>> = {};
  const tests = new Map<string, TestCounts>();
  for (const [id, record] of Object.entries(records)) {
    all = counted(all, record, 1);
    phases[record.phase] = counted(phases[record.phase], record, 1);
    if (record.outputs !== undefined) outputs[id] = record.outputs;
    const ran = testsOfRecord(record);
    if (ran !== undefined) tests.set(id, ran);
  }
  return { all, phases, outputs, tests };
}

function withRecord(
  before: StepSummary,
  old: StepRecord | undefined,
  record: StepRecord,
  id: string,
): StepSummary {
  const { all, phases } = old === undefined ? before : without(before, old);
  return {
    all: counted(all, record, 1),
    phases: { ...phases, [record.phase]: counted(phases[record.phase], record, 1) },
    outputs: old?.outputs === record.outputs ? before.outputs : withOutputs(before.outputs, record, id),
    tests: withTests(before.tests, testsOfRecord(record), id),
  };
}

function without({ all, phases }: StepSummary, old: StepRecord): Pick<StepSummary, "all" | "phases"> {
  return {
    all: counted(all, old, -1),
    phases: { ...phases, [old.phase]: counted(phases[old.phase], old, -1) },
  };
}

function counted({ total, done }: StepCount, record: StepRecord, by: 1 | -1): StepCount {
  return { total: total + by, done: done + (isStepDone(record) ? by : 0) };
}

function withOutputs(outputs: StepSummary["outputs"], record: StepRecord, id: string) {
  const { [id]: _, ...others } = outputs;
  return record.outputs === undefined ? others : { ...others, [id]: record.outputs };
}

function withTests(
  tests: StepSummary["tests"],
  ran: TestCounts | undefined,
  id: string,
): StepSummary["tests"] {
  if (tests.get(id) === ran) return tests;
  const copy = new Map(tests);
  if (ran === undefined) copy.delete(id);
  else copy.set(id, ran);
  return copy;
}

function testsOfRecord({ status, tests }: StepRecord): TestCounts | undefined {
  return status === "completed" ? tests : undefined;
}
