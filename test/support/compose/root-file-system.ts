import { existsSync } from "node:fs";
import { cp, mkdir, realpath, stat, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { execa } from "execa";

/** What an image is made of, from this machine's own files. */
export interface Content {
  /** By name as on the PATH, or by path; with the libraries that they load. */
  readonly programs: readonly string[];
  /** Directories and files as they are here. */
  readonly trees?: readonly string[];
  /** Path in the image → path here; programs that are called otherwise there. */
  readonly renamed?: Readonly<Record<string, string>>;
  /** Path in the image → text; those below `/usr/local/bin` are executable. */
  readonly files?: Readonly<Record<string, string>>;
  /** Names that are links to busybox. */
  readonly applets?: readonly string[];
}

/** Lays the root file system of an image: Debian's, as far as it is needed. */
export async function layRoot(root: string, content: Content): Promise<void> {
  for (const directory of [
    "usr/bin",
    "usr/lib",
    "usr/lib64",
    "usr/sbin",
    "usr/local/bin",
    "etc",
    "tmp",
    "root",
  ]) {
    await mkdir(join(root, directory), { recursive: true });
  }
  await execa("chmod", ["1777", join(root, "tmp")]);
  for (const name of ["bin", "lib", "lib64", "sbin"]) await symlink(`usr/${name}`, join(root, name));
  const files = {
    "/etc/passwd":
      "root:x:0:0:root:/root:/bin/sh\npostgres:x:999:999::/tmp:/bin/sh\nnode:x:1000:1000::/data:/bin/bash\n",
    "/etc/group": "root:x:0:\npostgres:x:999:\nnode:x:1000:\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    ...content.files,
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, dirname(path)), { recursive: true });
    await writeFile(join(root, path), text, { mode: path.startsWith("/usr/local/bin/") ? 0o755 : 0o644 });
  }
  const renamed = Object.entries(content.renamed ?? {});
  for (const [there, here] of renamed) {
    await mkdir(join(root, dirname(there)), { recursive: true });
    await cp(here, join(root, there), { recursive: true, dereference: true });
  }
  for (const tree of content.trees ?? []) {
    await mkdir(join(root, dirname(tree)), { recursive: true });
    await execa("cp", ["--archive", tree, join(root, dirname(tree))]);
  }
  const paths = content.programs.map((program) => located(program));
  const loaded = await librariesOf([...paths, ...renamed.map(([, here]) => here)]);
  for (const path of new Set([...paths, ...loaded, ...(await loadedByName())])) await copyFile(root, path);
  for (const applet of content.applets ?? []) await symlink("busybox", join(root, "usr/bin", applet));
}

function located(program: string): string {
  if (program.startsWith("/")) return program;
  const directories = (process.env["PATH"] ?? "").split(":");
  const found = directories.map((directory) => join(directory, program)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new Error(`${program} is not on the PATH of this machine`);
}

/** A program lies where it is looked for, with links in front of it resolved. */
async function copyFile(root: string, path: string): Promise<void> {
  const directory = await realpath(dirname(path));
  await mkdir(join(root, directory), { recursive: true });
  await cp(await realpath(path), join(root, directory, basename(path)), { force: true });
}

/** Shared libraries, with the loader itself; none of what is linked statically. */
async function librariesOf(paths: readonly string[]): Promise<string[]> {
  const files = await Promise.all(paths.map(async (path) => ((await stat(path)).isFile() ? [path] : [])));
  const { stdout } = await execa("ldd", files.flat(), { reject: false });
  return [...stdout.matchAll(/(?:=> |^\s+)(\/[^\s:]+)(?= \()/gm)].flatMap(([, path]) => path ?? []);
}

/** What programs load without being linked with it: name services, and the parts of the C library that addons want. */
async function loadedByName(): Promise<string[]> {
  const names =
    "libnss_files libnss_dns libc libm libdl libpthread librt libutil libresolv libgcc_s libstdc++";
  const patterns = names.split(" ").map((name) => `/usr/lib/*-linux-gnu/${name}.so.*`);
  // What is not there stays a pattern; a library's helpers for debuggers are no libraries.
  const { stdout } = await execa("sh", ["-c", `printf '%s\\n' ${patterns.join(" ")}`]);
  return stdout.split("\n").filter((path) => /\.so\.[\d.]+$/.test(path));
}
