import { type FileFact, type ManifestText, type TestCommandFact, byText } from "./facts.js";
import { baseName, directoryOf, isTestFile } from "./languages.js";
import { readJson } from "./manifests.js";

interface Project {
  readonly manifests: readonly ManifestText[];
  readonly files: readonly FileFact[];
}

function hasTests({ files }: Project, language: string): boolean {
  return files.some((file) => file.language === language && isTestFile(file.path));
}

function script(scripts: unknown, name: string): string {
  if (typeof scripts !== "object" || scripts === null || !(name in scripts)) return "";
  const found = Object.entries(scripts).find(([key]) => key === name)?.[1];
  return typeof found === "string" || Array.isArray(found) ? String(found) : "";
}

function npm({ manifests }: Project, { path, text }: ManifestText): string[] {
  const test = script(readJson(text)["scripts"], "test");
  if (test === "" || test.includes("no test specified")) return [];
  const beside = manifests.filter((each) => directoryOf(each.path) === directoryOf(path));
  const names = new Set(beside.map((each) => baseName(each.path)));
  if (names.has("yarn.lock")) return ["yarn test"];
  return [names.has("pnpm-lock.yaml") ? "pnpm test" : "npm test"];
}

type Rule = (project: Project, manifest: ManifestText) => string[];

const RULES: readonly (readonly [RegExp, Rule])[] = [
  [/^package\.json$/, npm],
  [/^tox\.ini$/, () => ["tox"]],
  [/^noxfile\.py$/, () => ["nox"]],
  [/^(?:pytest\.ini|conftest\.py)$/, () => ["python -m pytest"]],
  [/^pyproject\.toml$/, (_, { text }) => (/^\[tool\.pytest/m.test(text) ? ["python -m pytest"] : [])],
  [/^setup\.cfg$/, (_, { text }) => (/^\[tool:pytest\]/m.test(text) ? ["python -m pytest"] : [])],
  [/^pom\.xml$/, () => ["mvn test"]],
  [
    /^build\.gradle(?:\.kts)?$/,
    ({ manifests }) => [manifests.some(({ path }) => path === "gradlew") ? "./gradlew test" : "gradle test"],
  ],
  [/^go\.mod$/, () => ["go test ./..."]],
  [/^Cargo\.toml$/, () => ["cargo test"]],
  [
    /^Gemfile$/,
    (project, { text }) => (/["']rspec/.test(text) && hasTests(project, "Ruby") ? ["bundle exec rspec"] : []),
  ],
  [
    /^Rakefile$/,
    (_, { text }) => (/TestTask|task[ (]+:?["']?test/.test(text) ? ["bundle exec rake test"] : []),
  ],
  [
    /^composer\.json$/,
    (_, { text }) => (script(readJson(text)["scripts"], "test") === "" ? [] : ["composer test"]),
  ],
  [/^phpunit\.xml(?:\.dist)?$/, () => ["vendor/bin/phpunit"]],
  [/\.sln$/, () => ["dotnet test"]],
  [
    /^Makefile$/,
    (_, { text }) =>
      ["test", "check"]
        .filter((target) => new RegExp(`^${target}[ \\t]*:(?!=)`, "m").test(text))
        .map((target) => `make ${target}`),
  ],
];

function inDirectory(command: string, directory: string): string {
  return directory === ""
    ? command
    : `cd ${/^[\w./-]+$/.test(directory) ? directory : `'${directory.replaceAll("'", "'\\''")}'`} && ${command}`;
}

/** How the project's tests are run, as far as its files say; each command once, the project's own directory first. */
export function findTestCommands(project: Project): TestCommandFact[] {
  const ordered = [...project.manifests].sort(
    (a, b) => a.path.split("/").length - b.path.split("/").length || byText(a.path, b.path),
  );
  const found = ordered.flatMap((manifest) =>
    RULES.filter(([file]) => file.test(baseName(manifest.path))).flatMap(([, rule]) =>
      rule(project, manifest).map((command) => ({
        // pytest finds its tests from where it is called, so a conftest.py anywhere means the whole project.
        command: command.includes("pytest") ? command : inDirectory(command, directoryOf(manifest.path)),
        from: manifest.path,
      })),
    ),
  );
  const known = new Set(found.map(({ command }) => command));
  const python = project.files.find(({ language, path }) => language === "Python" && isTestFile(path));
  if (python !== undefined && !known.has("python -m pytest"))
    found.push({ command: "python -m pytest", from: python.path });
  return found.filter((each, index) => found.findIndex(({ command }) => command === each.command) === index);
}
