/**
 * Preloaded into a process: counts its calls of the file system from the moment that `arm` is called, and kills the process in front of
 * the one that TRAP_AT names. Without TRAP_AT it only counts.
 */
import fs from "node:fs";
import { open } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const at = Number(process.env.TRAP_AT ?? "0");
let armed = false;
let count = 0;

function step() {
  if (!armed) return;
  count += 1;
  if (count === at) process.kill(process.pid, "SIGKILL");
}

function wrap(target, names) {
  for (const name of names) {
    const original = target[name];
    target[name] = function trapped(...parameters) {
      step();
      return original.apply(this, parameters);
    };
  }
}

wrap(fs.promises, ["open", "link", "rename", "unlink", "lstat", "readdir", "mkdir"]);
const calls = ["open", "write", "fstat", "close", "link", "rename", "unlink", "lstat", "readdir", "mkdir"];
wrap(
  fs,
  [...calls, "writeFile", "readFile", "rmdir", "stat", "utimes"].map((name) => `${name}Sync`),
);
wrap(fs, ["fsync", "mkdir", "rmdir", "stat", "utimes"]);
const handle = await open(process.execPath, "r");
wrap(Object.getPrototypeOf(handle), ["writeFile", "sync", "stat", "readFile", "close"]);
await handle.close();
syncBuiltinESMExports();

globalThis.trap = {
  arm: () => {
    armed = true;
  },
  count: () => count,
};
