const NOBODY = 65_534;

/**
 * Runs something as a user that permissions apply to: root may read everything, whatever a file's mode says. The
 * directories on the way have to be open to others.
 */
export async function unprivileged<T>(action: () => Promise<T>, user = NOBODY): Promise<T> {
  if (process.geteuid?.() !== 0 || process.seteuid === undefined) return await action();
  process.seteuid(user);
  try {
    return await action();
  } finally {
    process.seteuid(0);
  }
}
