import { MigrationStore } from "../../adapters/store/migration-store.js";
import { TowpathError } from "../../model/errors.js";
import type { PlanView } from "../../model/messages.js";
import { knownSteps, type KnownSteps } from "./time-left.js";

/** What this machine knows of a migration's steps; read once, and again when the plan has another length. */
export class StepTimes {
  private total = 0;
  private known: KnownSteps | null = null;
  private readonly store: MigrationStore;

  constructor(
    dataDir: string,
    private readonly id: string,
  ) {
    this.store = new MigrationStore({ dataDir });
  }

  /** Null where this machine does not hold the migration, or nothing is planned yet. */
  async of(plan: PlanView): Promise<KnownSteps | null> {
    if (plan.total === 0) return null;
    if (this.total !== plan.total) {
      this.total = plan.total;
      this.known = await this.read();
    }
    return this.known;
  }

  private async read(): Promise<KnownSteps | null> {
    try {
      const mine = await this.store.readManifest(this.id);
      const listed = await this.store.list();
      return knownSteps(
        mine,
        listed.flatMap((each) => ("manifest" in each ? [each.manifest] : [])),
      );
    } catch (error) {
      if (error instanceof TowpathError && error.category === "not-found") return null;
      throw error;
    }
  }
}
