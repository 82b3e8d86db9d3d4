import type { Client } from "@temporalio/client";
import { connect } from "../adapters/temporal/connect.js";
import { endpointFingerprint, type TemporalEndpoint } from "../adapters/temporal/endpoint.js";
import { ProgressView } from "../model/messages.js";
import { progress } from "../workflows/migration.contract.js";
import type { MigrationAnswer } from "./migration-answer.js";

/** A command that gets no answer in this time asks Temporal itself, and says what is wrong. */
const ANSWER_MS = 2_000;

export interface DeskOptions {
  readonly endpoint: TemporalEndpoint;
  readonly hostId: string;
  readonly buildId: string;
}

/**
 * Asks Temporal about migrations for commands of this machine: what talks to Temporal is loaded here already, and takes
 * a command three times longer to load than all the rest.
 */
export class MigrationDesk {
  #client: Promise<Client> | null = null;

  constructor(private readonly options: DeskOptions) {}

  /** @returns null for a migration of another host, of which this one cannot say whether that is there */
  async ask(id: string): Promise<MigrationAnswer | null> {
    const { endpoint, hostId, buildId } = this.options;
    const client = await this.client();
    const handle = client.workflow.getHandle(id);
    const [{ status }, answer] = await client.withDeadline(Date.now() + ANSWER_MS, () =>
      Promise.all([handle.describe(), handle.query(progress)]),
    );
    const view = ProgressView.parse(answer);
    if (view.hostId !== hostId) return null;
    return { buildId, target: endpointFingerprint(endpoint), execution: status.name, progress: view };
  }

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => null);
    await client?.connection.close();
  }

  /** One for all who ask; where it could not be connected the next who asks tries it again. */
  private client(): Promise<Client> {
    this.#client ??= connect(this.options.endpoint).catch((error: unknown) => {
      this.#client = null;
      throw error;
    });
    return this.#client;
  }
}
