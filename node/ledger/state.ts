import assert from 'node:assert/strict';
import { sha256 } from '../../ledger/hash.ts';
import type { StateChange, StateReader } from '../../ledger/overlay.ts';
import { type StateProof, statePath } from '../../ledger/state-proof.ts';
import type { SubtreePart } from '../../ledger/state-subtree.ts';
import type { StateUpdate } from '../../ledger/state-tree.ts';
import { StateTree } from '../../ledger/state-tree.ts';
import { idKey as binaryKey } from '../id-key.ts';
import { type RowsKind, type Store, type StoreBatch, stateKey } from '../store/store.ts';
import type { Archive } from './archive.ts';

/** Rows kept in memory; a read from LevelDB costs 10 to 17 us. */
const CACHED_ROWS_MAX = 200_000;

interface Undo {
  readonly height: number;
  /** Values before that block. */
  readonly before: ReadonlyMap<string, Uint8Array | undefined>;
}

/**
 * The rows and their Merkle tree. Rows are read through a cache; the tree keeps a version for every height from the
 * newest final one, and what blocks above it changed can be looked up as it was, so that final state stays readable.
 */
export class LedgerState implements StateReader {
  readonly #store: Store;
  /** Which kind of the store holds the rows. */
  readonly kind: RowsKind;
  readonly #tree: StateTree;
  readonly #cache = new Map<string, Uint8Array | undefined>();
  readonly #undo: Undo[] = [];
  #archive: Archive | undefined;
  /** Rows as they were before the block that is being written. */
  #before: ReadonlyMap<string, Uint8Array | undefined> = new Map();
  #height: number;
  /** Height minus version of the tree. */
  readonly #offset: number;
  /** Below this height nothing is read any more, but for what is pinned. */
  #wanted: number;
  #pinned: number | undefined;

  /** Of rows that are in the store; the newest version of `tree` is that of `height`. */
  constructor(store: Store, kind: RowsKind, tree: StateTree, height: number) {
    this.#store = store;
    this.kind = kind;
    this.#wanted = height;
    this.#tree = tree;
    this.#height = height;
    this.#offset = height - tree.version;
  }

  /** Reads every row and builds the tree; `changes` instead when the database is new. */
  static async open(
    store: Store,
    kind: RowsKind,
    height: number,
    changes: readonly StateChange[] | undefined,
  ): Promise<LedgerState> {
    const tree = new StateTree();
    const updates: StateUpdate[] = changes?.map(updateOf) ?? [];
    if (changes === undefined) {
      for await (const { key, value } of store.range(kind)) updates.push(updateOf({ ...splitStateKey(key), value }));
    }
    tree.apply(updates);
    tree.release(tree.version);
    return new LedgerState(store, kind, tree, height);
  }

  get root(): Uint8Array {
    return this.#tree.root();
  }

  get rows(): number {
    return this.#tree.size;
  }

  get treeBytes(): number {
    return this.#tree.memoryBytes;
  }

