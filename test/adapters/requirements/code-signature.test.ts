import {
  chmod,
  chown,
  mkdir,
  readFile,
  rename,
  rm,
  symlink,
  unlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { beforeEach, describe, expect, it } from "vitest";
import { changesSince } from "../../../src/adapters/requirements/archive.js";
import {
  codeSignature,
  type CodeSignature,
  readListing,
} from "../../../src/adapters/requirements/code-signature.js";
import { requirementsPaths, type RequirementsPaths } from "../../../src/adapters/requirements/paths.js";
import { persistDocument } from "../../../src/adapters/requirements/persist.js";
import { createRepository, type TestRepository } from "../../support/repository.js";
import { draft, temporary } from "./fixture.js";

const FILES = { "a.txt": "a\n", "src/b.txt": "b\n", ".gitignore": "ignored.txt\n" };

let directory: string;
let paths: RequirementsPaths;

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(paths.project, name)), { recursive: true });
    await writeFile(join(paths.project, name), text);
  }
}

const at = (name: string): string => join(paths.project, name);
const byteName = (byte: number): Buffer =>
  Buffer.concat([Buffer.from(`${paths.project}/`), Buffer.from([byte])]);
const commitIn = (name: string) =>
  execa(
    "git",
    ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "-am", "x"],
    {
      cwd: at(name),
    },
  );
const signWith = (limits: { bytes: number; files: number }): Promise<CodeSignature> =>
  codeSignature(paths, { limits });
const sign = async (): Promise<string> => (await codeSignature(paths)).signature;

/** Whether the signature changes with an action. */
async function changes(action: () => Promise<unknown>): Promise<boolean> {
  const before = await sign();
  await action();
  return before !== (await sign());
}

