import type { TowpathRuntime } from "../runtime.js";

/**
 * The migration's page in the Temporal Web UI.
 * @param uiAddress where the UI of a configured Temporal is (`TEMPORAL_UI_ADDRESS`); nothing else tells
 * @returns null where it is not known
 */
export function migrationLink(
  runtime: Pick<TowpathRuntime, "server" | "endpoint">,
  id: string,
  uiAddress: string | undefined,
): string | null {
  const base = runtime.server?.uiAddress ?? (uiAddress === "" ? undefined : uiAddress);
  if (base === undefined) return null;
  const namespace = encodeURIComponent(runtime.endpoint.namespace);
  return `${base.replace(/\/+$/, "")}/namespaces/${namespace}/workflows/${encodeURIComponent(id)}`;
}
