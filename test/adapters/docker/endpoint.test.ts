import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { registryCredentials, secretsOf } from "../../../src/adapters/docker/credentials.js";
import { resolveEndpoint } from "../../../src/adapters/docker/endpoint.js";

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "towpath-docker-"));
  await mkdir(join(home, ".docker"));
});
afterEach(() => rm(home, { recursive: true }));

async function config(content: unknown): Promise<void> {
  await writeFile(join(home, ".docker", "config.json"), JSON.stringify(content));
}

async function context(
  name: string,
  docker: unknown,
  files: Readonly<Record<string, string>> = {},
): Promise<void> {
  const digest = createHash("sha256").update(name).digest("hex");
  const meta = join(home, ".docker", "contexts", "meta", digest);
  const tls = join(home, ".docker", "contexts", "tls", digest, "docker");
  await mkdir(meta, { recursive: true });
  await mkdir(tls, { recursive: true });
  await writeFile(join(meta, "meta.json"), JSON.stringify({ Name: name, Endpoints: { docker } }));
  for (const [file, text] of Object.entries(files)) await writeFile(join(tls, file), text);
}

async function host(env: Record<string, string>): Promise<string> {
  return (await resolveEndpoint({ HOME: home, ...env })).host;
}

function environment(): Record<string, string> {
  return { HOME: home, PATH: `${home}:${process.env["PATH"] ?? ""}` };
}

function encoded(text: string): string {
  return Buffer.from(text).toString("base64");
}

async function helper(name: string, script: string): Promise<void> {
  await writeFile(join(home, `docker-credential-${name}`), `#!/bin/sh\n${script}\n`);
  await chmod(join(home, `docker-credential-${name}`), 0o755);
}

describe("resolveEndpoint", () => {
  it.each([
    ["unix:///run/engine.sock", { socketPath: "/run/engine.sock" }, false],
    ["unix://", { socketPath: "/var/run/docker.sock" }, false],
    ["tcp://10.0.0.5:2375", { host: "10.0.0.5", port: 2375 }, false],
    ["tcp://engine.example", { host: "engine.example", port: 2375 }, false],
    ["tcp://[::1]:2375", { host: "::1", port: 2375 }, false],
    ["https://engine.example", { host: "engine.example", port: 2376 }, true],
  ])("reads DOCKER_HOST=%s", async (text, address, tls) => {
    const endpoint = await resolveEndpoint({ HOME: home, DOCKER_HOST: text });
    expect(endpoint.address).toEqual(address);
    expect(endpoint.tls !== null).toBe(tls);
  });

  it("takes DOCKER_HOST before DOCKER_CONTEXT before the current context before the usual socket", async () => {
    await config({ currentContext: "current" });
    await context("current", { Host: "unix:///current.sock" });
    await context("named", { Host: "unix:///named.sock" });
    expect(await host({ DOCKER_CONTEXT: "named", DOCKER_HOST: "unix:///host.sock" })).toBe(
      "unix:///host.sock",
    );
    expect(await host({ DOCKER_CONTEXT: "named" })).toBe("unix:///named.sock");
    expect(await host({})).toBe("unix:///current.sock");
    expect(await host({ DOCKER_HOST: "" })).toBe("unix:///current.sock");
    expect(await host({ DOCKER_CONTEXT: "default" })).toMatch(/^unix:\/\/\/.*docker.sock$/);
  });

  it("takes TLS from the environment, whatever DOCKER_TLS_VERIFY is set to, and from a context", async () => {
    for (const name of ["ca.pem", "cert.pem", "key.pem"]) await writeFile(join(home, name), name);
    for (const value of ["1", "true", "yes"]) {
      const env = { HOME: home, DOCKER_HOST: "tcp://h", DOCKER_TLS_VERIFY: value, DOCKER_CERT_PATH: home };
      const { tls, address } = await resolveEndpoint(env);
      expect(String(tls?.key)).toBe("key.pem");
      expect(address).toMatchObject({ port: 2376 });
    }
    await context("secure", { Host: "tcp://h:9999" }, { "ca.pem": "the ca" });
    const { tls } = await resolveEndpoint({ HOME: home, DOCKER_CONTEXT: "secure" });
    expect(String(tls?.ca)).toBe("the ca");
    expect(tls?.key).toBeUndefined();
  });

  it.each([
    [{ DOCKER_HOST: "ssh://ada:secret@host" }, "engines over ssh are not supported"],
    [{ DOCKER_HOST: "nonsense" }, "names no engine"],
    [{ DOCKER_CONTEXT: "missing" }, "there is none of that name"],
    [{ DOCKER_CONTEXT: "careless" }, "switches off the verification"],
  ])("refuses %j", async (env, why) => {
    await context("careless", { Host: "tcp://h", SkipTLSVerify: true });
    const failed = await resolveEndpoint({ HOME: home, ...env }).catch(String);
    expect(failed).toContain(why);
    expect(failed).not.toContain("secret");
  });

  it("does not quote a configuration that it cannot read", async () => {
    await writeFile(join(home, ".docker", "config.json"), '{"auths": "canary-secret"');
    const failed = await resolveEndpoint({ HOME: home }).catch(String);
    expect(failed).toContain("is no configuration of docker");
    expect(failed).not.toContain("canary");
  });
});