  get(table: string, key: Uint8Array): Uint8Array | undefined {
    const full = stateKey(table, key);
    const name = binaryKey(full);
    if (this.#cache.has(name)) return this.#cache.get(name);
    const value = this.#store.get(this.kind, full);
    this.#keep(name, value);
    return value;
  }

  /** From now on every height stays readable. */
  async keepIn(archive: Archive): Promise<void> {
    await archive.open(this.kind, this.#tree, this.#height);
    this.#archive = archive;
  }

  /** A row as of an executed height, with its proof when asked for; undefined if that height is not kept. */
  async row(
    table: string,
    key: Uint8Array,
    height: number,
    proof: boolean,
  ): Promise<{ readonly value: Uint8Array | undefined; readonly proof: StateProof | undefined } | undefined> {
    if (!this.keeps(height)) return undefined;
    if (!this.has(height)) {
      const archived = await this.#archive!.row(table, key, height);
      return proof ? archived : { ...archived, proof: undefined };
    }
    return { value: this.getAt(table, key, height), proof: proof ? this.prove(table, key, height) : undefined };
  }

  /** The row as of an executed height not below the oldest kept one; a mistake of the caller's if it is not kept. */
  getAt(table: string, key: Uint8Array, height: number): Uint8Array | undefined {
    assert(this.has(height), `state of height ${height} is not kept`);
    const name = binaryKey(stateKey(table, key));
    for (const undo of this.#undo) {
      if (undo.height > height && undo.before.has(name)) return undo.before.get(name);
    }
    return this.get(table, key);
  }

  /** Whether state and proofs as of this height are at hand. */
  has(height: number): boolean {
    return height <= this.#height && height - this.#offset >= this.#tree.oldestVersion;
  }

  /** Whether rows as of this height can be read, from memory or an archive. */
  keeps(height: number): boolean {
    return this.has(height) || (this.#archive !== undefined && height >= this.#archive.since && height <= this.#height);
  }

  prove(table: string, key: Uint8Array, height: number) {
    return this.#tree.prove(statePath(table, key), height - this.#offset);
  }

  /** Makes the next height's tree and puts its rows into the batch. Rows are seen only after `commit`. */
  prepare(changes: readonly StateChange[], batch: StoreBatch): Uint8Array {
    const before = new Map<string, Uint8Array | undefined>();
    for (const { table, key, value } of changes) {
      const full = stateKey(table, key);
      before.set(binaryKey(full), this.get(table, key));
      if (value === null) batch.delete(this.kind, full);
      else batch.put(this.kind, full, value);
    }
    this.#before = before;
    const root = this.#tree.apply(changes.map(updateOf));
    this.#archive?.add(batch, this.#tree, changes, this.#height + 1);
    return root;
  }

  /** The batch of `prepare` is durable. */
  commit(changes: readonly StateChange[]): void {
    this.#height++;
    for (const { table, key, value } of changes) this.#keep(binaryKey(stateKey(table, key)), value ?? undefined);
    this.#undo.push({ height: this.#height, before: this.#before });
  }

  /** Nothing below this height is read any more. */
  release(height: number): void {
    this.#wanted = Math.max(this.#wanted, height);
    const oldest = Math.min(this.#wanted, this.#pinned ?? this.#wanted);
    this.#tree.release(oldest - this.#offset);
    while (this.#undo.length > 0 && this.#undo[0]!.height <= oldest) this.#undo.shift();
  }

  /** Keeps one height readable until it is pinned no more, with undefined. */
  pin(height: number | undefined): void {
    this.#pinned = height;
    this.release(this.#wanted);
  }

  /** Full keys, as `idKey`, of all rows that blocks above a kept height have changed, with their values at that height. */
  changedSince(height: number): ReadonlyMap<string, Uint8Array | undefined> {
    const changed = new Map<string, Uint8Array | undefined>();
    for (const undo of this.#undo) {
      if (undo.height <= height) continue;
      for (const [name, value] of undo.before) if (!changed.has(name)) changed.set(name, value);
    }
    return changed;
  }

  /** Root as of a kept height. */
  rootAt(height: number): Uint8Array {
    return this.#tree.root(height - this.#offset);
  }

  /** See StateTree. */
  partsAt(height: number, isLarge: (prefix: Uint8Array, depth: number) => boolean): SubtreePart[] {
    return this.#tree.parts(isLarge, height - this.#offset);
  }

  #keep(name: string, value: Uint8Array | undefined): void {
    this.#cache.delete(name);
    this.#cache.set(name, value);
    if (this.#cache.size <= CACHED_ROWS_MAX) return;
    const [oldest] = this.#cache.keys();
    this.#cache.delete(oldest!);
  }
}

function updateOf({ table, key, value }: StateChange): StateUpdate {
  return { path: statePath(table, key), valueHash: value === null ? null : sha256(value) };
}

/** Table and key of a row's full key. */
export function splitStateKey(full: Uint8Array): { table: string; key: Uint8Array } {
  const end = full.indexOf(0);
  return { table: Buffer.from(full.subarray(0, end)).toString('utf8'), key: full.slice(end + 1) };
}
