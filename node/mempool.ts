import assert from 'node:assert/strict';
import type { PoolView } from './pbft/events.ts';

/** A verified, statically valid transaction. */
export interface PoolEntry {
  readonly id: Uint8Array;
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly validUntil: number;
  /** Index of the member that admitted it from a client. */
  readonly origin: number;
}

export interface PoolLimits {
  readonly transactionsMax: number;
  readonly bytesMax: number;
}

interface Share {
  transactions: number;
  bytes: number;
}

/**
 * Transactions with a verified body that are not executed (N13). Nothing is kept by id alone: an id does not cover
 * signatures. Shares are divided equally by origin (T9), so one origin can't fill the pool of all.
 */
export class Mempool {
  readonly limits: PoolLimits;
  readonly #entries = new Map<string, PoolEntry>();
  /** Ids in accepted batches, by height: pending is computed from it, never a flag. */
  readonly #batches = new Map<number, readonly string[]>();
  readonly #inBatch = new Map<string, number>();
  /** Bodies of executed, not yet stable heights: a member inside the window may still ask for them. */
  readonly #executed = new Map<number, readonly PoolEntry[]>();
  readonly #retained = new Map<string, PoolEntry>();
  readonly #shares: readonly Share[];
  #bytes = 0;
  /** Of the entries: how many, and how many bytes, are in an accepted batch. */
  #inBatchCount = 0;
  #inBatchBytes = 0;

  constructor(limits: PoolLimits, members: number) {
    this.limits = limits;
    this.#shares = Array.from({ length: members }, () => ({ transactions: 0, bytes: 0 }));
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** The body of a transaction that is pending, or executed above the stable height. */
  body(key: string): PoolEntry | undefined {
    return this.#entries.get(key) ?? this.#retained.get(key);
  }

  /** T9: whether `origin` may add this much. An origin itself admits at most half of its share. */
  hasRoom(origin: number, bytes: number, own: boolean): boolean {
    const share = this.#shares[origin];
    if (share === undefined) return false;
    const parts = this.#shares.length * (own ? 2 : 1);
    return (
      share.transactions + 1 <= this.limits.transactionsMax / parts &&
      share.bytes + bytes <= this.limits.bytesMax / parts
    );
  }

  add(entry: PoolEntry): void {
    if (this.#entries.has(entry.key)) return;
    const share = this.#shares[entry.origin];
    assert(share !== undefined, `origin ${entry.origin} of ${this.#shares.length}`);
    this.#entries.set(entry.key, entry);
    this.#bytes += entry.bytes.length;
    share.transactions++;
    share.bytes += entry.bytes.length;
    if (this.#inBatch.has(entry.key)) this.#countInBatch(entry, 1);
  }

  /** What a leader could order now (N13). */
  view(transactionsMax: number, bytesMax: number): PoolView {
    const orderable = this.#entries.size - this.#inBatchCount;
    return { orderable, full: orderable >= transactionsMax || this.#bytes - this.#inBatchBytes >= bytesMax };
  }

  /** The oldest orderable transactions that fit one batch at `timestamp` (N4). */
  choose(
    timestamp: number,
    transactionsMax: number,
    bytesMax: number,
    lifetimeMaxMs = Number.POSITIVE_INFINITY,
  ): readonly PoolEntry[] {
    const chosen: PoolEntry[] = [];
    let bytes = 0;
    for (const entry of this.#entries.values()) {
      if (this.#inBatch.has(entry.key) || entry.validUntil < timestamp) continue;
      // Admitted by a clock ahead of ours: it fits a later batch, and would spoil this one.
      if (entry.validUntil > timestamp + lifetimeMaxMs) continue;
      if (bytes + entry.bytes.length > bytesMax) break;
      bytes += entry.bytes.length;
      chosen.push(entry);
      if (chosen.length === transactionsMax) break;
    }
    return chosen;
  }

  /** An accepted batch takes its transactions out of what is orderable. */
  enterBatch(height: number, keys: readonly string[]): void {
    this.leaveBatch(height);
    this.#batches.set(height, keys);
    for (const key of keys) {
      const count = this.#inBatch.get(key) ?? 0;
      this.#inBatch.set(key, count + 1);
      const entry = this.#entries.get(key);
      if (count === 0 && entry !== undefined) this.#countInBatch(entry, 1);
    }
  }

  leaveBatch(height: number): void {
    for (const key of this.#batches.get(height) ?? []) {
      const count = this.#inBatch.get(key) ?? 0;
      if (count > 1) {
        this.#inBatch.set(key, count - 1);
        continue;
      }
      this.#inBatch.delete(key);
      const entry = this.#entries.get(key);
      if (entry !== undefined) this.#countInBatch(entry, -1);
    }
    this.#batches.delete(height);
  }

  /** The block at `height` is executed: its transactions are done; the bodies stay until it is stable. */
  executed(height: number, keys: readonly string[]): void {
    this.leaveBatch(height);
    const retained: PoolEntry[] = [];
    for (const key of keys) {
      const entry = this.#entries.get(key);
      if (entry === undefined) continue;
      this.#remove(entry);
      this.#retained.set(key, entry);
      retained.push(entry);
    }
    this.#executed.set(height, retained);
  }

  stable(height: number): void {
    for (const [executed, entries] of this.#executed) {
      if (executed > height) continue;
      for (const { key } of entries) this.#retained.delete(key);
      this.#executed.delete(executed);
    }
  }

  /** Removes what can't execute at block times above `timestamp` any more, and returns it. */
  expire(timestamp: number): readonly PoolEntry[] {
    const expired: PoolEntry[] = [];
    for (const entry of this.#entries.values()) {
      if (entry.validUntil < timestamp && !this.#inBatch.has(entry.key)) expired.push(entry);
    }
    for (const entry of expired) this.#remove(entry);
    return expired;
  }

  /** Pending transactions that `origin` admitted, oldest first. */
  *ofOrigin(origin: number): Generator<PoolEntry> {
    for (const entry of this.#entries.values()) if (entry.origin === origin) yield entry;
  }

  #remove(entry: PoolEntry): void {
    this.#entries.delete(entry.key);
    this.#bytes -= entry.bytes.length;
    if (this.#inBatch.has(entry.key)) this.#countInBatch(entry, -1);
    const share = this.#shares[entry.origin];
    if (share === undefined) return;
    share.transactions--;
    share.bytes -= entry.bytes.length;
  }

  #countInBatch(entry: PoolEntry, sign: 1 | -1): void {
    this.#inBatchCount += sign;
    this.#inBatchBytes += sign * entry.bytes.length;
  }
}
