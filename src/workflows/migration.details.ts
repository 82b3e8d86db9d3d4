import { setCurrentDetails, upsertMemo, upsertSearchAttributes, workflowInfo } from "@temporalio/workflow";
import { renderDetails } from "../model/details.js";
import { absenceText } from "../model/hosts.js";
import type { MigrationInput } from "../model/messages.js";
import { fixedAttributes, movingAttributes } from "../model/visibility.js";
import type { MigrationState } from "./migration.state.js";
import { isSealed } from "./sealed.js";
import { changedPairs } from "./search-attributes.js";

/** Shows the migration as it stands in the Temporal Web UI: on its page, and in lists by search attributes and memo. */
export function describeMigration(input: MigrationInput, state: MigrationState): void {
  setCurrentDetails(
    renderDetails({ progress: state.progressView(), steps: state.recentSteps, gates: state.gateViews() }),
  );
  showInLists(input, state);
}

/**
 * Short steps behind each other would write their progress more often than anybody looks at a list. Counted is what the
 * steps took, as the host has told: what is decided in a replay must not hang on a clock, which may say something else
 * there.
 */
const PROGRESS_EVERY_MS = 5_000;

/** Each writing is an event in the history: only what has changed is written. */
function showInLists(input: MigrationInput, state: MigrationState): void {
  const { memo, typedSearchAttributes } = workflowInfo();
  const written = new Map(typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]));
  const { status, phase, percent, waiting, absentHost } = state;
  const away = absentHost === null ? null : "host";
  const values = {
    ...movingAttributes({ status, phase, progress: percent, waitingFor: waiting?.kind ?? away }),
    ...fixedAttributes(input, isSealed()),
  };
  const changed = changedPairs(values, (name) => written.get(name));
  const isProgressAlone = changed.every(({ key }) => key.name === "TowpathProgress");
  const isDue = !isProgressAlone || state.unlistedMs >= PROGRESS_EVERY_MS;
  if (changed.length > 0 && isDue) {
    state.unlistedMs = 0;
    upsertSearchAttributes(changed);
  }
  const message = waiting?.message ?? (absentHost === null ? null : absenceText(absentHost));
  if ((memo?.["waiting"] ?? null) !== message) upsertMemo({ waiting: message });
}
