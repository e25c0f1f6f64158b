import { equalBytes } from '../../ledger/bytes.ts';
import type { Certificate } from '../../ledger/checkpoint.ts';
import { decode, encode } from '../../ledger/codec.ts';
import { STATE_PROOF_MAX } from '../../ledger/limits.ts';
import { statePath } from '../../ledger/state-proof.ts';
import type { SubtreePart } from '../../ledger/state-subtree.ts';
import { idKey } from '../id-key.ts';
import { SNAPSHOT_ANSWER_BYTES_MAX, SNAPSHOT_PARTS_MAX, STORE_BATCH_BYTES } from '../limits.ts';
import type { Store, StoredRecord } from '../store/store.ts';
import { rowsAnswerCodec, snapshotAnswerCodec, stateRowCodec } from '../wire.ts';
import { type LedgerState, splitStateKey } from './state.ts';

export interface SnapshotOptions {
  readonly chunkBytes: number;
  /** In block time: how long one that nobody reads is kept before another may be made. */
  readonly keptMs: number;
}

/** Of which the copy is made. */
export interface SnapshotSource {
  readonly state: LedgerState;
  readonly certificate: Certificate;
  readonly peaks: readonly Uint8Array[];
}

interface Ready {
  readonly height: number;
  /** Block times. */
  readonly madeAt: number;
  usedAt: number;
  /** Encoded SnapshotAnswer. */
  readonly answer: Uint8Array;
}

/** How many times `keptMs` pass until one that is of use, and one that is being read, make way: nobody holds it for ever. */
const OLD = 6;
const ANCIENT = 12;

export const NO_SNAPSHOT: Uint8Array = encode(snapshotAnswerCodec, { kind: 'nothing', value: {} });
const NO_ROWS: Uint8Array = encode(rowsAnswerCodec, { kind: 'nothing', value: {} });

/**
 * R8: the one snapshot that this node gives to others: a copy of the state at one certified height, in the order of the
 * tree, made when somebody asks for it while blocks go on being executed.
 */
export class ServedSnapshot {
  readonly #store: Store;
  readonly #options: SnapshotOptions;
  #ready: Ready | undefined;
  #making: Promise<void> | undefined;
  /** Why making one failed; told to whoever asks next. */
  #failed: { readonly error: unknown } | undefined;
  #dropped = false;

  constructor(store: Store, options: SnapshotOptions) {
    this.#store = store;
    this.#options = options;
  }

