import type { ActionArgs, Module } from '../../ledger/application.ts';
import { fromHex } from '../../ledger/bytes.ts';
import { type Codec, encode } from '../../ledger/codec.ts';
import type { Table, TableKey } from '../../ledger/table.ts';
import type { Call } from '../../ledger/transaction.ts';
import { QuorateError } from './errors.ts';

/** Bytes in text: `0x` and lower-case hex digits. */
export type Hex = `0x${string}`;

/** What may be given for a value of the ledger: the value itself, with `0x…` in place of any bytes. */
export type Input<T> = T extends Uint8Array
  ? Uint8Array | Hex
  : T extends string | number | bigint | boolean
    ? T
    : T extends readonly (infer I)[]
      ? readonly Input<I>[]
      : { readonly [K in keyof T]: Input<T[K]> };

/** A key of a table, each part of bytes also as `0x…`. */
export type KeyInput<K extends TableKey> = {
  readonly [I in keyof K]: K[I] extends Uint8Array ? Uint8Array | Hex : K[I];
};

/** For each module and action of `M` a function of its arguments that gives an `R`. */
export type Actions<M extends readonly Module[], R, Extra extends readonly unknown[] = []> = {
  readonly [X in M[number] as X['name']]: {
    readonly [K in keyof X['actions'] & string]: (args: Input<ActionArgs<X, K>>, ...extra: Extra) => R;
  };
};

/** Functions that make the calls of these modules, typed from their definitions: `calls.assets.transfer({ … })`. */
export function callsOf<const M extends readonly Module[]>(modules: M): Actions<M, Call> {
  return actionsOf(modules, (call) => call);
}

/** As `callsOf`, with what `use` makes of each call, and of what is given behind the arguments. */
export function actionsOf<const M extends readonly Module[], R, Extra extends readonly unknown[] = []>(
  modules: M,
  use: (call: Call, ...extra: Extra) => R,
): Actions<M, R, Extra> {
  const entries = modules.map(({ name: module, actions }) => [
    module,
    Object.fromEntries(
      Object.entries(actions).map(([action, { args: codec }]) => [
        action,
        (args: unknown, ...extra: Extra) => {
          const encoded = encodeInput(codec, args, `arguments of ${module}.${action}`);
          return use({ module, action, args: encoded }, ...extra);
        },
      ]),
    ),
  ]);
  return Object.fromEntries(entries) as Actions<M, R, Extra>;
}

/** A key of the table in bytes; throws `invalid-args`. */
export function encodeKey<K extends TableKey, V>(table: Table<K, V>, key: KeyInput<K>): Uint8Array {
  const parts = table.parts.map(({ kind }, i) => (kind === 'bytes' ? toBytes(key[i]) : key[i]));
  try {
    // A copy: a single part of bytes would be the caller's.
    return table.encodeKey((key.length === parts.length ? parts : key) as unknown as K).slice();
  } catch (cause) {
    throw invalid(`key of ${table.name}`, cause);
  }
}

/** Bytes as they are or from `0x…`; throws `invalid-args`. `what` says of what they are. */
export function bytesOf(input: Uint8Array | Hex, length: number, what: string): Uint8Array {
  const bytes: unknown = toBytes(input);
  if (bytes instanceof Uint8Array && bytes.length === length) return bytes.slice();
  throw new QuorateError('invalid-args', `${what}: expected ${length} bytes, or 0x and ${2 * length} hex digits`);
}

function encodeInput(codec: Codec<unknown>, input: unknown, what: string): Uint8Array {
  try {
    return encode(codec, fromInput(codec, input));
  } catch (cause) {
    throw invalid(what, cause);
  }
}

/** Turns `0x…` into bytes where the type has bytes, and leaves the rest to the codec's own checks. */
function fromInput({ shape }: Codec<unknown>, input: unknown): unknown {
  switch (shape.kind) {
    case 'bytes':
    case 'blob':
      return toBytes(input);
    case 'list':
      return Array.isArray(input) ? input.map((item) => fromInput(shape.item, item)) : input;
    case 'struct': {
      const given = input as Readonly<Record<string, unknown>>;
      const names = shape.fields.map(([name]) => name);
      const unknown = Object.keys(given).find((name) => !names.includes(name));
      if (unknown !== undefined) throw new TypeError(`no field ${unknown}, there are ${names.join(', ')}`);
      const missing = names.find((name) => given[name] === undefined);
      if (missing !== undefined) throw new TypeError(`${missing} is missing`);
      return Object.fromEntries(shape.fields.map(([name, codec]) => [name, fromInput(codec, given[name])]));
    }
    case 'union': {
      const { kind, value } = input as { readonly kind: string; readonly value: unknown };
      const variant = shape.variants.find(([name]) => name === kind);
      return { kind, value: variant === undefined ? value : fromInput(variant[2], value) };
    }
    default:
      return input;
  }
}

function toBytes(input: unknown): unknown {
  if (typeof input !== 'string') return input;
  const bytes = fromHex(input);
  if (bytes === undefined) throw invalid('bytes', new TypeError('expected 0x and an even number of hex digits'));
  return bytes;
}

function invalid(what: string, cause: unknown): QuorateError {
  if (cause instanceof QuorateError) return cause;
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new QuorateError('invalid-args', `${what}: ${detail}`, { cause });
}
