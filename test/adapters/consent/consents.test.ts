import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { consentsPath, hasConsent, rememberConsent } from "../../../src/adapters/consent/consents.js";

const CONSENT = { at: new Date("2026-01-01T00:00:00.000Z"), by: "Ann" };
let dataDir: string;

beforeEach(async () => {
  dataDir = path.join(await mkdtemp(path.join(tmpdir(), "consent-")), "data");
});
afterEach(async () => {
  await rm(path.dirname(dataDir), { recursive: true });
});

describe("consents", () => {
  it("are absent at first, and asking writes nothing", async () => {
    expect(await hasConsent(dataDir, "/projects/app")).toBe(false);
    await expect(stat(dataDir)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("hold for the one project that they were given for", async () => {
    await rememberConsent(dataDir, "/projects/app", CONSENT);
    expect(await hasConsent(dataDir, "/projects/app")).toBe(true);
    expect(await hasConsent(dataDir, "/projects")).toBe(false);
    expect(await hasConsent(dataDir, "/projects/app/sub")).toBe(false);
    expect(await hasConsent(dataDir, "constructor")).toBe(false);
  });

  it("are readable by their owner only, and leave nothing else behind", async () => {
    await rememberConsent(dataDir, "/projects/app", CONSENT);
    expect((await stat(consentsPath(dataDir))).mode & 0o777).toBe(0o600);
    expect(await readdir(dataDir)).toEqual(["consents.json"]);
  });

  it("lose none of those that are given at the same time", async () => {
    const projects = Array.from({ length: 20 }, (_, index) => `/projects/${index}`);
    await Promise.all(projects.map((project) => rememberConsent(dataDir, project, CONSENT)));
    for (const project of projects) expect(await hasConsent(dataDir, project)).toBe(true);
  });

  it("keep what another version wrote beside them", async () => {
    await rememberConsent(dataDir, "/projects/app", CONSENT);
    const written: object = JSON.parse(await readFile(consentsPath(dataDir), "utf8"));
    await writeFile(consentsPath(dataDir), JSON.stringify({ ...written, later: 1 }));
    await rememberConsent(dataDir, "/projects/b", CONSENT);
    expect(JSON.parse(await readFile(consentsPath(dataDir), "utf8"))).toMatchObject({
      later: 1,
      projects: { "/projects/app": { by: "Ann" }, "/projects/b": { by: "Ann" } },
    });
  });

  it.each(["{", "[]", '{"version":1,"projects":{"/a":true}}'])("refuse a damaged file: %s", async (text) => {
    await rememberConsent(dataDir, "/projects/app", CONSENT);
    await writeFile(consentsPath(dataDir), text);
    await expect(hasConsent(dataDir, "/projects/app")).rejects.toMatchObject({ type: "StorageFailed" });
    await expect(rememberConsent(dataDir, "/b", CONSENT)).rejects.toMatchObject({ type: "StorageFailed" });
    expect(await readFile(consentsPath(dataDir), "utf8")).toBe(text);
  });
});
