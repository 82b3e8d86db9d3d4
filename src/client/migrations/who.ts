import { userInfo } from "node:os";
import { userIdentity, type Identity } from "../../adapters/git/repository.js";

const FALLBACK_AUTHOR: Identity = { name: "Towpath", email: "towpath@localhost" };

/** Names the person at the keyboard, as approvals and the audit trail show it: a claim, not a proof. */
export async function whoAmI(directory: string): Promise<string> {
  const identity = await userIdentity(directory);
  return (identity === undefined ? userInfo().username : `${identity.name} <${identity.email}>`).slice(
    0,
    200,
  );
}

/** Who the migration's commits are by: the user's git identity, where there is one. */
export async function commitAuthor(directory: string): Promise<Identity> {
  return (await userIdentity(directory)) ?? FALLBACK_AUTHOR;
}
