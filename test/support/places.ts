import { type Codec, CodecError, encode } from '../../ledger/codec.ts';

/** One place in a decoded value: a field, an item of a list, or the whole (path ''). */
export interface Place<T> {
  /** As in `fact.value.header.height` or `handoffs[0].next[2].key`. */
  readonly path: string;
  readonly value: unknown;
  /** The whole with something else at this place; nothing is changed in place. */
  with(value: unknown): T;
}

/** Every place of a value, from the outside inwards. Bytes are one place. */
export function placesOf<T>(root: T): Place<T>[] {
  const places: Place<T>[] = [];
  const visit = (place: Place<T>): void => {
    places.push(place);
    for (const child of childrenOf(place)) visit(child);
  };
  visit(wholeOf(root));
  return places;
}

/** One place below the root: the way down is chosen at each level, so that what is deep or long is no more likely. */
export function randomPlace<T>(root: T, random: (below: number) => number): Place<T> {
  let place = wholeOf(root);
  for (;;) {
    const children = childrenOf(place);
    if (children.length === 0 || (place.path !== '' && random(5) === 0)) return place;
    place = children[random(children.length)]!;
  }
}

function wholeOf<T>(root: T): Place<T> {
  return { path: '', value: root, with: (value) => value as T };
}

function childrenOf<T>({ path, value, with: put }: Place<T>): Place<T>[] {
  if (Array.isArray(value)) {
    return value.map((item, i) => ({
      path: `${path}[${i}]`,
      value: item,
      with: (other) => put(value.with(i, other)),
    }));
  }
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [];
  return Object.entries(value).map(([name, field]) => ({
    path: path === '' ? name : `${path}.${name}`,
    value: field,
    with: (other) => put({ ...value, [name]: other }),
  }));
}

/** What stands at a path; undefined if there is nothing. */
export function valueAt(root: unknown, path: string): unknown {
  let value = root;
  for (const name of path.split(/[.[\]]+/).filter(Boolean)) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

export interface Change {
  readonly name: string;
  readonly value: unknown;
}

/**
 * Other values for one place, of the same type where that is known from the value; not all fit the bounds of their codec.
 * `random` picks bits and positions.
 */
export function changesOf(value: unknown, random: (below: number) => number): Change[] {
  if (value instanceof Uint8Array) return changesOfBytes(value, random);
  if (Array.isArray(value)) return changesOfList(value);
  switch (typeof value) {
    case 'number':
      return changesOfNumber(value, random);
    case 'string':
      return changesOfText(value, random);
    case 'object':
      return value === null ? [] : changesOfUnion(value);
    default:
      return [];
  }
}

function changesOfBytes(bytes: Uint8Array, random: (below: number) => number): Change[] {
  const flip = (at: number, bit: number): Change => ({
    name: `bit ${bit} of byte ${at} flipped`,
    value: bytes.with(at, bytes[at]! ^ (1 << bit)),
  });
  const changes: Change[] = [
    { name: 'a byte more', value: Uint8Array.of(...bytes, 1 + random(255)) },
    { name: 'a zero more', value: Uint8Array.of(...bytes, 0) },
    { name: 'all zero', value: new Uint8Array(bytes.length) },
    { name: 'all ones', value: new Uint8Array(bytes.length).fill(0xff) },
  ];
  if (bytes.length === 0) return changes;
  for (const at of [0, bytes.length - 1, random(bytes.length)]) changes.push(flip(at, random(8)));
  return [
    ...changes,
    { name: 'the last byte cut off', value: bytes.subarray(0, -1) },
    { name: 'the first byte cut off', value: bytes.subarray(1) },
    { name: 'empty', value: bytes.subarray(0, 0) },
    { name: 'reversed', value: bytes.toReversed() },
  ];
}

function changesOfList(list: readonly unknown[]): Change[] {
  const changes: Change[] = [
    { name: 'empty', value: [] },
    { name: 'reversed', value: list.toReversed() },
  ];
  if (list.length === 0 || list[0] instanceof Uint8Array) {
    const zeros = new Uint8Array(list[0] instanceof Uint8Array ? list[0].length : 32);
    changes.push(
      { name: 'zeros put before', value: [zeros, ...list] },
      { name: 'zeros added', value: [...list, zeros] },
    );
  }
  for (const [i, item] of list.entries()) {
    changes.push(
      { name: `item ${i} dropped`, value: list.toSpliced(i, 1) },
      { name: `item ${i} doubled`, value: list.toSpliced(i, 0, item) },
      { name: `only items up to ${i}`, value: list.slice(0, i) },
    );
    if (i > 0)
      changes.push({ name: `items ${i - 1} and ${i} swapped`, value: list.with(i - 1, item).with(i, list[i - 1]) });
  }
  return changes;
}

function changesOfNumber(number: number, random: (below: number) => number): Change[] {
  const values = [number + 1, number - 1, 0, 1, 2 * number + 1, 0xffff_ffff, Number.MAX_SAFE_INTEGER];
  values.push(number + 2 ** random(48));
  return values.map((value) => ({ name: `${value} instead of ${number}`, value }));
}

/** Names that some codec may take in the place of another. */
const NAMES = ['ok', 'failed'];

function changesOfText(text: string, random: (below: number) => number): Change[] {
  const at = random(text.length);
  const values = [`${text}x`, text.slice(0, -1), text.toUpperCase(), `${text.slice(0, at)}\u00e9${text.slice(at + 1)}`];
  return [...values, ...NAMES, '', `${text} `, `\u200b${text}`].map((value) => ({
    name: `${JSON.stringify(value)} as text`,
    value,
  }));
}

/** By kind, the others that may stand in its place. */
const KINDS: Readonly<Record<string, readonly { readonly kind: string; readonly value: unknown }[]>> = {
  absent: [
    { kind: 'present', value: new Uint8Array(0) },
    { kind: 'present', value: Uint8Array.of(1) },
  ],
  present: [{ kind: 'absent', value: {} }],
  self: [{ kind: 'other', value: { path: new Uint8Array(32), valueHash: new Uint8Array(32) } }],
  other: [{ kind: 'self', value: {} }],
};

function changesOfUnion(value: object): Change[] {
  const kind = 'kind' in value && typeof value.kind === 'string' ? value.kind : '';
  return (KINDS[kind] ?? []).map((other) => ({ name: `${other.kind} instead of ${kind}`, value: other }));
}

/** The bytes of a value; undefined if it is out of bounds, or has something of another type in it. */
export function tryEncode<T>(codec: Codec<T>, value: T): Uint8Array | undefined {
  try {
    return encode(codec, value);
  } catch (error) {
    if (error instanceof CodecError || error instanceof TypeError || error instanceof RangeError) return undefined;
    throw error;
  }
}
