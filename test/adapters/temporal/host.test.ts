import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { hostId } from "../../../src/adapters/temporal/host.js";
import { HostId } from "../../../src/model/queues.js";

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "towpath-host-"));
});
afterEach(() => rm(dataDir, { recursive: true }));

it("draws the id once and then always gives the same", async () => {
  const first = await hostId(dataDir);
  expect(HostId.safeParse(first).success).toBe(true);
  expect(await hostId(dataDir)).toBe(first);
  expect((await stat(join(dataDir, "host.json"))).mode & 0o777).toBe(0o600);
});

it("gives one answer to many that ask first at the same time, and leaves nothing else behind", async () => {
  for (let round = 0; round < 25; round += 1) {
    const fresh = join(dataDir, String(round));
    const answers = await Promise.all(Array.from({ length: 20 }, () => hostId(fresh)));
    const kept: unknown = JSON.parse(await readFile(join(fresh, "host.json"), "utf8"));
    expect(answers.map((id) => ({ hostId: id }))).toEqual(answers.map(() => kept));
    expect(await readdir(fresh)).toEqual(["host.json"]);
  }
});

it.each(["", "{", '{"hostId":"../x"}', '{"hostId":7}'])(
  "refuses a broken file %j instead of drawing anew",
  async (text) => {
    await writeFile(join(dataDir, "host.json"), text);
    await expect(hostId(dataDir)).rejects.toMatchObject({ type: "StateCorrupt" });
  },
);
