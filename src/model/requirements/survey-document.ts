import { byText, type SurveyFacts } from "../survey/facts.js";

const MAX_ITEMS = 40;

/** Names come from the code: none may start markup or break a line. */
function plain(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " ")
    .replaceAll(/[\\`*_[\]<>|#!]/g, (character) => `\\${character}`);
}

function items(lines: readonly string[], none: string): string {
  if (lines.length === 0) return `${none}\n`;
  const more = lines.length > MAX_ITEMS ? [`- … and ${lines.length - MAX_ITEMS} more`] : [];
  return `${[...lines.slice(0, MAX_ITEMS).map((line) => `- ${line}`), ...more].join("\n")}\n`;
}

function whatItIs({ languages, files, lines, modules }: SurveyFacts): string {
  const named = languages
    .slice(0, 5)
    .map(({ language, lines: count }) => `${plain(language)} (${count} lines)`)
    .join(", ");
  const main = modules
    .filter(({ isTest }) => !isTest)
    .map(({ name, fileCount, lines: count }) => `${plain(name)}: ${fileCount} files, ${count} lines`);
  return `${files} files, ${lines} lines${named === "" ? "" : `: ${named}`}.\n\n${items(main, "No modules were found.")}`;
}

function interfaces({ modules, hubs }: SurveyFacts): string {
  const entries = modules
    .filter(({ isTest }) => !isTest)
    .flatMap(({ entries: found }) => found)
    .sort((a, b) => b.importers - a.importers || byText(a.path, b.path))
    .map(({ path, importers }) => `${plain(path)}: used by ${importers} files of other modules`);
  const others = hubs
    .filter(({ path }) => !entries.some((entry) => entry.startsWith(`${plain(path)}:`)))
    .map(({ path, importers }) => `${plain(path)}: imported by ${importers} files`);
  return items([...entries, ...others], "No file is used by several others.");
}

function dependencies({ dependencies: found }: SurveyFacts): string {
  const lines = found.map(({ name, version, use, manifest }) =>
    plain(`${name} ${version} (${use}, ${manifest})`.replaceAll(/ +/g, " ")),
  );
  return items(lines, "No manifest declares any.");
}

function tests({ testCommands, testFiles }: SurveyFacts): string {
  const commands = testCommands.map(({ command, from }) => `${plain(command)} (${plain(from)})`);
  return `${items(commands, "No test command was found: write one down here.")}\nTest files: ${testFiles.length}.\n`;
}

/**
 * The requirements document that Towpath writes from a survey, where no program is configured that understands the code. It
 * names no target, for it outlives one migration. Equal facts give equal texts.
 */
export function requirementsFromSurvey(facts: SurveyFacts): string {
  return [
    "# Requirements\n",
    "Written by Towpath from a survey of the code, which was not run. Edit it: a document that somebody edited is never rewritten.\n",
    "## What it is\n",
    whatItIs(facts),
    "## What must stay\n",
    "Everything that the tests below show, and the interfaces of these files:\n",
    interfaces(facts),
    "## What may change\n",
    "What the migration's spec says, within the scopes of its steps; and the versions of these dependencies where that needs it:\n",
    dependencies(facts),
    "## When it is done\n",
    "Every test that passed before passes after, by its name, and these commands succeed:\n",
    tests(facts),
  ].join("\n");
}
