import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { appendProgressEntry, parseProgressLog, PROGRESS_LOG_LIMIT } from "../../src/model/progress-log.js";

const entry = { time: "2025-01-01T00:00:00.000Z", agent: "me", phase: "migrate", summary: "did it" };

describe("the progress log", () => {
  it("has the header and the labels that tools read", () => {
    const log = appendProgressEntry("", {
      ...entry,
      stepsCompleted: "3",
      tests: "12 passing",
      notes: "none",
    });
    expect(log).toBe(
      [
        "# Migration Progress",
        "",
        "## Session: 2025-01-01T00:00:00.000Z",
        "Agent: me",
        "Phase: migrate",
        "Summary: did it",
        "Steps completed: 3",
        "Tests: 12 passing",
        "Notes: none",
        "",
      ].join("\n"),
    );
  });

  it("leaves out what was not given", () => {
    expect(appendProgressEntry("", entry)).not.toMatch(/Steps completed|Tests|Notes/);
  });

  it("keeps the newest fifty, in order, and the header that it finds", () => {
    let log = "# Migration Progress\n# Auto-updated after every agent session\n";
    for (let i = 0; i < PROGRESS_LOG_LIMIT + 7; i += 1)
      log = appendProgressEntry(log, { ...entry, summary: `${i}` });
    expect(log).toMatch(/^# Migration Progress\n# Auto-updated/);
    expect(parseProgressLog(log).map(({ summary }) => summary)).toEqual(
      Array.from({ length: PROGRESS_LOG_LIMIT }, (_, i) => `${i + 7}`),
    );
  });

  it("goes on with a log of the predecessor's", () => {
    const old = "# Migration Progress\n# Auto\n\n## Session: T1\nAgent: a\nPhase: p\nSummary: s\n";
    const log = appendProgressEntry(old, entry);
    expect(log.startsWith(old.trimEnd())).toBe(true);
    expect(parseProgressLog(log)).toEqual([{ time: "T1", agent: "a", phase: "p", summary: "s" }, entry]);
  });

  it("reads back whatever was written: no text splits an entry or passes for another label", () => {
    const hostile = fc
      .array(
        fc.constantFrom(
          "## Session: x",
          "\n",
          "\r\n",
          "\u2028",
          "Agent: eve",
          "Notes:",
          "# Migration Progress",
          " ",
          "a",
        ),
      )
      .map((parts) => parts.join(""));
    const text = fc.oneof(fc.string(), hostile);
    const made = fc.record(
      { agent: text, phase: text, summary: text, stepsCompleted: text, tests: text, notes: text },
      { requiredKeys: ["agent", "phase", "summary"] },
    );
    fc.assert(
      fc.property(fc.array(made, { minLength: 1, maxLength: 10 }), (entries) => {
        let log = "";
        for (const one of entries) log = appendProgressEntry(log, { time: entry.time, ...one });
        const read = parseProgressLog(log);
        expect(read).toHaveLength(entries.length);
        entries.forEach((one, i) => {
          expect(trimmed(read[i] ?? {})).toEqual(trimmed({ time: entry.time, ...one }));
        });
      }),
      { numRuns: 500 },
    );
  });
});

function plain(value: string): string {
  return value.replaceAll(/\r\n|[\n\r\v\f\u0085\u2028\u2029]/gu, "\n").trimEnd();
}

function trimmed(record: object): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, plain(String(value))]));
}
