import {
  defineSearchAttributeKey,
  type SearchAttributePair,
  type SearchAttributeUpdatePair,
} from "@temporalio/common";
import { type AttributeValues, SEARCH_ATTRIBUTES, SearchAttributeName } from "../model/visibility.js";

/** Search attributes as a start takes them; those without a value are left out. */
export function startPairs(values: AttributeValues): SearchAttributePair[] {
  return entries(values).flatMap(([name, value]) => (value === null ? [] : [pairOf(name, value)]));
}

/**
 * The search attributes that have to be written so that they become `values`, and no other: each writing is an event
 * in the history.
 * @param current the value that is written now; undefined where there is none
 */
export function changedPairs(
  values: AttributeValues,
  current: (name: SearchAttributeName) => unknown,
): SearchAttributeUpdatePair[] {
  return entries(values)
    .filter(([name, value]) => (current(name) ?? null) !== value)
    .map(([name, value]) => (value === null ? removalOf(name) : pairOf(name, value)));
}

function entries(values: AttributeValues): [SearchAttributeName, string | number | null][] {
  return SearchAttributeName.options.flatMap((name): [SearchAttributeName, string | number | null][] => {
    const value = values[name];
    return value === undefined ? [] : [[name, value]];
  });
}

function pairOf(name: SearchAttributeName, value: string | number): SearchAttributePair {
  return typeof value === "number"
    ? { key: defineSearchAttributeKey(name, "INT"), value }
    : { key: defineSearchAttributeKey(name, "KEYWORD"), value };
}

function removalOf(name: SearchAttributeName): SearchAttributeUpdatePair {
  return SEARCH_ATTRIBUTES[name] === "INT"
    ? { key: defineSearchAttributeKey(name, "INT"), value: null }
    : { key: defineSearchAttributeKey(name, "KEYWORD"), value: null };
}
