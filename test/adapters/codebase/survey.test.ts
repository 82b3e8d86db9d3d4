import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { surveyCodebase } from "../../../src/adapters/codebase/survey.js";
import { validateSeams } from "../../../src/model/seams.js";
import { renderSurvey } from "../../../src/model/survey/render.js";
import { unprivileged } from "../../support/unprivileged.js";

const made: string[] = [];
afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true, force: true });
});

async function tree(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "towpath-survey-"));
  made.push(root);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  return root;
}

/** `from → to` for every import between modules. */
async function edges(files: Readonly<Record<string, string>>): Promise<string[]> {
  const { modules } = await surveyCodebase(await tree(files));
  return modules.flatMap(({ name, imports }) => imports.map(({ module }) => `${name} → ${module}`));
}

describe("surveyCodebase", () => {
  it.each([
    [
      "TypeScript",
      {
        "src/a/index.ts": 'import { b } from "../b/b.js"; import("../c");',
        "src/b/b.ts": 'import fs from "node:fs";',
        "src/c/index.tsx": 'import x from "react";',
      },
      ["src/a → src/b", "src/a → src/c"],
    ],
    [
      "an npm workspace",
      {
        "packages/a/package.json": '{"name":"@w/a"}',
        "packages/a/src/index.js": 'require("@w/b"); require("@w/b/deep");',
        "packages/b/package.json": '{"name":"@w/b"}',
        "packages/b/index.js": "",
        "packages/b/deep.js": "",
      },
      ["packages/a/src → packages/b"],
    ],
    [
      "Python",
      {
        "app/__init__.py": "",
        "app/views.py": "from .models import User\nfrom core.db import connect\nimport os, requests\n",
        "app/models.py": "",
        "core/__init__.py": "",
        "core/db.py": "",
      },
      ["app → core"],
    ],
    [
      "Java",
      {
        "src/main/java/com/acme/app/App.java":
          "package com.acme.app;\nimport com.acme.core.Core;\nimport java.util.List;\n",
        "src/main/java/com/acme/core/Core.java": "package com.acme.core;\n",
      },
      ["src/main/java/com/acme/app → src/main/java/com/acme/core"],
    ],
    [
      "Go",
      {
        "go.mod": "module example.com/app\n",
        "cmd/tool/main.go": 'package main\nimport (\n"fmt"\n"example.com/app/internal/core"\n)\n',
        "internal/core/core.go": "package core\n",
      },
      ["cmd/tool → internal/core"],
    ],
    [
      "Rust",
      {
        "Cargo.toml": '[workspace]\nmembers = ["crates/*"]\n',
        "crates/a/Cargo.toml": '[package]\nname = "my-a"\n',
        "crates/a/src/lib.rs": "mod inner;\nuse my_b::Thing;\nuse std::fmt;\n",
        "crates/a/src/inner.rs": "use crate::other;\n",
        "crates/b/Cargo.toml": '[package]\nname = "my-b"\n',
        "crates/b/src/lib.rs": "",
      },
      ["crates/a/src → crates/b/src"],
    ],
    [
      "Ruby",
      { "lib/x.rb": "require 'y/z'\nrequire_relative '../tools/t'\n", "lib/y/z.rb": "", "tools/t.rb": "" },
      ["lib → lib/y", "lib → tools"],
    ],
    [
      "PHP",
      {
        "src/Http/C.php": "<?php\nnamespace App\\Http;\nuse App\\Models\\User;\n",
        "src/Models/User.php": "<?php\nnamespace App\\Models;\n",
      },
      ["src/Http → src/Models"],
    ],
    [
      "C#",
      { "App/A.cs": "using Acme.Core;\nnamespace Acme.App;\n", "Core/B.cs": "namespace Acme.Core;\n" },
      ["App → Core"],
    ],
    ["C", { "app/main.c": '#include "util/u.h"\n', "include/util/u.h": "" }, ["app → include/util"]],
  ])("follows imports between the modules of %s", async (_, files, expected) => {
    expect(await edges(files)).toEqual(expected);
  });

  it("counts languages, names the longest files, dependencies, tests and who uses what", async () => {
    const root = await tree({
      "package.json": '{"scripts":{"test":"tape test/*.js"},"dependencies":{"left-pad":"1.0.0"}}',
      "lib/a.js": 'require("left-pad");\nrequire("./shared");\n',
      "lib/b.js": 'require("left-pad/x");\nrequire("./shared");\n',
      "lib/shared.js": "1\n2\n3\n",
      "test/a.js": 'require("tape");\nrequire("../lib/shared");',
      "README.md": "# x\n",
      "logo.png": new Uint8Array([137, 80, 0, 1]),
      "bin.js": new Uint8Array([65, 0, 66]),
    });
    const facts = await surveyCodebase(root);
    expect(facts.languages).toEqual([
      { language: "JavaScript", files: 4, lines: 9, bytes: expect.any(Number) },
      { language: "Other", files: 3, lines: 1, bytes: expect.any(Number) },
    ]);
    expect(facts.biggest[0]).toEqual({ path: "lib/shared.js", language: "JavaScript", lines: 3 });
    expect(facts.hubs).toEqual([{ path: "lib/shared.js", lines: 3, importers: 2 }]);
    expect(facts.externals.map(({ name, fileCount }) => [name, fileCount])).toEqual([
      ["left-pad", 2],
      ["tape", 1],
    ]);
    expect(facts.dependencies).toMatchObject([{ ecosystem: "npm", name: "left-pad", version: "1.0.0" }]);
    expect(facts.testCommands).toEqual([{ command: "npm test", from: "package.json" }]);
    expect(facts.testFiles).toEqual(["test/a.js"]);
    expect(facts.skipped).toMatchObject({ binary: 1, symlinks: 0 });
    expect(facts.modules).toMatchObject([
      { name: "lib", isTest: false, fileCount: 3, fanIn: 0 },
      { name: "test", isTest: true, imports: [{ module: "lib", files: 1 }] },
    ]);
  });

  it("follows no link, reads no pipe, and counts what it could not read", async () => {
    const outside = await tree({ "secret.py": "import nothing\n" });
    const root = await tree({ "a.py": "x\n", "big.py": "x".repeat(1024 * 1024 + 1) });
    await symlink(join(outside, "secret.py"), join(root, "link.py"));
    await symlink(outside, join(root, "linked"));
    await symlink("loop.py", join(root, "loop.py"));
    execFileSync("mkfifo", [join(root, "pipe.py")]);
    const files = [
      "a.py",
      "a.py",
      "big.py",
      "link.py",
      "linked/secret.py",
      "loop.py",
      "pipe.py",
      "gone.py",
      "../x.py",
      "/etc/passwd.py",
      "a/../a.py",
      "",
    ];
    const facts = await surveyCodebase(root, { files });
    expect(facts.skipped).toEqual({
      binary: 0,
      tooLarge: 1,
      symlinks: 3,
      missing: 1,
      unreadable: 1,
      beyondLimit: 0,
    });
    expect(facts.files).toBe(2);
    expect((await surveyCodebase(root)).files).toBe(2);
  });

  it("counts a file that may not be read", async () => {
    const root = await tree({ "a.py": "x" });
    await chmod(root, 0o755);
    await chmod(join(root, "a.py"), 0);
    expect((await unprivileged(() => surveyCodebase(root))).skipped.unreadable).toBe(1);
  });

  it("takes the files that it is given, and leaves out what is ignored", async () => {
    const root = await tree({ "a.py": "", "gen/b.py": "", ".hidden/c.py": "", "node_modules/d.js": "" });
    expect((await surveyCodebase(root)).files).toBe(3);
    expect((await surveyCodebase(root, { ignore: ["gen/**", ".hidden/**"] })).files).toBe(1);
    expect((await surveyCodebase(root, { files: ["node_modules/d.js"] })).files).toBe(1);
  });

  it("does not depend on the order of the files", async () => {
    const root = await tree({
      "b/x.py": "import a.y\nimport six\n",
      "a/y.py": "import b.x\n",
      "c.py": "import a.y, six\n",
    });
    const files = ["b/x.py", "a/y.py", "c.py"];
    const facts = await surveyCodebase(root, { files });
    expect(await surveyCodebase(root, { files: files.toReversed() })).toEqual(facts);
    expect(renderSurvey(await surveyCodebase(root))).toEqual(renderSurvey(facts));
  });

  it("stops when it is told to", async () => {
    const root = await tree({ "a.py": "" });
    await expect(surveyCodebase(root, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow(
      "enough",
    );
  });

  it("says which directory it cannot read", async () => {
    await expect(surveyCodebase("/nowhere/at/all")).rejects.toMatchObject({
      type: "StorageFailed",
      message: expect.stringContaining("/nowhere/at/all"),
    });
  });

  it("reads thousands of files in seconds", async () => {
    const root = await tree({});
    const body = "from pkg0.m0 import x\nimport os\n" + "x = 1\n".repeat(20);
    for (let directory = 0; directory < 40; directory++) {
      await mkdir(join(root, `pkg${directory}`));
      await Promise.all(
        Array.from({ length: 100 }, (_, i) => writeFile(join(root, `pkg${directory}/m${i}.py`), body)),
      );
    }
    const started = performance.now();
    const facts = await surveyCodebase(root);
    const took = performance.now() - started;
    expect(facts.languages).toMatchObject([{ language: "Python", files: 4_000 }]);
    expect(facts.modules.find(({ name }) => name === "pkg0")?.fanIn).toBe(3_900);
    expect(took).toBeLessThan(20_000);
  });
});

describe("renderSurvey", () => {
  it("gives four documents and valid seams, the heaviest first", async () => {
    const root = await tree({
      "core/a.py": "x\n".repeat(500),
      "core/b.py": "",
      "web/x.py": "import core.a\nimport flask\n",
      "api/y.py": "import core.a\nimport flask\nimport web.x\n",
      "cli/z.py": "import core.a\n",
    });
    const { docs, seams } = renderSurvey(await surveyCodebase(root));
    expect(Object.keys(docs)).toEqual(["overview.md", "modules.md", "dependencies.md", "tests.md"]);
    expect(docs["modules.md"]).toContain("| core | Python | 2 | 500 | 3 |  |");
    expect(validateSeams(JSON.stringify(seams))).toEqual({ ok: true, value: seams });
    expect(seams[0]).toMatchObject({ type: "file", location: "core/a.py", priority: "high" });
    expect(seams).toContainEqual({
      id: "module-core",
      description: "Module core: 2 files, 500 lines, used by 3 files of other modules",
      type: "module",
      location: "core",
      name: "core",
      priority: "high",
      files: ["core/a.py", "core/b.py"],
      dependencies: [],
      complexity: "medium",
      confidence: 0.76,
      suggested_interface: "Keep what others import from `core/a.py`",
    });
    expect(seams.find(({ id }) => id === "dependency-flask")).toMatchObject({
      type: "dependency",
      files: ["api/y.py", "web/x.py"],
    });
  });

  it("lets no file name break a table or start markup", async () => {
    const root = await tree({ "a|b\n<img src=x>/[x](y)`.py": "x\n" });
    const { docs, seams } = renderSurvey(await surveyCodebase(root));
    expect(docs["overview.md"]).toContain("| a\\|b \\<img src=x\\>/\\[x\\](y)\\`.py | Python | 1 |");
    expect(seams[0]?.id).toMatch(/^module-[a-z0-9-]+$/);
  });

  it("gives every seam an id of its own", async () => {
    const root = await tree({ "a-b/x.py": "", "a_b/x.py": "", "a b/x.py": "" });
    const { seams } = renderSurvey(await surveyCodebase(root));
    expect(new Set(seams.map(({ id }) => id)).size).toBe(3);
  });

  it("has something to say of an empty project", async () => {
    const { docs, seams } = renderSurvey(await surveyCodebase(await tree({})));
    expect(docs["overview.md"]).toContain("0 files, 0 lines, 0 bytes; 0 modules.");
    expect(seams).toEqual([]);
  });

  it("finds this repository's own rooms, and that the model imports none of the others", async () => {
    const root = fileURLToPath(new URL("../../..", import.meta.url));
    const listed = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" }).split("\0");
    const facts = await surveyCodebase(root, { files: listed });
    const model = facts.modules.find(({ name }) => name === "src/model");
    expect(model).toMatchObject({ isTest: false, imports: [] });
    expect(model?.fanIn).toBeGreaterThan(10);
    expect(facts.testCommands).toContainEqual({ command: "npm test", from: "package.json" });
    expect(facts.resolvedShare).toBeGreaterThan(0.9);
    expect(renderSurvey(facts).seams[0]?.location).toMatch(/^src\/model/);
  });
});
