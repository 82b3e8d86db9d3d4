import { buildId } from "../../adapters/installation/build-id.js";
import { embeddedEndpoint, ensureEmbedded } from "../../adapters/temporal/embedded.js";
import { hostId } from "../../adapters/temporal/host.js";
import { temporalTarget } from "../../adapters/temporal/target.js";
import { installedParts } from "../../worker/installed-parts.js";
import { runWorker } from "../../worker/run.js";
import type { CommandBody, CommandContext } from "../command.js";
import { dataDirectory } from "../../adapters/store/data-directory.js";

/** `towpath worker` */
export const worker: CommandBody = async (_input, context) => {
  const dataDir = dataDirectory(context.env);
  const inTime = await runWorker({
    endpoint: await endpointOf(context, dataDir),
    dataDir,
    hostId: await hostId(dataDir),
    buildId: buildId(),
    parts: installedParts({ dataDir, env: context.env }),
    env: context.env,
    stop: stopSignal(),
  });
  // What was left behind still holds this process; it is retried elsewhere, so nothing may go on here.
  if (!inTime) process.exit(1);
  return { text: "", data: { status: "stopped" } };
};

async function endpointOf(context: CommandContext, dataDir: string) {
  const target = temporalTarget(context.env);
  if (target.kind === "configured") return target.endpoint;
  return embeddedEndpoint(await ensureEmbedded({ dataDir, env: context.env, onProgress: context.progress }));
}

/** Aborted by the first SIGTERM or SIGINT; the second one ends the process at once, as the shell reports signals. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(code);
      stop.abort();
    });
  }
  return stop.signal;
}
