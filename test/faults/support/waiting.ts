import { setTimeout as delay } from "node:timers/promises";
import type { ProgressView } from "../../../src/model/messages.js";
import * as contract from "../../../src/workflows/migration.contract.js";
import type { MigrationHandle } from "../../support/migrations.js";

/** Waits until a condition holds; for tests that run side by side, which `expect.poll` cannot tell apart. */
export async function eventually(
  what: string,
  holds: () => Promise<boolean>,
  limitMs = 600_000,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${limitMs / 1_000} s`);
    await delay(25);
  }
}

/** Waits until the migration waits for something of this kind; answers its progress. */
export async function waitsFor(handle: MigrationHandle, kind: string): Promise<ProgressView> {
  let view = await handle.query(contract.progress);
  await eventually(`waiting for '${kind}'`, async () => {
    view = await handle.query(contract.progress);
    if (view.waiting?.kind === "blocked" && kind !== "blocked") throw new Error(view.waiting.message);
    return view.waiting?.kind === kind;
  });
  return view;
}
