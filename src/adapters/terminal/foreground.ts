import { execFile } from "node:child_process";
import { promisify } from "node:util";

/**
 * Whether this process has its terminal to itself: a shell's job behind `&` has one, and yet nobody who looks at it.
 * True where the system does not tell.
 */
export async function isInForeground(): Promise<boolean> {
  try {
    const { stdout } = await promisify(execFile)("ps", ["-o", "pgid=,tpgid=", "-p", String(process.pid)]);
    const [group, foreground] = stdout.trim().split(/\s+/);
    return foreground === undefined || group === foreground;
  } catch (error) {
    if (error instanceof Error && "code" in error) return true;
    throw error;
  }
}
