import { TowpathError } from "../../model/errors.js";

/** What a `TowpathRuntime` tells of where the UI is. */
interface Place {
  readonly server: { readonly uiAddress: string } | null;
  readonly endpoint: { readonly namespace: string };
}

/**
 * The namespace's workflows in the Temporal Web UI, without a slash at the end.
 * @param uiAddress where the UI of a configured Temporal is (`TEMPORAL_UI_ADDRESS`); nothing else tells
 */
function workflowsAddress(runtime: Place, uiAddress: string | undefined): string | null {
  const base = runtime.server?.uiAddress ?? (uiAddress === "" ? undefined : uiAddress);
  if (base === undefined) return null;
  const namespace = encodeURIComponent(runtime.endpoint.namespace);
  return `${base.replace(/\/+$/, "")}/namespaces/${namespace}/workflows`;
}

/**
 * The migration's page in the Temporal Web UI.
 * @returns null where the UI's address is not known
 */
export function migrationLink(runtime: Place, id: string, uiAddress: string | undefined): string | null {
  const workflows = workflowsAddress(runtime, uiAddress);
  return workflows === null ? null : `${workflows}/${encodeURIComponent(id)}`;
}

/** The part of a migration's page that shows where it stands and what it waits for; null where the UI is not known. */
export function detailsLink(
  runtime: Place,
  id: string,
  runId: string,
  uiAddress: string | undefined,
): string | null {
  const page = migrationLink(runtime, id, uiAddress);
  return page === null ? null : `${page}/${encodeURIComponent(runId)}/user-metadata`;
}

/** The list that a query gives in the Temporal Web UI; null where the UI's address is not known. */
export function listLink(runtime: Place, query: string, uiAddress: string | undefined): string | null {
  const workflows = workflowsAddress(runtime, uiAddress);
  return workflows === null ? null : `${workflows}?query=${encodeURIComponent(query)}`;
}

/** @throws TowpathError `Usage` where nobody has said where the UI is */
export function requireLink(link: string | null): string {
  if (link !== null) return link;
  throw new TowpathError(
    "Usage",
    "Where the Web UI of the configured Temporal is, is not known. Set TEMPORAL_UI_ADDRESS, as in https://temporal.example.org.",
  );
}
