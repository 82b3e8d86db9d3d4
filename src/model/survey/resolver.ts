import { isBuiltin } from "./builtins.js";
import type { FileFact, ManifestText } from "./facts.js";
import { baseName, directoryOf } from "./languages.js";

/** What an import leads to: files of the project, a package from outside, nothing known, or the language itself. */
export type Resolution =
  | { readonly kind: "internal"; readonly files: readonly string[] }
  | { readonly kind: "external"; readonly name: string }
  | { readonly kind: "unresolved" }
  | { readonly kind: "builtin" };

const BUILTIN: Resolution = { kind: "builtin" };
const UNRESOLVED: Resolution = { kind: "unresolved" };

/** What the resolver looks up: built once for a project. */
export interface ProjectIndex {
  readonly paths: ReadonlySet<string>;
  /** Files by the package or namespace that they declare. */
  readonly declared: ReadonlyMap<string, readonly string[]>;
  readonly filesIn: ReadonlyMap<string, readonly string[]>;
  readonly byName: ReadonlyMap<string, readonly string[]>;
  /** Directories of packages by the name that others import them by. */
  readonly packages: ReadonlyMap<string, string>;
  readonly goModules: ReadonlyMap<string, string>;
  /** Directories in which Python and Ruby may begin to look. */
  readonly roots: readonly string[];
}

function group(files: readonly FileFact[], key: (file: FileFact) => string | null): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const file of files) {
    const name = key(file);
    if (name === null) continue;
    const members = groups.get(name);
    if (members === undefined) groups.set(name, [file.path]);
    else members.push(file.path);
  }
  return groups;
}

function named(manifests: readonly ManifestText[], file: string, pattern: RegExp): Map<string, string> {
  return new Map(
    manifests
      .filter(({ path }) => baseName(path) === file)
      .flatMap(({ path, text }) => {
        const name = pattern.exec(text)?.[1];
        return name === undefined ? [] : [[name, directoryOf(path)] as const];
      }),
  );
}

/** Collects what imports can lead to. */
export function indexProject(files: readonly FileFact[], manifests: readonly ManifestText[]): ProjectIndex {
  const crates = named(manifests, "Cargo.toml", /^\s*name\s*=\s*"([^"]+)"/m);
  const manifestRoots = manifests.map(({ path }) => directoryOf(path));
  const roots = new Set(
    ["", ...manifestRoots].flatMap((root) => ["", "src", "lib"].map((inner) => join(root, inner))),
  );
  return {
    paths: new Set(files.map(({ path }) => path)),
    declared: group(files, ({ declares }) => declares),
    filesIn: group(files, ({ path }) => directoryOf(path)),
    byName: group(files, ({ path }) => baseName(path)),
    packages: new Map([
      ...named(manifests, "package.json", /"name"\s*:\s*"([^"]+)"/),
      ...[...crates].map(([name, directory]) => [`crate:${name.replaceAll("-", "_")}`, directory] as const),
    ]),
    goModules: named(manifests, "go.mod", /^\s*module\s+(\S+)/m),
    roots: [...roots],
  };
}

