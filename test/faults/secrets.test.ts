import { join } from "node:path";
import { Connection, Client } from "@temporalio/client";
import { historyToJSON } from "@temporalio/common/lib/proto-utils.js";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { readEmbeddedState } from "../../src/adapters/temporal/embedded-state.js";
import { makeHome } from "../support/cli.js";
import { cleanUp } from "../support/migrations.js";
import { createRepository } from "../support/repository.js";
import { checkInvariants, isInGit, userSide, whereIs } from "./invariants.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const CANARY = "canary-7f3c91d2a8b64e50";
const TERMINAL_CONTROL = "\u001b]0;owned\u0007";

const SPEC = `
version: 1
name: leaky
target: next
secrets: [LEAK_TOKEN]
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  guardrail: { features: [{ id: stands, description: it stands, test: 'echo "$LEAK_TOKEN"' }] }
  migrate:
    steps:
      - id: tells
        run: |
          echo "the token is $LEAK_TOKEN"
          printf %s "$LEAK_TOKEN" | base64
          printf '%s' "$LEAK_TOKEN" | fold -w 5
          echo ok > told.txt
        verify: ['echo "verified with $LEAK_TOKEN" >&2']
      - id: fails-first
        needs: [tells]
        run: |
          if [ "$TOWPATH_ATTEMPT" = 1 ]; then printf '\\033]0;owned\\007refused: %s\\n' "$LEAK_TOKEN" >&2; exit 3; fi
          echo ok > second.txt
        retry: { max-attempts: 2, backoff: 1ms, feedback: true }
      - id: fails
        needs: [fails-first]
        run: |
          printf '\\033[2J\\033]0;owned\\007it broke with %s\\n' "$LEAK_TOKEN" >&2
          exit 4
  verify: { gate: { run: ['echo "$LEAK_TOKEN"'] } }
`;

const Status = z.object({ status: z.string() });

describe("a secret that a migration's commands print wherever they can", () => {
  it("is in no file, database, log, history, git object or terminal afterwards, and no control character is", async () => {
    const home = await makeHome("own");
    cleanups.push(() => home.remove());
    const repository = await createRepository(join(home.dataDir, "..", "project"), { "towpath.yaml": SPEC });
    const scene = { dataDir: home.dataDir, repository, before: await userSide(repository) };
    const said: string[] = [];
    const run = async (...args: string[]) => {
      const answer = await home.run(args, { LEAK_TOKEN: CANARY });
      said.push(answer.stdout, answer.stderr);
      return answer;
    };
    const started = await run("start", repository.path, "--allow-host", "--json");
    expect(started).toMatchObject({ code: 0 });
    const { id } = z.object({ id: z.string() }).parse(JSON.parse(started.stdout));
    const state = async (): Promise<string> =>
      Status.parse(JSON.parse((await run("status", id, "--json")).stdout)).status;
    await expect.poll(state, { timeout: 120_000, interval: 500 }).toBe("waiting");
    await run("status", id);
    await run("plan", id);
    await run("gates", id);
    await run("list");
    for (const step of ["tells", "fails-first", "fails"]) await run("logs", id, step);
    expect(said.join("")).toContain("it broke with ***");
    expect(await run("skip", id, "fails", "--reason", "it cannot work", "--yes")).toMatchObject({ code: 0 });
    await expect.poll(state, { timeout: 120_000, interval: 500 }).toBe("completed");
    await checkInvariants(scene, id);

    const server = await readEmbeddedState(home.dataDir);
    const connection = await Connection.connect({ address: server?.address ?? "" });
    const history = await new Client({ connection }).workflow.getHandle(id).fetchHistory();
    await connection.close();
    await home.run(["down"]);
    const forms = [CANARY, Buffer.from(CANARY).toString("base64")];
    for (const form of forms) {
      expect(await whereIs(form, [home.dataDir])).toEqual([]);
      expect(await isInGit(form, repository)).toBe(false);
      expect(historyToJSON(history)).not.toContain(form);
      // Temporal's JSON carries payloads in base64 themselves.
      expect(payloadTexts(history)).not.toContain(form);
      expect(said.join("")).not.toContain(form);
    }
    expect(said.join("")).not.toContain(TERMINAL_CONTROL);
    expect(said.join("")).not.toContain("\u001b[2J");
  }, 240_000);
});

/** Every byte string in a history, as text. */
function payloadTexts(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  if (value === null || typeof value !== "object") return "";
  return Object.values(value).map(payloadTexts).join("\n");
}
