import {
  type ExternalFact,
  type FileFact,
  type HubFact,
  type LanguageFact,
  MAX_LISTED_FILES,
  type ManifestText,
  type ModuleFact,
  type SkippedFiles,
  type SurveyFacts,
  byText,
} from "./facts.js";
import { isTestFile } from "./languages.js";
import { readDependencies } from "./manifests.js";
import { type ModuleNames, moduleNames } from "./modules.js";
import { indexProject, resolveImport } from "./resolver.js";
import { findTestCommands } from "./test-commands.js";

const BIGGEST_FILES = 20;
const MAX_HUBS = 50;
const MAX_TEST_FILES = 1_000;

interface Edges {
  /** Imported file → files that import it. */
  readonly importers: ReadonlyMap<string, ReadonlySet<string>>;
  readonly externals: ReadonlyMap<string, { readonly language: string; readonly files: ReadonlySet<string> }>;
  readonly resolvedShare: number;
}

function addTo<Key>(map: Map<Key, Set<string>>, key: Key, value: string): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, new Set([value]));
  else values.add(value);
}

function findEdges(files: readonly FileFact[], manifests: readonly ManifestText[]): Edges {
  const index = indexProject(files, manifests);
  const importers = new Map<string, Set<string>>();
  const externals = new Map<string, { language: string; files: Set<string> }>();
  let resolved = 0;
  let unresolved = 0;
  for (const file of files) {
    for (const specifier of file.imports) {
      const target = resolveImport(index, file, specifier);
      if (target.kind === "unresolved") unresolved++;
      if (target.kind === "external") {
        const known = externals.get(target.name) ?? {
          language: file.language ?? "",
          files: new Set<string>(),
        };
        known.files.add(file.path);
        externals.set(target.name, known);
      }
      if (target.kind !== "internal") continue;
      resolved++;
      for (const path of target.files) if (path !== file.path) addTo(importers, path, file.path);
    }
  }
  const total = resolved + unresolved;
  return { importers, externals, resolvedShare: total === 0 ? 1 : resolved / total };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function groupBy<Item>(items: readonly Item[], key: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const members = groups.get(key(item));
    if (members === undefined) groups.set(key(item), [item]);
    else members.push(item);
  }
  return groups;
}

function languageFacts(files: readonly FileFact[]): LanguageFact[] {
  return [...groupBy(files, ({ language }) => language ?? "Other")]
    .map(([language, members]) => ({
      language,
      files: members.length,
      lines: sum(members.map(({ lines }) => lines)),
      bytes: sum(members.map(({ bytes }) => bytes)),
    }))
    .sort((a, b) => b.lines - a.lines || b.files - a.files || byText(a.language, b.language));
}

function longest(files: readonly FileFact[]): FileFact[] {
  return [...files].sort((a, b) => b.lines - a.lines || byText(a.path, b.path));
}

function productionImporters(edges: Edges, path: string): string[] {
  return [...(edges.importers.get(path) ?? [])].filter((importer) => !isTestFile(importer));
}

function moduleFacts(sources: readonly FileFact[], names: ModuleNames, edges: Edges): ModuleFact[] {
  const members = groupBy(sources, ({ path }) => names.of(path));
  const imports = importsBetween(names, edges);
  return [...members]
    .map(([name, files]) => moduleFact(name, files, { names, edges, imports }))
    .sort((a, b) => byText(a.name, b.name));
}

/** Module → imported module → files that import it. */
function importsBetween(names: ModuleNames, edges: Edges): Map<string, Map<string, Set<string>>> {
  const between = new Map<string, Map<string, Set<string>>>();
  for (const [imported, importers] of edges.importers) {
    for (const importer of importers) {
      const [from, to] = [names.of(importer), names.of(imported)];
      if (from === to) continue;
      const targets = between.get(from) ?? new Map<string, Set<string>>();
      between.set(from, targets);
      addTo(targets, to, importer);
    }
  }
  return between;
}

interface Picture {
  readonly names: ModuleNames;
  readonly edges: Edges;
  readonly imports: ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>;
}

function moduleFact(
  name: string,
  files: readonly FileFact[],
  { names, edges, imports }: Picture,
): ModuleFact {
  const outside = files.map(({ path }) => ({
    path,
    importers: productionImporters(edges, path).filter((importer) => names.of(importer) !== name),
  }));
  return {
    name,
    isTest: files.every(({ path }) => isTestFile(path)),
    languages: languageFacts(files).map(({ language }) => language),
    fileCount: files.length,
    lines: sum(files.map(({ lines }) => lines)),
    files: longest(files)
      .slice(0, MAX_LISTED_FILES)
      .map(({ path }) => path)
      .sort(byText),
    imports: [...(imports.get(name) ?? [])]
      .map(([module, importers]) => ({ module, files: importers.size }))
      .sort((a, b) => byText(a.module, b.module)),
    fanIn: new Set(outside.flatMap(({ importers }) => importers)).size,
    entries: outside
      .filter(({ importers }) => importers.length > 0)
      .map(({ path, importers }) => ({ path, importers: importers.length }))
      .sort((a, b) => b.importers - a.importers || byText(a.path, b.path))
      .slice(0, MAX_LISTED_FILES),
  };
}

function hubFacts(sources: readonly FileFact[], edges: Edges): HubFact[] {
  return sources
    .map(({ path, lines }) => ({ path, lines, importers: productionImporters(edges, path).length }))
    .filter(({ path, importers }) => importers > 1 && !isTestFile(path))
    .sort((a, b) => b.importers - a.importers || b.lines - a.lines || byText(a.path, b.path))
    .slice(0, MAX_HUBS);
}

function externalFacts(edges: Edges): ExternalFact[] {
  return [...edges.externals]
    .map(([name, { language, files }]) => ({
      name,
      language,
      files: [...files].sort(byText).slice(0, MAX_LISTED_FILES),
      fileCount: files.size,
    }))
    .sort((a, b) => b.fileCount - a.fileCount || byText(a.name, b.name));
}

export interface SurveyInput {
  readonly files: readonly FileFact[];
  readonly manifests: readonly ManifestText[];
  readonly skipped: SkippedFiles;
}

/** Puts together what was read. The order of the files does not matter. */
export function summarise({ files: unordered, manifests: texts, skipped }: SurveyInput): SurveyFacts {
  const files = [...unordered].sort((a, b) => byText(a.path, b.path));
  const manifests = [...texts].sort((a, b) => byText(a.path, b.path));
  const sources = files.filter(({ language }) => language !== null);
  const edges = findEdges(sources, manifests);
  const names = moduleNames(sources.map(({ path }) => path));
  return {
    files: files.length,
    lines: sum(files.map(({ lines }) => lines)),
    bytes: sum(files.map(({ bytes }) => bytes)),
    skipped,
    languages: languageFacts(files),
    biggest: longest(sources)
      .slice(0, BIGGEST_FILES)
      .map(({ path, language, lines }) => ({ path, language: language ?? "Other", lines })),
    modules: moduleFacts(sources, names, edges),
    hubs: hubFacts(sources, edges),
    resolvedShare: edges.resolvedShare,
    externals: externalFacts(edges),
    dependencies: readDependencies(manifests),
    testCommands: findTestCommands({ manifests, files }),
    testFiles: sources
      .map(({ path }) => path)
      .filter(isTestFile)
      .slice(0, MAX_TEST_FILES),
  };
}