/** Joins paths and takes out `.` and `..`, which lead no further out than to the project's own directory. */
export function join(directory: string, path: string): string {
  const parts: string[] = [];
  for (const part of `${directory}/${path}`.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

function first(index: ProjectIndex, candidates: readonly string[]): Resolution | null {
  const found = candidates.find((candidate) => index.paths.has(candidate));
  return found === undefined ? null : { kind: "internal", files: [found] };
}

function several(files: readonly string[] | undefined): Resolution | null {
  return files === undefined || files.length === 0 ? null : { kind: "internal", files };
}

const JS_ENDINGS = [
  "",
  ".ts",
  ".tsx",
  ".mts",
  ".cts",
  ".js",
  ".jsx",
  ".mjs",
  ".cjs",
  ".d.ts",
  ".vue",
  ".svelte",
  ".json",
];

function jsCandidates(path: string): string[] {
  const source = /\.[cm]?jsx?$/.test(path)
    ? [path.replace(/js(x?)$/, "ts$1"), path.replace(/jsx?$/, "tsx")]
    : [];
  const direct = JS_ENDINGS.map((ending) => path + ending);
  return [...direct, ...source, ...JS_ENDINGS.slice(1).map((ending) => join(path, `index${ending}`))];
}

function resolveJavaScript(index: ProjectIndex, from: string, specifier: string): Resolution {
  if (specifier.startsWith(".")) {
    return first(index, jsCandidates(join(directoryOf(from), specifier))) ?? UNRESOLVED;
  }
  if (specifier.startsWith("node:") || isBuiltin("JavaScript", specifier.split("/")[0] ?? "")) return BUILTIN;
  const parts = specifier.split("/");
  const name = parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  const directory = index.packages.get(name);
  if (directory !== undefined) {
    const inside = parts.slice(name.split("/").length).join("/");
    const paths = inside === "" ? ["index", "src/index", "lib/index", "src/main"] : [inside, `src/${inside}`];
    return (
      first(
        index,
        paths.flatMap((path) => jsCandidates(join(directory, path))),
      ) ?? UNRESOLVED
    );
  }
  return /^(?:@[\w.-]+\/)?[\w.-]+$/.test(name) ? { kind: "external", name } : UNRESOLVED;
}

function pythonCandidates(root: string, parts: readonly string[]): string[] {
  const longest = parts.length;
  return Array.from({ length: longest }, (_, drop) =>
    join(root, parts.slice(0, longest - drop).join("/")),
  ).flatMap((path) => [`${path}.py`, `${path}/__init__.py`, `${path}.pyi`]);
}

function resolvePython(index: ProjectIndex, from: string, specifier: string): Resolution {
  const dots = /^\.*/.exec(specifier)?.[0].length ?? 0;
  const parts = specifier
    .slice(dots)
    .split(".")
    .filter((part) => part !== "");
  const directory = directoryOf(from);
  if (dots > 0) {
    const base = join(directory, "../".repeat(dots - 1));
    return first(index, [...pythonCandidates(base, parts), join(base, "__init__.py")]) ?? UNRESOLVED;
  }
  const found = first(
    index,
    [...index.roots, directory].flatMap((root) => pythonCandidates(root, parts)),
  );
  if (found !== null) return found;
  const [name = ""] = parts;
  return name === "" || isBuiltin("Python", name) ? BUILTIN : { kind: "external", name };
}

function resolveJvm(index: ProjectIndex, specifier: string): Resolution {
  const parts = specifier.split(".").filter((part) => part !== "*" && part !== "");
  for (let length = parts.length; length > 0; length--) {
    const members = index.declared.get(parts.slice(0, length).join("."));
    if (members === undefined) continue;
    const name = parts[length];
    const own = members.filter((path) => baseName(path).replace(/\.\w+$/, "") === name);
    return { kind: "internal", files: own.length > 0 ? own : members };
  }
  return isBuiltin("JVM", parts[0] ?? "") ? BUILTIN : { kind: "external", name: parts.slice(0, 3).join(".") };
}

function resolveGo(index: ProjectIndex, specifier: string): Resolution {
  for (const [name, directory] of index.goModules) {
    if (specifier !== name && !specifier.startsWith(`${name}/`)) continue;
    const files = index.filesIn.get(join(directory, specifier.slice(name.length)));
    return several(files?.filter((path) => path.endsWith(".go"))) ?? UNRESOLVED;
  }
  const parts = specifier.split("/");
  if (!(parts[0] ?? "").includes(".")) return BUILTIN;
  return { kind: "external", name: parts.slice(0, parts[0] === "gopkg.in" ? 2 : 3).join("/") };
}

function rustRoot(index: ProjectIndex, from: string): string {
  const roots = [...index.packages]
    .filter(([name]) => name.startsWith("crate:"))
    .map(([, directory]) => directory);
  const own = roots.filter((root) => root === "" || from.startsWith(`${root}/`));
  return own.sort((a, b) => b.length - a.length)[0] ?? "";
}

function rustCandidates(root: string, parts: readonly string[]): string[] {
  return parts
    .map((_, drop) => join(root, parts.slice(0, parts.length - drop).join("/")))
    .flatMap((path) => [`${path}.rs`, `${path}/mod.rs`]);
}

function resolveRust(index: ProjectIndex, from: string, specifier: string): Resolution {
  const directory = directoryOf(from);
  const isRoot = ["mod.rs", "lib.rs", "main.rs"].includes(baseName(from));
  const own = isRoot ? directory : join(directory, baseName(from).replace(/\.rs$/, ""));
  if (specifier.startsWith("mod:"))
    return first(index, rustCandidates(own, [specifier.slice(4)])) ?? UNRESOLVED;
  const [head = "", ...rest] = specifier.split("::").filter((part) => part !== "");
  const source = join(rustRoot(index, from), "src");
  if (head === "crate")
    return first(index, [...rustCandidates(source, rest), `${source}/lib.rs`]) ?? UNRESOLVED;
  if (head === "self") return first(index, rustCandidates(own, rest)) ?? BUILTIN;
  if (head === "super") return first(index, rustCandidates(join(own, ".."), rest)) ?? UNRESOLVED;
  const sibling = index.packages.get(`crate:${head}`);
  if (sibling !== undefined) {
    const inside = join(sibling, "src");
    return (
      first(index, [...rustCandidates(inside, rest), `${inside}/lib.rs`, `${inside}/main.rs`]) ?? UNRESOLVED
    );
  }
  const local = first(index, [...rustCandidates(own, [head]), ...rustCandidates(source, [head])]);
  if (local !== null) return local;
  return isBuiltin("Rust", head) || !/^[a-z_]/.test(head) ? BUILTIN : { kind: "external", name: head };
}

function withRubyEnding(path: string): string[] {
  return [path, `${path}.rb`];
}

function resolveRuby(index: ProjectIndex, from: string, specifier: string): Resolution {
  if (specifier.startsWith("."))
    return first(index, withRubyEnding(join(directoryOf(from), specifier))) ?? UNRESOLVED;
  const found = first(
    index,
    index.roots.flatMap((root) => withRubyEnding(join(root, specifier))),
  );
  if (found !== null) return found;
  const [name = ""] = specifier.split("/");
  return isBuiltin("Ruby", name) ? BUILTIN : { kind: "external", name };
}

function resolvePhp(index: ProjectIndex, from: string, specifier: string): Resolution {
  if (specifier.startsWith("./")) {
    const path = specifier.slice(2);
    return first(index, [join(directoryOf(from), path), join("", path)]) ?? UNRESOLVED;
  }
  const parts = specifier.split("\\").filter((part) => part !== "");
  const members = index.declared.get(parts.slice(0, -1).join("\\")) ?? [];
  const own = members.filter((path) => baseName(path) === `${parts.at(-1) ?? ""}.php`);
  const found = several(own) ?? several(index.declared.get(parts.join("\\")));
  if (found !== null) return found;
  return parts.length < 2 ? BUILTIN : { kind: "external", name: parts.slice(0, 2).join("\\") };
}

function resolveCSharp(index: ProjectIndex, specifier: string): Resolution {
  const found = several(index.declared.get(specifier));
  if (found !== null) return found;
  const parts = specifier.split(".");
  return isBuiltin("C#", parts[0] ?? "") ? BUILTIN : { kind: "external", name: parts.slice(0, 2).join(".") };
}

function resolveInclude(index: ProjectIndex, from: string, specifier: string): Resolution {
  const near = first(index, [
    join(directoryOf(from), specifier),
    ...index.roots.map((root) => join(root, specifier)),
  ]);
  if (near !== null) return near;
  const ends = (index.byName.get(baseName(specifier)) ?? []).filter((path) =>
    path.endsWith(`/${join("", specifier)}`),
  );
  return ends.length === 1 ? { kind: "internal", files: ends } : UNRESOLVED;
}

/** Where an import of a file leads. */
export function resolveImport(index: ProjectIndex, file: FileFact, specifier: string): Resolution {
  const { path, language } = file;
  if (["JavaScript", "TypeScript", "Vue", "Svelte"].includes(language ?? "")) {
    return resolveJavaScript(index, path, specifier);
  }
  if (["Java", "Kotlin", "Scala", "Groovy"].includes(language ?? "")) return resolveJvm(index, specifier);
  if (language === "Python") return resolvePython(index, path, specifier);
  if (language === "Go") return resolveGo(index, specifier);
  if (language === "Rust") return resolveRust(index, path, specifier);
  if (language === "Ruby") return resolveRuby(index, path, specifier);
  if (language === "PHP") return resolvePhp(index, path, specifier);
  if (language === "C#") return resolveCSharp(index, specifier);
  return resolveInclude(index, path, specifier);
}
