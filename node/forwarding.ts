import { concatBytes } from '../ledger/bytes.ts';
import { packTransactions } from '../ledger/transaction.ts';
import { FORWARD_BYTES_MAX, OFFER_IDS_MAX, OFFERED_MAX, RESEND_INTERVAL_MS } from './limits.ts';
import type { Mempool } from './mempool.ts';
import { NO_MEMBER, type PoolEntry } from './pool-entry.ts';
import { offerFrame, transactionsFrame } from './wire.ts';

export interface ForwardingContext {
  readonly pool: Mempool;
  /** Own index in the set; NO_MEMBER for a node without a vote. */
  self(): number;
  broadcast(frame: Uint8Array): void;
  /** Without a vote: hands packed transactions to so many members, which admit them. */
  submit(packed: Uint8Array, members: number): void;
  /** f + 1: one of so many members is honest. */
  enough(): number;
  send(to: number, frame: Uint8Array): void;
  leader(): number;
  /** These are pending for two rounds or more. */
  stale(entries: readonly PoolEntry[]): void;
  /** Monotonic clock in ms. */
  now(): number;
  setTimer(delayMs: number, run: () => void): () => void;
  /** Runs at the end of this turn of the loop. */
  soon(run: () => void): void;
}

/**
 * T9: the origin sends what it admitted to all members, many to a frame. What stays pending is offered again by its id:
 * the origin to all, and everybody what they hold to each leader whose view they enter. Whoever lacks one asks for it.
 */
export class Forwarding {
  readonly #context: ForwardingContext;
  #waiting: PoolEntry[] = [];
  #scheduled = false;
  #stop: () => void;
  /** What was pending at the last round: only what is still there a round later is offered. */
  #before = new Set<string>();

  constructor(context: ForwardingContext) {
    this.#context = context;
    this.#stop = context.setTimer(RESEND_INTERVAL_MS, () => this.#round());
  }

  /** Admitted here. */
  added(entries: readonly PoolEntry[]): void {
    for (const entry of entries) this.#waiting.push(entry);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#context.soon(() => this.#flush());
  }

  /** A view was entered: its leader hears of all that is pending. */
  enteredView(): void {
    this.#offerToLeader([...this.#context.pool.pending()].slice(0, OFFERED_MAX));
  }

  /** E6: what a node without a vote holds is handed on while it is served; it may just have become one. */
  enteredEpoch(): void {
    const { self, pool, enough } = this.#context;
    if (self() === NO_MEMBER) this.#submit([...pool.pending()].slice(0, OFFERED_MAX), enough());
  }

  close(): void {
    this.#stop();
  }

  #flush(): void {
    this.#scheduled = false;
    const entries = this.#waiting;
    this.#waiting = [];
    this.#send(entries);
  }

  #send(entries: readonly PoolEntry[]): void {
    const { self, broadcast } = this.#context;
    if (self() === NO_MEMBER) return this.#submit(entries, 1);
    for (const packed of packedParts(entries)) broadcast(transactionsFrame(packed));
    this.#handed(entries);
  }

  #submit(entries: readonly PoolEntry[], members: number): void {
    for (const packed of packedParts(entries)) this.#context.submit(packed, members);
    this.#handed(entries);
  }

  #round(): void {
    const { pool, broadcast, setTimer } = this.#context;
    const self = this.#context.self();
    this.#stop = setTimer(RESEND_INTERVAL_MS, () => this.#round());
    const pending = new Set<string>();
    const own: PoolEntry[] = [];
    const others: PoolEntry[] = [];
    for (const entry of pool.pending()) {
      if (pending.size >= OFFERED_MAX) break;
      pending.add(entry.key);
      if (this.#before.has(entry.key)) (entry.origin === self ? own : others).push(entry);
    }
    this.#before = pending;
    const stale = [...own, ...others].slice(0, OFFER_IDS_MAX);
    if (stale.length > 0) this.#context.stale(stale);
    if (self === NO_MEMBER) return this.#send(own);
    for (const frame of offerFrames(own)) broadcast(frame);
    this.#handed(own);
    this.#offerToLeader(others);
  }

  #offerToLeader(entries: readonly PoolEntry[]): void {
    const { self, send } = this.#context;
    const leader = this.#context.leader();
    if (self() === NO_MEMBER) return;
    if (leader !== self()) for (const frame of offerFrames(entries)) send(leader, frame);
    this.#handed(entries);
  }

  #handed(entries: readonly PoolEntry[]): void {
    const { pool, now } = this.#context;
    pool.handed(
      entries.map(({ key }) => key),
      now(),
    );
  }
}

function* offerFrames(entries: readonly PoolEntry[]): Generator<Uint8Array> {
  for (let from = 0; from < entries.length; from += OFFER_IDS_MAX) {
    yield offerFrame(concatBytes(...entries.slice(from, from + OFFER_IDS_MAX).map(({ id }) => id)));
  }
}

function* packedParts(entries: readonly PoolEntry[]): Generator<Uint8Array> {
  let part: Uint8Array[] = [];
  let size = 0;
  for (const { bytes } of entries) {
    if (size > 0 && size + bytes.length > FORWARD_BYTES_MAX) {
      yield packTransactions(part);
      part = [];
      size = 0;
    }
    part.push(bytes);
    size += bytes.length + 4;
  }
  if (part.length > 0) yield packTransactions(part);
}
