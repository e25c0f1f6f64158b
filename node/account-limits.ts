import { BUCKETS_SWEPT_MIN } from './limits.ts';
import type { Mempool } from './mempool.ts';
import type { Refusal } from './refusal.ts';
import type { Sender } from './senders.ts';

/** What is left of an account's burst. A full one says nothing that its absence does not. */
interface Bucket {
  tokens: number;
  /** When it had them, on the monotonic clock in ms. */
  at: number;
  perSecond: number;
  burst: number;
}

/** T9: how much of one account's transactions this node admits of clients, so that one of them leaves room for others. */
export class AccountLimits {
  readonly #pool: Pick<Mempool, 'pendingOf'>;
  readonly #buckets = new Map<string, Bucket>();
  #sweptAt = BUCKETS_SWEPT_MIN;

  constructor(pool: Pick<Mempool, 'pendingOf'>) {
    this.#pool = pool;
  }

  /** Accounts that were slowed down lately, at most about twice as many as are slowed down now. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Why one more can't be admitted behind `ahead` others that may be, or undefined. `room`: what the node has for one account. */
  pendingProblem({ account, limits }: Sender, ahead: number, room: number): Refusal | undefined {
    const pending = this.#pool.pendingOf(account) + ahead;
    const most = Math.min(limits.pending, room);
    if (pending < most) return undefined;
    const detail = `${pending} transactions of this account are pending at this node, at most ${most}`;
    return { code: 'too-many-pending', detail, retryAfter: 1 };
  }

  /** The same by the rate. `now` on the monotonic clock in ms. */
  rateProblem({ account, limits: { rate } }: Sender, ahead: number, now: number): Refusal | undefined {
    if (rate === undefined) return undefined;
    const { perSecond, burst } = rate;
    const bucket = this.#buckets.get(account);
    const tokens = bucket === undefined ? burst : tokensAt({ ...bucket, perSecond, burst }, now);
    if (tokens >= ahead + 1) return undefined;
    const detail = `at most ${perSecond} transactions of this account a second and ${burst} at once, ${Math.floor(tokens)} are left`;
    // When there is room for it and those ahead, or for as many of them as there ever is at once.
    const seconds = (Math.min(ahead + 1, burst) - tokens) / perSecond;
    return { code: 'too-fast', detail, retryAfter: Math.max(1, Math.ceil(seconds)) };
  }

  /** One was admitted. */
  take({ account, limits: { rate } }: Sender, now: number): void {
    if (rate === undefined) return;
    const bucket = this.#buckets.get(account) ?? { ...rate, tokens: rate.burst, at: now };
    // By the limits of now, also for the time before they were so.
    Object.assign(bucket, rate);
    bucket.tokens = tokensAt(bucket, now) - 1;
    bucket.at = now;
    this.#buckets.set(account, bucket);
    if (this.#buckets.size > this.#sweptAt) this.#sweep(now);
  }

  /** Costs as much as the buckets that came since the last time. */
  #sweep(now: number): void {
    for (const [account, bucket] of this.#buckets)
      if (tokensAt(bucket, now) >= bucket.burst) this.#buckets.delete(account);
    this.#sweptAt = Math.max(BUCKETS_SWEPT_MIN, 2 * this.#buckets.size);
  }
}

function tokensAt({ tokens, at, perSecond, burst }: Bucket, now: number): number {
  return Math.min(burst, tokens + ((now - at) * perSecond) / 1_000);
}
