/** One session of the log, `progress.md`. */
export interface ProgressEntry {
  /** ISO-8601 UTC. */
  readonly time: string;
  /** Who did it: a person, an agent, Towpath. */
  readonly agent: string;
  readonly phase: string;
  readonly summary: string;
  readonly stepsCompleted?: string;
  readonly tests?: string;
  readonly notes?: string;
}

/** How many entries the log keeps; older ones are dropped. */
export const PROGRESS_LOG_LIMIT = 50;

const HEADER = "# Migration Progress\n";
const MARK = "## Session:";

/**
 * The log with one entry more, and the newest {@link PROGRESS_LOG_LIMIT} kept. `log` is "" where there is none. An entry
 * that is in it to the letter, its time included, is not added again: whoever writes it twice died in between.
 */
export function appendProgressEntry(log: string, entry: ProgressEntry): string {
  const { header, sessions } = splitProgressLog(log);
  const text = formatEntry(entry);
  if (sessions.some((session) => session.trimEnd() === text.trimEnd())) return log;
  const kept = [...sessions, text].slice(-PROGRESS_LOG_LIMIT);
  return `${[header.trimEnd(), ...kept.map((session) => session.trimEnd())].join("\n\n")}\n`;
}

/** The log's parts as they stand: what is above the first entry, and the text of each entry, oldest first. */
export function splitProgressLog(log: string): { header: string; sessions: string[] } {
  const parts = log.split(/^(?=## Session:)/mu);
  const first = parts[0] ?? "";
  if (first.startsWith(MARK)) return { header: HEADER, sessions: parts };
  return { header: first.trim() === "" ? HEADER : first, sessions: parts.slice(1) };
}

const LABELS = [
  ["Agent", "agent"],
  ["Phase", "phase"],
  ["Summary", "summary"],
  ["Steps completed", "stepsCompleted"],
  ["Tests", "tests"],
  ["Notes", "notes"],
] as const;

function formatEntry(entry: ProgressEntry): string {
  const lines = LABELS.flatMap(([label, key]) => {
    const value = entry[key];
    return value === undefined ? [] : [`${label}: ${indented(value)}`];
  });
  return [`${MARK} ${entry.time.replaceAll(LINE_BREAK, " ")}`, ...lines].join("\n");
}

/** Whatever ends a line, for `^` in a regular expression and for people's editors. */
const LINE_BREAK = /\r\n|[\n\r\v\f\u0085\u2028\u2029]/gu;

/** Lines after the first stand behind two spaces: no text can look like a heading or a label, and all can be read back. */
function indented(value: string): string {
  return value.replaceAll(LINE_BREAK, "\n  ");
}

/** Reads the entries of a log, oldest first; the inverse of appending, up to the kind of line breaks. */
export function parseProgressLog(log: string): ProgressEntry[] {
  return splitProgressLog(log).sessions.map(parseEntry);
}

function parseEntry(session: string): ProgressEntry {
  const [heading = "", ...lines] = session.trimEnd().split("\n");
  const values: Record<string, string> = {};
  let open = "";
  for (const line of lines) {
    const label = LABELS.find(([name]) => line.startsWith(`${name}:`));
    if (label !== undefined) {
      open = label[1];
      values[open] = line.slice(label[0].length + 1).replace(/^ /u, "");
    } else if (open !== "") {
      values[open] = `${values[open] ?? ""}\n${line.replace(/^ {2}/u, "")}`;
    }
  }
  const { agent = "", phase = "", summary = "", stepsCompleted, tests, notes } = values;
  return {
    time: heading.slice(MARK.length).trim(),
    agent,
    phase,
    summary,
    ...(stepsCompleted === undefined ? {} : { stepsCompleted }),
    ...(tests === undefined ? {} : { tests }),
    ...(notes === undefined ? {} : { notes }),
  };
}
