import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  connectionOptions,
  describeEndpoint,
  endpointFingerprint,
  type TemporalEndpoint,
} from "../../../src/adapters/temporal/endpoint.js";
import { temporalTarget } from "../../../src/adapters/temporal/target.js";
import { TowpathError } from "../../../src/model/errors.js";

const SECRET = "canary-5e41";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "towpath-target-"));
});
afterEach(() => rm(home, { recursive: true }));

function thrown(action: () => unknown): TowpathError {
  try {
    action();
  } catch (error) {
    if (error instanceof TowpathError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("temporalTarget", () => {
  it.each([
    ["nothing", {}],
    ["an empty address, as compose files write it", { TEMPORAL_ADDRESS: "", TEMPORAL_NAMESPACE: "" }],
    ["the default namespace alone", { TEMPORAL_NAMESPACE: "default" }],
    ["an empty config file", { TEMPORAL_CONFIG_FILE: "/dev/null" }],
    ["a config file that is not there", { TEMPORAL_CONFIG_FILE: "/nonexistent/temporal.toml" }],
  ])("is embedded with %s", (_, env) => {
    expect(temporalTarget({ HOME: home, ...env })).toEqual({ kind: "embedded" });
  });

  it("takes the address from the environment, with the default namespace", () => {
    expect(temporalTarget({ HOME: home, TEMPORAL_ADDRESS: "t:7233" })).toEqual({
      kind: "configured",
      endpoint: { address: "t:7233", namespace: "default" },
    });
  });

  it("turns TLS on for an API key", () => {
    const env = { TEMPORAL_ADDRESS: "t:7233", TEMPORAL_API_KEY: SECRET, TEMPORAL_NAMESPACE: "team.acct" };
    expect(temporalTarget({ HOME: home, ...env })).toEqual({
      kind: "configured",
      endpoint: { address: "t:7233", namespace: "team.acct", tls: true, apiKey: SECRET },
    });
  });

  it("reads a profile with mTLS from the config file in the home directory", async () => {
    const config = join(home, ".config", "temporalio");
    await mkdir(config, { recursive: true });
    for (const name of ["ca", "crt", "key"]) await writeFile(join(home, name), `PEM ${name}`);
    await writeFile(
      join(config, "temporal.toml"),
      `[profile.prod]
address = "cloud:7233"
namespace = "prod"
[profile.prod.tls]
server_name = "frontend"
server_ca_cert_path = "${home}/ca"
client_cert_path = "${home}/crt"
client_key_path = "${home}/key"
[profile.prod.grpc_meta]
team = "blue"
`,
    );
    expect(temporalTarget({ HOME: home })).toEqual({ kind: "embedded" });
    const target = temporalTarget({ HOME: home, TEMPORAL_PROFILE: "prod" });
    if (target.kind !== "configured") throw new Error("expected a configured target");
    const options = connectionOptions(target.endpoint);
    expect(target.endpoint.namespace).toBe("prod");
    expect(options).toMatchObject({
      address: "cloud:7233",
      metadata: { team: "blue" },
      tls: {
        serverNameOverride: "frontend",
        serverRootCACertificate: Buffer.from("PEM ca"),
        clientCertPair: { crt: Buffer.from("PEM crt"), key: Buffer.from("PEM key") },
      },
    });
  });

  it("lets the environment win over the file", async () => {
    const file = join(home, "t.toml");
    await writeFile(file, `[profile.default]\naddress = "file:1"\nnamespace = "n"\n`);
    const env = { HOME: home, TEMPORAL_CONFIG_FILE: file, TEMPORAL_ADDRESS: "env:2" };
    expect(temporalTarget(env)).toMatchObject({ endpoint: { address: "env:2", namespace: "n" } });
  });

  it.each([
    [
      "a profile that is not there",
      `[profile.a]\naddress = "x:1"\n`,
      { TEMPORAL_PROFILE: "b" },
      /Profile 'b' not found/,
    ],
    ["a file that is no TOML", `[profile.default]\napi_key = "${SECRET}\n`, {}, /not valid TOML at line 2/],
    [
      "a certificate that is not there",
      "",
      { TEMPORAL_ADDRESS: "x:1", TEMPORAL_TLS_CLIENT_CERT_PATH: "/no" },
      /\/no/,
    ],
    ["an address of the wrong type", `[profile.default]\naddress = 7\n`, {}, /address has the wrong type/],
    ["credentials without an address", "", { TEMPORAL_API_KEY: SECRET }, /no address/],
    ["a namespace without an address", "", { TEMPORAL_NAMESPACE: "team" }, /team but no address/],
  ])("refuses %s, without telling secrets", async (_, toml, env, message) => {
    const file = join(home, "t.toml");
    await writeFile(file, toml);
    const error = thrown(() => temporalTarget({ HOME: home, TEMPORAL_CONFIG_FILE: file, ...env }));
    expect(error.type).toBe("Usage");
    expect(error.message).toMatch(message);
    expect(error.message + JSON.stringify(error.details)).not.toContain(SECRET);
  });
});

describe("an endpoint", () => {
  const base: TemporalEndpoint = { address: "a:1", namespace: "n", apiKey: SECRET };

  it("is described without its credentials", () => {
    expect(describeEndpoint(base)).toBe("a:1 (namespace n)");
  });

  it.each<[string, TemporalEndpoint]>([
    ["address", { ...base, address: "a:2" }],
    ["namespace", { ...base, namespace: "m" }],
    ["API key", { ...base, apiKey: "other" }],
    ["TLS", { ...base, tls: true }],
    ["certificate", { ...base, tls: { serverRootCACertificate: Buffer.from("x") } }],
    ["metadata", { ...base, metadata: { a: "b" } }],
  ])("has another fingerprint with another %s", (_, other) => {
    expect(endpointFingerprint(other)).not.toBe(endpointFingerprint(base));
  });

  it("has the same fingerprint whatever the order of its keys", () => {
    expect(endpointFingerprint({ apiKey: SECRET, namespace: "n", address: "a:1" })).toBe(
      endpointFingerprint(base),
    );
  });
});
