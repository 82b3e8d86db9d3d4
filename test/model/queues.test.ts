import { assert, property, string, uint8Array } from "fast-check";
import { describe, expect, it } from "vitest";
import { HostId, hostQueue, makeHostId } from "../../src/model/queues.js";

const RANDOM = new Uint8Array([0, 1, 0xab, 0xff]);

describe("makeHostId", () => {
  it.each([
    ["build-7", "build-7-0001abff"],
    ["Büro Mac.local", "b-ro-mac-local-0001abff"],
    ["--", "host-0001abff"],
    ["", "host-0001abff"],
    ["../../etc", "etc-0001abff"],
  ])("makes of hostname %j the id %s", (hostname, id) => {
    expect(makeHostId(hostname, RANDOM)).toBe(id);
  });

  it("makes a valid id of any hostname and any bytes", () => {
    assert(
      property(string({ unit: "binary" }), uint8Array({ minLength: 4, maxLength: 4 }), (name, bytes) => {
        expect(HostId.safeParse(makeHostId(name, bytes)).success).toBe(true);
      }),
    );
  });
});

it("names the queue of a host after it", () => {
  expect(hostQueue("vm-0001abff")).toBe("towpath-host-vm-0001abff");
});
