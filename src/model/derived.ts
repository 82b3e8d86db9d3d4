/**
 * Large records of which one value is replaced at a time: a step's among ten thousand. What is asked of every value of
 * such a record was asked of the one that it was made from, and need be asked of the replaced ones only.
 */
export interface Origin {
  readonly from: object;
  readonly replaced: ReadonlySet<string>;
}

const origins = new WeakMap<object, Origin>();

/** A copy of `from` with one value replaced or added. Nobody may change either in place afterwards. */
export function withValue<T>(from: Readonly<Record<string, T>>, key: string, value: T): Record<string, T> {
  const copy = { ...from, [key]: value };
  const origin = origins.get(from);
  origins.set(copy, {
    from: origin?.from ?? from,
    replaced: new Set([...(origin?.replaced ?? []), key]),
  });
  return copy;
}

/** What a record was made from; null where that is not known. */
export function originOf(record: object): Origin | null {
  return origins.get(record) ?? null;
}

/** The keys whose values may differ between two records; null where they are not known to come from one another. */
export function replacedKeys(from: object | undefined, to: object): ReadonlySet<string> | null {
  const origin = originOf(to);
  return origin?.from === from ? (origin?.replaced ?? null) : null;
}

/** Forgets where a record came from, which else would be kept as long as it; from here on it is what others come from. */
export function settle(record: object): void {
  origins.delete(record);
}
