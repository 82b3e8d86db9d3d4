import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { whoAmI } from "../../../src/client/migrations/who.js";
import { unprivileged } from "../../support/unprivileged.js";

describe("the person at the keyboard", () => {
  it.skipIf(process.geteuid?.() !== 0)("is told by number where the system knows no name", async () => {
    expect(await unprivileged(() => whoAmI(tmpdir()), 54_321)).toBe("user 54321");
  });
});
