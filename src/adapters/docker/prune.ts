import { messageOf, TowpathError } from "../../model/errors.js";
import type { PlannedRemoval, PrunePlan } from "../../model/images/prune-plan.js";
import type { Removed } from "../../model/images/refresh.js";
import type { Engine } from "./engine.js";

/** What became of a plan's removals. */
export interface Pruned {
  readonly removed: readonly Removed[];
  readonly skipped: readonly { readonly id: string; readonly reason: string }[];
  readonly failed: readonly { readonly id: string; readonly reason: string }[];
}

type Outcome =
  | { readonly kind: "removed"; readonly references: readonly string[] }
  | { readonly kind: "skipped" | "failed"; readonly reason: string };

/**
 * Carries a plan out: name by name, never by force, never by the engine's own prune. Right before each image its
 * containers are looked for again, and before each name whether it still means this image. What fails is told and the
 * rest goes on.
 */
export async function applyPrune(engine: Engine, plan: PrunePlan): Promise<Pruned> {
  const removed: Removed[] = [];
  const skipped: { id: string; reason: string }[] = [];
  const failed: { id: string; reason: string }[] = [];
  for (const removal of plan.remove) {
    const outcome = await removeOne(engine, removal);
    if (outcome.kind === "removed") {
      removed.push({
        id: removal.id,
        references: [...outcome.references],
        bytes: removal.whole ? removal.bytes : 0,
      });
    } else (outcome.kind === "skipped" ? skipped : failed).push({ id: removal.id, reason: outcome.reason });
  }
  return { removed, skipped, failed };
}

async function removeOne(engine: Engine, removal: PlannedRemoval): Promise<Outcome> {
  try {
    const user = (await engine.containers()).find(({ imageId }) => imageId === removal.id);
    if (user !== undefined) return { kind: "skipped", reason: `in use by container ${user.name}` };
    const references: string[] = [];
    for (const name of [...removal.tags, ...removal.digests]) {
      const result = await removeName(engine, name, removal.id);
      if (typeof result === "object") return { kind: "skipped", reason: result.inUse };
      if (result === "removed") references.push(name);
    }
    if (!removal.whole) return { kind: "removed", references };
    const rest = await engine.removeImage(removal.id);
    return typeof rest === "object"
      ? { kind: "skipped", reason: rest.inUse }
      : { kind: "removed", references };
  } catch (error) {
    if (!(error instanceof TowpathError)) throw error;
    return { kind: "failed", reason: messageOf(error) };
  }
}

/** A name that means another image by now is not this one's any more. */
async function removeName(
  engine: Engine,
  name: string,
  id: string,
): Promise<"removed" | "gone" | { readonly inUse: string }> {
  const current = await engine.image(name);
  return current?.id === id ? engine.removeImage(name) : "gone";
}
