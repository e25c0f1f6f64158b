import { readdir } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { ClassicLevel } from 'classic-level';
import { copyBytes, utf8Encode } from '../../ledger/bytes.ts';

/**
 * What a record is, by the first byte of its key. Numbers in keys are eight bytes big-endian, so that order is height.
 */
export const KINDS = {
  meta: 0x01,
  head: 0x02,
  block: 0x03,
  blockHash: 0x04,
  transaction: 0x05,
  certificate: 0x06,
  history: 0x07,
  /** Rows of the state: of the two kinds the base record names the one in use, the other is for a snapshot on its way. */
  state: 0x08,
  otherState: 0x09,
  base: 0x0a,
  /** Header and ids of a block whose transactions are not here (R8). */
  blockIds: 0x0b,
  /** Rows of a snapshot for others, by path. */
  snapshotRow: 0x0c,
  /** The end of an epoch, by its number. */
  handoff: 0x0d,
  /** Of an archive: since when it is complete; pieces of the state tree and values of rows as of each height. */
  archive: 0x0e,
  statePage: 0x0f,
  stateValue: 0x10,
} as const;
export type Kind = keyof typeof KINDS;
export type RowsKind = 'state' | 'otherState';

/** Bytes that are not what was written: never served, executed or voted on (D07, D17). */
export class StoreCorruption extends Error {
  readonly code = 'STORE_CORRUPTION';
}

/** The directory can't be used: locked by another process, not writable, or not a LevelDB. */
export class StoreError extends Error {
  readonly code = 'STORE';
}

const CHECKSUM_BYTES = 4;
/** More makes no node faster: rows have a cache of their own, and the system one of the files. */
const WRITE_BUFFER_BYTES = 8 * 1024 * 1024;
const CACHE_BYTES = 8 * 1024 * 1024;
const CLEARED_AT_ONCE = 8_192;

export interface StoredRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What the store needs of a database: classic-level has it, and the simulator's own with lost writes. */
export interface Database {
  getSync(key: Uint8Array): Uint8Array | undefined;
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** Records in [gte, lt) in key order. */
  iterator(options: {
    readonly gte: Uint8Array;
    readonly lt: Uint8Array;
    readonly limit: number;
    readonly reverse: boolean;
  }): AsyncIterable<readonly [Uint8Array, Uint8Array]>;
  batch(): DatabaseBatch;
  close(): Promise<void>;
}

export interface DatabaseBatch {
  put(key: Uint8Array, value: Uint8Array): unknown;
  del(key: Uint8Array): unknown;
  /** All or nothing; durable when it resolves if `sync`. */
  write(options: { readonly sync: boolean }): Promise<void>;
}

/**
 * LevelDB with a CRC-32 over key and value before each value: LevelDB alone returns altered table bytes as good data, and
 * a record under another's key would look whole.
 */
export class Store {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Throws StoreError; LevelDB's LOCK keeps a second process out (O01). */
  static async open(directory: string): Promise<Store> {
    await assertCurrent(directory);
    const db = new ClassicLevel<Uint8Array, Uint8Array>(directory, {
      keyEncoding: 'view',
      valueEncoding: 'view',
      writeBufferSize: WRITE_BUFFER_BYTES,
      cacheSize: CACHE_BYTES,
    });
    try {
      await db.open();
    } catch (cause) {
      const { cause: inner, message } = cause as Error & { cause?: { code?: string; message?: string } };
      const locked = inner?.code === 'LEVEL_LOCKED';
      const reason = locked
        ? 'another process uses it: is this validator running already?'
        : (inner?.message ?? message);
      throw new StoreError(`database ${directory} can't be opened: ${reason}`, { cause });
    }
    return new Store(db);
  }

  get(kind: Kind, key: Uint8Array): Uint8Array | undefined {
    const full = fullKey(kind, key);
    const record = this.#db.getSync(full);
    return record === undefined ? undefined : checked(kind, full, record);
  }

  async getAsync(kind: Kind, key: Uint8Array): Promise<Uint8Array | undefined> {
    const full = fullKey(kind, key);
    const record = await this.#db.get(full);
    return record === undefined ? undefined : checked(kind, full, record);
  }

