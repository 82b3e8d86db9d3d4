import { describe, expect, it } from "vitest";
import { TowpathError } from "../../../src/model/errors.js";
import { parseSpec } from "../../../src/model/spec/parse.js";
import type { Spec } from "../../../src/model/spec/schema.js";
import type { ProjectFacts } from "../../../src/model/starter/project.js";
import { starterSpec } from "../../../src/model/starter/starter-spec.js";
import { languageOf } from "../../../src/model/survey/languages.js";
import { isManifest } from "../../../src/model/survey/manifests.js";
import { summarise } from "../../../src/model/survey/summary.js";

function projectOf(files: Readonly<Record<string, string>>, directory = "shop"): ProjectFacts {
  const survey = summarise({
    files: Object.entries(files).map(([path, text]) => ({
      path,
      language: languageOf(path),
      bytes: text.length,
      lines: text.split("\n").length,
      imports: [],
      declares: null,
    })),
    manifests: Object.entries(files).flatMap(([path, text]) => (isManifest(path) ? [{ path, text }] : [])),
    skipped: { binary: 0, tooLarge: 0, symlinks: 0, missing: 0, unreadable: 0, beyondLimit: 0 },
  });
  return { survey, directory, files: new Map(Object.entries(files).filter(([path]) => !path.includes("/"))) };
}

function specOf(files: Readonly<Record<string, string>>, directory?: string): { spec: Spec; runner: string } {
  const { text, runner } = starterSpec(projectOf(files, directory), { target: "next" });
  const parsed = parseSpec(text, { fileName: "towpath.yaml" });
  expect(parsed).toMatchObject({ ok: true });
  if (!parsed.ok) throw new Error(text);
  return { spec: parsed.spec, runner };
}

function npm(test: string | null, dependencies: readonly string[] = [], more: Record<string, string> = {}) {
  const scripts = test === null ? {} : { test };
  const devDependencies = Object.fromEntries(dependencies.map((name) => [name, "1.0.0"]));
  return { "package.json": JSON.stringify({ scripts, devDependencies }), "index.js": "1\n", ...more };
}

const PYTHON = { "shop/__init__.py": "1\n", "tests/test_shop.py": "def test_a(): pass\n" };
const JVM_TEST = { "src/main/java/A.java": "class A {}", "src/test/java/ATest.java": "class ATest {}" };
const JAVA = { "pom.xml": "<project/>", ...JVM_TEST };

