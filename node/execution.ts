import { type Batch, batchCodec } from '../ledger/block.ts';
import { encode } from '../ledger/codec.ts';
import type { Bodies } from './bodies.ts';
import type { SigningGuard } from './guard.ts';
import { idKey, idKeys } from './id-key.ts';
import type { Intake } from './intake.ts';
import { RECENT_IDS_MAX } from './limits.ts';
import type { Mempool } from './mempool.ts';
import type { Ordering } from './ordering.ts';
import type { Event, Ordered } from './pbft/events.ts';
import type { ReplicaState } from './pbft/state.ts';
import type { PoolEntry } from './pool-entry.ts';
import type { Executed, Installed, JournalPort, LedgerPort } from './ports.ts';
import type { RecentIds } from './recent-ids.ts';
import type { Observer } from './validator-options.ts';

export interface ExecutionContext {
  readonly ledger: LedgerPort;
  readonly journal: JournalPort;
  readonly pool: Mempool;
  readonly bodies: Bodies;
  readonly ordering: Ordering;
  readonly intake: Intake;
  readonly guard: SigningGuard;
  /** Ids of what was executed lately. */
  readonly recent: RecentIds;
  /** R8: blocks of before the start are left out. */
  readonly skipsBlocks: boolean;
  readonly finalHeight: number;
  state(): ReplicaState;
  observer(): Observer | undefined;
  dispatch(event: Event): void;
  /** Who takes part may be another set since this block. */
  blockExecuted(executed: Executed): void;
  /** A block became final here. */
  final(height: number): void;
  fatal(error: unknown): void;
}

/** What executing blocks brings about around the core: the pool, whoever waits, what is final and what has expired. */
export class Execution {
  readonly #context: ExecutionContext;
  /** Newest height that is executed and certified here. */
  finalHeight: number;
  #skipsBlocks: boolean;
  /** Since the start; transactions are those with a receipt. */
  readonly counters = { blocks: 0, transactions: 0 };
  /** Up to where the low mark is in the journal. */
  #durable = 0;

  constructor(context: ExecutionContext) {
    this.#context = context;
    this.finalHeight = context.finalHeight;
    this.#skipsBlocks = context.skipsBlocks;
  }

  /** S4: the one way into the executor for ordered batches; the ledger executes in the order of calls. */
  async execute(batch: Batch, ordered: Ordered): Promise<void> {
    const { ledger, journal, bodies, fatal } = this.#context;
    try {
      const packed = bodies.packed(batch, ordered.digest);
      const executed = await ledger.execute(encode(batchCodec, batch), packed, ordered, journal.mark());
      // E2: undefined if it is void, since a block below has ended its epoch.
      if (executed !== undefined) this.executed(executed, batch.transactions.map(idKey), ordered);
    } catch (error) {
      fatal(error);
    }
  }

  /** `ordered` unless the block was caught up. */
  executed(executed: Executed, keys: readonly string[], ordered: Ordered | undefined): void {
    const { height, senders, outcomes } = executed;
    const { intake, pool, recent, ordering, dispatch, observer, blockExecuted } = this.#context;
    if (senders !== undefined) intake.senders.apply(senders);
    let transactions = 0;
    for (const outcome of outcomes) if (outcome !== 2) transactions++;
    this.counters.blocks++;
    this.counters.transactions += transactions;
    for (const key of keys) recent.add(key);
    pool.executed(height, keys);
    // Whoever waits hears of execution before finality, which the core may find in the same step.
    observer()?.executed(height, keys);
    dispatch({ type: 'executed', head: executed, transactions, ordered });
    this.final();
    ordering.announce();
    blockExecuted(executed);
  }

  /** R8: what the snapshot says was executed is pending no more, before anything is taken for expired. */
  async installed({ head, recentIds, senders }: Installed): Promise<void> {
    const { intake, pool, recent, ordering, observer } = this.#context;
    intake.senders.replace(senders);
    for (const key of idKeys(recentIds.subarray(-32 * RECENT_IDS_MAX))) recent.add(key);
    const keys = await ordering.executedAmong([...pool.entries()]);
    this.#skipsBlocks = true;
    pool.skipTo(head.height, keys);
    observer()?.executed(head.height, keys);
  }

  stable(height: number): void {
    this.#context.guard.forget(height);
    this.final();
  }

  /** R2: the low mark is in the journal up to this height. */
  stableDurable(height: number): void {
    this.#durable = Math.max(this.#durable, height);
    this.#prune();
  }

  /** Moves the final height: certified and executed here. C4: what can't execute any more by certified time is expired. */
  final(): void {
    const { state, bodies, observer, pool, fatal } = this.#context;
    const { low, executed, stable, certified: height } = state();
    if (height <= this.finalHeight) return;
    this.finalHeight = height;
    bodies.stable(height);
    this.#prune();
    observer()?.final(height);
    this.#context.final(height);
    if (stable === undefined || low > executed.height) return;
    const expired = pool.expire(stable.checkpoint.timestamp);
    if (expired.length > 0) this.#expired(expired).catch(fatal);
  }

  /** C4: a peer may send again what has executed. Where blocks were left out, the ledger is asked whether it would see it. */
  async #expired(entries: readonly PoolEntry[]): Promise<void> {
    const { ledger, observer } = this.#context;
    const ask = ({ id, validUntil }: PoolEntry) => ledger.query('hasExecuted', { id, validUntil });
    const seen = this.#skipsBlocks && (await Promise.all(entries.map(ask)));
    const unseen = entries.filter((_, i) => !seen || seen[i] === false);
    if (unseen.length > 0) observer()?.expired(unseen.map(({ key }) => key));
  }

  /** V10: what the journal has is needed until block and certificate above it are durable. */
  #prune(): void {
    this.#context.journal.prune(Math.min(this.#durable, this.finalHeight));
  }
}
