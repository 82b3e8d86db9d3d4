import { binariesProblem } from "./binaries.js";
import { postgresPrograms } from "./postgres.js";

/** Why no cluster can be started on this machine, and what to install; null where one can. */
export function clusterProblem(): string | null {
  const problem = postgresPrograms() === null ? "no PostgreSQL server is installed" : binariesProblem();
  return problem === null ? null : `${problem}. Install postgresql-15 (Debian) and Go 1.25 or newer`;
}

/** In CI everything must run. */
export function isCi(): boolean {
  return process.env.CI === "true" || process.env.CI === "1";
}
