import assert from 'node:assert/strict';
import type { PoolView, PoolWaiting } from './pbft/events.ts';

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

/** A pending transaction and what this node knows of its way. Times on the monotonic clock in ms. */
interface Pending {
  readonly entry: PoolEntry;
  readonly arrivedAt: number;
  /** When it was handed to the current leader (T3). */
  handedAt: number | undefined;
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
  readonly #entries = new Map<string, Pending>();
  /** Ids in accepted batches, by height: pending is computed from it, never a flag. */
  readonly #batches = new Map<number, readonly string[]>();
  readonly #inBatch = new Map<string, number>();
  /** T7: a transaction that the leader left out. */
  #overdue: string | undefined;
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

  /** A pending transaction. */
  body(key: string): PoolEntry | undefined {
    return this.#entries.get(key)?.entry;
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

  /** `arrivedAt` on the monotonic clock. */
  add(entry: PoolEntry, arrivedAt: number): void {
    if (this.#entries.has(entry.key)) return;
    const share = this.#shares[entry.origin];
    assert(share !== undefined, `origin ${entry.origin} of ${this.#shares.length}`);
    this.#entries.set(entry.key, { entry, arrivedAt, handedAt: undefined });
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
    for (const { entry } of this.#entries.values()) {
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
      const entry = this.body(key);
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
      const entry = this.body(key);
      if (entry !== undefined) this.#countInBatch(entry, -1);
    }
    this.#batches.delete(height);
  }

  /** The block at `height` is executed: its transactions are done. */
  executed(height: number, keys: readonly string[]): void {
    this.leaveBatch(height);
    this.remove(keys);
  }

  /** R8: blocks up to `height` are behind us all at once, and these transactions in some of them. */
  skipTo(height: number, keys: readonly string[]): void {
    for (const batch of [...this.#batches.keys()]) if (batch <= height) this.leaveBatch(batch);
    this.remove(keys);
  }

  /** These are executed already. */
  remove(keys: readonly string[]): void {
    for (const key of keys) {
      const entry = this.body(key);
      if (entry !== undefined) this.#remove(entry);
    }
  }

  /** N13: another view: nothing is in an accepted batch of it, and nothing was handed to its leader yet. */
  enterView(): void {
    for (const height of [...this.#batches.keys()]) this.leaveBatch(height);
    for (const pending of this.#entries.values()) pending.handedAt = undefined;
    this.#overdue = undefined;
  }

  /** T3: these were handed to the current leader, or sending them to it was tried. */
  handed(keys: Iterable<string>, at: number): void {
    for (const key of keys) {
      const pending = this.#entries.get(key);
      if (pending !== undefined) pending.handedAt ??= at;
    }
  }

  /** T3, T7: what could be ordered at chain time `time` and was handed to the leader. */
  waiting(time: number, lifetimeMaxMs: number): PoolWaiting {
    const overdue = this.#overdue !== undefined && this.#isOrderable(this.#overdue, time, lifetimeMaxMs);
    return { handed: this.#oldestHanded(time, lifetimeMaxMs) !== undefined, overdue };
  }

  /**
   * T7: judges the leader by a batch that was just accepted (and entered). Left out is a transaction handed to it
   * `inclusionMs` ago, while it had room, or ordered one that reached us that much later.
   */
  judgeInclusion(
    keys: readonly string[],
    full: boolean,
    at: { readonly time: number; readonly monotonic: number },
    { lifetimeMaxMs, inclusionMs }: { readonly lifetimeMaxMs: number; readonly inclusionMs: number },
  ): void {
    const oldest = this.#oldestHanded(at.time, lifetimeMaxMs);
    if (oldest?.handedAt === undefined || at.monotonic - oldest.handedAt < inclusionMs) return;
    const late = oldest.arrivedAt + inclusionMs;
    const overtaken = keys.some((key) => (this.#entries.get(key)?.arrivedAt ?? 0) >= late);
    if (!full || overtaken) this.#overdue = oldest.entry.key;
  }

  #oldestHanded(time: number, lifetimeMaxMs: number): Pending | undefined {
    for (const [key, pending] of this.#entries) {
      if (pending.handedAt !== undefined && this.#isOrderable(key, time, lifetimeMaxMs)) return pending;
    }
    return undefined;
  }

  /** N13. */
  #isOrderable(key: string, time: number, lifetimeMaxMs: number): boolean {
    const validUntil = this.body(key)?.validUntil;
    if (validUntil === undefined || this.#inBatch.has(key)) return false;
    return validUntil >= time && validUntil <= time + lifetimeMaxMs;
  }

  /** Removes what can't execute at block times above `timestamp` any more, and returns it. */
  expire(timestamp: number): readonly PoolEntry[] {
    const expired: PoolEntry[] = [];
    for (const { entry } of this.#entries.values()) {
      if (entry.validUntil < timestamp && !this.#inBatch.has(entry.key)) expired.push(entry);
    }
    for (const entry of expired) this.#remove(entry);
    return expired;
  }

  /** All pending transactions that are in no accepted batch, oldest first. */
  *pending(): Generator<PoolEntry> {
    for (const { entry } of this.#entries.values()) if (!this.#inBatch.has(entry.key)) yield entry;
  }

  /** Everything, oldest first. */
  *entries(): Generator<PoolEntry> {
    for (const { entry } of this.#entries.values()) yield entry;
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
