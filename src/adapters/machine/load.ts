import { availableParallelism, loadavg } from "node:os";

/** How busy the whole machine is. */
export function machineLoad(): { readonly cpus: number; readonly loadAverage: number } {
  const [lastMinute = 0] = loadavg();
  return { cpus: availableParallelism(), loadAverage: lastMinute };
}
