import { execFile } from "node:child_process";
import { z } from "zod";
import { TowpathError } from "../../model/errors.js";
import { type Auth, type DockerConfig, type Environment, readDockerConfig } from "./config.js";

/** What an engine hands to a registry. A secret: never log it, never put it into an error or a payload. */
export type RegistryCredentials =
  | { readonly username: string; readonly password: string; readonly serveraddress: string }
  | { readonly identitytoken: string; readonly serveraddress: string }
  | { readonly registrytoken: string; readonly serveraddress: string };

/** The name under which docker.io's credentials have always been kept. */
const DOCKER_HUB = "https://index.docker.io/v1/";
const HELPER_LIMIT_MS = 20_000;
const HELPER_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
/** A helper's word for a token in the place of a user's name. */
const TOKEN_USER = "<token>";

const HelperAnswer = z.object({ Username: z.string(), Secret: z.string() });

/**
 * The credentials for a registry as the docker CLI finds them: a credential helper for this registry, the general one,
 * then what `docker login` wrote into its configuration.
 * @param registry as a parsed reference has it: `docker.io`, `host:5000`
 * @returns null where there are none
 * @throws TowpathError `Usage` for a damaged configuration, `RegistryRefused` for a helper that fails
 */
export async function registryCredentials(
  registry: string,
  env: Environment,
): Promise<RegistryCredentials | null> {
  const config = await readDockerConfig(env);
  const server = registry === "docker.io" ? DOCKER_HUB : registry;
  const helper = helperOf(config, registry, server);
  if (helper !== null) return askHelper(helper, server, env);
  return fromAuth(authOf(config, registry, server), server);
}

/** Everything in credentials that must not be seen. */
export function secretsOf(credentials: RegistryCredentials | null): string[] {
  if (credentials === null) return [];
  if ("password" in credentials) return [credentials.password];
  return ["identitytoken" in credentials ? credentials.identitytoken : credentials.registrytoken];
}

function helperOf(config: DockerConfig, registry: string, server: string): string | null {
  const helpers = config.credHelpers ?? {};
  return helpers[registry] ?? helpers[server] ?? config.credsStore ?? null;
}

function authOf(config: DockerConfig, registry: string, server: string): Auth | null {
  const auths = config.auths ?? {};
  const exact = auths[server] ?? auths[registry];
  if (exact !== undefined) return exact;
  const found = Object.entries(auths).find(([name]) => hostOf(name) === hostOf(server));
  return found?.[1] ?? null;
}

/** `https://host:5000/v1/` and `host:5000` are one registry. */
function hostOf(server: string): string {
  return server.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
}

function fromAuth(auth: Auth | null, server: string): RegistryCredentials | null {
  if (auth === null) return null;
  if (auth.identitytoken) return { identitytoken: auth.identitytoken, serveraddress: server };
  if (auth.registrytoken) return { registrytoken: auth.registrytoken, serveraddress: server };
  if (auth.username && auth.password !== undefined) {
    return { username: auth.username, password: auth.password, serveraddress: server };
  }
  const [username = "", ...rest] = Buffer.from(auth.auth ?? "", "base64")
    .toString("utf8")
    .split(":");
  if (username === "" || rest.length === 0) return null;
  return { username, password: rest.join(":").replace(/\0+$/, ""), serveraddress: server };
}

async function askHelper(
  helper: string,
  server: string,
  env: Environment,
): Promise<RegistryCredentials | null> {
  if (!HELPER_NAME.test(helper)) {
    throw new TowpathError(
      "Usage",
      `'${helper}' in docker's configuration is no name of a credential helper`,
    );
  }
  const program = `docker-credential-${helper}`;
  const answer = await runHelper(program, server, env);
  if (answer === null) return null;
  const parsed = HelperAnswer.safeParse(parseAnswer(answer));
  if (!parsed.success) throw helperFailed(program, server, "its answer is not understood");
  const { Username: username, Secret: secret } = parsed.data;
  if (username === TOKEN_USER) return { identitytoken: secret, serveraddress: server };
  return { username, password: secret, serveraddress: server };
}

function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Resolves to what the helper wrote, or null where it knows no credentials. What it wrote is never passed on. */
function runHelper(program: string, server: string, env: Environment): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      ["get"],
      { env: { ...env }, timeout: HELPER_LIMIT_MS, encoding: "utf8" },
      (error, stdout) => {
        if (error === null) return resolve(stdout);
        if (/credentials not found/i.test(stdout)) return resolve(null);
        const why = error.killed
          ? "it did not answer in time"
          : `it failed (${String(error.code ?? "unknown")})`;
        reject(helperFailed(program, server, why));
      },
    );
    // A helper that ends without reading is told by its exit code.
    child.stdin?.on("error", () => {});
    child.stdin?.end(`${server}\n`);
  });
}

function helperFailed(program: string, server: string, why: string): TowpathError {
  return new TowpathError(
    "RegistryRefused",
    `${program} gave no credentials for ${server}: ${why}. Try it: echo ${server} | ${program} get`,
  );
}
