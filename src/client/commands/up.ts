import picocolors from "picocolors";
import { connect } from "../../adapters/temporal/connect.js";
import type { TemporalEndpoint } from "../../adapters/temporal/endpoint.js";
import { hostId } from "../../adapters/temporal/host.js";
import type { CommandBody } from "../command.js";
import { ensureOrphanSweep } from "../images/orphan-sweep.js";
import { printable } from "../printable.js";
import { ensureRuntime } from "../runtime.js";

/** `towpath up` */
export const up: CommandBody = async (_input, context) => {
  const { env, progress } = context;
  const { dataDir, endpoint, server, worker } = await ensureRuntime({
    env,
    onProgress: progress,
    worker: "always",
  });
  const sweep = await scheduleSweep(endpoint, dataDir);
  const temporal = server === null ? "configured" : server.reused ? "running" : "started";
  const lines = [
    ["Temporal", `${endpoint.address} (namespace ${endpoint.namespace}, ${temporal})`],
    ...(server === null ? [] : [["Web UI", server.uiAddress]]),
    ["worker", worker === null ? "none" : `process ${worker.pid} (${worker.reused ? "running" : "started"})`],
    ["data", dataDir],
  ] as const;
  const text = lines.map(
    ([name = "", value = ""]) => `${picocolors.bold(name.padEnd(8))}  ${printable(value)}`,
  );
  return {
    text: text.join("\n"),
    data: {
      temporal: { address: endpoint.address, namespace: endpoint.namespace, embedded: server !== null },
      server:
        server === null
          ? null
          : { pid: server.pid, uiAddress: server.uiAddress, binary: server.binary, reused: server.reused },
      worker:
        worker === null
          ? null
          : { pid: worker.pid, healthAddress: worker.healthAddress, reused: worker.reused },
      dataDir,
      sweep,
    },
  };
};

async function scheduleSweep(endpoint: TemporalEndpoint, dataDir: string): Promise<string> {
  const client = await connect(endpoint);
  try {
    return await ensureOrphanSweep(client, await hostId(dataDir));
  } finally {
    await client.connection.close();
  }
}
