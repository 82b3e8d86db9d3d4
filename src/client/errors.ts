import { TowpathError, messageOf, type ErrorCategory } from "../model/errors.js";

/** What the process ends with; part of the interface for scripts. */
export const EXIT_CODES: Readonly<Record<ErrorCategory, number>> = {
  unexpected: 1,
  usage: 2,
  "not-found": 3,
  refused: 4,
  "migration-failed": 5,
  unreachable: 6,
};

/** An error as `--json` shows it. */
export interface ErrorView {
  readonly type: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What is shown of whatever was thrown: an error that is not Towpath's own is a bug, or the machine's. */
export function errorView(error: unknown): ErrorView {
  if (error instanceof TowpathError)
    return { type: error.type, message: error.message, details: error.details };
  return { type: "Internal", message: `Unexpected error: ${messageOf(error)}`, details: {} };
}

/** The exit code for whatever was thrown. */
export function exitCodeOf(error: unknown): number {
  return EXIT_CODES[error instanceof TowpathError ? error.category : "unexpected"];
}
