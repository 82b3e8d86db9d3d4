import { execFileSync } from "node:child_process";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isAsListed, listAgain, listWorktree } from "../../../src/adapters/git/listing.js";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "towpath-listing-"));
  mkdirSync(join(directory, "src/deep"), { recursive: true });
  mkdirSync(join(directory, "empty"));
  writeFileSync(join(directory, "a.txt"), "aaaa");
  writeFileSync(join(directory, "src/deep/b.txt"), "bbbb");
  symlinkSync("a.txt", join(directory, "link"));
  age();
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const at = (path: string): string => join(directory, path);
const worktree = () => ({
  path: directory,
  gitDir: "",
  commonDir: "",
  branch: "",
  migrationId: "",
  prefix: "",
  incarnation: "",
});

/** Makes what was changed so far older than a tick of any file system's clock. */
function age(): void {
  const until = Date.now() + 25;
  // Another file's time cannot pass for that of those before it.
  while (Date.now() < until) execFileSync("true");
  writeFileSync(at("newest"), "newest");
}

const CHANGES: Record<string, () => void> = {
  "other content": () => writeFileSync(at("a.txt"), "longer"),
  "other content of the same length": () => writeFileSync(at("src/deep/b.txt"), "BBBB"),
  "other content of the same length and time": () => {
    writeFileSync(at("a.txt"), "AAAA");
    utimesSync(at("a.txt"), 0, 0);
  },
  "the same content, written again": () => writeFileSync(at("a.txt"), "aaaa"),
  "another mode": () => chmodSync(at("a.txt"), 0o400),
  "a new file": () => writeFileSync(at("src/new"), ""),
  "a new hidden directory": () => mkdirSync(at("src/deep/.git")),
  "a removed file": () => rmSync(at("src/deep/b.txt")),
  "a removed empty directory": () => rmSync(at("empty"), { recursive: true }),
  "another link": () => {
    rmSync(at("link"));
    symlinkSync("b.txt", at("link"));
  },
  "a directory in a file's place": () => {
    rmSync(at("a.txt"));
    mkdirSync(at("a.txt"));
  },
  "a file in the place of the newest": () => {
    rmSync(at("newest"));
    mkdirSync(at("newest"));
  },
  "a FIFO in the place of the newest, which has no end": () => {
    rmSync(at("newest"));
    execFileSync("mkfifo", [at("newest")]);
  },
  "more in the newest than can be read": () => truncateSync(at("newest"), 3 * 1024 ** 3),
};

describe("a listing of a worktree's files", () => {
  it("holds as long as nothing changes", () => {
    const listing = listWorktree(worktree());
    expect(listing).toMatchObject({
      recent: expect.toSatisfy((recent: Map<string, string>) => [...recent.keys()].join() === "newest"),
    });
    expect(isAsListed(worktree(), listing)).toBe(true);
    execFileSync("cat", [at("a.txt")]);
    expect(isAsListed(worktree(), listing)).toBe(true);
  });

  it.each(Object.entries(CHANGES))("does not hold behind %s", (_, change) => {
    const listing = listWorktree(worktree());
    change();
    expect(isAsListed(worktree(), listing)).toBe(false);
  });

  it("tells content that is written in the very tick in which it was listed", () => {
    for (let round = 0; round < 200; round += 1) {
      writeFileSync(at("a.txt"), `${round % 10}`);
      const listing = listWorktree(worktree());
      writeFileSync(at("a.txt"), `${(round + 1) % 10}`);
      expect(isAsListed(worktree(), listing)).toBe(false);
    }
  });

  it("is not made of files that were just written and are many or large", () => {
    writeFileSync(at("new-0"), "");
    // Names of one file have its time: on a busy machine, files written one by one can be more than a tick apart.
    for (let file = 1; file < 21; file += 1) linkSync(at("new-0"), at(`new-${file}`));
    expect(listWorktree(worktree())).toBe("unsure");
    for (let file = 0; file < 21; file += 1) rmSync(at(`new-${file}`));
    writeFileSync(at("large"), "x".repeat(70_000));
    expect(listWorktree(worktree())).toBe("unsure");
    expect(isAsListed(worktree(), "unsure")).toBe(false);
  });

  it("is not made of more files than git tells of as quickly, nor tried again", () => {
    for (let file = 0; file < 500; file += 1) writeFileSync(at(`src/deep/${file}`), "");
    expect(listWorktree(worktree())).toBe("too-many");
    rmSync(at("src"), { recursive: true });
    expect(listAgain(worktree(), "too-many")).toBe("too-many");
    expect(isAsListed(worktree(), "too-many")).toBe(false);
  });

  it("is not made of what is not there", () => {
    rmSync(directory, { recursive: true });
    expect(listWorktree(worktree())).toBe("unsure");
  });
});
