import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openUrl, openersFor } from "../../src/adapters/desktop/open-url.js";
import { whyNotOpen, type Surroundings } from "../../src/client/opening.js";

const DESKTOP: Surroundings = {
  stdoutIsTerminal: true,
  inForeground: true,
  forProgram: false,
  platform: "linux",
  env: { DISPLAY: ":0" },
};

const SSH = { SSH_CONNECTION: "10.0.0.1 1 10.0.0.2 22", SSH_TTY: "/dev/pts/1" };

describe("a browser", () => {
  it.each<[string, Partial<Surroundings>]>([
    ["on a desktop", {}],
    ["on Wayland", { env: { WAYLAND_DISPLAY: "wayland-0" } }],
    ["on a Mac", { platform: "darwin", env: {} }],
    ["in a Windows below", { env: { WSL_DISTRO_NAME: "Debian" } }],
    ["over SSH with a display", { env: { ...SSH, DISPLAY: "localhost:10.0" } }],
    ["where TOWPATH_NO_OPEN is something else", { env: { DISPLAY: ":0", TOWPATH_NO_OPEN: "0" } }],
    ["where CI says that it is none", { env: { DISPLAY: ":0", CI: "false" } }],
    ["where CI is empty", { env: { DISPLAY: ":0", CI: "" } }],
  ])("is opened %s", (_, changes) => {
    expect(whyNotOpen({ ...DESKTOP, ...changes })).toBeNull();
  });

  it.each<[string, Partial<Surroundings>, string]>([
    ["where nobody looks at stdout", { stdoutIsTerminal: false }, "no terminal"],
    ["in a job behind &", { inForeground: false }, "background"],
    ["for a program", { forProgram: true }, "program"],
    ["where it is not wanted", { env: { DISPLAY: ":0", TOWPATH_NO_OPEN: "1" } }, "TOWPATH_NO_OPEN"],
    ["in CI", { env: { DISPLAY: ":0", CI: "true" } }, "CI"],
    ["in another CI", { env: { DISPLAY: ":0", CI: "1" } }, "CI"],
    ["over SSH without a display", { env: SSH }, "SSH session without a display"],
    ["on a Mac over SSH", { platform: "darwin", env: SSH }, "SSH session without a display"],
    ["on a server's own console", { env: {} }, "no display"],
    ["with an empty display", { env: { DISPLAY: "" } }, "no display"],
  ])("is not opened %s", (_, changes, reason) => {
    expect(whyNotOpen({ ...DESKTOP, ...changes })).toContain(reason);
  });
});

describe("the opener", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "towpath-opener-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));

  async function install(text: string): Promise<void> {
    for (const name of ["xdg-open", "open"]) {
      await writeFile(join(directory, name), text);
      await chmod(join(directory, name), 0o755);
    }
  }

  it("gets the address as one argument, whatever stands in it, and is not waited for", async () => {
    await install(
      `#!/bin/bash\nprintf '%s|' "$#" "$1" > ${directory}/opened.tmp\nmv ${directory}/opened.tmp ${directory}/opened\nsleep 60\n`,
    );
    const started = performance.now();
    const url = new URL("http://127.0.0.1:8233/x?query=a$(touch%20b);'&c");
    expect(await openUrl(url, { PATH: `${directory}:${process.env.PATH ?? ""}` })).toBe(true);
    expect(performance.now() - started).toBeLessThan(30_000);
    await expect
      .poll(() => readFile(join(directory, "opened"), "utf8").catch(() => null), { timeout: 90_000 })
      .toBe(`1|${url.href}|`);
  });

  it("is not missed where there is none", async () => {
    expect(await openUrl(new URL("http://127.0.0.1/"), { PATH: directory })).toBe(false);
  });

  it("is Windows's own in a Windows below", () => {
    expect(openersFor("linux", { WSL_DISTRO_NAME: "Debian" })).toEqual(["wslview", "explorer.exe"]);
    expect(openersFor("linux", {})).toEqual(["xdg-open"]);
  });
});
