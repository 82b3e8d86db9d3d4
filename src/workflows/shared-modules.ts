import * as hosts from "../model/hosts.js";
import * as prunePlan from "../model/images/prune-plan.js";
import * as refresh from "../model/images/refresh.js";
import * as json from "../model/json.js";
import * as manifest from "../model/manifest.js";
import * as messages from "../model/messages.js";
import * as phases from "../model/phases.js";
import * as queues from "../model/queues.js";
import * as report from "../model/reports/report.js";
import * as decision from "../model/requirements/decision.js";
import * as documents from "../model/requirements/documents.js";
import * as tally from "../model/tally.js";
import * as visibility from "../model/visibility.js";
import "./index.js";

/**
 * What every workflow would otherwise load for itself, loaded once for all of a worker's (`preloadModules`): schemas
 * are most of a workflow's memory and of its start. Nothing here may keep state in a module.
 *
 * The SDK freezes what it shares as deep as it finds it and passes over what is frozen already. Schemas build their
 * methods when they are first asked for, so they must not be frozen: hence the outermost object alone is, here.
 */
for (const schemas of [
  hosts,
  prunePlan,
  refresh,
  json,
  manifest,
  messages,
  phases,
  queues,
  report,
  decision,
  documents,
  tally,
  visibility,
]) {
  Object.freeze(schemas);
}
