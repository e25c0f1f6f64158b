import type { Batch } from '../ledger/block.ts';
import { equalBytes } from '../ledger/bytes.ts';
import type { Parameters } from '../ledger/parameters.ts';
import { decodeTransaction, packTransactions, unpackTransactions } from '../ledger/transaction.ts';
import { idKey } from './id-key.ts';
import type { Wanted } from './intake.ts';
import { BODIES_GRACE_MS, BODIES_RETRY_MS } from './limits.ts';
import type { Mempool, PoolEntry } from './mempool.ts';
import type { StoredRecord } from './pbft/records.ts';

interface Task {
  readonly batch: Batch;
  readonly digest: Uint8Array;
  readonly keys: readonly string[];
  readonly missing: Map<string, Uint8Array>;
  timer: NodeJS.Timeout | undefined;
  /** Members in the order in which they are asked, the proposer first. */
  readonly members: readonly number[];
  next: number;
}

export interface BodiesContext {
  readonly genesisId: Uint8Array;
  readonly pool: Mempool;
  readonly parameters: Parameters;
  /** A copy is being verified: asking for another would only cost a second verification. */
  isArriving(key: string): boolean;
  /** Asks a member for these ids; resolves when its answer went through the intake, with a problem of the batch if any. */
  fetch(member: number, ids: readonly Uint8Array[], wanted: Wanted): Promise<string | undefined>;
  /** Everything is here, or the batch is invalid for ever (N4). */
  done(batch: Batch, digest: Uint8Array, problem: string | undefined): void;
}

/**
 * The bodies of proposed batches: gathered (they usually arrive by themselves, else they are fetched by id), and held
 * packed in batch order until their height is executed.
 */
export class Bodies {
  readonly #context: BodiesContext;
  readonly #tasks = new Map<number, Task>();
  readonly #packed = new Map<number, { readonly digest: Uint8Array; readonly bodies: Uint8Array }>();
  #closed = false;

  constructor(context: BodiesContext) {
    this.#context = context;
  }

