import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { cleanUp } from "../support/migrations.js";
import { createRepository } from "../support/repository.js";
import { listedHosts, type Machine, machines } from "../support/worker-processes.js";

const cleanups: (() => Promise<void>)[] = [];
afterEach(() => cleanUp(cleanups));

const LIMIT = { timeout: 150_000, interval: 500 };

const SPEC = `
version: 1
name: remote
target: next
workspace: { base: develop }
phases:
  understand: { steps: [{ id: survey, uses: survey }] }
  guardrail: { features: [{ id: stands, description: it stands, test: "true" }] }
  migrate:
    steps: [{ id: change, run: "echo done >> steps.txt" }]
    gate: { approval: { required: 1 } }
`;

const Started = z.object({ id: z.string(), host: z.string() });
const Status = z.object({
  status: z.string(),
  source: z.string(),
  waiting: z.object({ kind: z.string() }).nullable(),
});
const Failure = z.object({ error: z.object({ type: z.string(), message: z.string() }) });

interface Remote {
  readonly url: string;
  git(...args: string[]): Promise<string>;
}

/** A bare repository with a default branch, and another branch that is ahead of it. */
async function makeRemote(directory: string): Promise<Remote> {
  const work = await createRepository(join(directory, "work"), { "steps.txt": "" });
  await work.git("checkout", "--quiet", "-b", "develop");
  await work.write({ "steps.txt": "develop\n" });
  await work.git("commit", "--quiet", "--all", "--message=ahead");
  await work.git("checkout", "--quiet", "main");
  const path = join(directory, "project.git");
  await execa("git", ["clone", "--quiet", "--bare", work.path, path]);
  const git = async (...args: string[]) => (await execa("git", args, { cwd: path })).stdout;
  return { url: `file://${path}`, git };
}

async function startBy(
  machine: Machine,
  remote: Remote,
  ...more: string[]
): Promise<z.infer<typeof Started>> {
  const spec = join(machine.home.dataDir, "..", "towpath.yaml");
  await writeFile(spec, SPEC);
  const answer = await machine.run(["start", remote.url, "--spec", spec, "--allow-host", "--json", ...more]);
  expect(answer).toMatchObject({ code: 0 });
  return Started.parse(JSON.parse(answer.stdout));
}

async function status(machine: Machine, id: string): Promise<z.infer<typeof Status>> {
  return Status.parse(JSON.parse((await machine.run(["status", id, "--json"])).stdout));
}

describe("a migration of a remote repository", () => {
  it("is placed on the hosts in turn, cloned once for each, and its branch is pushed for whoever approves it", async () => {
    const fleet = await machines(2, cleanups);
    const [first, second] = fleet;
    if (first === undefined || second === undefined) throw new Error("two were asked for");
    await expect
      .poll(async () => (await listedHosts(first)).filter(({ isHere }) => isHere), LIMIT)
      .toHaveLength(2);
    const directory = join(first.home.dataDir, "..", "remote");
    await mkdir(directory);
    const remote = await makeRemote(directory);
    const one = await startBy(first, remote);
    await expect
      .poll(async () => (await listedHosts(first)).map(({ migrations }) => migrations), LIMIT)
      .toContain(1);
    const two = await startBy(first, remote);
    expect(two.host).not.toBe(one.host);
    const three = await startBy(first, remote, "--host", one.host);
    expect(three.host).toBe(one.host);

    for (const { id } of [one, two, three]) {
      await expect.poll(async () => (await status(second, id)).waiting?.kind, LIMIT).toBe("approval");
      const branch = `towpath/${id}`;
      expect(await remote.git("show", `${branch}:steps.txt`)).toBe("develop\ndone");
      expect(await second.run(["approve", id, "--as", "Ada"])).toMatchObject({ code: 0 });
      await expect.poll(async () => (await status(second, id)).status, LIMIT).toBe("completed");
      expect((await status(first, id)).source).toBe(remote.url);
      expect(await remote.git("log", "--format=%s", `develop..${branch}`)).not.toBe("");
    }
    for (const { home } of fleet) expect(await readdir(join(home.dataDir, "repositories"))).toHaveLength(1);
  }, 600_000);

  it("waits, naming it, when somebody else has pushed to its branch, and goes on when that is put right", async () => {
    const [machine] = await machines(1, cleanups);
    if (machine === undefined) throw new Error("one was asked for");
    await expect
      .poll(async () => (await listedHosts(machine)).filter(({ isHere }) => isHere), LIMIT)
      .toHaveLength(1);
    const directory = join(machine.home.dataDir, "..", "remote");
    await mkdir(directory);
    const remote = await makeRemote(directory);
    const { id } = await startBy(machine, remote);
    const branch = `refs/heads/towpath/${id}`;
    await expect.poll(async () => (await status(machine, id)).waiting?.kind, LIMIT).toBe("approval");
    await remote.git("update-ref", branch, "refs/heads/main");
    expect(await machine.run(["approve", id, "--as", "Ada"])).toMatchObject({ code: 0 });
    await expect.poll(async () => (await status(machine, id)).waiting?.kind, LIMIT).toBe("blocked");
    expect((await machine.run(["status", id])).stdout).toContain(`somebody else has pushed to towpath/${id}`);
    expect(await remote.git("rev-parse", branch)).toBe(await remote.git("rev-parse", "main"));
    await remote.git("update-ref", "-d", branch);
    expect(await machine.run(["retry", id])).toMatchObject({ code: 0 });
    await expect.poll(async () => (await status(machine, id)).status, LIMIT).toBe("completed");
    expect(await remote.git("show", `${branch}:steps.txt`)).toBe("develop\ndone");
  }, 400_000);

  it("is refused with credentials in its URL, by other protocols, and without a spec", async () => {
    const [machine] = await machines(1, cleanups);
    const refused = async (...args: string[]) => {
      const answer = await machine?.run(["start", ...args, "--json"]);
      expect(answer?.code).toBe(2);
      return Failure.parse(JSON.parse(answer?.stdout ?? "")).error;
    };
    const spec = join(machine?.home.dataDir ?? "", "..", "towpath.yaml");
    await writeFile(spec, SPEC);
    const secret = await refused("https://me:canary-secret@example.org/app.git", "--spec", spec);
    expect(secret.message).toContain("no credentials");
    expect(secret.message).not.toContain("canary-secret");
    expect((await refused("ext::sh -c id", "--spec", spec)).message).toContain("not by 'ext:'");
    expect((await refused("http://example.org/app.git", "--spec", spec)).message).toContain("not by 'http:'");
    expect((await refused("https://example.org/app.git")).message).toContain("--spec");
  }, 200_000);
});
