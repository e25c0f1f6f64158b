/** Byte-string helpers that need nothing but the language: no Buffer, no TextEncoder. */

const HEX_OF_BYTE: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** True if both have the same length and content. Not constant-time: never compare secrets with it. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Lexicographic order of unsigned bytes; a prefix sorts first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/**
 * As `target.set(source, at)`, but cheap for few bytes too: `set` makes V8 allocate a buffer for a short array that has none
 * yet, which costs ten times as much as the copy.
 */
export function copyBytes(target: Uint8Array, source: Uint8Array, at: number): void {
  if (source.length > 64) target.set(source, at);
  else for (let i = 0; i < source.length; i++) target[at + i] = source[i]!;
}

/** One new array with the parts in order. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** `0x` and lower-case hex digits: how bytes look in JSON and on a terminal. */
export function toHex(bytes: Uint8Array): string {
  let text = '0x';
  for (let i = 0; i < bytes.length; i++) text += HEX_OF_BYTE[bytes[i]!];
  return text;
}

/** The bytes of `0x…` in lower case with an even number of digits, else undefined. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !text.startsWith('0x')) return undefined;
  const bytes = new Uint8Array((text.length - 2) / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = hexDigit(text.charCodeAt(2 + 2 * i));
    const low = hexDigit(text.charCodeAt(3 + 2 * i));
    if (high < 0 || low < 0) return undefined;
    bytes[i] = high * 16 + low;
  }
  return bytes;
}

/** UTF-8 of a well-formed string; throws a RangeError on a lone surrogate. */
export function utf8Encode(text: string): Uint8Array {
  const bytes = new Uint8Array(utf8Length(text));
  utf8Write(text, bytes, 0);
  return bytes;
}

/** Puts UTF-8 of a well-formed string, `utf8Length` bytes of it, into `bytes` from `at` on. */
export function utf8Write(text: string, bytes: Uint8Array, at: number): void {
  for (let i = 0; i < text.length; i++) {
    const point = text.codePointAt(i)!;
    if (point < 0x80) {
      bytes[at++] = point;
      continue;
    }
    const length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (length === 4) i++;
    // As many ones as there are bytes; higher bits fall off.
    bytes[at++] = (0xf00 >> length) | (point >> (6 * length - 6));
    for (let shift = 6 * length - 12; shift >= 0; shift -= 6) bytes[at++] = 0x80 | ((point >> shift) & 63);
  }
}

/** The text of well-formed UTF-8 (no overlong forms, surrogates or values above U+10FFFF), else undefined. */
export function utf8Decode(bytes: Uint8Array): string | undefined {
  let text = '';
  let i = 0;
  while (i < bytes.length) {
    const first = bytes[i]!;
    if (first < 0x80) {
      text += String.fromCharCode(first);
      i++;
      continue;
    }
    const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || i + length > bytes.length) return undefined;
    let point = first & (0x7f >> length);
    for (let k = 1; k < length; k++) {
      const next = bytes[i + k]!;
      if ((next & 0xc0) !== 0x80) return undefined;
      point = (point << 6) | (next & 63);
    }
    const smallest = length === 2 ? 0x80 : length === 3 ? 0x800 : 0x10000;
    if (point < smallest || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return undefined;
    text += String.fromCodePoint(point);
    i += length;
  }
  return text;
}

/** Bytes that `utf8Encode` would give; throws a RangeError on a lone surrogate. */
export function utf8Length(text: string): number {
  if (!text.isWellFormed()) throw new RangeError('text has a lone surrogate');
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) length += 1;
    else if (unit < 0x800) length += 2;
    else if (unit >= 0xd800 && unit <= 0xdfff) length += 2;
    else length += 3;
  }
  return length;
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 97 && code <= 102) return code - 87;
  return -1;
}
