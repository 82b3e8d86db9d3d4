import type { HostAbsence, HostRecord } from "../model/hosts.js";

/** What the workflow of a host asks of the host's own worker. */
export interface PresenceActivities {
  /** Answers as soon as a worker of the host is there. */
  arrive(): Promise<HostRecord>;
  /** Lasts for as long as the worker does, and says with every beat how the host is; then fails. */
  remain(): Promise<never>;
}

/** What any worker does for all hosts. */
export interface FleetActivities {
  /** Tells the migrations that a host holds that it is away, or back. */
  tellMigrations(news: { readonly hostId: string; readonly absence: HostAbsence | null }): Promise<Told>;
}

export interface Told {
  readonly told: number;
}
