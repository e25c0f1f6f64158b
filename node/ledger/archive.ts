import { equalBytes } from '../../ledger/bytes.ts';
import { decode, encode, struct, u64 } from '../../ledger/codec.ts';
import type { StateChange } from '../../ledger/overlay.ts';
import { descendPage, encodePage, PAGE_LEVELS, prefixOf, type StatePage } from '../../ledger/state-page.ts';
import { type StateProof, statePath } from '../../ledger/state-proof.ts';
import type { StateTree } from '../../ledger/state-tree.ts';
import { heightKey, type RowsKind, type Store, type StoreBatch } from '../store/store.ts';
import { NO_KEY } from './opening.ts';
import { splitStateKey } from './state.ts';

const rangeCodec = struct({ since: u64, until: u64 });
/** Records in one batch while the first pages are written. */
const BATCH_RECORDS = 4_096;

/** A row as it was, with its proof. */
export interface ArchivedRow {
  readonly value: Uint8Array | undefined;
  readonly proof: StateProof;
}

/**
 * The state as of every height since it was turned on: of each block the pages of the state tree that it changed, and the
 * values it wrote. So any row of any height has a proof of O(log rows) reads, and its value at hand.
 */
export class Archive {
  readonly #store: Store;
  #since = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The first height it can prove. */
  get since(): number {
    return this.#since;
  }

  /** Goes on where it stopped; begins anew with the state as it is if it was off for a while, or is new. */
  async open(kind: RowsKind, tree: StateTree, height: number): Promise<void> {
    const record = this.#store.get('archive', NO_KEY);
    const range = record && decode(rangeCodec, record);
    if (range?.until === height) this.#since = range.since;
    else await this.begin(kind, tree, height);
  }

  /**
   * Writes the whole state as of this height. Not complete before the last batch names its range; each is synced, as what that
   * one names must not be lost in a log before it.
   */
  async begin(kind: RowsKind, tree: StateTree, height: number): Promise<void> {
    let batch = this.#store.batch();
    let records = 0;
    const put = async (write: () => void): Promise<void> => {
      write();
      if (++records % BATCH_RECORDS !== 0) return;
      await batch.write({ sync: true });
      batch = this.#store.batch();
    };
    for await (const { key, value } of this.#store.range(kind)) {
      const { table, key: rowKey } = splitStateKey(key);
      await put(() => batch.put('stateValue', versionKey(statePath(table, rowKey), height), value));
    }
    for (const page of tree.allPages()) await put(() => putPage(batch, page, height));
    batch.put('archive', NO_KEY, encode(rangeCodec, { since: height, until: height }));
    await batch.write({ sync: true });
    this.#since = height;
  }

  /** Adds what the block at `height` changed to its batch; `tree` has it as its newest version. */
  add(batch: StoreBatch, tree: StateTree, changes: readonly StateChange[], height: number): void {
    for (const { table, key, value } of changes) {
      if (value !== null) batch.put('stateValue', versionKey(statePath(table, key), height), value);
    }
    if (changes.length > 0) for (const page of tree.newPages()) putPage(batch, page, height);
    batch.put('archive', NO_KEY, encode(rangeCodec, { since: this.#since, until: height }));
  }

  /** The row as of an executed height not below `since`. */
  async row(table: string, key: Uint8Array, height: number): Promise<ArchivedRow> {
    const path = statePath(table, key);
    const siblings: Uint8Array[] = [];
    for (let depth = 0; ; depth += PAGE_LEVELS) {
      const { cell, siblings: below } = descendPage(await this.#page(path, depth, height), path, depth);
      siblings.push(...below);
      if (cell.kind === 'inner') continue;
      if (cell.kind === 'empty') return { value: undefined, proof: { siblings, other: undefined } };
      const { path: found, valueHash } = cell.value;
      if (!equalBytes(found, path)) return { value: undefined, proof: { siblings, other: { path: found, valueHash } } };
      return { value: await this.#newest('stateValue', path, height), proof: { siblings, other: undefined } };
    }
  }

  #page(path: Uint8Array, depth: number, height: number): Promise<Uint8Array> {
    return this.#newest('statePage', pageKey(prefixOf(path, depth), depth), height);
  }

  /** The version of a record that was written last up to this height. */
  async #newest(kind: 'statePage' | 'stateValue', key: Uint8Array, height: number): Promise<Uint8Array> {
    const range = { from: versionKey(key, 0), to: versionKey(key, height + 1), limit: 1, reverse: true };
    for await (const { value } of this.#store.range(kind, range)) return value;
    throw new Error(`the archive lacks a ${kind} as of height ${height}`);
  }
}

function putPage(batch: StoreBatch, page: StatePage, height: number): void {
  batch.put('statePage', versionKey(pageKey(page.prefix, page.depth), height), encodePage(page));
}

function pageKey(prefix: Uint8Array, depth: number): Uint8Array {
  return Buffer.concat([Uint8Array.of(depth), prefix]);
}

function versionKey(key: Uint8Array, height: number): Uint8Array {
  return Buffer.concat([key, heightKey(height)]);
}
