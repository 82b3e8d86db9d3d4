import { createServer, type Server } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { anyFreePort, nextFreePort, portAnswers, portIsFree } from "../../../src/adapters/temporal/ports.js";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

function occupy(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    servers.push(server);
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
}

describe("free ports", () => {
  it("are found by binding them", async () => {
    const port = await anyFreePort();
    expect([await portIsFree(port), await portAnswers(port)]).toEqual([true, false]);
    await occupy(port);
    expect([await portIsFree(port), await portAnswers(port)]).toEqual([false, true]);
  });

  it("are the next ones where the first is taken or promised", async () => {
    const first = await anyFreePort();
    await occupy(first);
    const next = await nextFreePort(first);
    expect(next).toBeGreaterThan(first);
    expect(await nextFreePort(first, [next])).toBeGreaterThan(next);
  });

  it("end at 65535", async () => {
    const last = 65_535;
    await expect(nextFreePort(last)).resolves.toBe(last);
    await occupy(last);
    await expect(nextFreePort(last)).rejects.toMatchObject({
      type: "TemporalUnavailable",
      message: expect.stringContaining("65535"),
    });
  });

  it("are not looked for without end", async () => {
    const all = Array.from({ length: 200 }, (_, index) => 40_000 + index);
    await expect(nextFreePort(40_000, all)).rejects.toThrow(/from 40000 to 40099/);
  });
});
