import { z } from "zod";
import { parseJson } from "../artefact-text.js";
import { oneFile, type ProjectFacts, type TestSetup } from "./project.js";

const Package = z.looseObject({
  scripts: z.record(z.string(), z.unknown()).optional(),
  dependencies: z.record(z.string(), z.unknown()).optional(),
  devDependencies: z.record(z.string(), z.unknown()).optional(),
});

/** Tools that turn a runner's results into JUnit where it cannot itself; they never become the project's. */
const TOOLS = ".towpath-tools";
const JEST_JUNIT = "jest-junit@17.0.0";
const TAP_XUNIT = "tap-xunit@2.4.1";

type Runner = "jest" | "vitest" | "mocha" | "node" | "tape";

interface NpmProject {
  readonly manager: "npm" | "yarn" | "pnpm";
  readonly install: string;
  /** The last command of the `test` script, which arguments are appended to; "" where there is none. */
  readonly command: string;
  /** What the script runs before it. */
  readonly before: string;
  readonly dependencies: ReadonlySet<string>;
}

function readProject({ files }: ProjectFacts): NpmProject | null {
  const json = parseJson(files.get("package.json") ?? "");
  const manifest = Package.safeParse(json.ok ? json.value : null);
  if (!manifest.success) return null;
  const { scripts = {}, dependencies = {}, devDependencies = {} } = manifest.data;
  const script = typeof scripts["test"] === "string" ? scripts["test"] : "";
  const parts = script.includes("no test specified") ? [] : script.split("&&").map((part) => part.trim());
  return {
    ...managerOf(files),
    command: parts.at(-1) ?? "",
    before: parts.slice(0, -1).join(" && "),
    dependencies: new Set([...Object.keys(dependencies), ...Object.keys(devDependencies)]),
  };
}

function managerOf(files: ProjectFacts["files"]): Pick<NpmProject, "manager" | "install"> {
  if (files.has("yarn.lock")) return { manager: "yarn", install: "yarn install --frozen-lockfile" };
  if (files.has("pnpm-lock.yaml")) return { manager: "pnpm", install: "pnpm install --frozen-lockfile" };
  const locked = files.has("package-lock.json") || files.has("npm-shrinkwrap.json");
  return { manager: "npm", install: locked ? "npm ci" : "npm install --no-package-lock" };
}

/** How an npm package is tested; null where it says nothing that is known. */
export function npmSetup(project: ProjectFacts): TestSetup | null {
  const npm = readProject(project);
  const runner = npm === null ? null : runnerOf(npm);
  if (npm === null || runner === null) return null;
  const installed = { setup: npm.install, exclude: ["node_modules/"], report: oneFile };
  return { ...installed, runner: runner === "node" ? "node --test" : runner, ...SETUPS[runner](npm) };
}

type Setup = Pick<TestSetup, "run"> & Partial<TestSetup>;

const SETUPS: Readonly<Record<Runner, (npm: NpmProject) => Setup>> = {
  jest: (npm) => ({
    setup: `${npm.install}\nnpm install --prefix ${TOOLS} --no-save ${JEST_JUNIT}`,
    exclude: ["node_modules/", `${TOOLS}/`],
    run: (name) => {
      const reporters = `--reporters=default --reporters="$PWD/${TOOLS}/node_modules/jest-junit"`;
      const command = withArguments(npm, "jest", `--ci ${reporters}`);
      return `export JEST_JUNIT_OUTPUT_FILE="$TOWPATH_OUT/${name}.xml"\n${command}`;
    },
  }),
  vitest: (npm) => ({
    run: (name) => {
      const report = `--reporter=default --reporter=junit --outputFile.junit="$TOWPATH_OUT/${name}.xml"`;
      return withArguments(npm, "vitest", `--run ${report}`);
    },
  }),
  mocha: (npm) => ({
    run: (name) =>
      withArguments(npm, "mocha", `--reporter xunit --reporter-options output="$TOWPATH_OUT/${name}.xml"`),
  }),
  node: (npm) => ({ run: (name) => nodeTest(npm, name) }),
  tape: (npm) => ({ run: (name) => tapeTest(npm, name) }),
};

/** The runner that the script calls; where it hides it behind other names, one that the package depends on. */
function runnerOf({ command, dependencies }: NpmProject): Runner | null {
  const called = (name: string): boolean => calls(command, name);
  if (/\bnode\b.*\s--test\b/.test(command)) return "node";
  for (const runner of ["jest", "vitest", "mocha"] as const) if (called(runner)) return runner;
  if (dependencies.has("tape") && (called("tape") || called("tap"))) return "tape";
  for (const runner of ["jest", "vitest", "mocha", "tape"] as const)
    if (dependencies.has(runner)) return runner;
  return null;
}

function calls(command: string, name: string): boolean {
  return new RegExp(String.raw`(?:^|[\s/])${name}(?:\s|$|\.)`).test(command);
}

/** Arguments reach the last command of the script; where that is another, the runner is called itself. */
function withArguments({ manager, command }: NpmProject, runner: string, args: string): string {
  if (!calls(command, runner)) {
    return `npx --no-install ${runner} ${args}`;
  }
  const separator = manager === "yarn" ? "" : " --";
  return `${manager} test${separator} ${args}`;
}

function nodeTest(npm: NpmProject, name: string): string {
  const flags = [
    "--test-reporter=spec --test-reporter-destination=stdout",
    `--test-reporter=junit --test-reporter-destination="$TOWPATH_OUT/${name}.xml"`,
  ].join(" ");
  return direct(npm, npm.command.replace(/\s--test\b/, ` --test ${flags}`));
}

/** Tests that are written with tape print TAP, whatever runs them. */
function tapeTest(npm: NpmProject, name: string): string {
  const files = /(?:^|[\s/])(?:tape|tap)\s+(?<files>[^|]*)/.exec(npm.command)?.groups?.["files"]?.trim();
  const tap = `tape ${files ?? "test/*.js"}`;
  return direct(npm, `${tap} | npx --yes ${TAP_XUNIT} > "$TOWPATH_OUT/${name}.xml"`);
}

/** A command of the script itself, found as npm finds it, behind what the script runs before it. */
function direct({ before }: NpmProject, command: string): string {
  const path = `export PATH="$PWD/node_modules/.bin:$PATH"`;
  return [path, ...(before === "" ? [] : [before]), command].join("\n");
}