describe.each(["git", "files"] as const)("the signature of code in mode %s", (mode) => {
  beforeEach(async () => {
    directory = await temporary();
    paths = requirementsPaths(join(directory, "project"));
    if (mode === "git") await createRepository(paths.project, FILES);
    else await write(FILES);
  });

  it("says how it was made, and is the same again", async () => {
    expect(await codeSignature(paths)).toMatchObject({ mode, sampled: false, files: 3 });
    expect(await sign()).toBe(await sign());
  });

  it.each<[string, () => Promise<unknown>]>([
    ["a file of another content and the same size", () => write({ "a.txt": "x\n" })],
    ["a new file", () => write({ "new.txt": "new\n" })],
    ["a deleted file", () => unlink(at("a.txt"))],
    ["a renamed file", () => rename(at("a.txt"), at("c.txt"))],
    ["a mode bit", () => chmod(at("a.txt"), 0o755)],
    ["a link instead of a file", () => unlink(at("a.txt")).then(() => symlink("src/b.txt", at("a.txt")))],
    [
      "a file with spaces, a newline and bytes that are no UTF-8 in its name",
      async () => {
        await write({ "with space": "", "with\nnewline": "" });
        await writeFile(byteName(0xfe), "");
      },
    ],
  ])("changes with %s", async (_, action) => {
    expect(await changes(action)).toBe(true);
  });

  it("changes with every edit of a file that was edited before, even when its times are set back", async () => {
    const old = new Date(1_000_000_000_000);
    expect(await changes(() => write({ "a.txt": "1\n" }))).toBe(true);
    expect(await changes(() => write({ "a.txt": "2\n" }))).toBe(true);
    await utimes(at("a.txt"), old, old);
    expect(await changes(() => write({ "a.txt": "3\n" }).then(() => utimes(at("a.txt"), old, old)))).toBe(
      true,
    );
  });

  it("tells names that only differ in bytes that are no UTF-8", async () => {
    await writeFile(byteName(0xff), "x");
    expect(await changes(() => rename(byteName(0xff), byteName(0xfe)))).toBe(true);
  });

  it.each<[string, () => Promise<unknown>]>([
    ["times", () => utimes(at("a.txt"), new Date(0), new Date(0))],
    ["Towpath's own files", () => persistDocument(paths, draft("mine\n"))],
    [
      "dependencies and build products",
      () => write({ "node_modules/x/i.js": "1", "src/dist/o.js": "2", "p/__pycache__/c": "3" }),
    ],
    ["an empty directory", () => mkdir(at("empty"))],
  ])("does not change with %s", async (_, action) => {
    expect(await changes(action)).toBe(false);
  });

  it("takes links by what they point to, and follows none out of the project", async () => {
    const outside = join(directory, "outside");
    await mkdir(outside);
    await writeFile(join(outside, "secret"), "1");
    await symlink(outside, at("link"));
    expect(await changes(() => writeFile(join(outside, "secret"), "2"))).toBe(false);
    await unlink(at("link"));
    expect(await changes(() => symlink("elsewhere", at("link")))).toBe(true);
  });

  it("does not read a directory's files through a link that took its place", async () => {
    const outside = join(directory, "outside");
    await mkdir(outside);
    await writeFile(join(outside, "b.txt"), "b\n");
    expect(
      await changes(() => rm(at("src"), { recursive: true }).then(() => symlink(outside, at("src")))),
    ).toBe(true);
    expect(await changes(() => writeFile(join(outside, "b.txt"), "other\n"))).toBe(false);
  });

  it("is the same whether files were remembered or read, and whatever the index says", async () => {
    await persistDocument(paths, draft("mine\n"));
    const long = new Date(1_000_000_000_000);
    for (const name of ["a.txt", "src/b.txt"]) await utimes(at(name), long, long);
    const read = (await codeSignature(paths, { remember: false })).signature;
    expect([await sign(), await sign()]).toEqual([read, read]);
    await writeFile(paths.index, "damaged\0");
    expect(await sign()).toBe(read);
    const index = await readFile(paths.index);
    index[index.length - 20] = (index[index.length - 20] ?? 0) ^ 1;
    await writeFile(paths.index, index);
    expect(await sign()).toBe(read);
  });

  it("names what changed since", async () => {
    await persistDocument(paths, draft("mine\n", { code: await codeSignature(paths) }));
    const before = await codeSignature(paths);
    await write({ "a.txt": "x\n", "new.txt": "new\n" });
    await unlink(at("src/b.txt"));
    const after = await codeSignature(paths);
    expect(await changesSince(paths, before.signature, after.listing)).toEqual([
      { path: "a.txt", kind: "modified" },
      { path: "new.txt", kind: "added" },
      { path: "src/b.txt", kind: "deleted" },
    ]);
    expect(await changesSince(paths, "0".repeat(64), after.listing)).toBeNull();
    expect(await readListing(paths, "../../etc/passwd")).toBeNull();
  });
});

