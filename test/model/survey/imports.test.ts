import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readNames } from "../../../src/model/survey/imports.js";
import { isTestFile, languageOf } from "../../../src/model/survey/languages.js";
import { readDependencies } from "../../../src/model/survey/manifests.js";
import { moduleNames } from "../../../src/model/survey/modules.js";
import { findTestCommands } from "../../../src/model/survey/test-commands.js";

describe("readNames", () => {
  it.each([
    [
      "JavaScript",
      'import a from "a";\nimport "./b.js";\nimport * as c from \'c/d\';\nimport {\n  x,\n  y as z,\n} from "e";',
      ["a", "./b.js", "c/d", "e"],
    ],
    [
      "JavaScript",
      'const a = require("a"), b = require(\'./b\'); import("c").then(); module.require("no")',
      ["a", "./b", "c"],
    ],
    ["JavaScript", 'export * from "a"; export { b } from "./b"; export const x = 1;', ["a", "./b"]],
    [
      "JavaScript",
      '// import "no";\n/* require("no")\n import "no" */ const u = "http://x"; require("yes");',
      ["yes"],
    ],
    ["JavaScript", 'const s = `\nimport x from "no";\n`; require("yes")', ["yes"]],
    [
      "TypeScript",
      'import type { A } from "./a.js";\nimport B, { type C } from "@s/b";\nexport type { D } from "./d";',
      ["./a.js", "@s/b", "./d"],
    ],
    [
      "Python",
      "import os, a.b as c\nfrom . import x, y\nfrom ..z import (\n  q,  # why\n  r as s,\n)\nfrom m import *\n",
      ["..z", "m", ".", "os", "a.b", ".x", ".y", "..z.q", "..z.r"],
    ],
    ["Python", '"""\nimport no\n"""\n# import no\nif x:\n    import yes\n', ["yes"]],
    [
      "Java",
      "package com.acme.app;\nimport com.acme.core.Thing;\nimport static java.util.Map.entry;\nimport org.x.*;\n// import no.No;\n",
      ["com.acme.core.Thing", "java.util.Map.entry", "org.x.*"],
    ],
    [
      "Go",
      'package main\nimport "fmt"\nimport (\n\t"os"\n\tx "example.com/app/lib"\n\t_ "github.com/a/b/c"\n)\n',
      ["fmt", "os", "example.com/app/lib", "github.com/a/b/c"],
    ],
    [
      "Rust",
      "use crate::a::B;\npub use serde::{Serialize};\nmod inner;\nextern crate rand;\n",
      ["crate::a::B", "serde::", "rand", "mod:inner"],
    ],
    [
      "Ruby",
      "require 'json'\nrequire_relative '../lib/x'\n=begin\nrequire 'no'\n=end\n",
      ["json", "./../lib/x"],
    ],
    [
      "PHP",
      "<?php\nnamespace App\\Http;\nuse App\\Models\\User;\nrequire_once __DIR__ . '/boot.php';\n",
      ["App\\Models\\User", "./boot.php"],
    ],
    ["C#", "using System.Text;\nusing Acme.Core;\nnamespace Acme.App;\n", ["System.Text", "Acme.Core"]],
    ["C", '#include <stdio.h>\n#include "a/b.h"\n', ["a/b.h"]],
    ["Shell", "import x", []],
  ])("finds what %s imports (%#)", (language, text, expected) => {
    expect([...readNames(language, text).imports].sort()).toEqual([...expected].sort());
  });

  it.each([
    ["Java", "package com.acme;\n", "com.acme"],
    ["PHP", "<?php namespace App\\A;\n", "App\\A"],
    ["C#", "namespace A.B\n{\n", "A.B"],
    ["Python", "x = 1\n", null],
  ])("finds where %s says it belongs", (language, text, expected) => {
    expect(readNames(language, text).declares).toBe(expected);
  });

  it.each(["JavaScript", "TypeScript", "Python", "Java", "Go", "Rust", "Ruby", "PHP", "C#", "C"])(
    "reads a megabyte of hostile %s in good time",
    (language) => {
      const started = performance.now();
      for (const piece of [
        "\n",
        " ",
        "import ",
        "import {",
        "`",
        '"',
        "'",
        "/*",
        "use a::",
        "from x import (",
        "export {",
        "import (",
        "\\",
        "require(",
      ]) {
        readNames(language, piece.repeat(Math.floor(500_000 / piece.length)));
      }
      expect(performance.now() - started).toBeLessThan(10_000);
    },
  );

  it("takes any text", () => {
    const language = fc.constantFrom("JavaScript", "Python", "Java", "Go", "Rust", "Ruby", "PHP", "C#", "C");
    fc.assert(
      fc.property(language, fc.string({ unit: "binary" }), (name, text) => {
        expect(readNames(name, text).imports).toBeInstanceOf(Array);
      }),
    );
  });
});

describe("languages and tests", () => {
  it.each([
    ["a/b.tsx", "TypeScript"],
    ["x.PY", "Python"],
    ["Makefile", null],
    [".js", null],
    ["a.unknown", null],
  ])("%s is %s", (path, language) => {
    expect(languageOf(path)).toBe(language);
  });

  it.each([
    ["src/a.test.ts", true],
    ["tests/helper.py", true],
    ["pkg/test_x.py", true],
    ["a/x_test.go", true],
    ["src/test/java/A.java", true],
    ["src/main/java/ATest.java", true],
    ["spec/models/a_spec.rb", true],
    ["src/model/spec/parse.ts", false],
    ["src/latest/a.js", false],
    ["src/contest.py", false],
  ])("%s: a test? %s", (path, expected) => {
    expect(isTestFile(path)).toBe(expected);
  });
});

