import { downEmbedded } from "../../adapters/temporal/embedded.js";
import { downWorker } from "../../worker/background.js";
import type { CommandBody } from "../command.js";
import { dataDirectory } from "../../adapters/store/data-directory.js";

/** `towpath down`: the worker first, so that it can still tell the server what it left unfinished. */
export const down: CommandBody = async (_input, context) => {
  const dataDir = dataDirectory(context.env);
  const worker = await downWorker(dataDir);
  const server = await downEmbedded(dataDir);
  const stopped = [
    ...(worker === null ? [] : [`worker stopped (process ${worker.pid})`]),
    ...(server === null ? [] : [`Temporal server stopped (process ${server.pid})`]),
  ];
  const text =
    stopped.length === 0
      ? "Nothing runs."
      : [...stopped, "Nothing is lost: migrations go on at the next `towpath up`."].join("\n");
  return { text, data: { worker: worker?.pid ?? null, server: server?.pid ?? null } };
};
