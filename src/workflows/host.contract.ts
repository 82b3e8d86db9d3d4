import { defineSignal, defineUpdate } from "@temporalio/workflow";
import { HOST_ABSENCE_SIGNAL, HOST_CLAIM_UPDATE, type HostAbsence, type HostPlace } from "../model/hosts.js";

/** Makes a host id that of a data directory, for good. Refused (`WrongStatus`) where it is another one's. */
export const claim = defineUpdate<void, [HostPlace]>(HOST_CLAIM_UPDATE);

/** Tells a migration that its host is away; null: it is back. */
export const hostAbsence = defineSignal<[HostAbsence | null]>(HOST_ABSENCE_SIGNAL);
