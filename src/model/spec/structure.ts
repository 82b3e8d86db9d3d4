import { type CST, type Document, isAlias, isMap, isScalar, isSeq } from "yaml";
import type { SpecPath } from "./problems.js";

/** A spec needs about ten levels; a parser that recurses must not be given thousands. */
const MAX_DEPTH = 64;

interface DepthFault {
  readonly message: string;
  readonly offset: number;
}

interface Nested {
  readonly token: CST.Token;
  readonly depth: number;
}

function childrenOf(token: CST.Token): CST.Token[] {
  if (token.type === "document") return token.value === undefined ? [] : [token.value];
  if (!("items" in token)) return [];
  return token.items.flatMap((item) =>
    [item.key, item.value].filter((each) => each !== null && each !== undefined),
  );
}

/** Refuses a text that is nested too deeply, before anything recurses into it. */
export function checkDepth(tokens: readonly CST.Token[]): DepthFault | null {
  const open: Nested[] = tokens.map((token) => ({ token, depth: 0 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > MAX_DEPTH)
      return { message: `nested more than ${MAX_DEPTH} levels deep`, offset: token.offset };
    for (const inner of childrenOf(token)) open.push({ token: inner, depth: depth + 1 });
  }
  return null;
}

export interface StructureFault {
  readonly message: string;
  readonly path: SpecPath;
  readonly offset: number;
}

/**
 * What YAML allows and a spec does not: keys that are not texts, duplicate keys, merge keys, tags, and `__proto__`,
 * which JavaScript would take for something else.
 */
export function checkStructure(doc: Document.Parsed): StructureFault[] {
  const faults: StructureFault[] = [];
  visit(doc.contents, { path: [], anchors: new Set() }, faults);
  return faults;
}

interface Where {
  readonly path: SpecPath;
  /** The anchors of all that the node stands in. */
  readonly anchors: ReadonlySet<string>;
}

function visit(node: unknown, { path, anchors }: Where, faults: StructureFault[]): void {
  if (isAlias(node)) {
    if (!anchors.has(node.source)) return;
    const message = `the alias \`*${node.source}\` stands inside of what it names`;
    faults.push({ message, path, offset: offsetOf(node) });
    return;
  }
  if (!isSeq(node) && !isMap(node)) return;
  const inner = node.anchor === undefined ? anchors : new Set([...anchors, node.anchor]);
  if (isMap(node)) return visitMap(node.items, { path, anchors: inner }, faults);
  for (const [index, item] of node.items.entries()) {
    visit(item, { path: [...path, index], anchors: inner }, faults);
  }
}

interface KeyValue {
  readonly key: unknown;
  readonly value: unknown;
}

function visitMap(pairs: readonly KeyValue[], { path, anchors }: Where, faults: StructureFault[]): void {
  const seen = new Set<string>();
  for (const { key, value } of pairs) {
    const name = isScalar(key) ? String(key.value) : null;
    const inner = [...path, name ?? "?"];
    const message = name === null ? "a key must be plain text" : keyFault(name, seen);
    if (message !== null) faults.push({ message, path: inner, offset: offsetOf(key) });
    if (name !== null) seen.add(name);
    visit(value, { path: inner, anchors }, faults);
  }
}

function keyFault(name: string, seen: ReadonlySet<string>): string | null {
  if (name === "<<")
    return "merge keys (`<<`) are not supported: repeat the keys, or put them under `defaults`";
  if (name === "__proto__") return "`__proto__` cannot be a key";
  return seen.has(name) ? `duplicate key \`${name}\`` : null;
}

function offsetOf(node: unknown): number {
  if (isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)) return node.range?.[0] ?? 0;
  return 0;
}
