import { TowpathError } from "../errors.js";
import { directoryOf } from "../survey/languages.js";
import { cargoSetup, goSetup, gradleSetup, mavenSetup } from "./compiled.js";
import { npmSetup } from "./npm.js";
import type { ProjectFacts, TestSetup } from "./project.js";
import { pythonSetup } from "./python.js";

interface Ecosystem {
  readonly name: string;
  readonly languages: readonly string[];
  readonly setup: (project: ProjectFacts) => TestSetup | null;
}

const JVM_LANGUAGES = ["Java", "Kotlin", "Scala", "Groovy"];

const ECOSYSTEMS: readonly Ecosystem[] = [
  { name: "npm", languages: ["JavaScript", "TypeScript"], setup: npmSetup },
  { name: "PyPI", languages: ["Python"], setup: pythonSetup },
  { name: "Go", languages: ["Go"], setup: goSetup },
  { name: "Maven", languages: JVM_LANGUAGES, setup: mavenSetup },
  { name: "Gradle", languages: JVM_LANGUAGES, setup: gradleSetup },
  { name: "crates", languages: ["Rust"], setup: cargoSetup },
];

export interface StarterSpec {
  readonly text: string;
  /** Whose package manager the project uses; null: not one that is known. */
  readonly ecosystem: string | null;
  /** What runs the tests. */
  readonly runner: string;
}

/**
 * A spec to begin with: it validates, measures the project's tests before and after, and holds a step that changes
 * nothing in the place of the change.
 * @throws TowpathError `Usage` where the project says nowhere how it is tested
 */
export function starterSpec(project: ProjectFacts, { target }: { readonly target: string }): StarterSpec {
  const found = findSetup(project);
  if (found !== null) {
    const { ecosystem, setup } = found;
    return { text: withReports(project, target, setup), ecosystem, runner: setup.runner };
  }
  const [command] = project.survey.testCommands;
  if (command !== undefined) {
    return {
      text: withoutReports(project, target, command.command),
      ecosystem: null,
      runner: command.command,
    };
  }
  throw new TowpathError(
    "Usage",
    "The project says nowhere how it is tested: no test command, no test files were found. A migration needs something " +
      "that shows that behaviour is kept: write a test, or a spec with `features` of your own (docs/spec.md).",
  );
}

/** The language with the most lines decides where a project has several package managers. */
function findSetup(project: ProjectFacts): { ecosystem: string; setup: TestSetup } | null {
  const rank = new Map(project.survey.languages.map(({ language }, index) => [language, index]));
  const rankOf = ({ languages }: Ecosystem): number =>
    Math.min(...languages.map((language) => rank.get(language) ?? Number.MAX_SAFE_INTEGER));
  for (const ecosystem of [...ECOSYSTEMS].sort((a, b) => rankOf(a) - rankOf(b))) {
    const setup = ecosystem.setup(project);
    if (setup !== null) return { ecosystem: ecosystem.name, setup };
  }
  return null;
}

function withReports(project: ProjectFacts, target: string, setup: TestSetup): string {
  const blocks = [
    ...head(project, target),
    ...environment(setup),
    ...workspace(setup),
    "# Run once on the untouched commit: what passes there must pass behind the migration.",
    "baseline:",
    script("  ", "run", setup.run("baseline")),
    `  report: ${JSON.stringify(setup.report("baseline"))}`,
    "",
    "phases:",
    "  understand:",
    "    steps:",
    "      - { id: survey, uses: survey }",
    "",
    "  guardrail:",
    "    features: from-baseline # each test is a behaviour that must be kept",
    "",
    ...change(project),
    "  verify:",
    "    steps:",
    "      - id: full-suite",
    script("        ", "run", setup.run("after")),
    `        report: ${JSON.stringify(setup.report("after"))}`,
    "    gate:",
    "      tests: { no-new-failures: true }",
    "      # approval: { required: 1 }",
  ];
  return `${blocks.join("\n")}\n`;
}

function withoutReports(project: ProjectFacts, target: string, command: string): string {
  const blocks = [
    ...head(project, target),
    "phases:",
    "  understand:",
    "    steps:",
    "      - { id: survey, uses: survey }",
    "",
    "  guardrail:",
    "    features:",
    "      # Better: a baseline with a JUnit report, so that tests are compared one by one.",
    `      - { id: tests, description: "the project's tests pass", test: ${JSON.stringify(command)} }`,
    "",
    ...change(project),
    "  verify:",
    "    steps:",
    `      - { id: tests-again, run: ${JSON.stringify(command)} }`,
  ];
  return `${blocks.join("\n")}\n`;
}

function head({ directory }: ProjectFacts, target: string): string[] {
  return [
    "# yaml-language-server: $schema=./towpath.schema.json",
    "# The schema: towpath schema > towpath.schema.json",
    "version: 1",
    `name: ${JSON.stringify(directory)}`,
    `target: ${JSON.stringify(target)}`,
    "",
  ];
}

function environment({ env = {} }: TestSetup): string[] {
  const entries = Object.entries(env);
  if (entries.length === 0) return [];
  return ["env:", ...entries.map(([name, value]) => script("  ", name, value)), ""];
}

function workspace({ setup, exclude }: TestSetup): string[] {
  if (setup === null && exclude.length === 0) return [];
  return [
    "workspace:",
    ...(setup === null ? [] : [script("  ", "setup", setup)]),
    ...(exclude.length === 0 ? [] : [`  exclude: ${JSON.stringify(exclude)} # besides what git ignores`]),
    "",
  ];
}

function change(project: ProjectFacts): string[] {
  const protect = testPlaces(project);
  return [
    "  migrate:",
    "    steps:",
    "      # Put the change here. Each step is one commit, checked before it is made. An agent instead of a command:",
    "      #   agent: { command: my-agent, prompt: 'Port src/ to … ${{ attempt.feedback }}' }",
    "      - id: change",
    '        run: echo "nothing is changed yet"',
    ...(protect.length === 0
      ? []
      : [`        scope: { protect: ${JSON.stringify(protect)} } # the tests that judge the change`]),
    "",
  ];
}

const MAX_PROTECTED = 8;

/** Globs of the tests: directories that hold only them, and single files elsewhere. */
function testPlaces({ survey }: ProjectFacts): string[] {
  const tests = new Set(survey.testFiles);
  const places = new Set<string>();
  for (const file of tests) {
    const [top = ""] = directoryOf(file).split("/");
    if (/^(?:tests?|__tests__|specs?|testing)$/i.test(top)) places.add(`${top}/**`);
    else if (file.startsWith("src/test/")) places.add("src/test/**");
    else if (file.endsWith("_test.go")) places.add("**/*_test.go");
    else if (/\.(?:test|spec)\.[cm]?[jt]sx?$/.test(file))
      places.add(`**/*.${/\.(test|spec)\.[^.]+$/.exec(file)?.[0].slice(1) ?? ""}`);
  }
  return [...places].sort().slice(0, MAX_PROTECTED);
}

/** A key with a script: on its line, or as a block where it has several. */
function script(indent: string, key: string, text: string): string {
  if (!text.includes("\n")) return `${indent}${key}: ${plain(text)}`;
  const lines = text.split("\n").map((line) => (line === "" ? "" : `${indent}  ${line}`));
  return [`${indent}${key}: |-`, ...lines].join("\n");
}

/** YAML reads a plain text as it stands only where nothing in it means something. */
function plain(text: string): string {
  return /^[A-Za-z.][\w./@=+ -]*$/.test(text) && text.trimEnd() === text ? text : JSON.stringify(text);
}
