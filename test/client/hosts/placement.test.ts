import { describe, expect, it } from "vitest";
import { hasRoom, leastBusy } from "../../../src/client/hosts/placement.js";
import type { HostRecord } from "../../../src/model/hosts.js";

const RECORD: HostRecord = {
  place: { machine: "m", dataDir: "/data", inode: "1" },
  session: "s",
  pid: 1,
  version: "0.1.0",
  startedAt: "2026-01-01T00:00:00.000Z",
  running: 0,
  slots: 32,
  cpus: 2,
  loadAverage: 0,
  freeBytes: 2 ** 40,
  engine: null,
};

function host(migrations: number, changes: Partial<HostRecord> = {}) {
  return { migrations, isHere: true, record: { ...RECORD, ...changes } };
}

describe("the host for a migration", () => {
  it("is the one with the fewest migrations for what it can do, then the one with the least load", () => {
    const [busy, small, large] = [host(4), host(2, { slots: 8 }), host(2)];
    expect(leastBusy([busy, small, large])).toBe(large);
    const [loaded, idle] = [host(1, { loadAverage: 3 }), host(1)];
    expect(leastBusy([loaded, idle])).toBe(idle);
    expect(leastBusy([])).toBeNull();
  });

  it("has a slot and a disk to spare, and is there", () => {
    expect(hasRoom(host(9))).toBe(true);
    expect(hasRoom(host(0, { running: 32 }))).toBe(false);
    expect(hasRoom(host(0, { freeBytes: 1024 }))).toBe(false);
    expect(hasRoom(host(0, { freeBytes: null }))).toBe(true);
    expect(hasRoom({ ...host(0), isHere: false })).toBe(false);
    expect(hasRoom({ isHere: true, record: null })).toBe(false);
  });
});
