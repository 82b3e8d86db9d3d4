import { ApplicationFailure } from "@temporalio/workflow";
import { errorCategory, type ErrorType, isErrorType, TowpathError } from "../model/errors.js";
import { Phase } from "../model/phases.js";
import type { Exchanges, Letter, RequestKind } from "./mailbox.js";
import type { MigrationState } from "./migration.state.js";

/** A failure with one of Towpath's stable type names, as clients read it. */
export function failure(type: ErrorType, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: true });
}

/** Turns what model/ throws into what Temporal carries; a plain error would fail the workflow task for ever. */
export function asFailure(error: unknown): unknown {
  return error instanceof TowpathError ? failure(error.type, error.message) : error;
}

/** True when the failure says no to somebody, rather than that something broke. */
export function isRefusal(error: unknown): error is ApplicationFailure {
  if (!(error instanceof ApplicationFailure) || !isErrorType(error.type)) return false;
  const category = errorCategory(error.type);
  return category === "refused" || category === "not-found" || category === "usage";
}

/**
 * Why a request cannot be taken now, or null. Update validators call it before a request is accepted, and the main
 * loop again for those that came while another was being carried out.
 */
export function refusalOf<K extends RequestKind>(
  state: MigrationState,
  kind: K,
  request: Exchanges[K]["request"],
): ApplicationFailure | null {
  return REFUSALS[kind](state, request);
}

/** The same for a request that is already in the mailbox; one that could still be taken came too late. */
export function lateRefusal(state: MigrationState, letter: Letter): ApplicationFailure {
  const refused = refusalOf(state, letter.kind, letter.request);
  return (
    refused ?? failure("WrongStatus", `Cannot ${letter.kind}: the migration has moved on; look at its status`)
  );
}

type Refuse<K extends RequestKind> = (
  state: MigrationState,
  request: Exchanges[K]["request"],
) => ApplicationFailure | null;

const REFUSALS: { [K in RequestKind]: Refuse<K> } = {
  advance: (state, { phase }) => {
    const known = Phase.safeParse(phase);
    if (!known.success) return failure("UnknownPhase", `Unknown phase: ${phase}`);
    const status = state.phases[known.data];
    if (status !== "in_progress") {
      return failure(
        "PhaseStatus",
        `Cannot advance phase '${phase}': status is '${status}', expected 'in_progress'`,
      );
    }
    return expectWaiting(state, `advance phase '${phase}'`, ["advance", "gate-closed"]);
  },
  approve: (state, { tree, by }) => {
    const refused = expectWaiting(state, "approve", ["approval"]);
    if (refused) return refused;
    if (tree !== state.waiting?.tree) {
      return failure(
        "ApprovalRefused",
        `Approval refused: it is for tree ${tree}, but tree ${state.waiting?.tree ?? "?"} awaits approval; look at that one first`,
      );
    }
    if (state.waiting.approved_by?.includes(by)) {
      return failure(
        "ApprovalRefused",
        `Approval refused: ${by} has already approved; another person is needed`,
      );
    }
    return null;
  },
  reject: (state) => expectWaiting(state, "reject", ["approval"]),
  rollback: (state) => {
    if (state.waiting?.kind === "preparation-failed") {
      return failure("WrongStatus", "Cannot roll back: no step has run yet");
    }
    return state.waiting === null ? expectWaiting(state, "roll back", []) : null;
  },
  retry: (state, { spec }) => {
    if (spec === undefined) {
      return expectWaiting(state, "retry", ["step-failed", "gate-closed", "preparation-failed", "blocked"]);
    }
    if (!state.hasSpec) return failure("WrongStatus", "Cannot retry with a spec: the migration is hands-on");
    return state.waiting === null ? expectWaiting(state, "retry with a spec", []) : null;
  },
  skip: (state, { step }) => {
    const refused = expectWaiting(state, `skip step '${step}'`, ["step-failed"]);
    if (refused) return refused;
    if (step === state.waiting?.step) return null;
    return failure(
      "WrongStatus",
      `Cannot skip step '${step}': the migration waits for step '${state.waiting?.step ?? ""}'`,
    );
  },
};

type WaitingKind = NonNullable<MigrationState["waiting"]>["kind"];

function expectWaiting(
  state: MigrationState,
  action: string,
  kinds: readonly WaitingKind[],
): ApplicationFailure | null {
  if (state.waiting !== null && kinds.includes(state.waiting.kind)) return null;
  return failure("WrongStatus", `Cannot ${action}: ${whatItDoes(state)}`);
}

function whatItDoes(state: MigrationState): string {
  if (state.terminal) return `the migration is ${state.status}`;
  if (state.waiting !== null) return `the migration waits for something else (${state.waiting.message})`;
  if (state.currentStep !== null) {
    return `step '${state.currentStep.id}' is running; pause the migration first`;
  }
  return `phase '${state.phase}' is at work; pause the migration first`;
}
