import { afterAll, afterEach, expect, it } from "vitest";
import { REFRESH_DEFAULTS, refreshWorkflowId } from "../../src/model/images/refresh.js";
import { hostQueue } from "../../src/model/queues.js";
import type { imageRefresh } from "../../src/workflows/image-refresh.js";
import { IMAGE_REFRESH_WORKFLOW } from "../../src/workflows/image-refresh.contract.js";
import * as contract from "../../src/workflows/migration.contract.js";
import { describeWithRegistry, TestEngine } from "../support/engine.js";
import { recordingProxy } from "../support/engine-proxy.js";
import {
  cleanUp,
  type MigrationHandle,
  specWith,
  TRIVIAL_GUARDRAIL,
  waitingFor,
  workbench,
} from "../support/migrations.js";

const FILES = { "src/app.txt": "old\n", ".gitignore": "deps/\n" };

const engine = new TestEngine();
const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

async function stopped(handle: MigrationHandle): Promise<void> {
  await handle.signal(contract.stop, { by: "ada", reason: "" });
  await handle.result();
}

describeWithRegistry("a migration whose image is not on the engine", () => {
  afterAll(() => engine.remove());

  it("pulls it, and says clearly where it cannot", async () => {
    const reference = `${engine.repository("pulled")}:1`;
    const id = await engine.published(reference);
    await engine.docker.getImage(reference).remove();
    await engine.docker
      .getImage(id)
      .remove()
      .catch(() => {});
    expect(await engine.hasImage(reference)).toBe(false);
    const here = await workbench(cleanups, FILES, { ...process.env, ...engine.env });
    const handle = await here.start(imageSpec(reference), { allowHost: false });
    await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
    const missing = await here.start(imageSpec(`${engine.repository("none")}:1`));
    const view = await waitingFor(missing, "preparation-failed");
    expect(view.waiting?.message).toContain("There is no image");
    await stopped(missing);
  }, 300_000);
});

describeWithRegistry("a migration's image", () => {
  afterAll(() => engine.remove());

  it("is pulled anew and its nameless predecessor removed before it is used, unless that is opted out of", async () => {
    const reference = `${engine.repository("fresh")}:1`;
    await engine.publishedNext(reference);
    await engine.pull(reference);
    const old = await engine.imageId(reference);
    await engine.publishedNext(reference);
    const proxy = await recordingProxy(engine.host);
    cleanups.push(() => proxy.close());
    const asks = () =>
      proxy.requests.filter(({ method, url }) => method === "DELETE" || url.startsWith("/images/create"));
    const env = { ...process.env, DOCKER_HOST: proxy.host };
    const off = await workbench(cleanups, FILES, { ...env, TOWPATH_IMAGE_PRUNE: "0" });
    const on = await workbench(cleanups, FILES, env);

    await completed(await off.start(imageSpec(reference)));
    await completed(await on.start(imageSpec(`{ image: "${reference}", prune: false }`)));
    expect(asks().filter(({ url }) => url.startsWith("/images"))).toEqual([]);
    expect(await engine.imageId(reference)).toBe(old);

    await completed(await on.start(imageSpec(reference)));
    expect(asks().filter(({ method }) => method === "POST")).toHaveLength(1);
    expect(await engine.imageId(reference)).not.toBe(old);
    expect(await engine.hasImage(old)).toBe(false);
  }, 300_000);

  it("of before does where the pull fails; and stays while a migration that is not over will need it", async () => {
    const repository = engine.repository("reserved");
    const [mine, other] = [`${repository}:mine`, `${repository}:other`];
    const id = await engine.image(mine);
    await engine.published(other);
    const here = await workbench(cleanups, FILES, { ...process.env, ...engine.env });
    const handle = await here.start(imageSpec(mine, "test -e deps/go"));
    await waitingFor(handle, "step-failed");
    expect(await engine.containersWith({ "towpath.workflow-id": handle.workflowId })).toEqual([]);

    const refreshed = () =>
      here.client.workflow.execute<typeof imageRefresh>(IMAGE_REFRESH_WORKFLOW, {
        workflowId: refreshWorkflowId(here.host.hostId, other, false),
        taskQueue: hostQueue(here.host.hostId),
        args: [{ ...REFRESH_DEFAULTS, pins: [], hostId: here.host.hostId, reference: other }],
      });
    expect((await refreshed()).kept).toContainEqual(expect.objectContaining({ id, reason: "reserved" }));
    await stopped(handle);
    expect((await refreshed()).removed).toMatchObject([{ id }]);
  }, 300_000);
});

async function completed(handle: MigrationHandle): Promise<void> {
  await expect(handle.result()).resolves.toMatchObject({ status: "completed" });
}

function imageSpec(container: string, run = "cat /etc/image-id > which.txt"): string {
  return specWith(
    `${TRIVIAL_GUARDRAIL}
  migrate:
    steps: [{ id: first, run: "${run}" }]
`,
    `defaults: { container: ${container.startsWith("{") ? container : JSON.stringify(container)} }`,
  );
}
