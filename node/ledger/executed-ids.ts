import { randomBytes } from 'node:crypto';
import type { Header } from '../../ledger/block.ts';
import { equalBytes } from '../../ledger/bytes.ts';
import { decode } from '../../ledger/codec.ts';
import { heightKey, type Store } from '../store/store.ts';
import { blockIdsCodec } from '../wire.ts';
import { LedgerError } from './error.ts';
import { type Base, placeCodec } from './records.ts';

/** Whether the block at `height` has this id as its `index`th: what a match of some bytes leaves open. */
export type IsIdAt = (height: number, index: number, id: Uint8Array) => boolean;

/**
 * The ids with a receipt in blocks not older than the horizon (N9, E8): 8 bytes and at most 16 of index each, since a chain under
 * load has millions of them within it. Whether an id with the same first bytes is the same one is looked up in the store. Slots are
 * seeded, so that nobody can grind ids that collide there; who grinds ids that begin alike costs one look for each.
 */
export class ExecutedIds {
  readonly #isIdAt: IsIdAt;
  readonly #seed = new Int32Array(new Uint8Array(randomBytes(16)).buffer);
  /** Two words of each id, oldest first. */
  #prints = new Int32Array(2 * 1_024);
  /** Index of an id, or -1. */
  #slots = new Int32Array(4_096).fill(-1);
  #count = 0;
  /** Oldest first; `first` is the number of its first id among all that were ever added. */
  #blocks: { readonly height: number; readonly timestamp: number; readonly first: number; readonly count: number }[] =
    [];
  /** Ids at the front whose blocks are too old; swept when they are half. */
  #stale = 0;
  #swept = 0;

  constructor(isIdAt: IsIdAt) {
    this.#isIdAt = isIdAt;
  }

  get size(): number {
    return this.#count - this.#stale;
  }

  has(id: Uint8Array): boolean {
    const low = word(id, 0);
    const high = word(id, 4);
    const mask = this.#slots.length - 1;
    for (let slot = this.#hash(low, high) & mask; this.#slots[slot] !== -1; slot = (slot + 1) & mask) {
      const index = this.#slots[slot]!;
      if (this.#prints[2 * index] === low && this.#prints[2 * index + 1] === high && this.#stands(index, id))
        return true;
    }
    return false;
  }

  /** Which of these ids (32 bytes each, one after the other) are known: bit i of byte i>>3. */
  among(ids: Uint8Array): Uint8Array {
    const count = ids.length / 32;
    const bits = new Uint8Array(Math.ceil(count / 8));
    for (let i = 0; i < count; i++) if (this.has(ids.subarray(32 * i, 32 * i + 32))) bits[i >> 3]! |= 1 << (i & 7);
    return bits;
  }

  /** The ids of the next block, which is in the store. */
  add({ height, timestamp }: Pick<Header, 'height' | 'timestamp'>, ids: readonly Uint8Array[]): void {
    this.#blocks.push({ height, timestamp, first: this.#swept + this.#count, count: ids.length });
    for (const id of ids) this.#insert(id);
  }

  /** Forgets blocks with a time before `timestamp`; equality is kept. */
  prune(timestamp: number): void {
    let blocks = 0;
    while (blocks < this.#blocks.length && this.#blocks[blocks]!.timestamp < timestamp) {
      this.#stale += this.#blocks[blocks]!.count;
      blocks++;
    }
    if (blocks > 0) this.#blocks.splice(0, blocks);
    if (this.#stale > 1_024 && this.#stale * 2 > this.#count) this.#sweep();
  }

  #insert(id: Uint8Array): void {
    if (2 * this.#count === this.#prints.length) {
      const prints = new Int32Array(2 * this.#prints.length);
      prints.set(this.#prints);
      this.#prints = prints;
    }
    this.#prints[2 * this.#count] = word(id, 0);
    this.#prints[2 * this.#count + 1] = word(id, 4);
    this.#count++;
    if (2 * this.#count > this.#slots.length) this.#rehash(2 * this.#slots.length);
    else this.#place(this.#count - 1);
  }

  #sweep(): void {
    this.#prints.copyWithin(0, 2 * this.#stale, 2 * this.#count);
    this.#count -= this.#stale;
    this.#swept += this.#stale;
    this.#stale = 0;
    this.#rehash(this.#slots.length);
  }

  #rehash(length: number): void {
    this.#slots = new Int32Array(length).fill(-1);
    for (let index = 0; index < this.#count; index++) this.#place(index);
  }

  #place(index: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#hash(this.#prints[2 * index]!, this.#prints[2 * index + 1]!) & mask;
    while (this.#slots[slot] !== -1) slot = (slot + 1) & mask;
    this.#slots[slot] = index;
  }

  #stands(index: number, id: Uint8Array): boolean {
    if (index < this.#stale) return false;
    const number = this.#swept + index;
    let [low, high] = [0, this.#blocks.length];
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#blocks[middle]!.first <= number) low = middle;
      else high = middle;
    }
    const { height, first } = this.#blocks[low]!;
    return this.#isIdAt(height, number - first, id);
  }

  #hash(low: number, high: number): number {
    const [a, b, c, d] = this.#seed as unknown as [number, number, number, number];
    const mixed = Math.imul(low ^ a, b | 1) ^ Math.imul(high ^ c, d | 1);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }
}

function word(id: Uint8Array, at: number): number {
  return id[at]! | (id[at + 1]! << 8) | (id[at + 2]! << 16) | (id[at + 3]! << 24);
}

/** All ids of blocks, one after the other. */
export function packedIds(blocks: readonly { readonly ids: readonly Uint8Array[] }[]): Uint8Array {
  const ids = blocks.flatMap((block) => block.ids);
  const packed = new Uint8Array(32 * ids.length);
  for (const [i, id] of ids.entries()) packed.set(id, 32 * i);
  return packed;
}

/** E8: whether a block that is executed or came with a snapshot has this id at this place. */
export function isIdAt(store: Store, base: Base, height: number, index: number, id: Uint8Array): boolean {
  if (height > base.height) {
    const record = store.get('transaction', id);
    const place = record && decode(placeCodec, record);
    return place?.height === height && place.index === index;
  }
  const record = store.get('blockIds', heightKey(height));
  if (record === undefined) throw new LedgerError('STATE_DAMAGED', `the ids of block ${height} lack`);
  return equalBytes(decode(blockIdsCodec, record).ids[index]!, id);
}
