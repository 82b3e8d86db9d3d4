import { TowpathError } from "./errors.js";
import { isObject } from "./artefact-text.js";
import { originOf, replacedKeys } from "./derived.js";

/** The operations of RFC 6902 that a difference needs; `path` is a JSON pointer (RFC 6901). */
export type PatchOperation =
  | { readonly op: "add" | "replace"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/**
 * What turns `before` into `after`. Subtrees that are the same object are passed over unread, so that one changed
 * record among ten thousand costs one comparison of ten thousand references. A key whose value is undefined is an
 * absent key, as in JSON.
 * @throws TowpathError `ManifestInvalid` where `after` holds what JSON cannot
 */
export function diff(before: unknown, after: unknown, path = ""): PatchOperation[] {
  if (before === after) return [];
  if (Array.isArray(before) && Array.isArray(after)) return diffLists(before, after, path);
  if (isObject(before) && isObject(after)) return diffObjects(before, after, path);
  assertJson(after, path);
  return [{ op: "replace", path, value: after }];
}

function diffObjects(
  before: Record<string, unknown>,
  after: Record<string, unknown>,
  path: string,
): PatchOperation[] {
  const replaced = replacedKeys(before, after);
  if (replaced !== null) return [...replaced].flatMap((key) => diffValues(before, after, key, path));
  const changes: PatchOperation[] = [];
  let kept = 0;
  for (const key of Object.keys(after)) {
    const value = after[key];
    if (value === undefined) continue;
    // The quick way for the thousands that did not change; no JSON value equals an inherited one.
    if (before[key] === value) {
      kept += 1;
    } else if (Object.hasOwn(before, key) && before[key] !== undefined) {
      kept += 1;
      changes.push(...diff(before[key], value, below(path, key)));
    } else {
      changes.push(added(below(path, key), value));
    }
  }
  const keys = Object.keys(before);
  return kept === keys.length ? changes : [...removals(keys, before, after, path), ...changes];
}

function diffValues(
  before: Record<string, unknown>,
  after: Record<string, unknown>,
  key: string,
  path: string,
): PatchOperation[] {
  if (Object.hasOwn(before, key) && before[key] !== undefined)
    return diff(before[key], after[key], below(path, key));
  return [added(below(path, key), after[key])];
}

function removals(
  keys: readonly string[],
  before: Record<string, unknown>,
  after: Record<string, unknown>,
  path: string,
): PatchOperation[] {
  return keys
    .filter((key) => before[key] !== undefined && (!Object.hasOwn(after, key) || after[key] === undefined))
    .map((key) => ({ op: "remove", path: below(path, key) }));
}

function diffLists(before: readonly unknown[], after: readonly unknown[], path: string): PatchOperation[] {
  const operations: PatchOperation[] = [];
  for (let index = before.length - 1; index >= after.length; index -= 1) {
    operations.push({ op: "remove", path: `${path}/${index}` });
  }
  after.forEach((value, index) => {
    if (index >= before.length) operations.push(added(`${path}/${index}`, value));
    else if (before[index] !== value) operations.push(...diff(before[index], value, `${path}/${index}`));
  });
  return operations;
}

function added(path: string, value: unknown): PatchOperation {
  assertJson(value, path);
  return { op: "add", path, value };
}

function below(path: string, key: string): string {
  if (key === "__proto__") {
    throw new TowpathError(
      "ManifestInvalid",
      `The key __proto__ is not allowed${path === "" ? "" : ` in ${path}`}`,
    );
  }
  return `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

function assertJson(value: unknown, path: string): void {
  if (value === null || typeof value === "string" || typeof value === "boolean") return;
  if (typeof value === "number" && Number.isFinite(value)) return;
  if (Array.isArray(value)) {
    value.forEach((item, index) => assertJson(item, `${path}/${index}`));
    return;
  }
  if (isPlainObject(value)) {
    for (const key of Object.keys(value)) {
      if (value[key] !== undefined) assertJson(value[key], below(path, key));
    }
    return;
  }
  throw new TowpathError("ManifestInvalid", `The value at ${path} is no JSON (${typeof value})`);
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (!isObject(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/**
 * Applies differences one after the other. Only containers on a changed path are copied, each once, so that the
 * document given stays as it is and unchanged parts are shared with the answer.
 * @throws TowpathError `StateCorrupt` when an operation does not fit the document
 */
export function applyPatches(document: unknown, patches: Iterable<readonly PatchOperation[]>): unknown {
  const own = new WeakSet<object>();
  let root = document;
  for (const patch of patches) {
    for (const operation of patch) root = applyOperation(root, operation, own);
  }
  return root;
}

function applyOperation(root: unknown, operation: PatchOperation, own: WeakSet<object>): unknown {
  const keys = pointerKeys(operation.path);
  const last = keys.pop();
  if (last === undefined) return operation.op === "remove" ? misfit(operation) : operation.value;
  const top = owned(root, own, operation);
  let parent = top;
  for (const key of keys) {
    const child = owned(childOf(parent, key, operation), own, operation);
    setChild(parent, key, child);
    parent = child;
  }
  if (operation.op === "remove") removeChild(parent, last, operation);
  else if (Array.isArray(parent) && operation.op === "add") insert(parent, last, operation);
  else setChild(parent, last, operation.value);
  return top;
}

type Container = unknown[] | Record<string, unknown>;

function pointerKeys(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function owned(value: unknown, own: WeakSet<object>, operation: PatchOperation): Container {
  if (!isObject(value) && !Array.isArray(value)) return misfit(operation);
  if (own.has(value)) return value;
  const copy: Container = Array.isArray(value) ? Array.from<unknown>(value) : { ...value };
  own.add(copy);
  return copy;
}

function childOf(parent: Container, key: string, operation: PatchOperation): unknown {
  if (Array.isArray(parent)) return parent[indexOf(parent, key, operation)];
  return Object.hasOwn(parent, key) ? parent[key] : misfit(operation);
}

function setChild(parent: Container, key: string, value: unknown): void {
  if (Array.isArray(parent)) parent[Number(key)] = value;
  else parent[key] = value;
}

function removeChild(parent: Container, key: string, operation: PatchOperation): void {
  childOf(parent, key, operation);
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
}

function insert(parent: unknown[], key: string, operation: PatchOperation & { op: "add" | "replace" }): void {
  if (Number(key) !== parent.length) indexOf(parent, key, operation);
  parent.splice(Number(key), 0, operation.value);
}

function indexOf(parent: readonly unknown[], key: string, operation: PatchOperation): number {
  const index = Number(key);
  return /^\d+$/u.test(key) && index < parent.length ? index : misfit(operation);
}

function misfit(operation: PatchOperation): never {
  throw new TowpathError(
    "StateCorrupt",
    `A recorded change does not fit what it was made from: ${operation.op} ${operation.path}`,
  );
}

/** Freezing an object of this many keys costs more than all the rest of a change; its values are frozen none the less. */
const FREEZE_UP_TO = 1000;

/** The objects above that size whose values are frozen. */
const frozenLarge = new WeakSet<object>();

/** Makes a plain JSON value read-only, so that a later change in place cannot pass a comparison unseen. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (Object.isFrozen(value) || frozenLarge.has(value)) return value;
  const origin = originOf(value);
  const isLarge = origin !== null && frozenLarge.has(origin.from);
  const children = isLarge ? valuesAt(value, origin.replaced) : Object.values(value);
  for (const child of children) deepFreeze(child);
  if (!isLarge && children.length <= FREEZE_UP_TO) return Object.freeze(value);
  frozenLarge.add(value);
  return value;
}

function valuesAt(value: object, keys: ReadonlySet<string>): unknown[] {
  return [...keys].map((key): unknown => Reflect.get(value, key));
}
