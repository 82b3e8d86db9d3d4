import { existsSync } from "node:fs";
import { cp, mkdir, realpath, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";

/** Of the C library, what packages' own native modules are linked to though node is not. */
const MORE_OF_LIBC = ["librt.so.1", "libdl.so.2", "libpthread.so.0", "libutil.so.1", "libresolv.so.2"];

/**
 * Adds this machine's node, npm and bash to a root file system of busybox: an image like `node:22-bookworm-slim`, made
 * without a registry.
 */
export async function layNode(root: string): Promise<void> {
  const npm = dirname(dirname(await realpath(await programPath("npm"))));
  for (const directory of ["usr/bin", "usr/lib/node_modules"])
    await mkdir(join(root, directory), { recursive: true });
  await copyProgram(process.execPath, root, "usr/bin/node");
  await copyProgram(await programPath("bash"), root, "bin/bash");
  await cp(npm, join(root, "usr/lib/node_modules/npm"), { recursive: true, verbatimSymlinks: true });
  for (const name of ["npm", "npx"])
    await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, join(root, "usr/bin", name));
  // Of scripts' first lines.
  await symlink("/bin/env", join(root, "usr/bin/env"));
}

async function programPath(name: string): Promise<string> {
  return (await execa("sh", ["-c", 'command -v "$1"', "sh", name])).stdout;
}

/** A program, and the libraries that it is linked to at the paths where its loader looks for them. */
async function copyProgram(program: string, root: string, target: string): Promise<void> {
  const { stdout } = await execa("ldd", [program]);
  const linked = [...stdout.matchAll(/(?:=> )?(?<path>\/\S+) \(0x/g)].map(
    (match) => match.groups?.["path"] ?? "",
  );
  const libc = dirname(linked.find((library) => library.includes("/libc.so")) ?? "");
  const libraries = [...linked, ...MORE_OF_LIBC.map((name) => join(libc, name)).filter(existsSync)];
  await cp(await realpath(program), join(root, target));
  for (const library of libraries) {
    await mkdir(join(root, dirname(library)), { recursive: true });
    await cp(await realpath(library), join(root, library), { force: true });
  }
}
