import { oneFile, type ProjectFacts, quoted, type TestSetup } from "./project.js";

const REQUIREMENTS =
  /^(?:requirements|dev-requirements|test-requirements|requirements[-_](?:dev|test))\.txt$/;
const TEST_EXTRAS = ["test", "tests", "testing", "dev"];

/** How a Python project is tested: by pytest, which runs unittest's tests too. Null where there are no tests. */
export function pythonSetup({ survey, files }: ProjectFacts): TestSetup | null {
  const isTested =
    survey.testFiles.some((path) => path.endsWith(".py")) ||
    survey.testCommands.some(({ command }) => command.includes("pytest"));
  if (!isTested) return null;
  const python = ".venv/bin/python";
  return {
    runner: "pytest",
    setup: [
      "python3 -m venv .venv",
      `${python} -m pip install --quiet --disable-pip-version-check ${packages(files).join(" ")}`,
    ].join("\n"),
    exclude: [".venv/", "*.egg-info/", "__pycache__/", ".pytest_cache/", ...versionFile(files)],
    run: (name) => `${python} -m pytest -q --junitxml="$TOWPATH_OUT/${name}.xml"`,
    report: oneFile,
  };
}

function packages(files: ProjectFacts["files"]): string[] {
  const isPackage =
    files.has("setup.py") || /^\[(?:build-system|project)\]/m.test(files.get("pyproject.toml") ?? "");
  const extra = TEST_EXTRAS.find((name) => hasExtra(files.get("pyproject.toml") ?? "", name));
  const itself = isPackage ? ["-e", quoted(extra === undefined ? "." : `.[${extra}]`)] : [];
  const listed = [...files.keys()].flatMap((name) => (REQUIREMENTS.test(name) ? ["-r", name] : []));
  return ["pytest", ...listed, ...itself];
}

/** The module that setuptools-scm writes at each installation. */
function versionFile(files: ProjectFacts["files"]): string[] {
  const name = /^(?:write_to|version_file)\s*=\s*["'](?<path>[^"'\n]+)["']/m.exec(
    files.get("pyproject.toml") ?? "",
  );
  return name?.groups?.["path"] === undefined ? [] : [`/${name.groups["path"]}`];
}

function hasExtra(pyproject: string, name: string): boolean {
  const section = /^\[project\.optional-dependencies\]\n(?<body>(?:(?!\[)[^\n]*\n?)*)/m.exec(pyproject)
    ?.groups?.["body"];
  return new RegExp(String.raw`^["']?${name}["']?\s*=`, "m").test(section ?? "");
}
