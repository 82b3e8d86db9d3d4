import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CommandOutcome } from "../../src/model/command.js";
import {
  createExcerptCollector,
  describeEnd,
  type Excerpt,
  feedbackText,
  HEAD_LENGTH,
  outputText,
  TAIL_LENGTH,
} from "../../src/model/feedback.js";
import { createRedactor } from "../../src/model/redaction.js";

function excerptOf(chunks: string[], secrets: string[] = []): Excerpt {
  const collector = createExcerptCollector(createRedactor(secrets));
  for (const chunk of chunks) collector.push(chunk);
  return collector.end();
}

function outcome(changes: Partial<CommandOutcome>): CommandOutcome {
  const nothing = { exitCode: 1, signal: null, end: "exited" as const, durationMs: 1, bytes: 0 };
  return { ...nothing, head: "", tail: "", omitted: 0, ...changes };
}

describe("the excerpt of an output", () => {
  it("keeps head and tail and counts what is between, however it is cut", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string({ maxLength: 3000 }).map((t) => t.replace(/\p{Cc}/gu, "")),
          { maxLength: 8 },
        ),
        (chunks) => {
          const text = chunks.join("");
          const { head, tail, omitted } = excerptOf(chunks);
          expect(head).toBe(text.slice(0, HEAD_LENGTH));
          expect(tail).toBe(text.slice(HEAD_LENGTH).slice(-TAIL_LENGTH));
          expect(head.length + omitted + tail.length).toBe(text.length);
        },
      ),
    );
  });

  it("does not cut a character of two units in half", () => {
    const { head, tail, omitted } = excerptOf([`x${"😀".repeat(4000)}y`]);
    expect(/\p{Surrogate}/u.test(head + tail)).toBe(false);
    expect(head.length + omitted + tail.length).toBe(8002);
  });

  it.each([
    ["colours", "\u001B[1;31mred\u001B[0m"],
    ["hyperlinks", "\u001B]8;;http://x\u001B\\red\u001B]8;;\u0007"],
    ["cursor movements", "\u001B[2K\u001B[1Gred\u001B7\u001B(B"],
    ["bells and backspaces", "\u0007r\u0008e\u0000d"],
  ])("takes out %s, also when cut apart", (_, text) => {
    for (let at = 0; at <= text.length; at++)
      expect(excerptOf([text.slice(0, at), text.slice(at)]).head).toBe("red");
    expect(excerptOf(text.split("")).head).toBe("red");
  });

  it("does not wait for ever for the end of an escape sequence", () => {
    const { head } = excerptOf(["\u001B]0;", "x".repeat(10_000), "end"]);
    expect(head.startsWith("0;xxx")).toBe(true);
  });

  it("masks a secret that escape sequences kept apart", () => {
    expect(excerptOf(["hun\u001B[1mter", "22\u001B[0m!"], ["hunter22"]).head).toBe("***!");
  });
});

describe("feedback", () => {
  it.each([
    [{ exitCode: 3 }, "exited with code 3"],
    [{ exitCode: null, signal: "SIGSEGV" }, "was killed by SIGSEGV"],
    [{ end: "timeout" as const }, "was ended: it took longer than its timeout of 600 s"],
    [
      { end: "idle-timeout" as const },
      "was ended: it hung, with no output for the whole idle timeout of 1.5 s",
    ],
    [{ end: "cancelled" as const }, "was cancelled"],
    [{ end: "spawn-failed" as const }, "could not be started"],
  ])("says how a command ended: %o", (changes, sentence) => {
    expect(describeEnd(outcome(changes), { timeoutMs: 600_000, idleTimeoutMs: 1500 })).toBe(sentence);
  });

  it("names the command, its end and its output", () => {
    const text = feedbackText({
      command: "npm test\nnpm run lint",
      outcome: outcome({ head: "1 failed\n" }),
    });
    expect(text).toBe("Command failed: npm test ⏎ npm run lint\nIt exited with code 1.\nOutput:\n1 failed\n");
  });

  it("marks what is left out", () => {
    const text = outputText({ head: "begin", tail: "end", omitted: 1234567 });
    expect(text).toBe("begin\n[… 1,234,567 characters left out …]\nend");
  });

  it("says when there was no output, and shortens long commands", () => {
    const text = feedbackText({ command: "x".repeat(1000), outcome: outcome({}) });
    expect(text).toContain("It wrote no output.");
    expect(text.length).toBeLessThan(400);
  });

  it("shows of a progress bar what stood there last", () => {
    const head = "start\r\n 10%\r 50%\r100%\ndone\r\n";
    expect(outputText({ head, tail: "", omitted: 0 })).toBe("start\n100%\ndone");
  });
});
