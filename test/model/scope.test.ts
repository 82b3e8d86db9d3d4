import { array, assert, property, string } from "fast-check";
import { describe, expect, it } from "vitest";
import { listFiles, scopeMessage, scopeViolations, type Scope } from "../../src/model/scope.js";

const reasons = (scope: Scope, ...paths: string[]) =>
  scopeViolations(
    paths.map((path) => ({ path, kind: "modified" as const })),
    scope,
  ).map(({ path, reason }) => `${reason} ${path}`);

describe("scope", () => {
  it.each<[string, Scope, string, string[]]>([
    ["no scope allows everything", {}, "any/where.txt", []],
    ["an empty include allows nothing", { include: [] }, "a", ["outside a"]],
    ["what include covers", { include: ["src/**"] }, "src/deep/a.ts", []],
    ["what include does not cover", { include: ["src/**"] }, "lib/a.ts", ["outside lib/a.ts"]],
    [
      "protect wins over include",
      { include: ["**"], protect: ["tests/**"] },
      "tests/a",
      ["protected tests/a"],
    ],
    ["dot files match like others", { include: ["src/**"] }, "src/.hidden/.env", []],
    ["dot files are protected like others", { protect: ["**/*.yml"] }, ".ci/x.yml", ["protected .ci/x.yml"]],
    [
      "a bare directory covers what it holds",
      { protect: ["tests"] },
      "tests/deep/a",
      ["protected tests/deep/a"],
    ],
    ["a trailing slash means the directory", { protect: ["tests/"] }, "tests/a", ["protected tests/a"]],
    ["a glob with a trailing slash too", { protect: ["*/gen/"] }, "a/gen/x/y", ["protected a/gen/x/y"]],
    ["one star stays in its directory", { include: ["*"] }, "src/a", ["outside src/a"]],
    ["./ and / mean the project's directory", { include: ["./src/**", "/lib/**"] }, "lib/a", []],
    ["a dot means everything", { include: ["."] }, "a/b/c", []],
    ["a directory turned into a link", { protect: ["tests/**"] }, "tests", ["protected tests"]],
    [
      "a newline does not hide a name",
      { protect: ["tests/**"] },
      "tests/a\nb.js",
      ["protected tests/a\nb.js"],
    ],
    ["an exclamation mark is no negation", { include: ["!a"] }, "b", ["outside b"]],
    ["case counts", { protect: ["Tests/**"] }, "tests/a", []],
  ])("%s", (_name, scope, path, expected) => {
    expect(reasons(scope, path)).toEqual(expected);
  });

  it("takes patterns as relative to the project, and everything beside it as outside", () => {
    const scope = { prefix: "packages/app", include: ["src/**"], protect: ["src/gen/**"] };
    expect(
      reasons(scope, "packages/app/src/a", "packages/app/src/gen/a", "src/a", "packages/app2/src/a"),
    ).toEqual(["protected packages/app/src/gen/a", "outside src/a", "outside packages/app2/src/a"]);
  });

  it("refuses what lies outside the project even without patterns", () => {
    expect(reasons({ prefix: "app/" }, "app/a", "package.json")).toEqual(["outside package.json"]);
  });

  it("never lets a path below a protected directory through, whatever it is called", () => {
    const segment = string({ minLength: 1 }).filter((text) => !/[/\0]/.test(text) && !/^\.{1,2}$/.test(text));
    assert(
      property(array(segment, { minLength: 1, maxLength: 4 }), (segments) => {
        const path = ["tests", ...segments].join("/");
        expect(reasons({ include: ["**"], protect: ["tests/**"] }, path)).toEqual([`protected ${path}`]);
        expect(reasons({ include: ["tests/**"] }, path)).toEqual([]);
      }),
    );
  });
});

describe("the message of a violation", () => {
  it("names protected files first and says what is wrong with each group", () => {
    const changes = ["lib/a", "tests/b"].map((path) => ({ path, kind: "deleted" as const }));
    const violations = scopeViolations(changes, { include: ["src/**"], protect: ["tests/**"] });
    expect(scopeMessage(violations)).toBe(
      "1 changed file is protected by the step's scope and must not change: tests/b\n" +
        "1 changed file is outside the step's scope: lib/a",
    );
  });

  it("is empty without violations", () => {
    expect(scopeMessage([])).toBe("");
  });

  it("names ten files and counts the rest", () => {
    const names = Array.from({ length: 12 }, (_unused, at) => `f${at}`);
    expect(listFiles(names)).toBe("f0, f1, f2, f3, f4, f5, f6, f7, f8, f9 … and 2 more");
    expect(listFiles(names.slice(0, 10))).not.toContain("more");
  });

  it("keeps a hostile name on one line", () => {
    expect(listFiles(["a\nb", "plain", "\u2028"])).toBe('"a\\nb", plain, "\u2028"');
  });
});
