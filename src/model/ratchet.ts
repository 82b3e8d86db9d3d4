/**
 * Reads the number that a ratchet's command printed: its last line that is not empty.
 * @returns null where that is no number, which is never a pass
 */
export function ratchetCount(output: string): number | null {
  const last = output.trimEnd().split("\n").at(-1)?.trim() ?? "";
  return /^\d+(\.\d+)?$/.test(last) ? Number(last) : null;
}
