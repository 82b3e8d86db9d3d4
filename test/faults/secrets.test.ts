import { join } from "node:path";
import { Connection, Client } from "@temporalio/client";
import { historyToJSON } from "@temporalio/common/lib/proto-utils.js";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { readEmbeddedState } from "../../src/adapters/temporal/embedded-state.js";
import { registeredWorker } from "../../src/worker/registration.js";
import { makeHome } from "../support/cli.js";
import { cleanUp } from "../support/migrations.js";
import { createRepository } from "../support/repository.js";
import { checkInvariants, checkReplay, isInGit, userSide, whereIs } from "./invariants.js";

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
    const shown: string[] = [];
    const started = await run("start", repository.path, "--allow-host", "--json");
    expect(started).toMatchObject({ code: 0 });
    const { id } = z.object({ id: z.string() }).parse(JSON.parse(started.stdout));
    const state = async (): Promise<string> => {
      shown.push(...(await pagesOf(home.dataDir, id)));
      return Status.parse(JSON.parse((await run("status", id, "--json")).stdout)).status;
    };
    await expect.poll(state, { timeout: 600_000, interval: 500 }).toBe("waiting");
    await run("status", id);
    await run("plan", id);
    await run("gates", id);
    await run("list");
    for (const step of ["tells", "fails-first", "fails"]) await run("logs", id, step);
    expect(said.join("")).toContain("it broke with ***");
    expect(await run("skip", id, "fails", "--reason", "it cannot work", "--yes")).toMatchObject({ code: 0 });
    await expect.poll(state, { timeout: 600_000, interval: 500 }).toBe("completed");
    await checkInvariants(scene, id);

    const server = await readEmbeddedState(home.dataDir);
    const connection = await Connection.connect({ address: server?.address ?? "" });
    const { workflow } = new Client({ connection });
    const history = await workflow.getHandle(id).fetchHistory();
    await checkReplay(workflow, id, (await workflow.getHandle(id).describe()).runId);
    await connection.close();
    shown.push(await metricsOf(home.dataDir));
    await home.run(["down"]);
    // Pages that were asked for while a step ran, and a step that is named in them: there was something to find.
    expect(shown.join("")).toContain("heartbeat");
    expect(shown.join("")).toContain("temporal_worker_task_slots_available");
    const texts = {
      history: historyToJSON(history),
      // Temporal's JSON carries payloads in base64 themselves.
      payloads: payloadTexts(history),
      terminal: said.join(""),
      pages: shown.join(""),
    };
    for (const form of forms(CANARY)) {
      expect([form, await whereIs(form, [home.dataDir, repository.path])]).toEqual([form, []]);
      expect(await isInGit(form, repository)).toBe(false);
      const found = Object.entries(texts).filter(([, text]) => text.includes(form));
      expect([form, found.map(([where]) => where)]).toEqual([form, []]);
    }
    expect(said.join("")).not.toContain(TERMINAL_CONTROL);
    expect(said.join("")).not.toContain("\u001b[2J");
  }, 900_000);
});

/** The secret itself, and what of its base64 stays the same wherever it stands in something longer. */
function forms(secret: string): string[] {
  const aligned = [0, 1, 2].map((offset) => {
    const text = Buffer.from(" ".repeat(offset) + secret).toString("base64");
    return text.slice(offset === 0 ? 0 : 4, -4);
  });
  return [secret, ...aligned, Buffer.from(secret).toString("hex")];
}

/** What the Web UI asks the server for when somebody looks at a migration. */
async function pagesOf(dataDir: string, id: string): Promise<string[]> {
  const ui = `${(await readEmbeddedState(dataDir))?.uiAddress ?? ""}/api/v1/namespaces/default/workflows`;
  const paths = [`/${id}`, `/${id}/history?maximumPageSize=200`, `/${id}/history-reverse`, ""];
  return Promise.all(
    paths.map(async (path) => {
      const text = await (await fetch(`${ui}${path}`)).text();
      // Payloads are base64 in it.
      const decoded = [...text.matchAll(/"data": ?"([A-Za-z0-9+/=]+)"/g)].map(([, data = ""]) =>
        Buffer.from(data, "base64").toString("utf8"),
      );
      return [text, ...decoded].join("\n");
    }),
  );
}

/** What the worker tells whoever asks for its health, and Prometheus. */
async function metricsOf(dataDir: string): Promise<string> {
  const health = (await registeredWorker(dataDir))?.healthAddress ?? "";
  const answer = await (await fetch(`http://${health}/healthz`)).text();
  const { metricsAddress } = z.looseObject({ metricsAddress: z.string() }).parse(JSON.parse(answer));
  return answer + (await (await fetch(`http://${metricsAddress}/metrics`)).text());
}

/** Every byte string in a history, as text. */
function payloadTexts(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  if (value === null || typeof value !== "object") return "";
  return Object.values(value).map(payloadTexts).join("\n");
}
