import { copyBytes, equalBytes, fromHex, toHex, utf8Decode, utf8Length, utf8Write } from './bytes.ts';

/**
 * The canonical codec (docs/formats.md, "Primitives"): fixed-width big-endian integers, length before content, bounded
 * lists, unions by one tag byte. A type is described once; its encoder, decoder and JSON form come from that description,
 * its printed layout, JSON Schema and greatest size from the shape it leaves behind (ledger/describe.ts). Decoding is
 * strict: for every accepted `b`, `encode(decode(b))` equals `b`.
 */
export interface Codec<T> {
  readonly shape: Shape;
  write(writer: Writer, value: T): void;
  /** Throws CodecError if the bytes are not exactly what `write` gives for some value. */
  read(reader: Reader): T;
  toJson(value: T): Json;
  /** Throws CodecError naming `path` if the JSON does not describe a value of this type. */
  fromJson(json: Json, path?: string): T;
}

/** What a type is made of, as plain data: browsers carry this and none of what is printed from it. */
export type Shape =
  | { readonly kind: 'uint'; readonly width: number; readonly max: number }
  | { readonly kind: 'amount' | 'bool' }
  | { readonly kind: 'bytes'; readonly length: number }
  | { readonly kind: 'blob'; readonly max: number }
  | { readonly kind: 'text'; readonly min: number; readonly max: number }
  | { readonly kind: 'list'; readonly item: Codec<unknown>; readonly min: number; readonly max: number }
  | { readonly kind: 'struct'; readonly fields: readonly (readonly [name: string, codec: Codec<unknown>])[] }
  | {
      readonly kind: 'union';
      readonly variants: readonly (readonly [name: string, tag: number, codec: Codec<unknown>])[];
    }
  | { readonly kind: 'oneOf'; readonly tags: Readonly<Record<string, number>> };

export type CodecType<C> = C extends Codec<infer T> ? T : never;
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Bytes or JSON that are not a value of the expected type. The message says what was expected and what came. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}

export type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

/** The canonical bytes of a value; throws CodecError if the value is outside its type's bounds. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = new Writer(scratch);
  codec.write(writer, value);
  if (writer.buffer.length > scratch.length) scratch = writer.buffer;
  return writer.buffer.slice(0, writer.length);
}

/** The value of exactly these bytes. Byte fields are views into `bytes`, not copies. Throws CodecError. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const reader = new Reader(bytes);
  const value = codec.read(reader);
  if (reader.left !== 0) throw new CodecError(`expected the end, found ${reader.left} more bytes`);
  return value;
}

/** As `decode`, for bytes from outside: a problem instead of an exception. */
export function tryDecode<T>(codec: Codec<T>, bytes: Uint8Array): Decoded<T> {
  try {
    return { ok: true, value: decode(codec, bytes) };
  } catch (error) {
    if (error instanceof CodecError) return { ok: false, problem: error.message };
    throw error;
  }
}

/** As `fromJson`, for JSON from outside: a problem instead of an exception. */
export function tryFromJson<T>(codec: Codec<T>, json: Json): Decoded<T> {
  try {
    return { ok: true, value: codec.fromJson(json) };
  } catch (error) {
    if (error instanceof CodecError) return { ok: false, problem: error.message };
    throw error;
  }
}

let scratch: Uint8Array = new Uint8Array(4096);

/** Appends to a buffer that grows. */
export class Writer {
  buffer: Uint8Array;
  length = 0;

  constructor(buffer: Uint8Array) {
    this.buffer = buffer;
  }

  /** Makes room for so many bytes, which the caller fills in; returns where they begin. */
  take(count: number): number {
    const start = this.length;
    this.length += count;
    if (this.length > this.buffer.length) {
      const grown = new Uint8Array(2 * this.length);
      grown.set(this.buffer.subarray(0, start));
      this.buffer = grown;
    }
    return start;
  }

  /** `width` bytes big-endian; the value is a safe non-negative integer. */
  uint(value: number, width: number): void {
    const start = this.take(width);
    // In two halves of 32 bits: shifts are much cheaper than divisions.
    let low = value >>> 0;
    let high = (value - low) / 2 ** 32;
    for (let at = start + width - 1; at >= start; at--) {
      this.buffer[at] = low;
      low = (low >>> 8) | (high << 24);
      high >>>= 8;
    }
  }

  bytes(value: Uint8Array): void {
    const start = this.take(value.length);
    copyBytes(this.buffer, value, start);
  }
}

/** Walks over bytes; every read is checked against the end. */
export class Reader {
  readonly bytes: Uint8Array;
  offset = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get left(): number {
    return this.bytes.length - this.offset;
  }

  uint(width: number): number {
    if (this.left < width) throw new CodecError(`expected ${width} bytes, ${this.left} left`);
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 256 + this.bytes[this.offset + i]!;
    this.offset += width;
    return value;
  }

