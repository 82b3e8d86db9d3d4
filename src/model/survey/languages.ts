const EXTENSIONS: Readonly<Record<string, readonly string[]>> = {
  JavaScript: ["js", "jsx", "mjs", "cjs"],
  TypeScript: ["ts", "tsx", "mts", "cts"],
  Vue: ["vue"],
  Svelte: ["svelte"],
  Python: ["py", "pyw", "pyi"],
  Java: ["java"],
  Kotlin: ["kt", "kts"],
  Scala: ["scala"],
  Groovy: ["groovy"],
  Go: ["go"],
  Rust: ["rs"],
  Ruby: ["rb", "rake"],
  PHP: ["php"],
  "C#": ["cs"],
  "F#": ["fs", "fsx"],
  C: ["c", "h"],
  "C++": ["cc", "cpp", "cxx", "hpp", "hh", "hxx"],
  "Objective-C": ["m", "mm"],
  Swift: ["swift"],
  Dart: ["dart"],
  Elixir: ["ex", "exs"],
  Erlang: ["erl", "hrl"],
  Haskell: ["hs"],
  Clojure: ["clj", "cljs", "cljc"],
  Perl: ["pl", "pm"],
  Lua: ["lua"],
  R: ["r"],
  Shell: ["sh", "bash", "zsh"],
  PowerShell: ["ps1", "psm1"],
  SQL: ["sql"],
  HTML: ["html", "htm"],
  CSS: ["css", "scss", "sass", "less"],
};

const BY_EXTENSION = new Map(
  Object.entries(EXTENSIONS).flatMap(([language, endings]) =>
    endings.map((ending) => [ending, language] as const),
  ),
);

/** The part behind the last `/`. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The part before the last `/`; empty for the project's own directory. */
export function directoryOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** The language of a file by its name, or null. */
export function languageOf(path: string): string | null {
  const name = baseName(path);
  const dot = name.lastIndexOf(".");
  return dot <= 0 ? null : (BY_EXTENSION.get(name.slice(dot + 1).toLowerCase()) ?? null);
}

/** `spec/` holds tests at the top, and Ruby's anywhere; elsewhere it may be about specifications. */
const TEST_DIRECTORY = /(?:^|\/)(?:tests?|__tests__|testing|testdata|e2e)\/|^specs?\/|(?:^|\/)spec\/.*\.rb$/i;
const TEST_FILE =
  /(?:\.(?:test|spec|e2e)\.[a-z]+|(?:^|\/)test_[^/]*\.py|(?:^|\/)conftest\.py|_tests?\.(?:py|go|rb|rs|exs|dart)|_spec\.rb|(?:Test|Tests|Spec|IT)\.(?:java|kt|scala|groovy|cs|php|swift))$/;

/** Whether a source file looks like a test, or like something that only tests use. */
export function isTestFile(path: string): boolean {
  return TEST_FILE.test(path) || TEST_DIRECTORY.test(path);
}
