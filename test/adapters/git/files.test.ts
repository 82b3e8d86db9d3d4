import { chmodSync, existsSync, lstatSync, mkdirSync, statSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { copyIndex, makeWritable, removeTree, replaceFile } from "../../../src/adapters/git/files.js";
import { digests, temporaryDirectory, write } from "./fixture.js";

it("copies an index with its age, by which git knows what it cannot be sure of", () => {
  const directory = temporaryDirectory();
  write(directory, { index: "x" });
  utimesSync(join(directory, "index"), 1000, 1000);
  copyIndex(join(directory, "index"), join(directory, "copy"));
  expect(statSync(join(directory, "copy")).mtimeMs).toBe(1_000_000);
});

it("replaces a file whole and leaves nothing beside it", async () => {
  const directory = temporaryDirectory();
  write(directory, { file: "old" });
  replaceFile(join(directory, "file"), "new");
  expect(Object.keys(await digests(directory))).toEqual(["file"]);
});

it("opens directories at any depth, and nothing behind a link", async () => {
  const [directory, outside] = [temporaryDirectory(), temporaryDirectory()];
  mkdirSync(join(directory, "a/b"), { recursive: true });
  symlinkSync(outside, join(directory, "link"));
  const closed = [join(directory, "a/b"), join(directory, "a"), outside];
  for (const path of closed) chmodSync(path, 0o500);
  await makeWritable(directory);
  expect(closed.map((path) => lstatSync(path).mode & 0o777)).toEqual([0o700, 0o700, 0o500]);
  chmodSync(outside, 0o700);
});

it("removes read-only directories, and links without what they lead to", async () => {
  const [directory, outside] = [temporaryDirectory(), temporaryDirectory()];
  write(directory, { "tree/closed/x": "" });
  write(outside, { precious: "" });
  symlinkSync(outside, join(directory, "tree/closed/link"));
  chmodSync(join(directory, "tree/closed"), 0o500);
  await removeTree(join(directory, "tree"));
  await removeTree(join(directory, "tree"));
  expect(existsSync(join(directory, "tree"))).toBe(false);
  expect(existsSync(join(outside, "precious"))).toBe(true);
});