  take(count: number): Uint8Array {
    if (this.left < count) throw new CodecError(`expected ${count} bytes, ${this.left} left`);
    const view = this.bytes.subarray(this.offset, this.offset + count);
    this.offset += count;
    return view;
  }
}

function uint(width: number, max: number): Codec<number> {
  const check = (value: number): number => {
    if (!Number.isSafeInteger(value) || value < 0 || value > max || Object.is(value, -0)) {
      throw new CodecError(`expected an integer from 0 to ${max}, got ${value}`);
    }
    return value;
  };
  return {
    shape: { kind: 'uint', width, max },
    write: (writer, value) => writer.uint(check(value), width),
    read: (reader) => check(reader.uint(width)),
    toJson: (value) => value,
    fromJson(json, path = 'value') {
      if (typeof json !== 'number') throw mismatch(path, 'an integer', json);
      return at(path, () => check(json));
    },
  };
}

export const u8: Codec<number> = uint(1, 0xff);
export const u16: Codec<number> = uint(2, 0xffff);
export const u32: Codec<number> = uint(4, 0xffffffff);
/** Eight bytes that must hold a safe integer (up to 2^53 - 1): heights, views, counts, milliseconds. */
export const u64: Codec<number> = uint(8, Number.MAX_SAFE_INTEGER);

/** 2^128 - 1, written out: bundlers drop a literal that nothing uses, and keep what is calculated. */
const AMOUNT_MAX = 0xffffffffffffffffffffffffffffffffn;
export const AMOUNT_PATTERN = /^(0|[1-9][0-9]{0,38})$/;

/** 16 bytes, 0 to 2^128 - 1; a decimal string in JSON. */
export const amount: Codec<bigint> = {
  shape: { kind: 'amount' },
  write(writer, value) {
    if (typeof value !== 'bigint' || value < 0n || value > AMOUNT_MAX)
      throw new CodecError(`expected a bigint from 0 to 2^128 - 1, got ${value}`);
    // Most are small, and numbers are ten times as fast.
    const small = Number(value);
    if (small < 2 ** 53) {
      writer.uint(0, 8);
      writer.uint(small, 8);
    } else {
      for (let shift = 96n; shift >= 0n; shift -= 32n) writer.uint(Number((value >> shift) & 0xffffffffn), 4);
    }
  },
  read(reader) {
    const high = reader.uint(6);
    const middle = reader.uint(5);
    const low = reader.uint(5);
    const small = middle * 2 ** 40 + low;
    if (high === 0 && small < 2 ** 53) return BigInt(small);
    return (BigInt(high) << 80n) | (BigInt(middle) << 40n) | BigInt(low);
  },
  toJson: (value) => value.toString(),
  fromJson(json, path = 'value') {
    if (typeof json !== 'string' || !AMOUNT_PATTERN.test(json)) {
      throw mismatch(path, 'an amount as decimal string', json);
    }
    const value = BigInt(json);
    if (value > AMOUNT_MAX) throw mismatch(path, 'an amount up to 2^128 - 1', json);
    return value;
  },
};

export const bool: Codec<boolean> = {
  shape: { kind: 'bool' },
  write: (writer, value) => writer.uint(value ? 1 : 0, 1),
  read(reader) {
    const byte = reader.uint(1);
    if (byte > 1) throw new CodecError(`expected 0 or 1, got ${byte}`);
    return byte === 1;
  },
  toJson: (value) => value,
  fromJson(json, path = 'value') {
    if (typeof json !== 'boolean') throw mismatch(path, 'true or false', json);
    return json;
  },
};

/** Exactly `length` bytes. */
export function bytes(length: number): Codec<Uint8Array> {
  const check = (value: Uint8Array): Uint8Array => {
    if (value.length !== length) throw new CodecError(`expected ${length} bytes, got ${value.length}`);
    return value;
  };
  return {
    shape: { kind: 'bytes', length },
    write: (writer, value) => writer.bytes(check(value)),
    read: (reader) => reader.take(length),
    toJson: toHex,
    fromJson: (json, path = 'value') => at(path, () => check(hexFromJson(json))),
  };
}

export const bytes32: Codec<Uint8Array> = bytes(32);
export const bytes64: Codec<Uint8Array> = bytes(64);

/** Up to `max` bytes after their length. */
export function blob(max: number): Codec<Uint8Array> {
  const width = widthFor(max);
  const check = (value: Uint8Array): Uint8Array => {
    bounded(value.length, 0, max, 'bytes');
    return value;
  };
  return {
    shape: { kind: 'blob', max },
    write(writer, value) {
      writer.uint(check(value).length, width);
      writer.bytes(value);
    },
    read: (reader) => reader.take(bounded(reader.uint(width), 0, max, 'bytes')),
    toJson: toHex,
    fromJson: (json, path = 'value') => at(path, () => check(hexFromJson(json))),
  };
}

