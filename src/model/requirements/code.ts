/**
 * The code as a signature sees it: one record a file, sorted by path, each `<kind><digest> <path>` and a NUL. File names
 * are bytes; as latin1 each of them is kept.
 */
export interface CodeRecord {
  /** Regular file, executable file, symbolic link, commit of a nested repository, a file that cannot be read. */
  readonly kind: "f" | "x" | "l" | "c" | "u";
  readonly digest: string;
  /** Relative to the project. */
  readonly path: string;
}

/** A file that differs between two states of the code. */
export interface CodeChange {
  readonly path: string;
  readonly kind: "added" | "modified" | "deleted";
}

function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : Number(a.path > b.path);
}

/** The records as one text in latin1: equal code gives equal texts. */
export function codeListing(records: readonly CodeRecord[]): string {
  return [...records]
    .sort(byPath)
    .map(({ kind, digest, path }) => `${kind}${digest} ${path}\0`)
    .join("");
}

function contents(listing: string): Map<string, string> {
  return new Map(
    listing
      .split("\0")
      .filter((record) => record !== "")
      .map((record): [string, string] => {
        const space = record.indexOf(" ");
        return [record.slice(space + 1), record.slice(0, space)];
      }),
  );
}

/** What differs between two listings, sorted by path; paths are still bytes. */
export function codeChanges(before: string, after: string): CodeChange[] {
  const [old, now] = [contents(before), contents(after)];
  const changes: CodeChange[] = [];
  for (const [path, content] of now) {
    const known = old.get(path);
    if (known === undefined) changes.push({ path, kind: "added" });
    else if (known !== content) changes.push({ path, kind: "modified" });
  }
  for (const path of old.keys()) if (!now.has(path)) changes.push({ path, kind: "deleted" });
  return changes.sort(byPath);
}

/** The paths of a listing's files; they are still bytes. */
export function codePaths(listing: string): string[] {
  return [...contents(listing).keys()];
}
