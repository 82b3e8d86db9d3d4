import { randomBytes } from "node:crypto";
import { msToTs } from "@temporalio/common/lib/time.js";
import { connect } from "../../../src/adapters/temporal/connect.js";
import type { TemporalEndpoint } from "../../../src/adapters/temporal/endpoint.js";
import { until } from "../../../src/adapters/temporal/detached.js";
import { ensureSearchAttributes } from "../../../src/adapters/temporal/search-attributes.js";
import { SEARCH_ATTRIBUTES } from "../../../src/model/visibility.js";

/** A server of several services knows a new namespace everywhere only when their caches are refreshed. */
const EFFECT_LIMIT_MS = 120_000;
const POLL_MS = 100;

/** A namespace of a test's own, as somebody makes it who knows nothing of Towpath. @returns its name */
export async function makeNamespace(server: TemporalEndpoint, prefix: string): Promise<string> {
  const namespace = `${prefix}-${randomBytes(4).toString("hex")}`;
  const { connection } = await connect(server);
  const { workflowService } = connection;
  try {
    const workflowExecutionRetentionPeriod = msToTs("72 hours");
    await workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
    const isKnown = (): Promise<boolean> =>
      workflowService.countWorkflowExecutions({ namespace }).then(
        () => true,
        () => false,
      );
    if (!(await until(isKnown, EFFECT_LIMIT_MS, POLL_MS))) throw new Error(`${namespace} cannot be used`);
  } finally {
    await connection.close();
  }
  return namespace;
}

/** Lets a namespace know our search attributes, as `towpath up` does. */
export async function registerAttributes(endpoint: TemporalEndpoint): Promise<void> {
  const { connection } = await connect(endpoint);
  try {
    await ensureSearchAttributes(connection, endpoint.namespace, SEARCH_ATTRIBUTES);
  } finally {
    await connection.close();
  }
}
