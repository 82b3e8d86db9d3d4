const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A length of time in its two largest units: `350ms`, `42s`, `3m 20s`, `2h 5m`, `3d 4h`. */
export function duration(milliseconds: number): string {
  if (milliseconds < SECOND) return `${Math.round(milliseconds)}ms`;
  if (milliseconds < MINUTE) return `${Math.floor(milliseconds / SECOND)}s`;
  if (milliseconds < HOUR) return pair(milliseconds, MINUTE, "m", SECOND, "s");
  if (milliseconds < DAY) return pair(milliseconds, HOUR, "h", MINUTE, "m");
  return pair(milliseconds, DAY, "d", HOUR, "h");
}

function pair(value: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((value % large) / small);
  const head = `${Math.floor(value / large)}${largeUnit}`;
  return rest === 0 ? head : `${head} ${rest}${smallUnit}`;
}

/** A moment as people say it: `just now`, `5m 3s ago`, `in 2d 3h`; "" for a moment that has not come or is no time. */
export function relativeTime(iso: string, now: Date): string {
  const moment = Date.parse(iso);
  if (Number.isNaN(moment)) return "";
  const elapsed = now.getTime() - moment;
  if (Math.abs(elapsed) < SECOND) return "just now";
  return elapsed > 0 ? `${duration(elapsed)} ago` : `in ${duration(-elapsed)}`;
}
