/**
 * The texts by which a secret may appear in output, besides the value itself: every line of it, and how programs
 * commonly write it: base64 (standard and URL-safe, at each of the three offsets at which it may stand in something longer, wrapped at 64 and
 * 76 columns), URL-encoded, escaped for JSON, XML and a shell. Forms shorter than `minLength` are left out.
 */
export function secretForms(value: string, minLength: number): string[] {
  const lines = value.split(/\r\n|[\r\n]/).map((line) => line.trim());
  const texts = new Set([value, value.trim(), ...lines]);
  const forms = [...texts].filter((text) => text.trim().length >= minLength).flatMap(formsOf);
  return [...new Set(forms)].filter((form) => form.length >= minLength);
}

function formsOf(text: string): string[] {
  return [
    text,
    ...base64Forms(text),
    ...urlForms(text),
    ...jsonForms(text),
    ...xmlForms(text),
    ...shellForms(text),
  ];
}

function base64Forms(text: string): string[] {
  const bytes = new TextEncoder().encode(text);
  const whole = base64(bytes);
  const standard = [whole, whole.replaceAll("=", ""), ...wrapped(whole, 64), ...wrapped(whole, 76)];
  for (const offset of [0, 1, 2]) standard.push(base64At(bytes, offset));
  return standard.flatMap((form) => [form, form.replaceAll("+", "-").replaceAll("/", "_")]);
}

/** The characters of a longer base64 text that `bytes` alone decides when they begin `offset` bytes into a group of three. */
function base64At(bytes: Uint8Array, offset: number): string {
  const shifted = new Uint8Array(offset + bytes.length);
  shifted.set(bytes, offset);
  return base64(shifted).slice(Math.ceil((offset * 8) / 6), Math.floor((shifted.length * 8) / 6));
}

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

function wrapped(text: string, columns: number): string[] {
  if (text.length <= columns) return [];
  return Array.from({ length: Math.ceil(text.length / columns) }, (_, line) =>
    text.slice(line * columns, (line + 1) * columns),
  );
}

/** encodeURIComponent, RFC 3986, Python's quote (keeps the slash), forms (plus for a space), each with capital and small hex digits. */
function urlForms(text: string): string[] {
  // A lone surrogate has no URL-encoded form.
  if (/\p{Surrogate}/u.test(text)) return [];
  const component = encodeURIComponent(text);
  const strict = component.replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return [component, strict]
    .flatMap((form) => [form, form.replaceAll("%2F", "/"), encodeURI(text)])
    .flatMap((form) => [form, form.replaceAll("%20", "+")])
    .flatMap((form) => [form, form.replace(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase())]);
}

/** As JSON.stringify writes it, with only ASCII (Python), with HTML's characters escaped (Go), with escaped slashes (PHP), and JSON within JSON. */
function jsonForms(text: string): string[] {
  const plain = jsonEscape(text);
  const ascii = unicodeEscape(plain, /[\u007f-\uffff]/g);
  return [plain, ascii, unicodeEscape(plain, /[<>&]/g), plain.replaceAll("/", "\\/"), jsonEscape(plain)];
}

function jsonEscape(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function unicodeEscape(text: string, units: RegExp): string {
  return text.replace(units, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Quotes are escaped by some writers, in attributes only, or by number. */
function xmlForms(text: string): string[] {
  const content = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const doubleQuotes = [content, content.replaceAll('"', "&quot;"), content.replaceAll('"', "&#34;")];
  return doubleQuotes.flatMap((form) =>
    ["'", "&apos;", "&#39;", "&#x27;"].map((quote) => form.replaceAll("'", quote)),
  );
}

/** Within single quotes, as `set -x` prints it, and with a backslash before what a shell would read. */
function shellForms(text: string): string[] {
  return [text.replaceAll("'", "'\\''"), text.replace(/[^A-Za-z0-9_@%+=:,./-]/g, "\\$&")];
}
