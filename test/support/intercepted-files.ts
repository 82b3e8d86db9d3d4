import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

/** What changes or looks at files, whichever way it is asked for. */
const CALLS = ["open", "writeFile", "link", "rename", "unlink", "lstat", "readdir", "mkdir"] as const;
export type FileCall = (typeof CALLS)[number] | "fsync";

type Gate = (call: FileCall, parameters: readonly unknown[]) => void;
type Any = (...parameters: never[]) => unknown;

const originals = { sync: { ...fs }, promises: { ...fs.promises } };

/**
 * Lets every call of the file system in this process go through `gate` first, which may throw in its place.
 * @returns ends that
 */
export function interceptFiles(gate: Gate): () => void {
  for (const call of CALLS) {
    const [now, later]: [Any, Any] = [originals.sync[`${call}Sync`], originals.promises[call]];
    Object.assign(fs, {
      [`${call}Sync`]: (...parameters: never[]) => {
        gate(call, parameters);
        return now(...parameters);
      },
    });
    Object.assign(fs.promises, {
      [call]: async (...parameters: never[]) => {
        gate(call, parameters);
        return later(...parameters);
      },
    });
  }
  Object.assign(fs, { fsync: gatedSync(gate) });
  syncBuiltinESMExports();
  return () => {
    for (const call of CALLS) {
      Object.assign(fs, { [`${call}Sync`]: originals.sync[`${call}Sync`] });
      Object.assign(fs.promises, { [call]: originals.promises[call] });
    }
    Object.assign(fs, { fsync: originals.sync.fsync });
    syncBuiltinESMExports();
  };
}

function gatedSync(gate: Gate) {
  return (file: number, done: (error: Error | null) => void): void => {
    try {
      gate("fsync", [file]);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    originals.sync.fsync(file, done);
  };
}

/** Runs an action; tells what it threw, and how many calls of the file system it came to. */
export async function throughFiles(
  action: () => Promise<unknown>,
  fail: (count: number) => Error | null,
): Promise<{ readonly calls: number; readonly error: unknown }> {
  let calls = 0;
  const restore = interceptFiles(() => {
    calls += 1;
    const error = fail(calls);
    if (error !== null) throw error;
  });
  try {
    const error = await action().then(
      () => null,
      (thrown: unknown) => thrown,
    );
    return { calls, error };
  } finally {
    restore();
  }
}

/** An error of the system. */
export function fileFailure(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code });
}
