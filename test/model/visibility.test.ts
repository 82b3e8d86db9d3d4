import { describe, expect, it } from "vitest";
import { Spec } from "../../src/model/spec/schema.js";
import {
  fixedAttributes,
  repositoryName,
  runKind,
  SEARCH_ATTRIBUTES,
  startAttributes,
} from "../../src/model/visibility.js";
import { changedPairs, startPairs } from "../../src/workflows/search-attributes.js";

const FACTS = { target: "python3", source: "/home/ada/shop", hostId: "box-01234567" };

describe("a migration's search attributes", () => {
  it("leave room in PostgreSQL's visibility, which has ten keywords and three numbers", () => {
    const types = Object.values(SEARCH_ATTRIBUTES);
    expect(types.filter((type) => type === "KEYWORD").length).toBeLessThanOrEqual(7);
    expect(types.filter((type) => type === "INT")).toHaveLength(1);
  });

  it("fit into its columns", () => {
    const { TowpathTarget } = fixedAttributes({ ...FACTS, target: "😀".repeat(300) });
    expect(Array.from(String(TowpathTarget))).toHaveLength(255);
  });

  it.each([
    ["/home/ada/shop", "shop"],
    ["https://example.org/team/shop.git", "shop"],
    ["git@example.org:shop.git", "shop"],
    ["/home/ada/shop/.git", "shop"],
    ["/", "unnamed"],
  ])("call the repository %s %s", (source, name) => {
    expect(repositoryName(source)).toBe(name);
  });

  it("are written only where they change, and removed where there is nothing any more", () => {
    const started = startPairs(startAttributes(FACTS, "host"));
    expect(started.map(({ key }) => key.name)).not.toContain("TowpathWaitingFor");
    const now = new Map<string, unknown>(started.map(({ key, value }) => [key.name, value]));
    expect(changedPairs(startAttributes(FACTS, "host"), (name) => now.get(name))).toEqual([]);
    now.set("TowpathWaitingFor", "approval").set("TowpathProgress", 10);
    const changed = changedPairs(startAttributes(FACTS, "host"), (name) => now.get(name));
    expect(changed.map(({ key, value }) => [key.name, key.type, value])).toEqual([
      ["TowpathProgress", "INT", 0],
      ["TowpathWaitingFor", "KEYWORD", null],
    ]);
  });
});

const spec = (more: object): Spec =>
  Spec.parse({
    version: 1,
    name: "a",
    target: "b",
    phases: { migrate: { steps: [{ id: "a", run: "b", ...more }] } },
  });

describe("what kind of run it is", () => {
  it.each([
    ["nothing that runs", null, "hands-on"],
    ["commands on the host", spec({}), "host"],
    ["a step that stays on the host", spec({ container: false }), "host"],
    ["a step in a container", spec({ container: "python:3.11-slim" }), "container"],
    ["a default", { ...spec({}), defaults: { container: "python:3.11-slim" } }, "container"],
  ])("is told by %s", (_, given, kind) => {
    expect(runKind(given)).toBe(kind);
  });
});
