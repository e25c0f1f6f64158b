import assert from 'node:assert/strict';
import type { PoolView, PoolWaiting } from './pbft/events.ts';
import { NO_MEMBER, type PoolEntry } from './pool-entry.ts';

export interface PoolLimits {
  readonly transactionsMax: number;
  readonly bytesMax: number;
}

/** A pending transaction and what this node knows of its way. Times on the monotonic clock in ms. */
interface Pending {
  entry: PoolEntry;
  /** N4: it can't be ordered in this epoch. */
  unfit: boolean;
  /** In how many accepted batches it is: what `#inBatch` says of it. */
  batches: number;
  readonly arrivedAt: number;
  /** When it was handed to the current leader (T3). */
  handedAt: number | undefined;
}

interface Share {
  transactions: number;
  bytes: number;
}

/** E5: whether this transaction may be ordered now. */
type IsTimely = (entry: PoolEntry) => boolean;
const always: IsTimely = () => true;

/**
 * Transactions with a verified body that are not executed (N13). Nothing is kept by id alone: an id does not cover
 * signatures. Shares are divided equally by origin (T9), so one origin can't fill the pool of all.
 */
export class Mempool {
  readonly limits: PoolLimits;
  readonly #entries = new Map<string, Pending>();
  /** Ids in accepted batches, by height: what is in how many follows from it (`#setBatches`). */
  readonly #batches = new Map<number, readonly string[]>();
  /** In how many accepted batches each id is, whether its body is here or not. */
  readonly #inBatch = new Map<string, number>();
  /** T7: a transaction that the leader left out. */
  #overdue: string | undefined;
  /** By origin. */
  readonly #shares = new Map<number, Share>();
  /** T9: of those that clients gave to this node, by account. */
  readonly #accounts = new Map<string, number>();
  #members: number;
  #bytes = 0;
  /** Of the entries: how many, and how many bytes, are in an accepted batch. */
  #inBatchCount = 0;
  #inBatchBytes = 0;
  #unfitCount = 0;
  #additions = 0;

  constructor(limits: PoolLimits, members: number) {
    this.limits = limits;
    this.#members = members;
  }

  /**
   * Another epoch: its members by their number, the new index of an old one, and what can be ordered in it. Nothing that
   * was accepted is dropped: what this epoch does not allow waits for another, or expires.
   */
  enterEpoch(members: number, indexOf: (origin: number) => number, isFit: (entry: PoolEntry) => boolean): void {
    this.enterView();
    this.#members = members;
    this.#shares.clear();
    this.#unfitCount = 0;
    for (const pending of this.#entries.values()) {
      pending.entry = { ...pending.entry, origin: indexOf(pending.entry.origin) };
      pending.unfit = !isFit(pending.entry);
      if (pending.unfit) this.#unfitCount++;
      this.#count(pending.entry, 1);
    }
  }

