import { TowpathError } from "../../model/errors.js";

/** One line of the doctor's answer; a type, not an interface, for it is also JSON. */
export type Finding = {
  readonly subject: string;
  /** `fail`: Towpath cannot work like this. `warn`: some of it cannot. */
  readonly level: "ok" | "warn" | "fail";
  readonly message: string;
  /** What to do about it; empty where there is nothing to do. */
  readonly advice: string;
};

export function ok(subject: string, message: string): Finding {
  return { subject, level: "ok", message, advice: "" };
}

export function warn(subject: string, message: string, advice: string): Finding {
  return { subject, level: "warn", message, advice };
}

export function fail(subject: string, message: string, advice: string): Finding {
  return { subject, level: "fail", message, advice };
}

/** Runs a check; an error that stops it is what it found. */
export async function guarded(subject: string, check: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof TowpathError) return [fail(subject, error.message, "")];
    throw error;
  }
}

/** Compares versions number by number: `2.9.1` is older than `2.39`. */
export function isAtLeast(version: string, minimum: readonly number[]): boolean {
  const parts = version.replace(/^v/, "").split(".").map(Number);
  for (const [index, needed] of minimum.entries()) {
    const part = parts[index] ?? 0;
    if (part !== needed) return part > needed;
  }
  return true;
}
