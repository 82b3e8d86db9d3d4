/** What a source file says of itself and of others. */
export interface SourceNames {
  readonly imports: readonly string[];
  readonly declares: string | null;
}

interface Syntax {
  readonly comments: "c" | "python" | "ruby" | "none";
  /** Each has one group: the specifier. */
  readonly imports: readonly RegExp[];
  readonly declares?: RegExp;
}

const JAVASCRIPT: Syntax = {
  comments: "c",
  imports: [
    /(?:^|[;}\s])import\s+(?:type\s+)?(?:[\w*{},$\s]{1,2000}?\s+from\s+)?["']([^"'\n]+)["']/g,
    /(?:^|[;}\s])export\s+(?:type\s+)?(?:\*(?:\s+as\s+\w+)?|\{[^}]{0,4000}\})\s*from\s*["']([^"'\n]+)["']/g,
    /(?<![\w.$])(?:require|import)\s*\(\s*["']([^"'\n]+)["']\s*[,)]/g,
    /(?<![\w.$])(?:require\.resolve|jest\.mock|vi\.mock)\s*\(\s*["']([^"'\n]+)["']/g,
  ],
};

const JVM: Syntax = {
  comments: "c",
  imports: [/^[ \t]*import\s+(?:static\s+)?([\w.]+\*?)/gm],
  declares: /^[ \t]*package\s+([\w.]+)/m,
};

const SYNTAX: Readonly<Record<string, Syntax>> = {
  JavaScript: JAVASCRIPT,
  TypeScript: JAVASCRIPT,
  Vue: JAVASCRIPT,
  Svelte: JAVASCRIPT,
  Python: {
    comments: "python",
    imports: [/^[ \t]*from[ \t]+(\.*[\w.]*)[ \t]+import\b/gm],
  },
  Java: JVM,
  Kotlin: JVM,
  Scala: JVM,
  Groovy: JVM,
  Go: {
    comments: "c",
    imports: [/^[ \t]*import\s+(?:[\w.]+\s+)?"([^"\n]+)"/gm],
    declares: /^[ \t]*package\s+(\w+)/m,
  },
  Rust: {
    comments: "c",
    imports: [/^[ \t]*(?:pub(?:\([^)]*\))?\s+)?use\s+(?:::)?([\w:]+)/gm, /^[ \t]*extern\s+crate\s+(\w+)/gm],
  },
  Ruby: { comments: "ruby", imports: [/^[ \t]*require\s*\(?\s*["']([^"'\n]+)["']/gm] },
  PHP: {
    comments: "c",
    imports: [/^[ \t]*use\s+(?:function\s+|const\s+)?\\?([\w\\]+)/gm],
    declares: /^[ \t]*(?:<\?php\s+)?namespace\s+([\w\\]+)/m,
  },
  "C#": {
    comments: "c",
    imports: [/^[ \t]*(?:global\s+)?using\s+(?:static\s+)?(?:\w+\s*=\s*)?([\w.]+)\s*;/gm],
    declares: /^[ \t]*namespace\s+([\w.]+)/m,
  },
  C: { comments: "c", imports: [/^[ \t]*#\s*include\s+"([^"\n]+)"/gm] },
  "C++": { comments: "c", imports: [/^[ \t]*#\s*include\s+"([^"\n]+)"/gm] },
};

/** Comments go, texts stay: a specifier is a text. One pass, so neither is taken for the other. */
const C_TOKENS =
  /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`|\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*/g;
const PYTHON_TEXTS = /("""|''')[\s\S]*?(?:\1|$)/g;
const RUBY_BLOCKS = /^=begin[\s\S]*?^=end/gm;

/** Templates go too: what looks like an import in them is the text of a program, as tests have it. */
function kept(token: string): string {
  if (token.startsWith("/")) return " ";
  return token.startsWith("`") ? "``" : token;
}

function withoutComments(text: string, comments: Syntax["comments"]): string {
  if (comments === "c") return text.replace(C_TOKENS, kept);
  if (comments === "python") return text.replace(PYTHON_TEXTS, '""');
  return comments === "ruby" ? text.replace(RUBY_BLOCKS, "") : text;
}

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].flatMap(([, specifier]) => (specifier === undefined ? [] : [specifier]));
}

/** `import a, b.c as d`, and the names in `from x import …`, which may be modules of the package `x`. */
function pythonImports(text: string): string[] {
  const plain = matches(text, /^[ \t]*import[ \t]+([^\n#;]+)/gm).flatMap((list) => list.split(","));
  const from = [
    ...text.matchAll(/^[ \t]*from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+(\([^)]{0,4000}\)|[^\n#;]+)/gm),
  ];
  const members = from.flatMap(([, base = "", names = ""]) =>
    names
      .replaceAll(/[()\\]|#[^\n]*/g, " ")
      .split(",")
      .flatMap((name) => /^\s*(\w+)/.exec(name)?.[1] ?? [])
      .map((name) => (base.endsWith(".") ? `${base}${name}` : `${base}.${name}`)),
  );
  return [...plain.flatMap((name) => /^\s*([\w.]+)/.exec(name)?.[1] ?? []), ...members];
}

function goImports(text: string): string[] {
  const blocks = [...text.matchAll(/^[ \t]*import\s*\(([^)]{0,20000})\)/gm)];
  return blocks.flatMap(([, block = ""]) => matches(block, /"([^"\n]+)"/g));
}

/** Relative ones, marked by `./` as in Node, so that the resolver need not know who wrote them. */
function relativeImports(language: string, text: string): string[] {
  if (language === "Ruby") {
    return matches(text, /^[ \t]*require_relative\s*\(?\s*["']([^"'\n]+)["']/gm).map((path) => `./${path}`);
  }
  if (language === "Rust") {
    return matches(text, /^[ \t]*(?:pub(?:\([^)]*\))?\s+)?mod\s+(\w+)\s*;/gm).map((name) => `mod:${name}`);
  }
  if (language !== "PHP") return [];
  return matches(
    text,
    /(?:require|include)(?:_once)?\s*\(?\s*(?:(?:__DIR__|dirname\(__FILE__\))\s*\.\s*)?["']\/?([^"'\n]+\.php)["']/g,
  ).map((path) => `./${path}`);
}

/**
 * Import specifiers of a source file, by regular expressions over its text without comments: quick, and right for code
 * as people write it. What is made up at run time is not seen.
 */
export function readNames(language: string, text: string): SourceNames {
  const syntax = SYNTAX[language];
  if (syntax === undefined) return { imports: [], declares: null };
  const code = withoutComments(text, syntax.comments);
  const found = [
    ...syntax.imports.flatMap((pattern) => matches(code, pattern)),
    ...(language === "Python" ? pythonImports(code) : []),
    ...(language === "Go" ? goImports(code) : []),
    ...relativeImports(language, code),
  ];
  return { imports: [...new Set(found)], declares: syntax.declares?.exec(code)?.[1] ?? null };
}
