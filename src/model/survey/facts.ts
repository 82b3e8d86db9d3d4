/** What was read from one source file. */
export interface FileFact {
  /** Relative to the project, `/` between directories. */
  readonly path: string;
  /** null: not a language that the survey knows. */
  readonly language: string | null;
  readonly bytes: number;
  /** 0 where the file was not read. */
  readonly lines: number;
  /** Import specifiers as the file has them. */
  readonly imports: readonly string[];
  /** The package or namespace that the file says it belongs to. */
  readonly declares: string | null;
}

/** A manifest of a package manager, or another small file that says how the project is built or tested. */
export interface ManifestText {
  readonly path: string;
  readonly text: string;
}

/** Files that are not part of the picture, by reason. */
export interface SkippedFiles {
  readonly binary: number;
  readonly tooLarge: number;
  readonly symlinks: number;
  readonly missing: number;
  readonly unreadable: number;
  /** Files behind the limit on their number. */
  readonly beyondLimit: number;
}

export interface LanguageFact {
  readonly language: string;
  readonly files: number;
  readonly lines: number;
  readonly bytes: number;
}

/** A directory that holds a part of the code. */
export interface ModuleFact {
  /** Its path; `.` is the project's own directory. */
  readonly name: string;
  readonly isTest: boolean;
  readonly languages: readonly string[];
  readonly fileCount: number;
  readonly lines: number;
  /** At most `MAX_LISTED_FILES`, the longest ones, sorted by path. */
  readonly files: readonly string[];
  /** Modules that its files import, with the number of its files that do. */
  readonly imports: readonly { readonly module: string; readonly files: number }[];
  /** Files of other modules, tests not counted, that import something of it. */
  readonly fanIn: number;
  /** Its files that other modules import, most imported first. */
  readonly entries: readonly { readonly path: string; readonly importers: number }[];
}

export interface HubFact {
  readonly path: string;
  readonly lines: number;
  /** Files, tests not counted, that import it. */
  readonly importers: number;
}

export const ECOSYSTEMS = ["npm", "pypi", "maven", "go", "cargo", "rubygems", "packagist", "nuget"] as const;
export type Ecosystem = (typeof ECOSYSTEMS)[number];

export interface DependencyFact {
  readonly ecosystem: Ecosystem;
  readonly name: string;
  /** As the manifest has it; empty where it says none. */
  readonly version: string;
  readonly use: "runtime" | "development";
  readonly manifest: string;
}

/** A package from outside that source files import. */
export interface ExternalFact {
  readonly name: string;
  readonly language: string;
  readonly files: readonly string[];
  readonly fileCount: number;
}

export interface TestCommandFact {
  readonly command: string;
  /** The file that it was found in. */
  readonly from: string;
}

/** What a survey found out; equal trees give equal facts. */
export interface SurveyFacts {
  readonly files: number;
  readonly lines: number;
  readonly bytes: number;
  readonly skipped: SkippedFiles;
  readonly languages: readonly LanguageFact[];
  readonly biggest: readonly { readonly path: string; readonly language: string; readonly lines: number }[];
  readonly modules: readonly ModuleFact[];
  readonly hubs: readonly HubFact[];
  /** Of the imports that name something of the project, the share that was found. */
  readonly resolvedShare: number;
  readonly externals: readonly ExternalFact[];
  readonly dependencies: readonly DependencyFact[];
  readonly testCommands: readonly TestCommandFact[];
  readonly testFiles: readonly string[];
}

export const MAX_LISTED_FILES = 100;

/** Sorts texts by code units: the same on every machine, whatever its language. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
