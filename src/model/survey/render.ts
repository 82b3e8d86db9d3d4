import type { Seam } from "../seams.js";
import type { DependencyFact, ModuleFact, SurveyFacts } from "./facts.js";
import { findSeams } from "./seams.js";

/** What a survey leaves behind. */
export interface RenderedSurvey {
  /** Texts by file name, for the migration's `docs/`. */
  readonly docs: Readonly<Record<string, string>>;
  /** For `seams.json`. */
  readonly seams: readonly Seam[];
}

const MAX_ROWS = 60;

/** File names come from the code that is surveyed: none may break a table, or start markup. */
function cell(value: string | number): string {
  const text = String(value).replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " ");
  return text.replaceAll(/[\\`*_[\]<>|#!]/g, (char) => `\\${char}`);
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  if (rows.length === 0) return "None found.\n";
  const lines = rows.slice(0, MAX_ROWS).map((row) => `| ${row.map(cell).join(" | ")} |`);
  const more = rows.length > MAX_ROWS ? `\n… and ${rows.length - MAX_ROWS} more.\n` : "";
  return `${[`| ${head.join(" | ")} |`, `|${head.map(() => " --- ").join("|")}|`, ...lines].join("\n")}\n${more}`;
}

function skippedLine({ skipped }: SurveyFacts): string {
  const words = {
    binary: "binary",
    tooLarge: "too large to read",
    symlinks: "symbolic links",
    missing: "missing on disk",
    unreadable: "unreadable",
    beyondLimit: "beyond the limit",
  } as const;
  const parts = Object.entries(words).flatMap(([key, word]) => {
    const count = Object.entries(skipped).find(([name]) => name === key)?.[1] ?? 0;
    return count === 0 ? [] : [`${count} ${word}`];
  });
  return parts.length === 0 ? "" : `\nNot read: ${parts.join(", ")}.\n`;
}

function overview(facts: SurveyFacts): string {
  const languages = facts.languages.map((each) => [each.language, each.files, each.lines, each.bytes]);
  const biggest = facts.biggest.map((each) => [each.path, each.language, each.lines]);
  const commands = facts.testCommands.map(({ command }) => [command]);
  return [
    "# Overview\n",
    `${facts.files} files, ${facts.lines} lines, ${facts.bytes} bytes; ${facts.modules.length} modules.`,
    skippedLine(facts),
    "## Languages\n",
    table(["Language", "Files", "Lines", "Bytes"], languages),
    "## Longest files\n",
    table(["File", "Language", "Lines"], biggest),
    "## How to test\n",
    table(["Command"], commands),
  ].join("\n");
}

function moduleRow(module: ModuleFact): (string | number)[] {
  const uses = module.imports.map((each) => each.module).join(", ");
  const name = module.isTest ? `${module.name} (tests)` : module.name;
  return [name, module.languages.join(", "), module.fileCount, module.lines, module.fanIn, uses];
}

function modules(facts: SurveyFacts): string {
  const heaviest = [...facts.modules].sort((a, b) => b.lines - a.lines);
  const hubs = facts.hubs.map(({ path, importers, lines }) => [path, importers, lines]);
  const share = Math.round(facts.resolvedShare * 100);
  return [
    "# Modules\n",
    `Found by import statements; ${share} % of the imports that name a part of the project could be followed.\n`,
    table(["Module", "Languages", "Files", "Lines", "Used by files", "Uses"], heaviest.map(moduleRow)),
    "## Files that many import\n",
    table(["File", "Imported by", "Lines"], hubs),
  ].join("\n");
}

function dependencyRow({ name, version, use, manifest }: DependencyFact): string[] {
  return [name, version, use, manifest];
}

function dependencies(facts: SurveyFacts): string {
  const ecosystems = [...new Set(facts.dependencies.map(({ ecosystem }) => ecosystem))];
  const declared = ecosystems.map((ecosystem) => {
    const rows = facts.dependencies.filter((each) => each.ecosystem === ecosystem).map(dependencyRow);
    return `### ${ecosystem}\n\n${table(["Package", "Version", "Use", "Manifest"], rows)}`;
  });
  const imported = facts.externals.map(({ name, language, fileCount }) => [name, language, fileCount]);
  return [
    "# Dependencies\n",
    "## As manifests declare them\n",
    declared.length === 0 ? "None found.\n" : declared.join("\n"),
    "## As source files import them\n",
    table(["Package", "Language", "Files"], imported),
  ].join("\n");
}

function tests(facts: SurveyFacts): string {
  const commands = facts.testCommands.map(({ command, from }) => [command, from]);
  return [
    "# Tests\n",
    "## Commands\n",
    table(["Command", "Found in"], commands),
    `## Test files (${facts.testFiles.length})\n`,
    table(
      ["File"],
      facts.testFiles.map((path) => [path]),
    ),
  ].join("\n");
}

/** The documents and seams of a survey: equal facts give equal texts. */
export function renderSurvey(facts: SurveyFacts): RenderedSurvey {
  return {
    docs: {
      "overview.md": overview(facts),
      "modules.md": modules(facts),
      "dependencies.md": dependencies(facts),
      "tests.md": tests(facts),
    },
    seams: findSeams(facts),
  };
}
