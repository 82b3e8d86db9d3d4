import { mkdtemp, readFile, rm, writeFile, chmod } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PagedText, heightOf, pagerCommand } from "../../src/client/paging.js";
import type { Terminal } from "../../src/client/terminal.js";

const lines = (count: number): string => "line\n".repeat(count);
const env = (PAGER: string) => ({ PATH: process.env.PATH, PAGER });

describe("the pager", () => {
  it.each<[string | undefined, readonly string[] | null]>([
    [undefined, ["less"]],
    ["less -R", ["less", "-R"]],
    ["", null],
    ["cat", null],
  ])("that PAGER=%j names is %j", (PAGER, expected) => {
    expect(pagerCommand({ PAGER })).toEqual(expected);
  });

  it("counts the lines that a terminal breaks", () => {
    expect(heightOf("a\nb\n", 80)).toBe(2);
    expect(heightOf("x".repeat(81), 80)).toBe(2);
  });
});

describe("long output", () => {
  let directory: string;
  let pager: string;
  let seen: string;
  const terminal: Terminal = {
    columns: () => 80,
    rows: () => 10,
    colors: false,
    write: async (text) => void (seen += text),
    onResize: () => () => undefined,
  };
  beforeEach(async () => {
    seen = "";
    directory = await mkdtemp(join(tmpdir(), "towpath-pager-"));
    pager = join(directory, "pager");
    await writeFile(pager, `#!/bin/bash\necho "$LESS" > ${directory}/less\nexec cat > ${directory}/paged\n`);
    await chmod(pager, 0o755);
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it("goes to the pager, all of it, once it is longer than the screen", async () => {
    const text = new PagedText(terminal, env(pager));
    await text.write(lines(6));
    await text.write(lines(6));
    await text.write("the end\n");
    await text.end();
    expect(await readFile(join(directory, "paged"), "utf8")).toBe(`${lines(12)}the end\n`);
    expect(await readFile(join(directory, "less"), "utf8")).toBe("FRX\n");
    expect(seen).toBe("");
  });

  it("stays on the screen while it fits", async () => {
    const text = new PagedText(terminal, env(pager));
    await text.write(lines(5));
    await text.end();
    expect(seen).toBe(lines(5));
  });

  it.each([
    ["a pager that is not there", "/nonexistent/pager"],
    ["PAGER=cat", "cat"],
  ])("goes to the screen with %s", async (_, name) => {
    const text = new PagedText(terminal, env(name));
    await text.write(lines(20));
    await text.write("more\n");
    await text.end();
    expect(seen).toBe(`${lines(20)}more\n`);
  });

  it("is let go when the reader leaves early", async () => {
    await writeFile(pager, "#!/bin/bash\nexit 0\n");
    const text = new PagedText(terminal, env(pager));
    for (let index = 0; index < 200; index += 1) await text.write(lines(2_000));
    await text.end();
    expect(seen).toBe("");
  });
});
