import { readdir, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { connect } from "../../src/adapters/temporal/connect.js";
import type { TemporalEndpoint } from "../../src/adapters/temporal/endpoint.js";
import { SEARCH_ATTRIBUTES } from "../../src/model/visibility.js";
import { type Home, makeHome } from "../support/cli.js";
import { Authority, type Identity } from "../support/cluster/certificates.js";
import { describeOnCluster, useCluster } from "../support/cluster/describe.js";
import { makeNamespace, registerAttributes } from "../support/cluster/namespaces.js";
import type { ServerTls } from "../support/cluster/server-config.js";
import { startTokenIssuer, type TokenIssuer } from "../support/cluster/tokens.js";
import { cleanUp, specWith, TRIVIAL_GUARDRAIL } from "../support/migrations.js";
import { createRepository, temporaryDirectory } from "../support/repository.js";

const SPEC = specWith(`${TRIVIAL_GUARDRAIL}\n  migrate: { steps: [{ id: change, run: "echo b >> a.txt" }] }`);
const Started = z.object({ id: z.string() });
const Failure = z.object({ error: z.object({ type: z.string(), message: z.string() }) });

type Env = Record<string, string>;

describeOnCluster("a Temporal of one's own", { timeout: 600_000 }, () => {
  const cleanups: (() => Promise<void>)[] = [];
  let directory: string;
  let authority: Authority;
  let server: Identity;
  let client: Identity;
  let stranger: Identity;
  let issuer: TokenIssuer;

  const tlsOf = (clientCaFile: string | null): ServerTls => ({
    ...server,
    rootCaFile: authority.certFile,
    clientCaFile,
  });

  /** How the rig itself gets in by its certificate. */
  const byCertificate = async (): Promise<Pick<TemporalEndpoint, "tls">> => ({
    tls: {
      serverRootCACertificate: await bytes(authority.certFile),
      clientCertPair: { crt: await bytes(client.certFile), key: await bytes(client.keyFile) },
    },
  });

  const cluster = useCluster(async () => {
    directory = await temporaryDirectory(cleanups);
    authority = await Authority.make(directory, "authority");
    server = await authority.sign("server", "DNS:localhost,DNS:frontend.example");
    client = await authority.sign("client", "DNS:client");
    const others = await Authority.make(directory, "others");
    stranger = await others.sign("stranger", "DNS:client");
    issuer = await startTokenIssuer();
    cleanups.push(() => issuer.close());
    return { security: { tls: tlsOf(authority.certFile) }, access: await byCertificate() };
  });
  afterAll(() => cleanUp(cleanups));

  async function freshHome(): Promise<Home> {
    const home = await makeHome("own");
    cleanups.push(() => home.remove());
    return home;
  }

  async function completesAMigration(home: Home, env: Env): Promise<void> {
    const project = join(await temporaryDirectory(cleanups), "project");
    const { path } = await createRepository(project, { "a.txt": "a\n", "towpath.yaml": SPEC });
    const started = await home.run(["start", path, "--allow-host", "--json"], env);
    expect(started).toMatchObject({ code: 0 });
    const { id } = Started.parse(JSON.parse(started.stdout));
    expect(await home.run(["watch", id], env)).toMatchObject({ code: 0 });
    const listed = await home.run(["list", "--json"], env);
    expect(JSON.parse(listed.stdout)).toMatchObject({ migrations: [{ id, status: "completed" }] });
  }

  describe("that asks for client certificates", () => {
    let endpoint: TemporalEndpoint;
    beforeAll(async () => {
      const admin = { address: cluster().address, namespace: "default", ...(await byCertificate()) };
      endpoint = { ...admin, namespace: await makeNamespace(admin, "mutual") };
    }, 180_000);

    const variables = (identity: Identity, ca: string): Env => ({
      TEMPORAL_ADDRESS: endpoint.address,
      TEMPORAL_NAMESPACE: endpoint.namespace,
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: ca,
      TEMPORAL_TLS_CLIENT_CERT_PATH: identity.certFile,
      TEMPORAL_TLS_CLIENT_KEY_PATH: identity.keyFile,
    });

    it("is used by a profile; a namespace without our search attributes gets them", async () => {
      const file = join(directory, "temporal.toml");
      const profile = `[profile.prod]
address = "${endpoint.address}"
namespace = "${endpoint.namespace}"
[profile.prod.tls]
server_ca_cert_path = "${authority.certFile}"
client_cert_path = "${client.certFile}"
client_key_path = "${client.keyFile}"
`;
      await writeFile(file, profile);
      const env = { TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: "prod" };
      await completesAMigration(await freshHome(), env);

      const { connection } = await connect(endpoint);
      const { namespace } = endpoint;
      const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
      await connection.close();
      expect(Object.keys(customAttributes ?? {})).toEqual(
        expect.arrayContaining(Object.keys(SEARCH_ATTRIBUTES)),
      );
    });

    it("is used by variables whose paths are relative, by the worker in the background too", async () => {
      const ca = relative(process.cwd(), authority.certFile);
      const up = await (await freshHome()).run(["up", "--json"], variables(seenFromHere(client), ca));
      expect(up).toMatchObject({ code: 0 });
      expect(JSON.parse(up.stdout)).toMatchObject({
        temporal: { address: endpoint.address, namespace: endpoint.namespace, embedded: false },
        worker: { reused: false },
      });
    });

    it("says with exit code 6 what of the configuration does not fit", async () => {
      const home = await freshHome();
      const right = variables(client, authority.certFile);
      const plain = { TEMPORAL_ADDRESS: endpoint.address, TEMPORAL_NAMESPACE: endpoint.namespace };
      const cases: readonly (readonly [Env, RegExp])[] = [
        [plain, /it speaks TLS, and none is configured\. Set TEMPORAL_TLS=true/],
        [{ ...plain, TEMPORAL_TLS: "true" }, /signed by nobody who is trusted here.*SERVER_CA_CERT_PATH/],
        [variables(client, stranger.certFile), /signed by nobody who is trusted here/],
        [
          { ...plain, TEMPORAL_TLS_SERVER_CA_CERT_PATH: authority.certFile },
          /it wants a client certificate\. Set TEMPORAL_TLS_CLIENT_CERT_PATH/,
        ],
        [variables(stranger, authority.certFile), /it refuses the client certificate/],
        [{ ...right, TEMPORAL_TLS_SERVER_NAME: "elsewhere" }, /for another name.*TEMPORAL_TLS_SERVER_NAME/],
        [{ ...right, TEMPORAL_NAMESPACE: "nowhere" }, /has no such namespace\. Create it/],
      ];
      for (const [env, message] of cases) {
        const answer = await refused(home, env, "up");
        expect(answer).toMatchObject({ code: 6, type: "TemporalUnreachable" });
        expect(answer.message).toMatch(message);
        expect(answer.message).toContain(endpoint.address);
      }
      expect(await refused(home, { ...right, TEMPORAL_TLS_CLIENT_KEY_PATH: "" }, "up")).toMatchObject({
        code: 2,
        message: expect.stringContaining("names a client certificate and no client key"),
      });
    });

    it("is known by another name of its certificate", async () => {
      const env = { ...variables(client, authority.certFile), TEMPORAL_TLS_SERVER_NAME: "frontend.example" };
      const doctor = await (await freshHome()).run(["doctor"], env);
      expect(doctor.stdout).toContain(`${endpoint.address} (namespace ${endpoint.namespace}), configured`);
    });
  });

  describe("that asks for API keys", () => {
    let admin: TemporalEndpoint;
    let namespace: string;
    beforeAll(async () => {
      const tls = { serverRootCACertificate: await bytes(authority.certFile) };
      const access = { tls, apiKey: issuer.issue("temporal-system:admin") };
      await cluster().stopServer();
      await cluster().startServer({ tls: tlsOf(null), keySet: issuer.keySet }, access);
      admin = { address: cluster().address, namespace: "default", ...access };
    }, 180_000);
    beforeEach(async () => {
      namespace = await makeNamespace(admin, "keys");
    }, 180_000);

    const variables = (key: string): Env => ({
      TEMPORAL_ADDRESS: admin.address,
      TEMPORAL_NAMESPACE: namespace,
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: authority.certFile,
      TEMPORAL_API_KEY: key,
    });

    it("is used with a key that may only read and write, once somebody else added the attributes", async () => {
      const home = await freshHome();
      const key = issuer.issue(`${namespace}:read`, `${namespace}:write`);
      const answer = await refused(home, variables(key), "up");
      expect(answer.message).toMatch(
        new RegExp(
          `Namespace ${namespace} does not take the search attributes[^]*` +
            `temporal operator search-attribute create --namespace ${namespace} --name TowpathStatus --type Keyword`,
        ),
      );
      expect(answer).toMatchObject({ code: 6, type: "TemporalUnavailable" });

      await registerAttributes({ ...admin, namespace });
      await completesAMigration(home, variables(key));
      await expectNowhere(key, home.dataDir);
    });

    it("says with exit code 6 that it refuses a key, and does not repeat the key", async () => {
      const home = await freshHome();
      const imposter = await startTokenIssuer();
      cleanups.push(() => imposter.close());
      const elsewhere = issuer.issue("other-namespace:read", "other-namespace:write");
      for (const key of ["no-token", imposter.issue("temporal-system:admin"), elsewhere]) {
        for (const command of ["up", "list"]) {
          const answer = await refused(home, variables(key), command);
          expect(answer).toMatchObject({ code: 6, type: "TemporalUnreachable" });
          expect(answer.message).toMatch(/refuses/);
          expect(answer.message).not.toContain(key);
        }
      }
      await expectNowhere(elsewhere, home.dataDir);
    });
  });
});

async function refused(home: Home, env: Env, ...args: string[]) {
  const { code, stdout } = await home.run([...args, "--json"], env);
  return { code, ...Failure.parse(JSON.parse(stdout)).error };
}

function seenFromHere({ certFile, keyFile }: Identity): Identity {
  return { certFile: relative(process.cwd(), certFile), keyFile: relative(process.cwd(), keyFile) };
}

async function bytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(path));
}

/** A key is in no file below a directory. */
async function expectNowhere(key: string, directory: string): Promise<void> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files) {
    expect((await readFile(file)).includes(key), `${file} holds the API key`).toBe(false);
  }
}