describe("moduleNames", () => {
  it.each([
    [["a.py"], "a.py", "."],
    [["app/a.py", "tests/t.py"], "app/a.py", "app"],
    [["app/a.py", "app/deep/b.py"], "app/deep/b.py", "app"],
    [["src/a/x.ts", "src/b/y.ts", "src/main.ts"], "src/a/x.ts", "src/a"],
    [["src/a/x.ts", "src/main.ts"], "src/main.ts", "src"],
    [["packages/p/src/x.ts", "packages/p/index.ts"], "packages/p/src/x.ts", "packages/p"],
    [
      ["src/main/java/com/acme/billing/A.java", "src/main/java/com/acme/orders/B.java"],
      "src/main/java/com/acme/orders/B.java",
      "src/main/java/com/acme/orders",
    ],
  ])("of %j, %s lies in %s", (paths, path, expected) => {
    expect(moduleNames(paths).of(path)).toBe(expected);
  });
});

describe("readDependencies", () => {
  it.each([
    [
      "package.json",
      '{"dependencies":{"b":"^1"},"devDependencies":{"a":"2"}}',
      ["a 2 development", "b ^1 runtime"],
    ],
    ["package.json", "not json", []],
    [
      "requirements.txt",
      "# x\nDjango>=2.0,<3 ; python_version>'3'\nrequests[security]==2.1\n-r other.txt\nplain\n",
      ["Django >=2.0,<3 runtime", "plain  runtime", "requests ==2.1 runtime"],
    ],
    ["requirements-dev.txt", "pytest\n", ["pytest  development"]],
    [
      "pyproject.toml",
      '[project]\nname = "x"\ndependencies = [\n  "a>=1", # why [not]\n  "b[extra]~=2",\n]\n[project.optional-dependencies]\ntest = ["c"]\n[tool.poetry.dependencies]\npython = "^3"\nd = { version = "1" }\n',
      ["a >=1 runtime", "b ~=2 runtime", "c  development", "d 1 runtime"],
    ],
    [
      "setup.py",
      "setup(install_requires=['a>1', \"b\"], tests_require=['c'])",
      ["a >1 runtime", "b  runtime", "c  development"],
    ],
    [
      "setup.cfg",
      "[options]\ninstall_requires =\n    a>=1\n    b\npackages = find:\n[x]\ny=1\n",
      ["a >=1 runtime", "b  runtime"],
    ],
    [
      "pom.xml",
      "<project><dependencies><dependency><groupId>g</groupId><artifactId>a</artifactId><version>1.10</version></dependency><dependency><groupId>g</groupId><artifactId>t</artifactId><scope>test</scope></dependency></dependencies></project>",
      ["g:a 1.10 runtime", "g:t  development"],
    ],
    ["pom.xml", "<project><dependencies>", []],
    [
      "build.gradle",
      "dependencies {\n  implementation 'g:a:1'\n  testImplementation(\"g:t:2\")\n}",
      ["g:a 1 runtime", "g:t 2 development"],
    ],
    [
      "go.mod",
      "module m\nrequire (\n\ta.com/b v1.0.0\n\tc.com/d v2.0.0 // indirect\n)\nrequire e.com/f v3.0.0\n",
      ["a.com/b v1.0.0 runtime", "e.com/f v3.0.0 runtime"],
    ],
    [
      "Cargo.toml",
      '[package]\nname = "x"\n[dependencies]\nserde = { version = "1", features = ["d"] }\nrand = "0.8"\n[dev-dependencies]\nq = "1"\n',
      ["q 1 development", "rand 0.8 runtime", "serde 1 runtime"],
    ],
    [
      "Gemfile",
      "gem 'rails', '~> 5'\ngroup :test do\n  gem \"rspec\"\nend\n",
      ["rails ~> 5 runtime", "rspec  development"],
    ],
    [
      "composer.json",
      '{"require":{"php":">7","a/b":"1"},"require-dev":{"c/d":"2"}}',
      ["a/b 1 runtime", "c/d 2 development"],
    ],
    ["App.csproj", '<PackageReference Include="X.Y" Version="1" />', ["X.Y 1 runtime"]],
  ])("reads %s (%#)", (path, text, expected) => {
    const found = readDependencies([{ path, text }]);
    expect(found.map(({ name, version, use }) => `${name} ${version} ${use}`)).toEqual(expected);
  });
});

describe("findTestCommands", () => {
  it.each([
    [{ "package.json": '{"scripts":{"test":"jest"}}' }, ["npm test"]],
    [{ "package.json": '{"scripts":{"test":"jest"}}', "yarn.lock": "" }, ["yarn test"]],
    [{ "package.json": '{"scripts":{"test":"echo \\"Error: no test specified\\" && exit 1"}}' }, []],
    [{ "package.json": "{}" }, []],
    [{ "web/package.json": '{"scripts":{"test":"jest"}}' }, ["cd web && npm test"]],
    [{ "a b's/go.mod": "module m" }, ["cd 'a b'\\''s' && go test ./..."]],
    [{ "tox.ini": "", "conftest.py": "", "sub/conftest.py": "" }, ["python -m pytest", "tox"]],
    [{ "pom.xml": "", "Cargo.toml": "" }, ["cargo test", "mvn test"]],
    [{ "build.gradle": "", gradlew: "" }, ["./gradlew test"]],
    [{ Makefile: "test: build\n\tx\ncheck := 1\n" }, ["make test"]],
  ])("finds %j", (manifests: Record<string, string>, expected) => {
    const texts = Object.entries(manifests).map(([path, text]) => ({ path, text }));
    expect(findTestCommands({ manifests: texts, files: [] }).map(({ command }) => command)).toEqual(expected);
  });
});
