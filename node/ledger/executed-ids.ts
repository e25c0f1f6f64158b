import { randomBytes } from 'node:crypto';

/**
 * The ids with a receipt in blocks not older than the horizon (N9, E8): 32 bytes and four of index each, in place of a
 * string per id. Slots are seeded, so that nobody can grind ids that collide.
 */
export class ExecutedIds {
  readonly #seed = new Int32Array(new Uint8Array(randomBytes(16)).buffer);
  #ids = new Uint8Array(32 * 1_024);
  #slots = new Int32Array(4_096).fill(-1);
  #count = 0;
  /** Oldest first. */
  #blocks: { readonly timestamp: number; readonly count: number }[] = [];
  /** Ids at the front whose blocks are too old; swept when they are half. */
  #stale = 0;

  get size(): number {
    return this.#count - this.#stale;
  }

  has(id: Uint8Array): boolean {
    return this.#find(id) >= this.#stale;
  }

  /** Which of these ids (32 bytes each, one after the other) are known: bit i of byte i>>3. */
  among(ids: Uint8Array): Uint8Array {
    const count = ids.length / 32;
    const bits = new Uint8Array(Math.ceil(count / 8));
    for (let i = 0; i < count; i++) if (this.has(ids.subarray(32 * i, 32 * i + 32))) bits[i >> 3]! |= 1 << (i & 7);
    return bits;
  }

  /** The ids of the next block. */
  add(timestamp: number, ids: readonly Uint8Array[]): void {
    this.#blocks.push({ timestamp, count: ids.length });
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

  /** All ids, oldest first, 32 bytes each. */
  packed(): Uint8Array {
    return this.#ids.slice(32 * this.#stale, 32 * this.#count);
  }

  #insert(id: Uint8Array): void {
    if (32 * (this.#count + 1) > this.#ids.length) {
      const ids = new Uint8Array(2 * this.#ids.length);
      ids.set(this.#ids);
      this.#ids = ids;
    }
    this.#ids.set(id, 32 * this.#count);
    this.#count++;
    if (2 * this.#count > this.#slots.length) this.#rehash(2 * this.#slots.length);
    else this.#place(this.#count - 1);
  }

  #sweep(): void {
    this.#ids.copyWithin(0, 32 * this.#stale, 32 * this.#count);
    this.#count -= this.#stale;
    this.#stale = 0;
    this.#rehash(this.#slots.length);
  }

  #rehash(length: number): void {
    this.#slots = new Int32Array(length).fill(-1);
    for (let index = 0; index < this.#count; index++) this.#place(index);
  }

  #place(index: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#hash(this.#ids, 32 * index) & mask;
    while (this.#slots[slot] !== -1) slot = (slot + 1) & mask;
    this.#slots[slot] = index;
  }

  /** Index of the newest occurrence, or -1. */
  #find(id: Uint8Array): number {
    const mask = this.#slots.length - 1;
    let found = -1;
    for (let slot = this.#hash(id, 0) & mask; this.#slots[slot] !== -1; slot = (slot + 1) & mask) {
      const index = this.#slots[slot]!;
      if (index > found && this.#equals(index, id)) found = index;
    }
    return found;
  }

  #equals(index: number, id: Uint8Array): boolean {
    for (let i = 0; i < 32; i++) if (this.#ids[32 * index + i] !== id[i]) return false;
    return true;
  }

  #hash(bytes: Uint8Array, offset: number): number {
    const word = (at: number): number =>
      bytes[offset + at]! |
      (bytes[offset + at + 1]! << 8) |
      (bytes[offset + at + 2]! << 16) |
      (bytes[offset + at + 3]! << 24);
    const [a, b, c, d] = this.#seed as unknown as [number, number, number, number];
    const mixed = Math.imul(word(0) ^ a, b | 1) ^ Math.imul(word(4) ^ c, d | 1);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }
}
