import { concatBytes, copyBytes, fromHex, toHex, utf8Decode, utf8Encode, utf8Length, utf8Write } from './bytes.ts';
import type { Codec, Decoded } from './codec.ts';
import { sizeMaxOf } from './describe.ts';
import { NAME_BYTES_MAX, TABLE_KEY_BYTES_MAX, TABLE_VALUE_BYTES_MAX } from './limits.ts';

/** A table key is its parts one after the other. All but the last have a fixed length, so no separator is needed. */
export type KeyPart =
  | { readonly kind: 'bytes'; readonly length: number }
  | { readonly kind: 'text'; readonly max: number };

export type TableKey = readonly (Uint8Array | string)[];
type KeyOf<P extends readonly KeyPart[]> = {
  readonly [I in keyof P]: P[I] extends { readonly kind: 'bytes' } ? Uint8Array : string;
};

/** A named map in the state: what its keys are made of and the codec of its values. */
export interface Table<K extends TableKey = TableKey, V = unknown> {
  /** `module.table`: the name under which its rows are proven. */
  readonly name: string;
  readonly module: string;
  readonly parts: readonly KeyPart[];
  readonly value: Codec<V>;
  /** The key's bytes; throws a RangeError if a part does not fit. May alias a single `bytes` part. */
  encodeKey(key: K): Uint8Array;
}

/** A key part of exactly `length` bytes; `0x…` in text. */
export function bytesPart<const L extends number>(length: L): { readonly kind: 'bytes'; readonly length: L } {
  return { kind: 'bytes', length };
}

/** A last key part of 1 to `max` bytes of UTF-8. */
export function textPart<const M extends number>(max: M): { readonly kind: 'text'; readonly max: M } {
  return { kind: 'text', max };
}

/** Names of modules, tables, actions and events: lower case with hyphens. */
export function isName(name: string): boolean {
  return name.length <= NAME_BYTES_MAX && /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name);
}

/** Defines a table; throws a RangeError if the formats could not carry its keys or values. */
export function defineTable<const P extends readonly KeyPart[], V>(
  name: `${string}.${string}`,
  parts: P,
  value: Codec<V>,
): Table<KeyOf<P>, V> {
  const [module, short, ...rest] = name.split('.');
  if (module === undefined || short === undefined || rest.length > 0 || !isName(module) || !isName(short)) {
    throw new RangeError(`table ${name}: expected a name of the form module.table`);
  }
  let length = 0;
  for (const [index, part] of parts.entries()) {
    if (part.kind === 'text' && index < parts.length - 1)
      throw new RangeError(`table ${name}: only the last key part may be text`);
    length += part.kind === 'bytes' ? part.length : part.max;
  }
  if (length < 1 || length > TABLE_KEY_BYTES_MAX) {
    throw new RangeError(`table ${name}: keys of up to ${length} bytes, expected 1 to ${TABLE_KEY_BYTES_MAX}`);
  }
  const sizeMax = sizeMaxOf(value);
  if (sizeMax > TABLE_VALUE_BYTES_MAX) {
    throw new RangeError(`table ${name}: values of up to ${sizeMax} bytes, at most ${TABLE_VALUE_BYTES_MAX}`);
  }
  return { name, module, parts, value, encodeKey: (key) => encodeKey(name, parts, key as TableKey) };
}

/** A stored key as people and URLs write it, parts joined with ':' (`0xab…:gold`); undefined if it is no key of the table. */
export function tableKeyToText(table: Table, key: Uint8Array): string | undefined {
  const texts: string[] = [];
  let offset = 0;
  for (const part of table.parts) {
    const end = part.kind === 'bytes' ? offset + part.length : key.length;
    if (end > key.length) return undefined;
    const piece = key.subarray(offset, end);
    const text = part.kind === 'bytes' ? toHex(piece) : textOf(piece, part.max);
    if (text === undefined) return undefined;
    texts.push(text);
    offset = end;
  }
  return offset === key.length ? texts.join(':') : undefined;
}

/** The key bytes of such a text. */
export function tableKeyFromText(table: Table, text: string): Decoded<Uint8Array> {
  return keyFromText(table, text, false);
}

/** As `tableKeyFromText`, for the beginning of a key: later parts may lack and the last one given may be cut off. */
export function tablePrefixFromText(table: Table, text: string): Decoded<Uint8Array> {
  return keyFromText(table, text, true);
}

function keyFromText(table: Table, text: string, partial: boolean): Decoded<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let rest: string | undefined = text;
  for (const [index, part] of table.parts.entries()) {
    if (rest === undefined || (rest === '' && partial)) {
      if (partial) break;
      return wrongKey(table, text, `part ${index + 1} is missing`);
    }
    const own: string = part.kind === 'text' ? rest : rest.split(':', 1)[0]!;
    const piece = part.kind === 'text' ? bytesOf(own) : fromHex(own);
    const [least, most] = part.kind === 'text' ? [1, part.max] : [part.length, part.length];
    const cutOff = partial && own === rest;
    if (piece === undefined || piece.length > most || (piece.length < least && !cutOff)) {
      const expected =
        part.kind === 'text' ? `1 to ${part.max} bytes of text` : `0x and ${part.length * 2} lower-case hex digits`;
      return wrongKey(table, text, `part ${index + 1}: expected ${expected}`);
    }
    pieces.push(piece);
    rest = own.length < rest.length ? rest.slice(own.length + 1) : undefined;
  }
  if (rest !== undefined && rest !== '')
    return wrongKey(table, text, `expected ${table.parts.length} parts, found more`);
  if (rest === '' && !partial)
    return wrongKey(table, text, `expected ${table.parts.length} parts, found a ':' at the end`);
  return { ok: true, value: concatBytes(...pieces) };
}

function wrongKey(table: Table, text: string, problem: string): Decoded<Uint8Array> {
  const shown = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  return { ok: false, problem: `key ${JSON.stringify(shown)} of ${table.name}: ${problem}` };
}

function encodeKey(name: string, parts: readonly KeyPart[], key: TableKey): Uint8Array {
  if (key.length !== parts.length)
    throw new RangeError(`key of ${name}: expected ${parts.length} parts, got ${key.length}`);
  let length = 0;
  for (let i = 0; i < parts.length; i++) length += partLength(name, parts[i]!, key[i]!);
  const encoded = new Uint8Array(length);
  let at = 0;
  for (const value of key) {
    if (typeof value === 'string') utf8Write(value, encoded, at);
    else if (value.length === length) return value;
    else copyBytes(encoded, value, at);
    // Nothing comes after text.
    at += value.length;
  }
  return encoded;
}

function partLength(name: string, part: KeyPart, value: Uint8Array | string): number {
  if (part.kind === 'bytes') {
    if (!(value instanceof Uint8Array) || value.length !== part.length) {
      throw new RangeError(`key of ${name}: expected ${part.length} bytes`);
    }
    return value.length;
  }
  if (typeof value !== 'string') throw new RangeError(`key of ${name}: expected text`);
  const length = utf8Length(value);
  if (length < 1 || length > part.max) {
    throw new RangeError(`key of ${name}: expected 1 to ${part.max} bytes of text, got ${length}`);
  }
  return length;
}

function bytesOf(text: string): Uint8Array | undefined {
  return text.isWellFormed() ? utf8Encode(text) : undefined;
}

function textOf(piece: Uint8Array, max: number): string | undefined {
  return piece.length >= 1 && piece.length <= max ? utf8Decode(piece) : undefined;
}
