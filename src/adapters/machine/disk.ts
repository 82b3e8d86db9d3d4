import { statfs } from "node:fs/promises";
import { messageOf, TowpathError } from "../../model/errors.js";

/**
 * How full the disk is on which a path lies, in percent.
 * @throws TowpathError `EngineRefused` when this machine cannot tell: the engine is another one's
 */
export async function diskUsedPercent(path: string): Promise<number> {
  try {
    const { blocks, bavail } = await statfs(path);
    return blocks === 0 ? 0 : ((blocks - bavail) / blocks) * 100;
  } catch (error) {
    throw new TowpathError(
      "EngineRefused",
      `Cannot tell how full the engine's disk is (${path}: ${messageOf(error)}): use a threshold in bytes instead`,
      { cause: error },
    );
  }
}