  /** The leader chose these for its own batch. */
  hold(batch: Batch, digest: Uint8Array, entries: readonly PoolEntry[]): void {
    this.#packed.set(batch.height, { digest, bodies: packTransactions(entries.map(({ bytes }) => bytes)) });
    this.#context.pool.enterBatch(
      batch.height,
      entries.map(({ key }) => key),
    );
  }

  /** Packed transactions in batch order; they are held, or it is our own bug. */
  packed(batch: Batch, digest: Uint8Array): Uint8Array {
    if (batch.transactions.length === 0) return NOTHING;
    const held = this.#packed.get(batch.height);
    if (held !== undefined && equalBytes(held.digest, digest)) return held.bodies;
    throw new Error(`the bodies of the batch at height ${batch.height} are not held`);
  }

  /** Puts the bodies of journal records back, and into the pool; they were verified before they were written. */
  restore(records: readonly StoredRecord[], executed: number, origin: number): void {
    for (const record of records) {
      if (record.kind !== 'proposal' || record.value.vote.height <= executed) continue;
      const { vote, batch, bodies } = record.value;
      const unpacked = unpackTransactions(bodies, batch.transactions.length);
      if (!unpacked.ok) throw new Error(`journal: bodies at height ${vote.height}: ${unpacked.problem}`);
      const entries: PoolEntry[] = [];
      for (const bytes of unpacked.value) {
        const decoded = decodeTransaction(this.#context.genesisId, bytes);
        if (!decoded.ok) throw new Error(`journal: body at height ${vote.height}: ${decoded.problem}`);
        const { id, body } = decoded.value;
        entries.push({ id, key: idKey(id), bytes, validUntil: body.validUntil, origin });
      }
      for (const entry of entries) this.#context.pool.add(entry);
      this.hold(batch, vote.digest, entries);
    }
  }

  request(batch: Batch, digest: Uint8Array, members: readonly number[]): void {
    this.#drop(batch.height);
    const keys = batch.transactions.map(idKey);
    const missing = new Map<string, Uint8Array>();
    for (const [i, key] of keys.entries()) {
      if (this.#context.pool.body(key) === undefined) missing.set(key, batch.transactions[i]!);
    }
    const task: Task = { batch, digest, keys, missing, timer: undefined, members, next: 0 };
    this.#tasks.set(batch.height, task);
    const invalid = this.#idsProblem(task);
    if (invalid !== undefined || missing.size === 0) this.#finish(task, invalid);
    else this.#retry(task, BODIES_GRACE_MS);
  }

  /** Bodies that came into the pool by any way. */
  added(entries: readonly PoolEntry[]): void {
    for (const task of this.#tasks.values()) {
      if (task.missing.size === 0) continue;
      for (const { key } of entries) task.missing.delete(key);
      if (task.missing.size === 0) this.#finish(task);
    }
  }

  /** The height is executed. */
  executed(height: number): void {
    this.#drop(height);
    this.#packed.delete(height);
  }

  close(): void {
    this.#closed = true;
    for (const height of [...this.#tasks.keys()]) this.#drop(height);
  }

  #drop(height: number): void {
    const task = this.#tasks.get(height);
    if (task === undefined) return;
    clearTimeout(task.timer);
    task.missing.clear();
    this.#tasks.delete(height);
  }

  #retry(task: Task, delayMs: number): void {
    clearTimeout(task.timer);
    if (this.#closed) return;
    task.timer = setTimeout(() => void this.#fetch(task), delayMs);
  }

  async #fetch(task: Task): Promise<void> {
    const lacking = [...task.missing].filter(([key]) => !this.#context.isArriving(key)).map(([, id]) => id);
    if (lacking.length === 0) return this.#retry(task, BODIES_GRACE_MS);
    const member = task.members[task.next % task.members.length];
    task.next++;
    if (member === undefined) return this.#retry(task, BODIES_RETRY_MS);
    const problem = await this.#context.fetch(member, lacking, task.missing);
    if (this.#tasks.get(task.batch.height) !== task) return;
    if (problem !== undefined) this.#finish(task, problem);
    // A member that did not give everything is followed by the next one.
    else this.#retry(task, BODIES_RETRY_MS);
  }

  #finish(task: Task, invalid?: string): void {
    const { batch, digest, keys } = task;
    this.#drop(batch.height);
    const entries: PoolEntry[] = [];
    const gone = new Map<string, Uint8Array>();
    for (const [i, key] of keys.entries()) {
      const entry = this.#context.pool.body(key);
      if (entry === undefined) gone.set(key, batch.transactions[i]!);
      else entries.push(entry);
    }
    if (invalid === undefined && gone.size > 0) {
      // Executed under another height and stable, or expired, while the others were on their way: fetched once more.
      const again: Task = { ...task, missing: gone };
      this.#tasks.set(batch.height, again);
      return this.#retry(again, 0);
    }
    const problem = invalid ?? this.#problem(task, entries);
    if (problem === undefined) this.hold(batch, digest, entries);
    this.#context.done(batch, digest, problem);
  }

  /** N4: what the ids alone show; nothing is fetched for a batch that is invalid anyway. */
  #idsProblem({ keys }: Task): string | undefined {
    const { batchTransactionsMax } = this.#context.parameters;
    if (keys.length > batchTransactionsMax) return `${keys.length} transactions, at most ${batchTransactionsMax}`;
    return new Set(keys).size === keys.length ? undefined : 'the same id twice';
  }

  /** N4: what only the batch with all its bodies shows. The bodies themselves are statically valid, being in the pool. */
  #problem({ batch }: Task, entries: readonly PoolEntry[]): string | undefined {
    const { parameters } = this.#context;
    let bytes = 0;
    for (const entry of entries) {
      bytes += entry.bytes.length;
      if (entry.validUntil < batch.timestamp)
        return `a transaction valid until ${entry.validUntil} at ${batch.timestamp}`;
      if (entry.validUntil > batch.timestamp + parameters.maxLifetimeMs) {
        return `a transaction valid ${entry.validUntil - batch.timestamp} ms ahead, at most ${parameters.maxLifetimeMs}`;
      }
    }
    return bytes > parameters.batchBytesMax
      ? `${bytes} bytes of transactions, at most ${parameters.batchBytesMax}`
      : undefined;
  }
}

const NOTHING = new Uint8Array(0);
