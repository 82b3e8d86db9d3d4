import type { ConnectionLike } from "@temporalio/client";
import { TowpathError, messageOf } from "../../model/errors.js";
import { until } from "./detached.js";

/** Types of search attributes as Towpath uses them. */
export type AttributeType = "KEYWORD" | "INT";

type Wanted = readonly (readonly [name: string, type: AttributeType])[];

/** As `temporal.api.enums.v1.IndexedValueType` numbers them, and as the Temporal CLI calls them. */
const TYPES = {
  KEYWORD: { number: 2, cli: "Keyword" },
  INT: { number: 3, cli: "Int" },
} as const satisfies Record<AttributeType, { number: number; cli: string }>;

/** Status codes of gRPC that are told apart here. */
const GRPC = { invalidArgument: 3, permissionDenied: 7, unimplemented: 12 } as const;

/** A server of several processes knows a new attribute everywhere only when their caches are refreshed. */
const EFFECT_LIMIT_MS = 30_000;
const POLL_MS = 100;

/**
 * Registers the search attributes that the namespace does not have yet, and waits until they can be used.
 * @throws TowpathError `TemporalUnavailable` where the namespace refuses: it names what is missing, and the command
 * for somebody who may
 */
export async function ensureSearchAttributes(
  connection: ConnectionLike,
  namespace: string,
  attributes: Readonly<Record<string, AttributeType>>,
): Promise<void> {
  const wanted = Object.entries(attributes);
  const usable = (): Promise<boolean> => areUsable(connection, namespace, wanted);
  const known = await registered(connection, namespace);
  // Some keys may run workflows and yet not list what is registered: then only trying tells.
  if (known === null && (await usable())) return;
  refuseOtherTypes(namespace, wanted, known ?? {});
  const missing = wanted.filter(([name]) => known?.[name] === undefined);
  if (missing.length > 0) await register(connection, namespace, missing);
  if (await until(usable, EFFECT_LIMIT_MS, POLL_MS)) return;
  throw refused(namespace, wanted, `they are not usable ${EFFECT_LIMIT_MS / 1000} s after they were added`);
}

/** Types by name; null where it may not be asked. */
async function registered(
  connection: ConnectionLike,
  namespace: string,
): Promise<Record<string, number | undefined> | null> {
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    return { ...customAttributes };
  } catch (error) {
    const code = codeOf(error);
    if (code === GRPC.permissionDenied || code === GRPC.unimplemented) return null;
    throw error;
  }
}

/** A query that names an attribute which the namespace does not have is refused. */
async function areUsable(connection: ConnectionLike, namespace: string, wanted: Wanted): Promise<boolean> {
  const query = wanted.map(([name]) => `${name} IS NOT NULL`).join(" OR ");
  try {
    await connection.workflowService.countWorkflowExecutions({ namespace, query });
    return true;
  } catch (error) {
    if (codeOf(error) === GRPC.invalidArgument) return false;
    throw error;
  }
}

function refuseOtherTypes(
  namespace: string,
  wanted: Wanted,
  known: Readonly<Record<string, number | undefined>>,
): void {
  const wrong = wanted.filter(
    ([name, type]) => known[name] !== undefined && known[name] !== TYPES[type].number,
  );
  if (wrong.length === 0) return;
  const list = wrong.map(([name, type]) => `${name} is no ${TYPES[type].cli}`).join(", ");
  throw new TowpathError(
    "TemporalUnavailable",
    `Namespace ${namespace} has search attributes of the same names and of other types: ${list}. ` +
      "Use a namespace of Towpath's own, or remove them.",
    { details: { namespace, attributes: wrong.map(([name]) => name) } },
  );
}

async function register(connection: ConnectionLike, namespace: string, missing: Wanted): Promise<void> {
  const searchAttributes = Object.fromEntries(missing.map(([name, type]) => [name, TYPES[type].number]));
  try {
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
  } catch (cause) {
    throw refused(namespace, missing, reasonOf(cause), cause);
  }
}

function refused(namespace: string, missing: Wanted, why: string, cause?: unknown): TowpathError {
  const names = missing.map(([name]) => name);
  const flags = missing.map(([name, type]) => `--name ${name} --type ${TYPES[type].cli}`);
  return new TowpathError(
    "TemporalUnavailable",
    `Namespace ${namespace} does not take the search attributes that show migrations in lists: ${why}\n` +
      "Somebody who may has to add them, once:\n" +
      `  temporal operator search-attribute create --namespace ${namespace} ${flags.join(" ")}\n` +
      "On Temporal Cloud they are added in the namespace's settings, or with tcld.",
    { cause, details: { namespace, attributes: names } },
  );
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}

/** What the server says, without the number in front of it. */
function reasonOf(error: unknown): string {
  const details = error instanceof Error && "details" in error ? error.details : undefined;
  return typeof details === "string" && details !== "" ? details : messageOf(error);
}
