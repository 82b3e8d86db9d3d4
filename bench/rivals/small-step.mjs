// The small step that all are compared by: a command, a 4 KB manifest made durable, a tag.
import { spawn } from "node:child_process";
import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";

const TEXT = "x".repeat(4096);

export async function smallStep(repository, manifest, i) {
  await run("true", []);
  await replaceDurably(manifest);
  await run("git", ["-C", repository, "tag", `small/s${i}`]);
}

function run(file, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: "ignore" });
    child.once("error", reject);
    child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${file}: exit code ${code}`))));
  });
}

async function replaceDurably(path) {
  const file = await open(`${path}.tmp`, "w");
  await file.writeFile(TEXT);
  await file.sync();
  await file.close();
  await rename(`${path}.tmp`, path);
  const directory = await open(dirname(path));
  await directory.sync();
  await directory.close();
}
