import { directoryOf } from "./languages.js";

/** Which module a file belongs to. */
export interface ModuleNames {
  readonly of: (path: string) => string;
}

/** Directories that hold modules and are none themselves, whatever lies in them beside. */
const CONTAINERS = new Set(
  "src lib libs packages apps modules crates internal pkg source sources".split(" "),
);
/** Below that, directories are a module's own matter. */
const MAX_DEPTH = 8;

function lastPart(directory: string): string {
  return directory.slice(directory.lastIndexOf("/") + 1);
}

/**
 * Cuts a tree into modules: the project's directory and containers (`src`, `packages`, …) are opened, and so is a
 * directory without source files of its own, as Java's `com/acme`; the first directory below that is none of these is a
 * module with all that it contains. Files that lie in an opened directory form a module of its name.
 * @param paths of source files
 */
export function moduleNames(paths: readonly string[]): ModuleNames {
  const withFiles = new Set(paths.map(directoryOf));
  const cache = new Map<string, string>();
  const isOpened = (directory: string): boolean => {
    if (directory === "") return true;
    return CONTAINERS.has(lastPart(directory).toLowerCase()) || !withFiles.has(directory);
  };
  const moduleOf = (directory: string): string => {
    const parts = directory === "" ? [] : directory.split("/");
    for (let depth = 0; depth <= parts.length; depth++) {
      const outer = parts.slice(0, depth).join("/");
      if (depth === parts.length || depth === MAX_DEPTH || !isOpened(outer))
        return outer === "" ? "." : outer;
    }
    return ".";
  };
  return {
    of: (path) => {
      const directory = directoryOf(path);
      const known = cache.get(directory) ?? moduleOf(directory);
      cache.set(directory, known);
      return known;
    },
  };
}
