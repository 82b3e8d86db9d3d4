// Takes out of node_modules what a worker on this machine never loads: the native binaries of other platforms, what
// bundles workflows (they are bundled), and what is for people who read or debug the packages.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const modules = fileURLToPath(new URL("../node_modules", import.meta.url));

const native = join(modules, "@temporalio", "core-bridge", "releases");
const architecture = { x64: "x86_64", arm64: "aarch64" }[process.arch];
const own = readdirSync(native).filter(
  (name) => process.platform === "linux" && name === `${architecture}-unknown-linux-gnu`,
);
if (own.length !== 1) throw new Error(`no native binary for ${process.platform} ${process.arch}`);
for (const name of readdirSync(native)) if (!own.includes(name)) remove(join(native, name));

const swc = join(modules, "@swc");
for (const name of readdirSync(swc)) if (name.startsWith("core-")) remove(join(swc, name));

for (const name of readdirSync(modules, { recursive: true })) {
  if (/\.(?:d\.[cm]?ts|[cm]?js\.map|d\.[cm]?ts\.map|tsbuildinfo)$/.test(name)) remove(join(modules, name));
}
remove(join(modules, "@temporalio", "core-bridge", "sdk-core"));
remove(join(modules, "@temporalio", "core-bridge", "src"));

function remove(path) {
  if (existsSync(path)) rmSync(path, { recursive: true });
}
