import {
  Composer,
  type Document,
  type LineCounter,
  LineCounter as Lines,
  type ParsedNode,
  Parser,
  type YAMLParseError,
  isAlias,
  isMap,
  isScalar,
  isSeq,
} from "yaml";
import { type SpecPath, type SpecProblem, formatPath } from "./problems.js";
import { checkDepth, checkStructure } from "./structure.js";

export const MAX_SPEC_BYTES = 256 * 1024;
/** Aliases may be used, but not to grow a small file into a large spec. */
const MAX_ALIASES = 100;

export type SpecFormat = "yaml" | "json";

/** Where in the file something stands. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A text that was read, and where in it each value stands. */
export interface SpecDocument {
  readonly value: unknown;
  /** Where the value at a path begins; of what is missing, the place of the innermost thing that is there. */
  readonly placeOf: (path: SpecPath) => Place;
  /** Where the key at a path begins. */
  readonly placeOfKey: (path: SpecPath) => Place;
  /** The place of the n-th `needle` (from 0) in the value's own text, or the value's. */
  readonly placeInside: (path: SpecPath, needle: string, n: number) => Place;
  /** A value's text as it stands in the file, without quotes or comments; null where it is not a plain value. */
  readonly sourceOf: (path: SpecPath) => string | null;
}

export type ReadDocument =
  | { readonly ok: true; readonly document: SpecDocument }
  | { readonly ok: false; readonly problems: readonly SpecProblem[] };

type Doc = Document.Parsed;

/** Reads YAML 1.2 or JSON. Never throws, whatever the text. */
export function readDocument(source: string, format: SpecFormat): ReadDocument {
  const text = source.startsWith("\uFEFF") ? source.slice(1) : source;
  if (new TextEncoder().encode(text).length > MAX_SPEC_BYTES) {
    return failed({
      message: `the spec is larger than ${MAX_SPEC_BYTES / 1024} KiB`,
      path: "",
      line: 1,
      column: 1,
    });
  }
  const lines = new Lines();
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const deep = checkDepth(tokens);
  if (deep !== null) return failed({ message: deep.message, path: "", ...place(lines, deep.offset) });
  const composer = new Composer({
    version: "1.2",
    schema: format === "json" ? "json" : "core",
    merge: false,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: "silent",
    lineCounter: lines,
  });
  const docs = [...composer.compose(tokens, true, text.length)];
  return readDocuments(docs, { lines, text, format });
}

interface Source {
  readonly lines: LineCounter;
  readonly text: string;
  readonly format: SpecFormat;
}

function readDocuments(docs: readonly (Doc | Document.Parsed)[], source: Source): ReadDocument {
  const [doc, second] = docs;
  const at = (offset: number) => place(source.lines, offset);
  if (doc === undefined) return failed({ message: "the file is empty", path: "", line: 1, column: 1 });
  const faults = [...doc.errors, ...doc.warnings].map((fault) => syntaxProblem(fault, source));
  if (second !== undefined) {
    const start = second.contents?.range[0] ?? second.range[0];
    faults.push({
      message: "a spec is one document: more than one `---` part stands here",
      path: "",
      ...at(start),
    });
  }
  for (const fault of checkStructure(doc)) {
    faults.push({ message: fault.message, path: formatPath(fault.path), ...at(fault.offset) });
  }
  if (faults.length > 0) return failed(...faults);
  const broken = source.format === "json" ? jsonProblem(source) : null;
  if (broken !== null) return failed(broken);
  return toValue(doc, source);
}

function toValue(doc: Doc, source: Source): ReadDocument {
  try {
    const value: unknown = doc.toJS({ maxAliasCount: MAX_ALIASES });
    return { ok: true, document: locate(doc, value, source) };
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    const message = `the file's aliases cannot be resolved: ${error.message}`;
    return failed({ message, path: "", line: 1, column: 1 });
  }
}

function failed(...problems: SpecProblem[]): ReadDocument {
  return { ok: false, problems };
}

function place(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

function syntaxProblem(
  fault: Pick<YAMLParseError, "message" | "pos">,
  { lines, format }: Source,
): SpecProblem {
  const language = format === "json" ? "JSON" : "YAML";
  return { message: `not valid ${language}: ${fault.message}`, path: "", ...place(lines, fault.pos[0]) };
}

/** YAML takes more than JSON does, so a file that says it is JSON is read as JSON too. */
function jsonProblem({ text, lines }: Source): SpecProblem | null {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const offset = Number(
      /at position (\d+)/.exec(error.message)?.[1] ?? (/end of/.test(error.message) ? text.length : 0),
    );
    return { message: `not valid JSON: ${error.message}`, path: "", ...place(lines, offset) };
  }
}

type Found = {
  readonly key: ParsedNode | null;
  readonly node: ParsedNode | null;
  readonly complete: boolean;
};

function asNode(value: unknown): ParsedNode | null {
  return isParsedNode(value) ? value : null;
}

function isParsedNode(value: unknown): value is ParsedNode {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

function resolved(doc: Doc, node: ParsedNode | null): ParsedNode | null {
  return isAlias(node) ? asNode(node.resolve(doc)) : node;
}

function child(node: ParsedNode | null, part: string | number): Omit<Found, "complete"> | null {
  if (isSeq(node) && typeof part === "number") {
    const item = asNode(node.items[part]);
    return item === null ? null : { key: null, node: item };
  }
  if (!isMap(node)) return null;
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
  return pair === undefined ? null : { key: asNode(pair.key), node: asNode(pair.value) };
}

function find(doc: Doc, path: SpecPath): Found {
  let found: Found = { key: null, node: asNode(doc.contents), complete: true };
  for (const part of path) {
    const next = child(resolved(doc, found.node), part);
    if (next === null) return { ...found, complete: false };
    found = { ...next, complete: true };
  }
  return found;
}

function startOf({ key, node }: Found): number {
  return node?.range[0] ?? key?.range[0] ?? 0;
}

function keyOf(found: Found): number {
  return found.key?.range[0] ?? startOf(found);
}

function locate(doc: Doc, value: unknown, { lines, text }: Source): SpecDocument {
  return {
    value,
    placeOf: (path) => {
      const found = find(doc, path);
      return place(lines, found.complete ? startOf(found) : keyOf(found));
    },
    placeOfKey: (path) => place(lines, keyOf(find(doc, path))),
    placeInside: (path, needle, n) => {
      const found = find(doc, path);
      return place(lines, offsetInside(text, found.node, needle, n) ?? startOf(found));
    },
    sourceOf: (path) => {
      const { node, complete } = find(doc, path);
      const scalar = complete ? resolved(doc, node) : null;
      return isScalar(scalar) ? (scalar.source ?? null) : null;
    },
  };
}

/** Quoted and folded texts differ from what they mean, so this finds the needle in the file and not in the value. */
function offsetInside(text: string, node: ParsedNode | null, needle: string, n: number): number | null {
  if (!isScalar(node) || needle === "") return null;
  let offset = text.indexOf(needle, node.range[0]);
  for (let count = 0; count < n && offset >= 0; count++)
    offset = text.indexOf(needle, offset + needle.length);
  return offset < 0 || offset >= node.range[1] ? null : offset;
}
