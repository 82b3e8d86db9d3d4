import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideRequirements, needsAnalysis } from "../../../src/model/requirements/decision.js";
import { explainRule } from "../../../src/model/requirements/why.js";
import { factsOf, TABLE, titleOf } from "./table.js";

describe("the decision about the requirements document", () => {
  it("knows every combination of the facts", () => {
    expect(TABLE).toHaveLength(4 * (2 + 8 + 8));
  });

  it.each(TABLE.map((row) => [titleOf(row), row] as const))("%s", (_, row) => {
    expect(decideRequirements(factsOf(row))).toEqual(row.expected);
  });

  it("takes a conventional document only where nothing is persisted and nothing was asked for", () => {
    const facts = { argument: false, fresh: false, persisted: null, conventional: true };
    expect(decideRequirements(facts)).toEqual({ action: "user_owned", rule: "conventional" });
    expect(decideRequirements({ ...facts, fresh: true }).action).toBe("generate");
    expect(decideRequirements({ ...facts, argument: true }).rule).toBe("argument");
    const persisted = { provenance: "generated", edited: false, codeChanged: false } as const;
    expect(decideRequirements({ ...facts, persisted }).rule).toBe("code-unchanged");
  });

  it("never has a person's document written over unasked", () => {
    const persisted = fc.record({
      provenance: fc.constantFrom("user" as const, "unknown" as const, "generated" as const),
      edited: fc.boolean(),
      codeChanged: fc.boolean(),
    });
    fc.assert(
      fc.property(persisted, fc.boolean(), fc.boolean(), (facts, argument, conventional) => {
        const { action } = decideRequirements({ argument, fresh: false, persisted: facts, conventional });
        const isPersons = facts.provenance !== "generated" || facts.edited;
        expect(isPersons && needsAnalysis(action)).toBe(false);
      }),
    );
  });

  it("says why, naming what changed", () => {
    const nothing = { conventional: null, origin: null, damage: null, changes: null };
    const changes = ["a", "b", "c"].map((path) => ({ path, kind: "modified" as const }));
    expect(explainRule("code-changed", { ...nothing, changes })).toBe(
      "update because 3 files changed: a, b, c",
    );
    expect(explainRule("code-changed", nothing)).toBe("update because the code changed");
    expect(explainRule("user", { ...nothing, origin: "/x/PRD.md" })).toContain("(from /x/PRD.md)");
    expect(explainRule("unknown-provenance", { ...nothing, damage: "its record is damaged" })).toContain(
      "its record is damaged",
    );
    for (const { expected } of TABLE) {
      expect(explainRule(expected.rule, nothing)).toMatch(new RegExp(`^${expected.action} because `));
    }
  });
});