describe("registryCredentials", () => {
  it.each([
    ["host:5000", "host:5000"],
    ["https://host:5000", "host:5000"],
    ["https://host:5000/v1/", "host:5000"],
    ["https://index.docker.io/v1/", "docker.io"],
  ])("finds what docker login wrote for %s", async (key, registry) => {
    await config({ auths: { [key]: { auth: encoded("ada:pass:word") } } });
    expect(await registryCredentials(registry, environment())).toMatchObject({
      username: "ada",
      password: "pass:word",
    });
    expect(await registryCredentials("elsewhere", environment())).toBeNull();
  });

  it("reads tokens, and has none where nothing is said", async () => {
    expect(await registryCredentials("host", environment())).toBeNull();
    await config({ auths: { host: { identitytoken: "token" }, empty: {} } });
    const found = await registryCredentials("host", environment());
    expect(found).toEqual({ identitytoken: "token", serveraddress: "host" });
    expect(secretsOf(found)).toEqual(["token"]);
    expect(await registryCredentials("empty", environment())).toBeNull();
  });

  it("asks the registry's helper, then the general one, and gives it the server on stdin", async () => {
    await config({
      credsStore: "general",
      credHelpers: { "host:5000": "own" },
      auths: { "host:5000": { auth: encoded("a:b") } },
    });
    await helper("own", `read -r server; echo '{"Username":"ada","Secret":"'"$server"'"}'`);
    await helper("general", `cat > /dev/null; echo '{"Username":"<token>","Secret":"tok"}'`);
    expect(await registryCredentials("host:5000", environment())).toMatchObject({
      username: "ada",
      password: "host:5000",
    });
    expect(await registryCredentials("docker.io", environment())).toEqual({
      identitytoken: "tok",
      serveraddress: "https://index.docker.io/v1/",
    });
  });

  it("takes a helper's word that there are none, and says when it fails without saying what it wrote", async () => {
    await config({ credsStore: "none" });
    await helper("none", "cat > /dev/null; echo 'credentials not found in native keychain'; exit 1");
    expect(await registryCredentials("host", environment())).toBeNull();
    await helper("none", "cat > /dev/null; echo canary-secret; echo canary-secret >&2; exit 1");
    const failed = await registryCredentials("host", environment()).catch(String);
    expect(failed).toContain("docker-credential-none gave no credentials for host");
    expect(failed).not.toContain("canary");
    await helper("none", "cat > /dev/null; echo canary-secret");
    expect(await registryCredentials("host", environment()).catch(String)).not.toContain("canary");
    await config({ credsStore: "../../evil" });
    expect(await registryCredentials("host", environment()).catch(String)).toContain(
      "is no name of a credential helper",
    );
    await config({ credsStore: "not-installed" });
    expect(await registryCredentials("host", environment()).catch(String)).toContain("ENOENT");
  });
});