describe("the signature of code in git", () => {
  let repository: TestRepository;
  beforeEach(async () => {
    directory = await temporary();
    paths = requirementsPaths(join(directory, "project"));
    repository = await createRepository(paths.project, FILES);
  });

  it("does not change when the same bytes are committed, staged, unstaged or stored otherwise", async () => {
    await write({ "a.txt": "edited\n", "new.txt": "new\r\n" });
    await chmod(at("new.txt"), 0o755);
    expect(await changes(() => repository.git("add", "--all"))).toBe(false);
    expect(await changes(() => repository.git("commit", "--quiet", "--message=second"))).toBe(false);
    expect(await changes(() => repository.git("rm", "--quiet", "--cached", "a.txt"))).toBe(false);
    expect(await changes(() => repository.git("config", "core.autocrlf", "input"))).toBe(false);
  });

  it("counts files that are untracked, and none that is ignored", async () => {
    expect(await changes(() => write({ "ignored.txt": "x" }))).toBe(false);
    expect(await changes(() => write({ "untracked.txt": "x" }))).toBe(true);
  });

  it("changes with the commit of a submodule, and not with what lies uncommitted in it", async () => {
    const other = await createRepository(join(directory, "other"), { "s.txt": "s\n" });
    await repository.git(
      "-c",
      "protocol.file.allow=always",
      "submodule",
      "--quiet",
      "add",
      other.path,
      "sub",
    );
    expect(await changes(() => writeFile(at("sub/s.txt"), "uncommitted\n"))).toBe(false);
    expect(await changes(() => commitIn("sub"))).toBe(true);
    expect(await changes(() => repository.git("add", "sub"))).toBe(false);
    expect(await changes(() => repository.git("submodule", "--quiet", "deinit", "--force", "sub"))).toBe(
      false,
    );
  });

  it("takes a repository that lies inside by its commit", async () => {
    await createRepository(at("nested"), { "n.txt": "n\n" });
    expect(await changes(() => writeFile(at("nested/n.txt"), "uncommitted\n"))).toBe(false);
    expect(await changes(() => commitIn("nested"))).toBe(true);
  });

  it("is about the project's own directory in a monorepo", async () => {
    const whole = paths;
    paths = requirementsPaths(join(whole.project, "src"));
    expect(await codeSignature(paths)).toMatchObject({ mode: "git", files: 1 });
    expect(await changes(() => writeFile(join(whole.project, "a.txt"), "outside\n"))).toBe(false);
    expect(await changes(() => write({ "b.txt": "inside\n" }))).toBe(true);
  });

  it("runs nothing that the repository configures", async () => {
    const ran = join(directory, "ran");
    await repository.git("config", "core.fsmonitor", `touch ${ran}; false`);
    await repository.git("config", "filter.f.clean", `sh -c 'touch ${ran}; cat'`);
    await write({ ".gitattributes": "* filter=f\n", "a.txt": "edited\n" });
    await sign();
    await expect(readFile(ran)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("does without git where git finds nothing to list, and where there is no git", async () => {
    await repository.git("config", "core.excludesFile", "/dev/null");
    await write({ ".git/info/exclude": "sub\n", "sub/file.txt": "x" });
    paths = requirementsPaths(at("sub"));
    expect(await codeSignature(paths)).toMatchObject({ mode: "files", files: 1 });
    const searchPath = process.env["PATH"];
    process.env["PATH"] = "/nonexistent";
    try {
      expect(await codeSignature(requirementsPaths(repository.path))).toMatchObject({ mode: "files" });
    } finally {
      process.env["PATH"] = searchPath;
    }
  });

  it.skipIf(process.getuid?.() !== 0)(
    "does without git where the repository belongs to somebody else",
    async () => {
      await chown(repository.path, 12_345, 12_345);
      await chown(at(".git"), 12_345, 12_345);
      expect(await codeSignature(paths)).toMatchObject({ mode: "files", files: 3 });
      expect(await changes(() => write({ "a.txt": "x\n" }))).toBe(true);
    },
  );
});

describe("the signature of much code without git", () => {
  beforeEach(async () => {
    paths = requirementsPaths(await temporary());
    await write({ "big.bin": "x".repeat(100_000), "small.txt": "s" });
  });

  it.each([
    ["bytes", { bytes: 50_000, files: 100 }],
    ["files", { bytes: 1_000_000, files: 1 }],
  ])("is made of head and tail of each file above the limit of %s", async (_, limits) => {
    const before = await signWith(limits);
    expect(before.sampled).toBe(true);
    const text = await readFile(at("big.bin"), "utf8");
    const edited = async (position: number): Promise<string> => {
      await write({ "big.bin": `${text.slice(0, position)}y${text.slice(position + 1)}` });
      return (await signWith(limits)).signature;
    };
    expect(await edited(50_000)).toBe(before.signature);
    expect(await edited(0)).not.toBe(before.signature);
    expect(await edited(99_999)).not.toBe(before.signature);
    await write({ "big.bin": `${text}x` });
    expect((await signWith(limits)).signature).not.toBe(before.signature);
  });

  it("is another than that of the same code read whole", async () => {
    const whole = await signWith({ bytes: 1_000_000, files: 100 });
    expect(whole.sampled).toBe(false);
    expect((await signWith({ bytes: 1, files: 100 })).signature).not.toBe(whole.signature);
  });
});
