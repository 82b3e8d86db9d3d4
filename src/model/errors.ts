/**
 * Who can act on an error decides how the CLI exits:
 * `usage` 2, `not-found` 3, `refused` 4, `migration-failed` 5, `unreachable` 6, `unexpected` 1.
 */
export type ErrorCategory =
  "usage" | "not-found" | "refused" | "migration-failed" | "unreachable" | "unexpected";

interface ErrorKind {
  readonly category: ErrorCategory;
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean;
}

/** Stable type names: they cross Temporal as failure types and appear in `--json` output. */
const ERROR_KINDS = {
  Usage: { category: "usage", retryable: false },
  SpecInvalid: { category: "usage", retryable: false },
  InvalidMigrationId: { category: "usage", retryable: false },
  InvalidStepId: { category: "usage", retryable: false },
  UnknownPhase: { category: "usage", retryable: false },
  NotARepository: { category: "usage", retryable: false },
  RequirementsInvalid: { category: "usage", retryable: false },
  MigrationNotFound: { category: "not-found", retryable: false },
  ManifestNotFound: { category: "not-found", retryable: false },
  StepNotFound: { category: "not-found", retryable: false },
  CheckpointNotFound: { category: "not-found", retryable: false },
  RequirementsNotFound: { category: "not-found", retryable: false },
  MigrationExists: { category: "refused", retryable: false },
  PhaseStatus: { category: "refused", retryable: false },
  PhaseGate: { category: "refused", retryable: false },
  PhaseJump: { category: "refused", retryable: false },
  WrongStatus: { category: "refused", retryable: false },
  ApprovalRefused: { category: "refused", retryable: false },
  AdoptionRefused: { category: "refused", retryable: false },
  ConsentRequired: { category: "refused", retryable: false },
  SecretMissing: { category: "refused", retryable: false },
  ForeignEffect: { category: "refused", retryable: false },
  GitConfigurationChanged: { category: "refused", retryable: false },
  NestedRepository: { category: "refused", retryable: false },
  LeaseLost: { category: "refused", retryable: false },
  MigrationFailed: { category: "migration-failed", retryable: false },
  TemporalUnreachable: { category: "unreachable", retryable: true },
  TemporalUnavailable: { category: "unreachable", retryable: false },
  EngineUnreachable: { category: "unreachable", retryable: true },
  HostNotFound: { category: "not-found", retryable: false },
  ScheduleNotFound: { category: "not-found", retryable: false },
  ScheduleExists: { category: "refused", retryable: false },
  ImageNotFound: { category: "not-found", retryable: false },
  RegistryRefused: { category: "refused", retryable: false },
  EngineRefused: { category: "refused", retryable: false },
  EngineFailed: { category: "unexpected", retryable: true },
  PullFailed: { category: "unexpected", retryable: true },
  ManifestInvalid: { category: "unexpected", retryable: false },
  ArtefactInvalid: { category: "unexpected", retryable: false },
  StateCorrupt: { category: "unexpected", retryable: false },
  LockUnavailable: { category: "unexpected", retryable: true },
  StorageFailed: { category: "unexpected", retryable: true },
  GitFailed: { category: "unexpected", retryable: true },
  CommandFailed: { category: "unexpected", retryable: true },
  Internal: { category: "unexpected", retryable: false },
} as const satisfies Record<string, ErrorKind>;

export type ErrorType = keyof typeof ERROR_KINDS;

/** True when `type` names one of Towpath's own error types. */
export function isErrorType(type: unknown): type is ErrorType {
  return typeof type === "string" && Object.hasOwn(ERROR_KINDS, type);
}

/** The category that an error type belongs to. */
export function errorCategory(type: ErrorType): ErrorCategory {
  return ERROR_KINDS[type].category;
}

export interface TowpathErrorOptions {
  /** The error underneath; kept for logs, never shown as the message. */
  readonly cause?: unknown;
  /** Facts for scripts: plain JSON, no secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * The one error class that Towpath throws on purpose. The message says what happened, to what, and what to do;
 * `type` is what programs compare.
 */
export class TowpathError extends Error {
  override readonly name = "TowpathError";
  readonly type: ErrorType;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(type: ErrorType, message: string, options: TowpathErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.type = type;
    this.details = options.details ?? {};
  }

  get category(): ErrorCategory {
    return ERROR_KINDS[this.type].category;
  }

  get retryable(): boolean {
    return ERROR_KINDS[this.type].retryable;
  }
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
