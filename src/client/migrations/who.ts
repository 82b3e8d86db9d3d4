import { userInfo } from "node:os";
import { hasCode } from "../../model/system-errors.js";
import { userIdentity, type Identity } from "../../adapters/git/repository.js";

const FALLBACK_AUTHOR: Identity = { name: "Towpath", email: "towpath@localhost" };

/** Names the person at the keyboard, as approvals and the audit trail show it: a claim, not a proof. */
export async function whoAmI(directory: string): Promise<string> {
  const identity = await userIdentity(directory);
  return (identity === undefined ? userName() : `${identity.name} <${identity.email}>`).slice(0, 200);
}

/** In containers a user need not have a name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch (error) {
    if (hasCode(error, "ERR_SYSTEM_ERROR")) return `user ${process.geteuid?.() ?? "unknown"}`;
    throw error;
  }
}

/** Who the migration's commits are by: the user's git identity, where there is one. */
export async function commitAuthor(directory: string): Promise<Identity> {
  return (await userIdentity(directory)) ?? FALLBACK_AUTHOR;
}