  /** Records of a kind in [from, to) in key order, keys without their kind. */
  async *range(kind: Kind, options: RangeOptions = {}): AsyncGenerator<StoredRecord> {
    const { from, to, limit = -1, reverse = false } = options;
    const iterator = this.#db.iterator({
      gte: from === undefined ? Uint8Array.of(KINDS[kind]) : fullKey(kind, from),
      lt: to === undefined ? Uint8Array.of(KINDS[kind] + 1) : fullKey(kind, to),
      limit,
      reverse,
    });
    for await (const [key, record] of iterator) yield { key: plain(key, 1), value: checked(kind, key, record) };
  }

  batch(): StoreBatch {
    return new StoreBatch(this.#db);
  }

  /** Removes all records of a kind, in batches. */
  async clear(kind: Kind): Promise<void> {
    const range = { gte: Uint8Array.of(KINDS[kind]), lt: Uint8Array.of(KINDS[kind] + 1) };
    for (;;) {
      const batch = this.#db.batch();
      let count = 0;
      for await (const [key] of this.#db.iterator({ ...range, limit: CLEARED_AT_ONCE, reverse: false })) {
        batch.del(key);
        count++;
      }
      if (count === 0) return;
      await batch.write({ sync: true });
    }
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}

/**
 * D06: where CURRENT is missing LevelDB makes a new database and deletes the tables of the old one. A database that a
 * crash left half made has neither tables nor log yet.
 */
async function assertCurrent(directory: string): Promise<void> {
  const names = await readdir(directory).catch((): string[] => []);
  if (names.includes('CURRENT') || !names.some((name) => /^\d+\.(?:ldb|sst|log)$/.test(name))) return;
  throw new StoreError(`database ${directory} can't be opened: its file CURRENT is missing`);
}

export interface RangeOptions {
  readonly from?: Uint8Array;
  readonly to?: Uint8Array;
  readonly limit?: number;
  readonly reverse?: boolean;
}

/** Changes that become durable together or not at all (R3). */
export class StoreBatch {
  readonly #batch: DatabaseBatch;

  constructor(db: Database) {
    this.#batch = db.batch();
  }

  put(kind: Kind, key: Uint8Array, value: Uint8Array): void {
    // Both in one piece of Node's pool: a buffer of its own for each costs more than all else here.
    const keyBytes = 1 + key.length;
    const both = Buffer.allocUnsafe(keyBytes + CHECKSUM_BYTES + value.length);
    both[0] = KINDS[kind];
    copyBytes(both, key, 1);
    copyBytes(both, value, keyBytes + CHECKSUM_BYTES);
    const full = both.subarray(0, keyBytes);
    both.writeUInt32BE(checksum(full, both.subarray(keyBytes + CHECKSUM_BYTES)), keyBytes);
    this.#batch.put(full, both.subarray(keyBytes));
  }

  delete(kind: Kind, key: Uint8Array): void {
    this.#batch.del(fullKey(kind, key));
  }

  write({ sync }: { readonly sync: boolean }): Promise<void> {
    return this.#batch.write({ sync });
  }
}

export function heightKey(height: number): Uint8Array {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigUint64(0, BigInt(height));
  return key;
}

export function heightOfKey(key: Uint8Array): number {
  return Number(new DataView(key.buffer, key.byteOffset).getBigUint64(0));
}

export function historyKey(level: number, index: number): Uint8Array {
  const key = new Uint8Array(9);
  key[0] = level;
  key.set(heightKey(index), 1);
  return key;
}

/** Table and key of a row: the name can't hold a zero byte. */
export function stateKey(table: string, key: Uint8Array): Uint8Array {
  const name = utf8Encode(table);
  const full = new Uint8Array(name.length + 1 + key.length);
  copyBytes(full, name, 0);
  copyBytes(full, key, name.length + 1);
  return full;
}

function fullKey(kind: Kind, key: Uint8Array): Uint8Array {
  const full = new Uint8Array(1 + key.length);
  full[0] = KINDS[kind];
  copyBytes(full, key, 1);
  return full;
}

function checksum(key: Uint8Array, value: Uint8Array): number {
  return crc32(value, crc32(key));
}

function checked(kind: Kind, key: Uint8Array, record: Uint8Array): Uint8Array {
  const value = plain(record, Math.min(CHECKSUM_BYTES, record.length));
  const stored = record.length < CHECKSUM_BYTES ? -1 : new DataView(record.buffer, record.byteOffset).getUint32(0);
  if (stored === checksum(key, value)) return value;
  throw new StoreCorruption(`a ${kind} record in the database is damaged: its checksum does not fit`);
}

/** LevelDB gives Buffers, whose `slice` does not copy; outside the store there are only Uint8Arrays. */
function plain(bytes: Uint8Array, from: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + from, bytes.length - from);
}