describe("a starter spec", () => {
  it.each([
    ["jest", npm("jest", ["jest"]), "npm test -- --ci --reporters=default"],
    ["jest, behind a linter", npm("eslint . && jest --coverage", ["jest"]), "npm test -- --ci"],
    ["jest, behind another name", npm("make test", ["jest"]), "npx --no-install jest --ci"],
    ["jest, by yarn", npm("jest", ["jest"], { "yarn.lock": "" }), "yarn test --ci"],
    ["vitest", npm("vitest", ["vitest"]), "npm test -- --run --reporter=default --reporter=junit"],
    ["mocha", npm("mocha test", ["mocha"]), "npm test -- --reporter xunit"],
    ["node --test", npm("node --test test/"), "node --test --test-reporter=spec"],
    ["tape", npm("tape test/*.js", ["tape"]), "tape test/*.js | npx --yes tap-xunit@"],
    ["tape, run by tap", npm("tap test/*.js", ["tape", "tap"]), "tape test/*.js | "],
    ["pytest", PYTHON, ".venv/bin/python -m pytest -q --junitxml="],
    [
      "go test",
      { "go.mod": "module a\n", "a.go": "package a\n", "a_test.go": "package a\n" },
      "go run gotest.tools/gotestsum@",
    ],
    ["maven surefire", JAVA, "mvn --batch-mode --no-transfer-progress --fail-at-end test"],
    [
      "gradle test",
      { ...JVM_TEST, "build.gradle": "" },
      "gradle --console=plain --no-daemon --continue test",
    ],
    [
      "gradle test, by the project's wrapper, in Kotlin",
      { ...JVM_TEST, "settings.gradle.kts": "", "app/build.gradle.kts": "", gradlew: "" },
      "sh ./gradlew --console=plain --no-daemon --continue test",
    ],
    ["maven surefire, where Gradle is there too", { ...JAVA, "build.gradle": "" }, "mvn --batch-mode"],
    ["cargo test", { "Cargo.toml": "[package]\n", "src/lib.rs": "" }, "cargo test --no-fail-fast"],
    [
      "cargo test of a workspace",
      { "Cargo.toml": "[workspace]\n", "a/src/lib.rs": "" },
      "cargo test --workspace",
    ],
  ])("measures tests by %s before and after", (what, files, command) => {
    const { spec, runner } = specOf(files);
    expect(what.startsWith(runner)).toBe(true);
    expect(spec.baseline?.run).toContain(command);
    expect(spec.baseline?.run).toContain("$TOWPATH_OUT/baseline");
    const [after] = spec.phases.verify?.steps ?? [];
    expect(after?.run).toBe(spec.baseline?.run.replaceAll("OUT/baseline", "OUT/after"));
    expect(spec.phases.verify?.gate?.tests).toEqual({ "no-new-failures": true });
  });

  it.each([
    ["npm ci", npm("mocha", ["mocha"], { "package-lock.json": "{}" })],
    ["npm install --no-package-lock", npm("mocha", ["mocha"])],
    ["pnpm install --frozen-lockfile", npm("mocha", ["mocha"], { "pnpm-lock.yaml": "" })],
    ["pytest -r requirements-dev.txt -e .", { ...PYTHON, "setup.py": "", "requirements-dev.txt": "" }],
    [
      "-e '.[test]'",
      {
        ...PYTHON,
        "pyproject.toml": '[project]\nname = "a"\n[project.optional-dependencies]\ntest = ["x"]\n',
      },
    ],
  ])("lays the worktree with: %s", (setup, files) => {
    expect(specOf(files).spec.workspace?.setup).toContain(setup);
  });

  it("protects the tests from the change, and what setup leaves from git", () => {
    const scm = '[build-system]\n[tool.setuptools_scm]\nwrite_to = "shop/version.py"\n';
    const { spec } = specOf({ ...PYTHON, "pyproject.toml": scm });
    expect(spec.phases.migrate?.steps?.[0]?.scope?.protect).toEqual(["tests/**"]);
    expect(spec.workspace?.exclude).toEqual(expect.arrayContaining([".venv/", "/shop/version.py"]));
    const go = specOf({ "go.mod": "module a\n", "a_test.go": "package a\n" }).spec;
    expect(go.phases.migrate?.steps?.[0]?.scope?.protect).toEqual(["**/*_test.go"]);
  });

  it("takes the runner of the language with the most lines", () => {
    const lines = "x = 1\n".repeat(100);
    expect(specOf({ ...npm("jest", ["jest"]), ...PYTHON, "shop/big.py": lines }).runner).toBe("pytest");
    expect(specOf({ ...npm("jest", ["jest"], { "big.js": lines }), ...PYTHON }).runner).toBe("jest");
  });

  it("keeps to the command that the project names where nothing reports", () => {
    const { spec, runner } = specOf({ Makefile: "test:\n\t./run\n", "a.c": "int a;\n" });
    expect(runner).toBe("make test");
    expect(spec.phases.guardrail?.features).toMatchObject([{ test: "make test" }]);
  });

  it.each(['it\'s: a "name" #1', "- x", "äö", "123", "true"])(
    "validates for a project in '%s'",
    (directory) => {
      expect(specOf(PYTHON, directory).spec.name).toBe(directory);
    },
  );

  it("is refused where nothing tests the project", () => {
    expect(() => specOf({ "a.c": "int a;\n" })).toThrow(TowpathError);
    expect(() => specOf({ "a.c": "int a;\n" })).toThrow("says nowhere how it is tested");
  });
});
