import type { SurveyFacts } from "../survey/facts.js";

/** What a starter spec is written from: the survey, and the texts of the files at the project's root that say more. */
export interface ProjectFacts {
  readonly survey: SurveyFacts;
  /** Name of the project's directory. */
  readonly directory: string;
  /** Files of {@link ROOT_FILES} that are there, by name. */
  readonly files: ReadonlyMap<string, string>;
}

/** Files at a project's root that are looked at; of locks only that they are there. */
export const ROOT_FILES = [
  "package.json",
  "package-lock.json",
  "npm-shrinkwrap.json",
  "yarn.lock",
  "pnpm-lock.yaml",
  "pyproject.toml",
  "setup.py",
  "setup.cfg",
  "pytest.ini",
  "tox.ini",
  "requirements.txt",
  "requirements-dev.txt",
  "requirements-test.txt",
  "requirements_dev.txt",
  "dev-requirements.txt",
  "test-requirements.txt",
  "go.mod",
  "pom.xml",
  "mvnw",
  "build.gradle",
  "build.gradle.kts",
  "settings.gradle",
  "settings.gradle.kts",
  "gradlew",
  "Cargo.toml",
] as const;

/** How a project's tests are run, and how their report comes to be. */
export interface TestSetup {
  /** What runs the tests, for people: `jest`, `pytest`, … */
  readonly runner: string;
  /** Makes the tools and dependencies in a fresh worktree; null: nothing is needed. */
  readonly setup: string | null;
  /** Patterns of what git does not ignore and setup or tests leave. */
  readonly exclude: readonly string[];
  /** Runs the tests and writes the report to `$TOWPATH_OUT/<name>`. */
  readonly run: (name: string) => string;
  /** The report below `$TOWPATH_OUT`: a file or a glob. */
  readonly report: (name: string) => string;
  /** Variables that `run` needs. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Words of a command line for the shell: in quotes where they are more than plain. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** The report as one JUnit file. */
export function oneFile(name: string): string {
  return `${name}.xml`;
}
