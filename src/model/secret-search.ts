/** Every form has at least so many UTF-16 units; the first of them are its key. */
const KEY_UNITS = 4;
const BITS_A_UNIT = 4;
const KEYS = 2 ** (KEY_UNITS * BITS_A_UNIT);

/** Where a form stands in a text. */
export interface Find {
  readonly start: number;
  readonly end: number;
}

/**
 * Finds any of many strings in one pass (Karp and Rabin's rolling hash over the first four units of each): some private keys have a
 * thousand forms, with which an alternation of a regular expression is a hundred times slower.
 */
export class SecretSearch {
  /** Forms by the hash of their key, longest first. */
  private readonly byKey = new Map<number, string[]>();
  /** The keys of `byKey`, faster to ask. */
  private readonly isKey = new Uint8Array(KEYS);
  /** The beginnings of forms that are shorter than a key. */
  private readonly openings = new Set<string>();
  private readonly longest: number;

  /** @param forms distinct strings of four units or more */
  constructor(forms: readonly string[]) {
    for (const form of [...forms].sort((a, b) => b.length - a.length)) {
      const key = keyOf(form, 0);
      this.isKey[key] = 1;
      const same = this.byKey.get(key);
      if (same === undefined) this.byKey.set(key, [form]);
      else same.push(form);
      for (let units = 1; units < KEY_UNITS; units++) this.openings.add(form.slice(0, units));
    }
    this.longest = forms.reduce((length, form) => Math.max(length, form.length), 0);
  }

  /** The first place from `from` on where a form stands whole, with the longest form there; null where none does. */
  next(text: string, from: number): Find | null {
    const { isKey } = this;
    let key = keyOf(text, from);
    for (let start = from; start + KEY_UNITS <= text.length; start++) {
      if (isKey[key] === 1) {
        const form = this.byKey.get(key)?.find((candidate) => text.startsWith(candidate, start));
        if (form !== undefined) return { start, end: start + form.length };
      }
      key = rolled(key, text.charCodeAt(start + KEY_UNITS));
    }
    return null;
  }

  /** Length of the longest end of `text` that is the beginning of a longer form; 0 when none is. */
  openSuffix(text: string): number {
    const first = Math.max(0, text.length - this.longest + 1);
    let key = keyOf(text, first);
    for (let start = first; start < text.length; start++) {
      if (this.growsFrom(text.slice(start), key)) return text.length - start;
      key = rolled(key, text.charCodeAt(start + KEY_UNITS));
    }
    return 0;
  }

  private growsFrom(suffix: string, key: number): boolean {
    if (suffix.length < KEY_UNITS) return this.openings.has(suffix);
    if (this.isKey[key] !== 1) return false;
    const forms = this.byKey.get(key) ?? [];
    return forms.some((form) => form.length > suffix.length && form.startsWith(suffix));
  }
}

/** Hash of the four units at `start`; of no meaning where there are fewer. */
function keyOf(text: string, start: number): number {
  let key = 0;
  for (let unit = 0; unit < KEY_UNITS; unit++) key = rolled(key, text.charCodeAt(start + unit));
  return key;
}

/** Takes one unit in; the fourth before it falls out by itself. */
function rolled(key: number, unit: number): number {
  return ((key << BITS_A_UNIT) ^ unit) & (KEYS - 1);
}
