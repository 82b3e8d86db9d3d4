import { buildId } from "../../adapters/installation/build-id.js";
import { embeddedEndpoint, ensureEmbedded } from "../../adapters/temporal/embedded.js";
import { requireKnownEncryption } from "../../adapters/temporal/encryption/known-encryption.js";
import { hostId } from "../../adapters/temporal/host.js";
import { temporalTarget } from "../../adapters/temporal/target.js";
import { installedParts } from "../../worker/installed-parts.js";
import { runWorker } from "../../worker/run.js";
import type { CommandBody, CommandContext } from "../command.js";
import { stopSignal } from "../stop-signal.js";
import { dataDirectory } from "../../adapters/store/data-directory.js";

/** `towpath worker` */
export const worker: CommandBody = async (_input, context) => {
  const dataDir = dataDirectory(context.env);
  const endpoint = await endpointOf(context, dataDir);
  await requireKnownEncryption(dataDir, endpoint.encryption);
  const inTime = await runWorker({
    endpoint,
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
  const { env, progress: onProgress } = context;
  return embeddedEndpoint(await ensureEmbedded({ dataDir, env, onProgress }), env);
}
