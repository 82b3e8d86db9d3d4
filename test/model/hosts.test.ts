import { describe, expect, it } from "vitest";
import { absenceText, foreignHostText, isSamePlace, isSilent } from "../../src/model/hosts.js";

const PLACE = { machine: "one", dataDir: "/data", inode: "7.1" };

describe("a host's place", () => {
  it.each([
    ["in a new container on the old volume", { ...PLACE, machine: "two" }, true],
    ["under another path on the same disk", { ...PLACE, dataDir: "/moved" }, true],
    ["on a drive whose numbers change", { ...PLACE, inode: "8.2" }, true],
    ["copied on the machine", { ...PLACE, dataDir: "/copy", inode: "8.2" }, false],
    ["copied to another machine", { ...PLACE, machine: "two", inode: "8.2" }, false],
  ])("%s is the same: %#", (_, place, same) => {
    expect(isSamePlace(PLACE, place)).toBe(same);
  });

  it("is named with what to do when it is another one's", () => {
    const text = foreignHostText("h-1", PLACE, { ...PLACE, dataDir: "/copy" });
    expect(text).toContain("belongs to the data directory /data on one");
    expect(text).toContain("towpath hosts --forget h-1");
  });
});

describe("a host that is away", () => {
  it("is named with where it was seen last", () => {
    const absence = { hostId: "h-1", lastSeen: "2026-01-01T00:00:00.000Z", machine: "one", dataDir: "/data" };
    expect(absenceText(absence)).toBe(
      "host h-1, last seen 2026-01-01T00:00:00.000Z on one (data directory /data). Start its worker there: towpath up",
    );
    expect(absenceText({ ...absence, lastSeen: null, machine: "", dataDir: "" })).toContain(
      "h-1, never seen.",
    );
  });

  it("is so only when it has been silent for longer than a restart takes", () => {
    const seen = "2026-01-01T00:00:00.000Z";
    expect(isSilent(seen, new Date("2026-01-01T00:00:29.000Z"))).toBe(false);
    expect(isSilent(seen, new Date("2026-01-01T00:00:31.000Z"))).toBe(true);
  });
});
