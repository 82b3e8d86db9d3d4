import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, TowpathError } from "../../model/errors.js";
import { hasCode } from "../../model/system-errors.js";

export type Environment = Readonly<Record<string, string | undefined>>;

const Auth = z.looseObject({
  /** base64 of `user:password`. */
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
  registrytoken: z.string().optional(),
});
export type Auth = z.infer<typeof Auth>;

/** What Towpath reads of the docker CLI's `config.json`. */
const DockerConfig = z.looseObject({
  auths: z.record(z.string(), Auth).optional(),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
  currentContext: z.string().optional(),
});
export type DockerConfig = z.infer<typeof DockerConfig>;

/** The home directory of an environment. */
export function homeOf(env: Environment): string {
  return env["HOME"] || homedir();
}

/** Where the docker CLI keeps its configuration: `DOCKER_CONFIG`, else `~/.docker`. */
export function configDirectory(env: Environment): string {
  return env["DOCKER_CONFIG"] || join(homeOf(env), ".docker");
}

/**
 * The docker CLI's configuration; empty where there is none.
 * @throws TowpathError `Usage` when it cannot be read; its content, which may hold secrets, is not quoted
 */
export async function readDockerConfig(env: Environment): Promise<DockerConfig> {
  const path = join(configDirectory(env), "config.json");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return {};
    throw new TowpathError("Usage", `Cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
  const parsed = DockerConfig.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw new TowpathError("Usage", `${path} is no configuration of docker: mend it, or move it away`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