  /** E5: whether there is a transaction whose time depends on who is heard. */
  get hasAdditions(): boolean {
    return this.#additions > 0;
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

  /** N4: whether nothing in the parameters of the epoch excludes it. */
  isFit(key: string): boolean {
    return this.#entries.get(key)?.unfit !== true;
  }

  /** A pending transaction. */
  body(key: string): PoolEntry | undefined {
    return this.#entries.get(key)?.entry;
  }

  /** T9: whether `origin` may add this much. An origin itself admits at most half of its share. */
  hasRoom(origin: number, bytes: number, own: boolean): boolean {
    if (origin < NO_MEMBER || origin >= this.#members) return false;
    const share = this.#shareOf(origin);
    const parts = this.#members * (own ? 2 : 1);
    return (
      share.transactions + 1 <= this.limits.transactionsMax / parts &&
      share.bytes + bytes <= this.limits.bytesMax / parts
    );
  }

  /** How many transactions of an origin are here. */
  from(origin: number): number {
    return this.#shares.get(origin)?.transactions ?? 0;
  }

  /** T9: how many transactions of an account, of those that clients gave to this node, are here. */
  pendingOf(account: string): number {
    return this.#accounts.get(account) ?? 0;
  }

  /** The origin that an index names, if it still names one. */
  originOf(member: number): number {
    return member >= 0 && member < this.#members ? member : NO_MEMBER;
  }

  /** `arrivedAt` on the monotonic clock. `isFit`: the parameters of the epoch allow it (N4). */
  add(entry: PoolEntry, arrivedAt: number, isFit = true): void {
    if (this.#entries.has(entry.key)) return;
    const { origin } = entry;
    assert(origin >= NO_MEMBER && origin < this.#members, `origin ${origin} of ${this.#members}`);
    const batches = this.#inBatch.get(entry.key) ?? 0;
    this.#entries.set(entry.key, { entry, unfit: !isFit, batches, arrivedAt, handedAt: undefined });
    if (!isFit) this.#unfitCount++;
    this.#bytes += entry.bytes.length;
    this.#count(entry, 1);
    this.#countAccount(entry, 1);
    if (entry.candidates.length > 0) this.#additions++;
    if (batches > 0) this.#countInBatch(entry, 1);
  }

  /** What a leader could order now (N13). */
  view(transactionsMax: number, bytesMax: number): PoolView {
    const orderable = Math.max(0, this.#entries.size - this.#inBatchCount - this.#unfitCount);
    return { orderable, full: orderable >= transactionsMax || this.#bytes - this.#inBatchBytes >= bytesMax };
  }

  /** The oldest orderable transactions that fit one batch at `timestamp` (N4); an addition is alone in its batch (E5). */
  choose(
    timestamp: number,
    transactionsMax: number,
    bytesMax: number,
    lifetimeMaxMs = Number.POSITIVE_INFINITY,
    isTimely: IsTimely = always,
  ): readonly PoolEntry[] {
    const chosen: PoolEntry[] = [];
    let bytes = 0;
    for (const { entry, unfit, batches } of this.#entries.values()) {
      if (unfit || batches > 0 || entry.validUntil < timestamp || !isTimely(entry)) continue;
      // Admitted by a clock ahead of ours: it fits a later batch, and would spoil this one.
      if (entry.validUntil > timestamp + lifetimeMaxMs) continue;
      if (entry.candidates.length > 0) {
        if (chosen.length > 0) break;
        return [entry];
      }
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
    for (const key of keys) this.#setBatches(key, (this.#inBatch.get(key) ?? 0) + 1);
  }

  leaveBatch(height: number): void {
    for (const key of this.#batches.get(height) ?? []) this.#setBatches(key, (this.#inBatch.get(key) ?? 1) - 1);
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
      const pending = this.#entries.get(key);
      if (pending !== undefined) this.#remove(pending);
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
  waiting(time: number, lifetimeMaxMs: number, isTimely: IsTimely = always): PoolWaiting {
    const left = this.#overdue === undefined ? undefined : this.#entries.get(this.#overdue);
    const overdue = left !== undefined && isOrderable(left, time, lifetimeMaxMs, isTimely);
    return { handed: this.#oldestHanded(time, lifetimeMaxMs, isTimely) !== undefined, overdue };
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
    isTimely: IsTimely = always,
  ): void {
    const oldest = this.#oldestHanded(at.time, lifetimeMaxMs, isTimely);
    if (oldest?.handedAt === undefined || at.monotonic - oldest.handedAt < inclusionMs) return;
    const late = oldest.arrivedAt + inclusionMs;
    const overtaken = keys.some((key) => (this.#entries.get(key)?.arrivedAt ?? 0) >= late);
    if (!full || overtaken) this.#overdue = oldest.entry.key;
  }

  #oldestHanded(time: number, lifetimeMaxMs: number, isTimely: IsTimely): Pending | undefined {
    for (const pending of this.#entries.values()) {
      if (pending.handedAt !== undefined && isOrderable(pending, time, lifetimeMaxMs, isTimely)) return pending;
    }
    return undefined;
  }

  /** Removes what can't execute at block times above `timestamp` any more, and returns it. */
  expire(timestamp: number): readonly PoolEntry[] {
    const expired: Pending[] = [];
    for (const pending of this.#entries.values()) {
      const { entry, batches } = pending;
      if (entry.validUntil < timestamp && batches === 0) expired.push(pending);
    }
    for (const pending of expired) this.#remove(pending);
    return expired.map(({ entry }) => entry);
  }

  /** All pending transactions that are in no accepted batch, oldest first. */
  *pending(): Generator<PoolEntry> {
    for (const { entry, batches } of this.#entries.values()) if (batches === 0) yield entry;
  }

  /** Everything, oldest first. */
  *entries(): Generator<PoolEntry> {
    for (const { entry } of this.#entries.values()) yield entry;
  }

  #remove({ entry, unfit, batches }: Pending): void {
    if (unfit) this.#unfitCount--;
    this.#entries.delete(entry.key);
    if (entry.candidates.length > 0) this.#additions--;
    this.#bytes -= entry.bytes.length;
    if (batches > 0) this.#countInBatch(entry, -1);
    this.#count(entry, -1);
    this.#countAccount(entry, -1);
  }

  #setBatches(key: string, batches: number): void {
    if (batches > 0) this.#inBatch.set(key, batches);
    else this.#inBatch.delete(key);
    const pending = this.#entries.get(key);
    if (pending === undefined) return;
    if (pending.batches > 0 !== batches > 0) this.#countInBatch(pending.entry, batches > 0 ? 1 : -1);
    pending.batches = batches;
  }

  #countAccount({ account }: PoolEntry, sign: 1 | -1): void {
    if (account === undefined) return;
    const count = this.pendingOf(account) + sign;
    if (count === 0) this.#accounts.delete(account);
    else this.#accounts.set(account, count);
  }

  #count({ origin, bytes }: PoolEntry, sign: 1 | -1): void {
    const share = this.#shareOf(origin);
    share.transactions += sign;
    share.bytes += sign * bytes.length;
  }

  #shareOf(origin: number): Share {
    let share = this.#shares.get(origin);
    if (share === undefined) {
      share = { transactions: 0, bytes: 0 };
      this.#shares.set(origin, share);
    }
    return share;
  }

  #countInBatch(entry: PoolEntry, sign: 1 | -1): void {
    this.#inBatchCount += sign;
    this.#inBatchBytes += sign * entry.bytes.length;
  }
}

/** N13. */
function isOrderable(pending: Pending, time: number, lifetimeMaxMs: number, isTimely: IsTimely): boolean {
  if (pending.unfit || pending.batches > 0) return false;
  const { validUntil } = pending.entry;
  return validUntil >= time && validUntil <= time + lifetimeMaxMs && isTimely(pending.entry);
}