/** Well-formed text of `min` to `max` bytes of UTF-8 after its length. */
export function text(max: number, min = 0): Codec<string> {
  const width = widthFor(max);
  return {
    shape: { kind: 'text', min, max },
    write(writer, value) {
      if (!value.isWellFormed()) throw new CodecError('expected well-formed text, got a lone surrogate');
      const length = utf8Length(value);
      writer.uint(bounded(length, min, max, 'bytes of text'), width);
      const start = writer.take(length);
      utf8Write(value, writer.buffer, start);
    },
    read(reader) {
      const encoded = reader.take(bounded(reader.uint(width), min, max, 'bytes of text'));
      const value = utf8Decode(encoded);
      if (value === undefined) throw new CodecError('expected well-formed UTF-8');
      return value;
    },
    toJson: (value) => value,
    fromJson(json, path = 'value') {
      if (typeof json !== 'string' || !json.isWellFormed()) throw mismatch(path, 'well-formed text', json);
      at(path, () => bounded(utf8Length(json), min, max, 'bytes of text'));
      return json;
    },
  };
}

/** `min` to `max` items after their count. Each item takes at least one byte, so a count can't exceed what is left. */
export function list<T>(item: Codec<T>, max: number, min = 0): Codec<readonly T[]> {
  const width = widthFor(max);
  return {
    shape: { kind: 'list', item, min, max },
    write(writer, value) {
      writer.uint(bounded(value.length, min, max, 'items'), width);
      for (const one of value) item.write(writer, one);
    },
    read(reader) {
      const count = bounded(reader.uint(width), min, max, 'items');
      if (count > reader.left) throw new CodecError(`expected ${count} items, ${reader.left} bytes left`);
      const items: T[] = [];
      for (let i = 0; i < count; i++) items.push(item.read(reader));
      return items;
    },
    toJson: (value) => value.map((one) => item.toJson(one)),
    fromJson(json, path = 'value') {
      if (!Array.isArray(json)) throw mismatch(path, 'a list', json);
      at(path, () => bounded(json.length, min, max, 'items'));
      return json.map((one, index) => item.fromJson(one as Json, `${path}[${index}]`));
    },
  };
}

type Fields = { readonly [name: string]: Codec<never> };
type StructOf<F> = { readonly [K in keyof F]: CodecType<F[K]> };

/** The fields in the order written, nothing between them. In JSON: an object with exactly these names. */
export function struct<F extends { readonly [name: string]: unknown }>(fields: F): Codec<StructOf<F>> {
  const entries = Object.entries(fields as unknown as Fields) as [string, Codec<unknown>][];
  const names = entries.map(([name]) => name);
  const codecs = entries.map(([, codec]) => codec);
  const known = new Set(names);
  return {
    shape: { kind: 'struct', fields: entries },
    write(writer, value) {
      for (let i = 0; i < names.length; i++) codecs[i]!.write(writer, (value as Record<string, unknown>)[names[i]!]);
    },
    read(reader) {
      const value: Record<string, unknown> = {};
      for (let i = 0; i < names.length; i++) value[names[i]!] = codecs[i]!.read(reader);
      return value as StructOf<F>;
    },
    toJson: (value) =>
      Object.fromEntries(
        entries.map(([name, codec]) => [name, codec.toJson((value as Record<string, unknown>)[name])]),
      ),
    fromJson(json, path = 'value') {
      const object = objectFromJson(json, path);
      for (const name of Object.keys(object)) {
        if (!known.has(name)) throw new CodecError(`${path}.${name}: unknown field; known: ${names.join(', ')}`);
      }
      const value: Record<string, unknown> = {};
      for (const [name, codec] of entries) {
        if (!Object.hasOwn(object, name)) throw new CodecError(`${path}.${name}: missing`);
        value[name] = codec.fromJson(object[name]!, `${path}.${name}`);
      }
      return value as StructOf<F>;
    },
  };
}

type Variants = { readonly [name: string]: readonly [tag: number, codec: unknown] };
type UnionOf<V extends Variants> = {
  [K in keyof V]: { readonly kind: K; readonly value: V[K][1] extends Codec<infer T> ? T : never };
}[keyof V];

