import { packTransactions } from '../ledger/transaction.ts';
import { FORWARD_BYTES_MAX, RESEND_BYTES_MAX, RESEND_INTERVAL_MS } from './limits.ts';
import type { Mempool, PoolEntry } from './mempool.ts';
import { transactionsFrame } from './wire.ts';

export interface ForwardingContext {
  readonly pool: Mempool;
  readonly self: number;
  broadcast(frame: Uint8Array): void;
  send(to: number, frame: Uint8Array): void;
  leader(): number;
}

/**
 * T9: the origin sends what it admitted to all members, many to a frame, and again to the leader until it is executed or
 * expired.
 */
export class Forwarding {
  readonly #context: ForwardingContext;
  #waiting: PoolEntry[] = [];
  #scheduled = false;
  readonly #timer: NodeJS.Timeout;
  /** What was pending at the last round: only what is still there a round later is sent again. */
  #before = new Set<string>();

  constructor(context: ForwardingContext) {
    this.#context = context;
    this.#timer = setInterval(() => this.#resend(), RESEND_INTERVAL_MS);
  }

  added(entries: readonly PoolEntry[]): void {
    for (const entry of entries) this.#waiting.push(entry);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #flush(): void {
    this.#scheduled = false;
    const entries = this.#waiting;
    this.#waiting = [];
    for (const frame of frames(entries)) this.#context.broadcast(frame);
  }

  #resend(): void {
    const { pool, self } = this.#context;
    const leader = this.#context.leader();
    const pending = new Set<string>();
    const again: PoolEntry[] = [];
    let bytes = 0;
    for (const entry of pool.ofOrigin(self)) {
      if (bytes >= RESEND_BYTES_MAX) break;
      pending.add(entry.key);
      if (!this.#before.has(entry.key) || leader === self) continue;
      again.push(entry);
      bytes += entry.bytes.length;
    }
    this.#before = pending;
    for (const frame of frames(again)) this.#context.send(leader, frame);
  }
}

function* frames(entries: readonly PoolEntry[]): Generator<Uint8Array> {
  let part: Uint8Array[] = [];
  let size = 0;
  for (const { bytes } of entries) {
    if (size > 0 && size + bytes.length > FORWARD_BYTES_MAX) {
      yield transactionsFrame(packTransactions(part));
      part = [];
      size = 0;
    }
    part.push(bytes);
    size += bytes.length + 4;
  }
  if (part.length > 0) yield transactionsFrame(packTransactions(part));
}
