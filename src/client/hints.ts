import type { ErrorType } from "../model/errors.js";

const LOOK_AT_STATUS = "`towpath status <migration>` says where it stands, and which command answers.";

/** What to do about errors whose messages say what is so, for those that are met at a terminal. */
const HINTS: Readonly<Partial<Record<ErrorType, string>>> = {
  MigrationNotFound: "`towpath list` shows the migrations that there are.",
  ManifestNotFound: "`towpath list` shows the migrations that there are.",
  InvalidMigrationId: "Give an id as `towpath list` shows it, the beginning of one, or @latest.",
  InvalidStepId: "`towpath plan <migration>` lists the steps.",
  StepNotFound: "`towpath plan <migration>` lists the steps.",
  CheckpointNotFound: "`towpath plan <migration>` shows which steps have begun.",
  UnknownPhase: "The phases are understand, guardrail, migrate and verify.",
  SpecInvalid: "Correct the spec; `towpath validate` checks it.",
  PhaseStatus: LOOK_AT_STATUS,
  PhaseJump: LOOK_AT_STATUS,
  PhaseGate: "`towpath gates <migration>` shows what the gates found.",
  WrongStatus: LOOK_AT_STATUS,
  ApprovalRefused: LOOK_AT_STATUS,
  RequirementsNotFound: "`towpath prd why` says what the next start would do.",
  TemporalUnreachable: "`towpath doctor` shows what is wrong.",
  TemporalUnavailable: "`towpath doctor` shows what is wrong.",
  EngineUnreachable: "`towpath doctor` shows which container engine is looked for.",
  StorageFailed: "`towpath doctor` checks the disk, and who may write to the data directory.",
  Internal: "With TOWPATH_LOG_LEVEL=debug the same command shows where it happened.",
};

/**
 * What a person may do about an error, as a line behind its message; null where the message names a command itself or
 * nothing more is known.
 */
export function hintFor({
  type,
  message,
}: {
  readonly type: string;
  readonly message: string;
}): string | null {
  if (/\btowpath [a-z]/.test(message)) return null;
  return Object.entries(HINTS).find(([name]) => name === type)?.[1] ?? null;
}
