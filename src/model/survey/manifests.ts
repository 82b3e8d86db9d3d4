import { XMLParser } from "fast-xml-parser";
import { type DependencyFact, type Ecosystem, type ManifestText, byText } from "./facts.js";
import { baseName } from "./languages.js";

type Use = DependencyFact["use"];
interface Found {
  readonly name: string;
  readonly version: string;
  readonly use: Use;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** JSON as manifests have it; what is none has no dependencies. */
export function readJson(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function fromRecord(value: unknown, use: Use): Found[] {
  if (!isRecord(value)) return [];
  return Object.entries(value).map(([name, version]) => ({
    name,
    version: typeof version === "string" ? version : "",
    use,
  }));
}

function packageJson(text: string): Found[] {
  const json = readJson(text);
  return [
    ...fromRecord(json["dependencies"], "runtime"),
    ...fromRecord(json["peerDependencies"], "runtime"),
    ...fromRecord(json["optionalDependencies"], "runtime"),
    ...fromRecord(json["devDependencies"], "development"),
  ];
}

function composerJson(text: string): Found[] {
  const json = readJson(text);
  const all = [...fromRecord(json["require"], "runtime"), ...fromRecord(json["require-dev"], "development")];
  return all.filter(({ name }) => name.includes("/"));
}

const REQUIREMENT = /^\s*([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*((?:[=<>!~]=?=?|@)[^;#]*)?/;

function requirement(line: string, use: Use): Found[] {
  const [, name, version] = REQUIREMENT.exec(line) ?? [];
  return name === undefined ? [] : [{ name, version: (version ?? "").trim(), use }];
}

function requirementsTxt(text: string, path: string): Found[] {
  const use: Use = /dev|test|lint|doc/i.test(baseName(path)) ? "development" : "runtime";
  return text.split("\n").flatMap((line) => requirement(line, use));
}

function quotedIn(list: string): string[] {
  return [...list.matchAll(/"([^"\n]*)"|'([^'\n]*)'/g)].map(([, double, single]) => double ?? single ?? "");
}

/** The bodies of a TOML or INI file's sections, by their heading. */
function sections(text: string): { readonly name: string; readonly body: string }[] {
  const parts = text.split(/^[ \t]*\[{1,2}([^\]\n]+)\]{1,2}[^\n]*$/m);
  return parts.flatMap((name, index) =>
    index % 2 === 1 ? [{ name: name.trim(), body: parts[index + 1] ?? "" }] : [],
  );
}

const LIST = /^[ \t]*([\w.-]+)[ \t]*=[ \t]*\[((?:[^\]"'#]|"[^"\n]*"|'[^'\n]*'|#[^\n]*)*)\]/gm;

function tomlLists(body: string): { readonly key: string; readonly items: string[] }[] {
  return [...body.matchAll(LIST)].map(([, key = "", list = ""]) => ({ key, items: quotedIn(list) }));
}

/** `name = "1"` and `name = { version = "1", … }`. */
function tomlTable(body: string, use: Use): Found[] {
  return [...body.matchAll(/^[ \t]*"?([\w.-]+)"?[ \t]*=[ \t]*(?:"([^"\n]*)"|\{([^\n]*))/gm)].map(
    ([, name = "", plain, table = ""]) => ({
      name,
      version: plain ?? /version\s*=\s*"([^"]*)"/.exec(table)?.[1] ?? "",
      use,
    }),
  );
}

function pyproject(text: string): Found[] {
  return sections(text).flatMap(({ name, body }) => {
    if (name === "project") {
      return tomlLists(body).flatMap(({ key, items }) =>
        key === "dependencies" ? items.flatMap((item) => requirement(item, "runtime")) : [],
      );
    }
    if (name === "project.optional-dependencies" || name === "dependency-groups") {
      return tomlLists(body).flatMap(({ items }) =>
        items.flatMap((item) => requirement(item, "development")),
      );
    }
    if (name === "tool.poetry.dependencies") {
      return tomlTable(body, "runtime").filter((found) => found.name !== "python");
    }
    return /^tool\.poetry\.(?:dev-dependencies|group\..*\.dependencies)$/.test(name)
      ? tomlTable(body, "development")
      : [];
  });
}

function setupPy(text: string): Found[] {
  const lists = [...text.matchAll(/\b(install_requires|tests_require)\s*=\s*\[([^\]]*)\]/g)];
  return lists.flatMap(([, key, list = ""]) =>
    quotedIn(list).flatMap((item) =>
      requirement(item, key === "install_requires" ? "runtime" : "development"),
    ),
  );
}

function setupCfg(text: string): Found[] {
  const options = sections(text).find(({ name }) => name === "options");
  const list =
    /^install_requires[ \t]*=((?:[^\n]*)(?:\n[ \t]+[^\n]*)*)/m.exec(options?.body ?? "")?.[1] ?? "";
  return list.split("\n").flatMap((line) => requirement(line, "runtime"));
}

function cargoToml(text: string): Found[] {
  return sections(text).flatMap(({ name, body }) => {
    if (/(?:^|\.)dependencies$/.test(name)) return tomlTable(body, "runtime");
    return /(?:^|\.)(?:dev|build)-dependencies$/.test(name) ? tomlTable(body, "development") : [];
  });
}

function goMod(text: string): Found[] {
  const blocks = [...text.matchAll(/^require[ \t]*\(([^)]*)\)/gm)].map(([, block = ""]) => block);
  const lines = [
    ...blocks.join("\n").split("\n"),
    ...[...text.matchAll(/^require[ \t]+([^(\n]+)$/gm)].map(([, line = ""]) => line),
  ];
  return lines.flatMap((line) => {
    const [, name, version] = /^\s*(\S+)\s+(v\S+)/.exec(line) ?? [];
    if (name === undefined || version === undefined || line.includes("// indirect")) return [];
    return [{ name, version, use: "runtime" as const }];
  });
}

function gemfile(text: string): Found[] {
  return [
    ...text.matchAll(/^([ \t]*)gem[ \t(]+["']([^"'\n]+)["'](?:[ \t]*,[ \t]*["']([^"'\n]+)["'])?/gm),
  ].map(([, indent = "", name = "", version = ""]) => ({
    name,
    version,
    use: indent === "" ? "runtime" : "development",
  }));
}

function listed(value: unknown): unknown[] {
  return Array.isArray(value) ? value : value === undefined ? [] : [value];
}

function scalar(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

function pomXml(source: string): Found[] {
  const document = readXml(source);
  const project = isRecord(document["project"]) ? document["project"] : {};
  const dependencies = isRecord(project["dependencies"]) ? listed(project["dependencies"]["dependency"]) : [];
  return dependencies.filter(isRecord).map((each) => ({
    name: `${scalar(each["groupId"])}:${scalar(each["artifactId"])}`,
    version: scalar(each["version"]),
    use: each["scope"] === "test" ? "development" : "runtime",
  }));
}

function readXml(source: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = new XMLParser({ parseTagValue: false, processEntities: false }).parse(source);
    return isRecord(parsed) ? parsed : {};
  } catch (error) {
    // The parser says by an exception that this is no XML; such a manifest names no dependencies.
    if (error instanceof Error) return {};
    throw error;
  }
}

function gradle(source: string): Found[] {
  const pattern =
    /^[ \t]*(api|implementation|compile|compileOnly|runtimeOnly|testImplementation|testCompile|testRuntimeOnly)[ \t(]+["']([\w.-]+:[\w.-]+)(?::([^"'\n]+))?["']/gm;
  return [...source.matchAll(pattern)].map(([, kind = "", name = "", version = ""]) => ({
    name,
    version,
    use: kind.startsWith("test") ? "development" : "runtime",
  }));
}

function csproj(source: string): Found[] {
  return [...source.matchAll(/<PackageReference\s+Include="([^"]+)"(?:\s+Version="([^"]+)")?/g)].map(
    ([, name = "", version = ""]) => ({ name, version, use: "runtime" as const }),
  );
}

interface Reader {
  readonly file: RegExp;
  readonly ecosystem: Ecosystem;
  readonly read: (text: string, path: string) => Found[];
}

const READERS: readonly Reader[] = [
  { file: /^package\.json$/, ecosystem: "npm", read: packageJson },
  { file: /requirements.*\.txt$/, ecosystem: "pypi", read: requirementsTxt },
  { file: /^pyproject\.toml$/, ecosystem: "pypi", read: pyproject },
  { file: /^setup\.py$/, ecosystem: "pypi", read: setupPy },
  { file: /^setup\.cfg$/, ecosystem: "pypi", read: setupCfg },
  { file: /^pom\.xml$/, ecosystem: "maven", read: pomXml },
  { file: /^build\.gradle(?:\.kts)?$/, ecosystem: "maven", read: gradle },
  { file: /^go\.mod$/, ecosystem: "go", read: goMod },
  { file: /^Cargo\.toml$/, ecosystem: "cargo", read: cargoToml },
  { file: /^Gemfile$/, ecosystem: "rubygems", read: gemfile },
  { file: /^composer\.json$/, ecosystem: "packagist", read: composerJson },
  { file: /\.[cf]sproj$/, ecosystem: "nuget", read: csproj },
];

/** Files that say how a project is built or tested, besides those with dependencies. */
const OTHERS =
  /^(?:tox\.ini|noxfile\.py|pytest\.ini|conftest\.py|Makefile|Rakefile|\.rspec|phpunit\.xml(?:\.dist)?|gradlew|yarn\.lock|pnpm-lock\.yaml|[^/]+\.sln)$/;

/** Whether the survey wants a file's text for what it says about the project. */
export function isManifest(path: string): boolean {
  const name = baseName(path);
  return OTHERS.test(name) || READERS.some(({ file }) => file.test(name));
}

/** The dependencies that manifests name, each once a manifest, sorted by manifest and name. */
export function readDependencies(manifests: readonly ManifestText[]): DependencyFact[] {
  const found = manifests.flatMap(({ path, text: source }) =>
    READERS.filter(({ file }) => file.test(baseName(path))).flatMap(({ ecosystem, read }) =>
      read(source, path).map(({ name, version, use }) => ({ ecosystem, name, version, use, manifest: path })),
    ),
  );
  const unique = new Map(found.map((each) => [`${each.manifest}\0${each.name}`, each]));
  return [...unique.values()].sort((a, b) => byText(a.manifest, b.manifest) || byText(a.name, b.name));
}
