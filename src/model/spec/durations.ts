const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A whole number without leading zeros and one unit: `500ms`, `30s`, `10m`, `2h`, `7d`. */
export const DURATION_PATTERN = /^([1-9][0-9]{0,11})(ms|s|m|h|d)$/;

/** Longest time that a command may be given. */
export const MAX_COMMAND_MS = 30 * UNIT_MS.d;
/** Longest time that people may be waited for. */
export const MAX_APPROVAL_MS = 365 * UNIT_MS.d;

function isUnit(unit: string): unit is keyof typeof UNIT_MS {
  return Object.hasOwn(UNIT_MS, unit);
}

/** Milliseconds of a duration as a spec writes it, or null where the text is none (zero and fractions are none). */
export function parseDuration(text: string): number | null {
  const [, digits, unit] = DURATION_PATTERN.exec(text) ?? [];
  if (digits === undefined || unit === undefined || !isUnit(unit)) return null;
  return Number(digits) * UNIT_MS[unit];
}
