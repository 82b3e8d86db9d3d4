import { TowpathError } from "../../model/errors.js";
import { GIT_PROTOCOLS, requireGitUrl } from "../../model/source.js";
import { repositoryPlace, type Repository } from "./places.js";
import { forceRef, foreign } from "./refs.js";
import { findCommit } from "./repository.js";
import { gitText, runGit } from "./run.js";

type Variables = Readonly<Record<string, string | undefined>>;

/** What reaching a remote takes of the worker's environment. */
const PASSED = [
  "SSH_AUTH_SOCK",
  "http_proxy",
  "https_proxy",
  "no_proxy",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
] as const;

/**
 * The environment of git commands that reach a remote. Credentials come from a file of `git credential-store`'s form
 * (`TOWPATH_GIT_CREDENTIALS_FILE`) or from ssh; nobody is ever asked for any.
 * @throws TowpathError `Usage` where the file's path cannot be given to git
 */
export function remoteEnvironment(env: Variables): Record<string, string> {
  const passed = PASSED.flatMap((name) => (env[name] ? [[name, env[name]] as const] : []));
  return {
    ...Object.fromEntries(passed),
    GIT_ALLOW_PROTOCOL: GIT_PROTOCOLS.join(":"),
    GIT_SSH_COMMAND: "ssh -o BatchMode=yes",
    ...credentialSettings(env["TOWPATH_GIT_CREDENTIALS_FILE"]),
  };
}

/** Git hands a helper's arguments to a shell. */
function credentialSettings(file: string | undefined): Record<string, string> {
  if (file === undefined || file === "") return {};
  if (!/^\/[\w./-]+$/.test(file)) {
    throw new TowpathError(
      "Usage",
      "TOWPATH_GIT_CREDENTIALS_FILE must be an absolute path of letters, digits, '.', '_', '-' and '/'.",
    );
  }
  return {
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: "credential.helper",
    GIT_CONFIG_VALUE_0: `store --file=${file}`,
  };
}

export interface PushRequest {
  readonly repo: Repository;
  readonly url: string;
  readonly migrationId: string;
  /** Without `refs/heads/`. */
  readonly branch: string;
  readonly env: Variables;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Brings the migration's branch to its remote, as it is here, rewritten or not. What this clone itself has pushed may be
 * overwritten, and nothing else: which commits these are is recorded before each push.
 * @returns the commit that the remote has now
 * @throws TowpathError `ForeignEffect` where somebody else has pushed to the branch; `GitFailed`
 */
export async function pushBranch(request: PushRequest): Promise<string> {
  const { repo, url, migrationId, branch, signal } = request;
  const place = repositoryPlace(repo);
  const env = remoteEnvironment(request.env);
  const ref = `refs/heads/${branch}`;
  const [pushed, pushing] = [`refs/towpath/${migrationId}/pushed`, `refs/towpath/${migrationId}/pushing`];
  const head = await gitText(place, ["rev-parse", "--verify", "--end-of-options", ref], { signal });
  const remote = await remoteCommit(request, ref);
  if (remote === head) return head;
  if (remote !== null) {
    const own = [await findCommit(place, pushed, signal), await findCommit(place, pushing, signal)];
    if (!own.includes(remote)) {
      throw foreign(
        `somebody else has pushed to ${branch} at ${url}, which is at ${remote}: rename or delete that branch there, then retry`,
        branch,
        remote,
      );
    }
    await forceRef(repo, pushed, remote, "towpath: pushed", signal);
  }
  await forceRef(repo, pushing, head, "towpath: pushing", signal);
  const lease = `--force-with-lease=${ref}:${remote ?? ""}`;
  const args = ["push", "--quiet", "--no-verify", lease, "--", requireGitUrl(url), `${head}:${ref}`];
  await runGit(place, args, { env, signal });
  return head;
}

/** The commit of a ref at the remote; null where it has none. */
async function remoteCommit({ repo, url, env, signal }: PushRequest, ref: string): Promise<string | null> {
  const args = ["ls-remote", "--", requireGitUrl(url), ref];
  const text = await gitText(repositoryPlace(repo), args, { env: remoteEnvironment(env), signal });
  return /^([0-9a-f]+)\t/.exec(text)?.[1] ?? null;
}
