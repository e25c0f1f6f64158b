import { equalBytes } from './bytes.ts';
import { decode } from './codec.ts';
import type { Table } from './table.ts';

/** The state below: rows as of the block before. Throwing stops the node. */
export interface StateReader {
  get(table: string, key: Uint8Array): Uint8Array | undefined;
}

/** One row that a block sets, or deletes where `value` is null. */
export interface StateChange {
  readonly table: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** State that can't be read or decoded is this node's own trouble: it stops the node and never becomes a receipt. */
export class StateError extends Error {
  override readonly name = 'StateError';
}

/** A row that the batch has touched. */
export interface Row {
  readonly key: Uint8Array;
  /** Value before the batch. */
  readonly before: Uint8Array | undefined;
  readonly value: Uint8Array | undefined;
}

type MutableRow = { -readonly [K in keyof Row]: Row[K] };

/** The rows of one batch over the state below, with an undo log of the transaction that runs. */
export class Overlay {
  readonly #state: StateReader;
  /** By the key's bytes as a string, one character each: short, and V8 seeds its hash, so nobody can choose collisions. */
  readonly #tables = new Map<Table<never>, Map<string, MutableRow>>();
  readonly #undo: { readonly row: MutableRow; readonly value: Uint8Array | undefined }[] = [];
  /** What was asked for last: a handler that changes a row has nearly always read it just before. */
  #last: { readonly table: Table<never>; readonly row: MutableRow } | undefined;
  #broken: StateError | undefined;

  constructor(state: StateReader) {
    this.#state = state;
  }

  /** Set once the state could not be read, even if application code swallowed the exception. */
  get broken(): StateError | undefined {
    return this.#broken;
  }

  /** The row of a key; `key` is copied when kept. */
  row(table: Table<never>, key: Uint8Array): Row {
    if (this.#last?.table === table && equalBytes(this.#last.row.key, key)) return this.#last.row;
    const row = this.#find(table, key);
    this.#last = { table, row };
    return row;
  }

  #find(table: Table<never>, key: Uint8Array): MutableRow {
    let rows = this.#tables.get(table);
    if (rows === undefined) {
      rows = new Map();
      this.#tables.set(table, rows);
    }
    const index = binaryString(key);
    const known = rows.get(index);
    if (known !== undefined) return known;
    const before = this.#load(table, key);
    const row = { key: key.slice(), before, value: before };
    rows.set(index, row);
    return row;
  }

  /** The decoded value of a row of `table`. */
  value<V>(table: Table<never, V>, row: Row): V | undefined {
    if (row.value === undefined) return undefined;
    try {
      return decode(table.value, row.value);
    } catch (cause) {
      throw this.#breaks(`a row of ${table.name} does not decode`, cause);
    }
  }

  /** Changes a row; undone by `rollback`, kept by `commit`. */
  set(row: Row, value: Uint8Array | undefined): void {
    this.#undo.push({ row, value: row.value });
    (row as MutableRow).value = value;
  }

  commit(): void {
    this.#undo.length = 0;
  }

  rollback(): void {
    for (let last = this.#undo.pop(); last !== undefined; last = this.#undo.pop()) last.row.value = last.value;
  }

  /** What the batch changed in all, by table name, then key. A row that ends as it began is not in it. */
  changes(): readonly StateChange[] {
    const changes: StateChange[] = [];
    for (const [table, rows] of [...this.#tables].sort(([a], [b]) => (a.name < b.name ? -1 : 1))) {
      const changed = [...rows].filter(([, { before, value }]) => !sameValue(before, value));
      // The order of binary strings is the order of their bytes.
      changed.sort(([a], [b]) => (a < b ? -1 : 1));
      for (const [, { key, value }] of changed) changes.push({ table: table.name, key, value: value ?? null });
    }
    return changes;
  }

  #load(table: Table<never>, key: Uint8Array): Uint8Array | undefined {
    try {
      return this.#state.get(table.name, key);
    } catch (cause) {
      throw this.#breaks(`a row of ${table.name} can't be read`, cause);
    }
  }

  #breaks(message: string, cause: unknown): StateError {
    this.#broken ??= new StateError(message, { cause });
    return this.#broken;
  }
}

/** Bytes as a string of one character per byte: for map keys only. At most a few hundred bytes. */
export function binaryString(bytes: Uint8Array): string {
  const { length } = bytes;
  let codes = CODES[length];
  if (codes === undefined) {
    codes = new Array<number>(length).fill(0);
    CODES[length] = codes;
  }
  for (let i = 0; i < length; i++) codes[i] = bytes[i]!;
  return String.fromCharCode.apply(null, codes);
}

/** By length, filled anew each time: `apply` to a typed array makes V8 copy it to a list first, which takes twice as long. */
const CODES: (number[] | undefined)[] = [];

function sameValue(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && equalBytes(a, b));
}