  /**
   * The answer to whoever has executed up to `above`, at block time `now`; undefined when another must be made. Waits for
   * one that is being made: of a large state that is longer than a peer waits, and it asks again.
   */
  async offer(above: number, now: number): Promise<Uint8Array | undefined> {
    await this.#making;
    if (this.#failed !== undefined) {
      const { error } = this.#failed;
      this.#failed = undefined;
      throw error;
    }
    if (this.#ready === undefined) return undefined;
    const { height, madeAt, usedAt, answer } = this.#ready;
    const { keptMs } = this.#options;
    const usable = height > above;
    const idle = now - usedAt >= keptMs || now - madeAt >= ANCIENT * keptMs;
    if (idle && (!usable || now - madeAt >= OLD * keptMs)) return undefined;
    return usable ? answer : NO_SNAPSHOT;
  }

  /** Begins to copy. The store's rows must be those of the newest version of the state, and no block be written now. */
  make(source: SnapshotSource, now: number): void {
    if (this.#making !== undefined || this.#dropped) return;
    const { state, certificate } = source;
    const { height, stateRoot } = certificate.checkpoint;
    if (!state.has(height) || !equalBytes(state.rootAt(height), stateRoot)) return;
    this.#ready = undefined;
    state.pin(height);
    // Both as they are at this moment, whatever is written meanwhile.
    const changed = state.changedSince(height);
    const rows = this.#store.range(state.kind);
    const first = rows.next();
    this.#making = this.#copyAndRelease(source, changed, first, rows, now);
  }

  /** Encoded RowsAnswer: the rows below one subtree. */
  async rows(height: number, prefix: Uint8Array, depth: number, now: number): Promise<Uint8Array> {
    if (this.#ready?.height !== height || depth > STATE_PROOF_MAX) return NO_ROWS;
    this.#ready.usedAt = now;
    const found: Uint8Array[] = [];
    let bytes = 0;
    for await (const { value } of this.#store.range('snapshotRow', subtreeRange(prefix, depth))) {
      bytes += value.length;
      if (bytes > SNAPSHOT_ANSWER_BYTES_MAX) return NO_ROWS;
      found.push(value);
    }
    const rows = found.map((row) => decode(stateRowCodec, row));
    return encode(rowsAnswerCodec, { kind: 'rows', value: { rows } });
  }

  /** Ends: the state that it was of is no longer this node's. */
  async drop(): Promise<void> {
    this.#dropped = true;
    this.#ready = undefined;
    await this.#making;
  }

  async #copyAndRelease(
    source: SnapshotSource,
    changed: ReadonlyMap<string, Uint8Array | undefined>,
    first: Promise<IteratorResult<StoredRecord>>,
    rows: AsyncGenerator<StoredRecord>,
    now: number,
  ): Promise<void> {
    try {
      const answer = await this.#copy(source, changed, first, rows);
      const { height } = source.certificate.checkpoint;
      if (answer !== undefined) this.#ready = { height, madeAt: now, usedAt: now, answer };
      await rows.return(undefined);
    } catch (error) {
      this.#failed = { error };
    } finally {
      source.state.pin(undefined);
      this.#making = undefined;
    }
  }

  async #copy(
    { state, certificate, peaks }: SnapshotSource,
    changed: ReadonlyMap<string, Uint8Array | undefined>,
    first: Promise<IteratorResult<StoredRecord>>,
    rows: AsyncGenerator<StoredRecord>,
  ): Promise<Uint8Array | undefined> {
    // The first read of `rows` is under way; clearing does not disturb it.
    await this.#store.clear('snapshotRow');
    const sizes = new Float64Array(BUCKETS + 1);
    const writer = new RowWriter(this.#store, sizes);
    for (let next = await first; !next.done; next = await rows.next()) {
      if (this.#dropped) return undefined;
      if (!changed.has(idKey(next.value.key))) await writer.put(next.value.key, next.value.value);
    }
    for (const [name, value] of changed) {
      if (value !== undefined) await writer.put(new Uint8Array(Buffer.from(name, 'latin1')), value);
    }
    await writer.flush();
    const isLarge = await this.#sizesOf(sizes);
    const { height } = certificate.checkpoint;
    const parts: readonly SubtreePart[] = state.partsAt(height, isLarge);
    if (parts.length > SNAPSHOT_PARTS_MAX) return NO_SNAPSHOT;
    return encode(snapshotAnswerCodec, { kind: 'snapshot', value: { certificate, peaks, parts } });
  }

  /** Whether the rows below a subtree are more than one chunk. */
  async #sizesOf(sizes: Float64Array): Promise<(prefix: Uint8Array, depth: number) => boolean> {
    const { chunkBytes } = this.#options;
    const sums = new Float64Array(BUCKETS + 1);
    const crowded = new Map<number, { readonly path: Uint8Array; readonly size: number }[]>();
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      sums[bucket + 1] = sums[bucket]! + sizes[bucket]!;
      if (sizes[bucket]! > chunkBytes) crowded.set(bucket, await this.#sizesIn(bucket));
    }
    return (prefix, depth) => {
      const bucket = bucketOf(prefix);
      if (depth <= BUCKET_BITS) return sums[bucket + 2 ** (BUCKET_BITS - depth)]! - sums[bucket]! > chunkBytes;
      const { from, to } = subtreeRange(prefix, depth);
      let bytes = 0;
      for (const { path, size } of crowded.get(bucket) ?? []) {
        if (Buffer.compare(path, from) >= 0 && (to === undefined || Buffer.compare(path, to) < 0)) bytes += size;
      }
      return bytes > chunkBytes;
    };
  }

  /** Paths that somebody ground to begin alike, or a large state: sizes one by one. */
  async #sizesIn(bucket: number): Promise<{ path: Uint8Array; size: number }[]> {
    const prefix = new Uint8Array(32);
    prefix[0] = bucket >> 8;
    prefix[1] = bucket & 255;
    const found: { path: Uint8Array; size: number }[] = [];
    for await (const { key, value } of this.#store.range('snapshotRow', subtreeRange(prefix, BUCKET_BITS))) {
      found.push({ path: key.slice(), size: value.length });
    }
    return found;
  }
}

/** Sizes are counted by the first bits of the path. */
const BUCKET_BITS = 16;
const BUCKETS = 2 ** BUCKET_BITS;

function bucketOf(path: Uint8Array): number {
  return (path[0]! << 8) | path[1]!;
}

/** Writes rows by path, many to a batch. Not synced: at every start they are removed. */
class RowWriter {
  readonly #store: Store;
  readonly #sizes: Float64Array;
  #batch: ReturnType<Store['batch']>;
  #bytes = 0;

  constructor(store: Store, sizes: Float64Array) {
    this.#store = store;
    this.#sizes = sizes;
    this.#batch = store.batch();
  }

  async put(full: Uint8Array, value: Uint8Array): Promise<void> {
    const { table, key } = splitStateKey(full);
    const path = statePath(table, key);
    const row = encode(stateRowCodec, { table, key, value });
    this.#sizes[bucketOf(path)]! += row.length;
    this.#batch.put('snapshotRow', path, row);
    this.#bytes += row.length;
    if (this.#bytes >= STORE_BATCH_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    await this.#batch.write({ sync: false });
    this.#batch = this.#store.batch();
    this.#bytes = 0;
  }
}

/** Paths of a subtree: from its prefix to the one behind it, if there is one. */
function subtreeRange(prefix: Uint8Array, depth: number): { from: Uint8Array; to?: Uint8Array } {
  const from = prefix.slice();
  for (let bit = depth; bit < 8 * from.length; bit++) from[bit >> 3]! &= ~(0x80 >> (bit & 7));
  const to = from.slice();
  for (let bit = depth - 1; bit >= 0; bit--) {
    const mask = 0x80 >> (bit & 7);
    to[bit >> 3]! ^= mask;
    if ((to[bit >> 3]! & mask) !== 0) return { from, to };
  }
  return { from };
}
