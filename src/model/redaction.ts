import { TowpathError } from "./errors.js";
import { secretForms } from "./secret-forms.js";
import { SecretSearch } from "./secret-search.js";

/** What stands in place of a secret. */
export const MASK = "***";

/** Shorter secrets are refused: they would mask half of every log, and give themselves away by it. */
export const MIN_SECRET_LENGTH = 4;

/** True when a secret, without the white space around it, is too short to be redacted. */
export function secretTooShort(value: string): boolean {
  return value.trim().length < MIN_SECRET_LENGTH;
}

/** Redacts a text that comes in pieces. */
export interface RedactionStream {
  /** Takes the next piece; returns what is certain to be clean. Holds back only what may be the start of a secret. */
  push(chunk: string): string;
  /** Returns the rest. The stream is then as new. */
  end(): string;
}

export interface Redactor {
  /** Redacts a complete text. */
  text(text: string): string;
  /** Redacts a text in pieces: however it is cut, the pieces joined are what `text` makes of the whole. */
  stream(): RedactionStream;
}

/**
 * Makes a redactor for the values of secrets. Each value is found as it is, line by line, and in the forms that programs print it in
 * (base64 at any offset, URL-encoded, escaped for JSON, XML or a shell); overlapping and touching finds become one `***`.
 * A value that itself contains `*` may meet a mask and so appear to be still there.
 *
 * @throws TowpathError `Internal` when a value is too short (see `secretTooShort`): the caller refuses it by name.
 */
export function createRedactor(secretValues: readonly string[]): Redactor {
  const tooShort = secretValues.filter(secretTooShort).length;
  if (tooShort > 0)
    throw new TowpathError(
      "Internal",
      `${tooShort} secret value(s) have fewer than ${MIN_SECRET_LENGTH} characters and cannot be redacted: ` +
        "check values with secretTooShort before use.",
    );
  const forms = [...new Set(secretValues.flatMap((value) => secretForms(value, MIN_SECRET_LENGTH)))];
  if (forms.length === 0) return CLEAR;
  const search = new SecretSearch(forms);
  const stream = () => new MaskingStream(search);
  return {
    stream,
    text(text) {
      const whole = stream();
      return whole.push(text) + whole.end();
    },
  };
}

/** With no secrets there is nothing to hold back. */
const CLEAR: Redactor = {
  text: (text) => text,
  stream: () => ({ push: (chunk) => chunk, end: () => "" }),
};

/** Masks the union of all occurrences, overlapping ones included. */
class MaskingStream implements RedactionStream {
  private pending = "";
  /** How far into `pending` a mask reaches that is written already; 0 when its end may still touch the next find, -1 when there is none. */
  private masked = -1;

  constructor(private readonly search: SecretSearch) {}

  push(chunk: string): string {
    this.pending += chunk;
    return this.take(this.pending.length - this.search.openSuffix(this.pending));
  }

  end(): string {
    const rest = this.take(this.pending.length);
    this.masked = -1;
    return rest;
  }

  /** Every find that starts before `cut` is complete in `pending`; writes everything before `cut` and drops it. */
  private take(cut: number): string {
    let clean = "";
    let position = Math.max(0, this.masked);
    let maskEnd = this.masked;
    let find = this.search.next(this.pending, 0);
    while (find !== null && find.start < cut) {
      if (find.start > maskEnd) clean += this.pending.slice(position, find.start) + MASK;
      maskEnd = Math.max(maskEnd, find.end);
      position = maskEnd;
      find = this.search.next(this.pending, find.start + 1);
    }
    if (position < cut) clean += this.pending.slice(position, cut);
    this.masked = maskEnd >= cut ? maskEnd - cut : -1;
    this.pending = this.pending.slice(cut);
    return clean;
  }
}