/** One tag byte, then the variant. In memory and JSON: `{ kind, value }`. */
export function union<const V extends Variants>(variants: V): Codec<UnionOf<V>> {
  type Entry = readonly [name: string, tag: number, codec: Codec<unknown>];
  const entries: Entry[] = Object.entries(variants).map(([name, [tag, codec]]) => [name, tag, codec as Codec<unknown>]);
  const byName = new Map(entries.map((entry) => [entry[0], entry]));
  const byTag = new Map(entries.map((entry) => [entry[1], entry]));
  const named = (name: string, path: string): Entry => {
    const entry = byName.get(name);
    if (entry === undefined)
      throw new CodecError(`${path}: expected one of ${[...byName.keys()].join(', ')}, got ${name}`);
    return entry;
  };
  return {
    shape: { kind: 'union', variants: entries },
    write(writer, value) {
      const [, tag, codec] = named(value.kind as string, 'kind');
      writer.uint(tag, 1);
      codec.write(writer, value.value);
    },
    read(reader) {
      const tag = reader.uint(1);
      const entry = byTag.get(tag);
      if (entry === undefined) throw new CodecError(`expected a tag of ${[...byTag.keys()].join(', ')}, got ${tag}`);
      return { kind: entry[0], value: entry[2].read(reader) } as UnionOf<V>;
    },
    toJson(value) {
      const [name, , codec] = named(value.kind as string, 'kind');
      return { kind: name, value: codec.toJson(value.value) };
    },
    fromJson(json, path = 'value') {
      const object = objectFromJson(json, path);
      if (typeof object.kind !== 'string' || !Object.hasOwn(object, 'value') || Object.keys(object).length !== 2) {
        throw new CodecError(`${path}: expected { kind, value }`);
      }
      const [name, , codec] = named(object.kind, `${path}.kind`);
      return { kind: name, value: codec.fromJson(object.value!, `${path}.value`) } as UnionOf<V>;
    },
  };
}

/** One of a fixed set of names, as one tag byte. */
export function oneOf<const N extends string>(tags: Readonly<Record<N, number>>): Codec<N> {
  const names = Object.keys(tags) as N[];
  const byTag = new Map(names.map((name) => [tags[name], name]));
  return {
    shape: { kind: 'oneOf', tags },
    write(writer, value) {
      if (!Object.hasOwn(tags, value)) throw new CodecError(`expected one of ${names.join(', ')}, got ${value}`);
      writer.uint(tags[value], 1);
    },
    read(reader) {
      const tag = reader.uint(1);
      const name = byTag.get(tag);
      if (name === undefined) throw new CodecError(`expected a tag of ${[...byTag.keys()].join(', ')}, got ${tag}`);
      return name;
    },
    toJson: (value) => value,
    fromJson(json, path = 'value') {
      if (typeof json !== 'string' || !Object.hasOwn(tags, json))
        throw mismatch(path, `one of ${names.join(', ')}`, json);
      return json as N;
    },
  };
}

/** A type that other rules narrow further: `check` returns what is wrong with a decoded value, or undefined. */
export function checked<T>(codec: Codec<T>, check: (value: T) => string | undefined): Codec<T> {
  const verified = (value: T): T => {
    const problem = check(value);
    if (problem !== undefined) throw new CodecError(problem);
    return value;
  };
  return {
    ...codec,
    write: (writer, value) => codec.write(writer, verified(value)),
    read: (reader) => verified(codec.read(reader)),
    fromJson: (json, path = 'value') => at(path, () => verified(codec.fromJson(json, path))),
  };
}

/** True if the two values have the same canonical bytes. */
export function sameEncoding<T>(codec: Codec<T>, a: T, b: T): boolean {
  return equalBytes(encode(codec, a), encode(codec, b));
}

/** Bytes of a length or count up to `max`. */
export function widthFor(max: number): number {
  return max <= 0xff ? 1 : max <= 0xffff ? 2 : 4;
}

function bounded(count: number, min: number, max: number, what: string): number {
  // Of a value that has no length, `count` is undefined and compares false.
  if (!(count >= min && count <= max)) throw new CodecError(`expected ${min} to ${max} ${what}, got ${count}`);
  return count;
}

function hexFromJson(json: Json): Uint8Array {
  const value = typeof json === 'string' ? fromHex(json) : undefined;
  if (value === undefined) throw new CodecError(`expected 0x and lower-case hex digits, got ${shown(json)}`);
  return value;
}

function objectFromJson(json: Json, path: string): { readonly [key: string]: Json } {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw mismatch(path, 'an object', json);
  return json as { readonly [key: string]: Json };
}

function at<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof CodecError && !error.message.startsWith(path))
      throw new CodecError(`${path}: ${error.message}`);
    throw error;
  }
}

function mismatch(path: string, expected: string, json: Json): CodecError {
  return new CodecError(`${path}: expected ${expected}, got ${shown(json)}`);
}

/** Containers are only named: printing them would follow however deep they are. */
function shown(json: Json): string {
  if (Array.isArray(json)) return 'a list';
  if (typeof json === 'object' && json !== null) return 'an object';
  const printed = JSON.stringify(json) ?? 'nothing';
  return printed.length > 60 ? `${printed.slice(0, 57)}...` : printed;
}
