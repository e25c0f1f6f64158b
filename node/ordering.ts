import { type Batch, batchDigest } from '../ledger/block.ts';
import { TRANSACTION_BYTES_MAX } from '../ledger/limits.ts';
import type { Parameters } from '../ledger/parameters.ts';
import type { Bodies } from './bodies.ts';
import type { Forwarding } from './forwarding.ts';
import { idKey } from './id-key.ts';
import type { Mempool } from './mempool.ts';
import type { Event, PoolView, PoolWaiting } from './pbft/events.ts';
import type { PoolEntry } from './pool-entry.ts';
import type { LedgerPort } from './ports.ts';
import { isValid } from './verify/packed.ts';

export interface OrderingContext {
  readonly pool: Mempool;
  readonly bodies: Bodies;
  readonly forwarding: Forwarding;
  readonly ledger: LedgerPort;
  /** Of the epoch. */
  parameters(): Parameters;
  /** Chain time in ms (T1). */
  chainNow(): number;
  /** Monotonic clock in ms. */
  now(): number;
  /** E5: whether so many hear all of these that they can be made members. */
  areHeard(candidates: readonly Uint8Array[]): boolean;
  soon(run: () => void): void;
  dispatch(event: Event): void;
  fatal(error: unknown): void;
}

/** What core and pool tell each other: which transactions could be ordered, and what became of them. */
export class Ordering {
  readonly #context: OrderingContext;
  #announced = false;

  constructor(context: OrderingContext) {
    this.#context = context;
  }

  /** T3, T7. */
  waiting(): PoolWaiting {
    const { pool, chainNow, parameters } = this.#context;
    // E5: who is heard changes without an event of the pool's.
    if (pool.hasAdditions) this.announce();
    return pool.waiting(chainNow(), parameters().maxLifetimeMs, this.#isTimely);
  }

  /** N13: it leaves what is orderable. T7: and shows whether the leader left something out. */
  accepted(batch: Batch): void {
    const { pool, bodies, parameters, chainNow, now } = this.#context;
    const { batchTransactionsMax, batchBytesMax, maxLifetimeMs, inclusionTimeoutMs } = parameters();
    const keys = batch.transactions.map(idKey);
    pool.enterBatch(batch.height, keys);
    let bytes = 0;
    for (const key of keys) bytes += bodies.body(key)?.bytes.length ?? 0;
    const full = keys.length >= batchTransactionsMax || bytes + TRANSACTION_BYTES_MAX > batchBytesMax;
    // E5: a batch that adds a member has no room for anything else.
    const alone = keys.length === 1 && (bodies.body(keys[0]!)?.candidates.length ?? 0) > 0;
    const at = { time: chainNow(), monotonic: now() };
    const limits = { lifetimeMaxMs: maxLifetimeMs, inclusionMs: inclusionTimeoutMs };
    pool.judgeInclusion(keys, full || alone, at, limits, this.#isTimely);
  }

  entered(): void {
    this.#context.pool.enterView();
    this.#context.forwarding.enteredView();
    this.announce();
  }

  choose(height: number, timestamp: number): void {
    const { pool, bodies, parameters, dispatch } = this.#context;
    const { batchTransactionsMax, batchBytesMax, maxLifetimeMs } = parameters();
    const chosen = pool.choose(timestamp, batchTransactionsMax, batchBytesMax, maxLifetimeMs, this.#isTimely);
    let batch: Batch | undefined;
    if (chosen.length > 0) {
      batch = { height, timestamp, transactions: chosen.map(({ id }) => id) };
      bodies.hold(batch, batchDigest(batch), chosen);
    }
    const governs = chosen.some((entry) => entry.governs);
    dispatch({ type: 'batchReady', height, batch, pool: this.#view(), governs });
  }

  /** Tells the core once per loop turn what the leader could order. */
  announce(): void {
    if (this.#announced) return;
    this.#announced = true;
    this.#context.soon(() => {
      this.#announced = false;
      this.#context.dispatch({ type: 'pool', view: this.#view() });
    });
  }

  /** N13: what waits for long may have been executed before it came here; nobody would ever order it again. */
  dropExecuted(entries: readonly PoolEntry[]): void {
    this.executedAmong(entries)
      .then((keys) => this.#context.pool.remove(keys))
      .catch(this.#context.fatal);
  }

  async executedAmong(entries: readonly PoolEntry[]): Promise<readonly string[]> {
    const ids = new Uint8Array(32 * entries.length);
    for (const [i, { id }] of entries.entries()) ids.set(id, 32 * i);
    const bits = await this.#context.ledger.query('executedAmong', { ids });
    return entries.filter((_, i) => isValid(bits, i)).map(({ key }) => key);
  }

  /** N13, E5. */
  readonly #isTimely = ({ candidates }: PoolEntry): boolean =>
    candidates.length === 0 || this.#context.areHeard(candidates);

  #view(): PoolView {
    const { batchTransactionsMax, batchBytesMax } = this.#context.parameters();
    return this.#context.pool.view(batchTransactionsMax, batchBytesMax);
  }
}
