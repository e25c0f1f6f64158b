import type { Application } from '../ledger/application.ts';
import type { Batch } from '../ledger/block.ts';
import type { Parameters } from '../ledger/parameters.ts';
import { decodeTransaction, packTransactions, unpackTransactions } from '../ledger/transaction.ts';
import { idKey } from './id-key.ts';
import type { Wanted } from './intake.ts';
import { BODIES_GRACE_MS, BODIES_RETRY_MS } from './limits.ts';
import type { Mempool } from './mempool.ts';
import type { StoredRecord } from './pbft/records.ts';
import { digestKey } from './pbft/state.ts';
import { type PoolEntry, poolEntry } from './pool-entry.ts';

interface Task {
  readonly batch: Batch;
  readonly digest: Uint8Array;
  readonly keys: readonly string[];
  readonly missing: Map<string, Uint8Array>;
  stop: (() => void) | undefined;
  /** The proposer: asked first. */
  readonly from: number;
  tries: number;
}

interface BatchTask {
  readonly height: number;
  readonly digest: Uint8Array;
  readonly from: number;
  stop: (() => void) | undefined;
  tries: number;
}

interface Held {
  readonly entries: readonly PoolEntry[];
  readonly packed: Uint8Array;
}

export interface BodiesContext {
  readonly genesisId: Uint8Array;
  readonly application: Application;
  readonly pool: Mempool;
  /** Of the epoch. */
  parameters(): Parameters;
  setTimer(delayMs: number, run: () => void): () => void;
  /** Members to ask: `from` first if it can be asked, then the others with a channel. */
  sources(from: number): readonly number[];
  /** A copy is being verified: asking for another would only cost a second verification. */
  isArriving(key: string): boolean;
  /** Asks a member for these ids; resolves when its answer went through the intake, with a problem of the batch if any. */
  fetch(member: number, ids: readonly Uint8Array[], wanted: Wanted): Promise<string | undefined>;
  /** Asks a member for the batch with this digest. */
  fetchBatch(member: number, height: number, digest: Uint8Array): Promise<Batch | undefined>;
  /** Everything is here, or the batch is invalid for ever (N4). */
  done(batch: Batch, digest: Uint8Array, problem: string | undefined, governs: boolean): void;
  batchDone(batch: Batch, digest: Uint8Array): void;
}

/**
 * The content of proposed batches: gathered (it usually arrives by itself, else it is fetched by digest and id), and held
 * until its height is executed and stable, whatever views come in between (V10): no pool rule evicts it.
 */
export class Bodies {
  readonly #context: BodiesContext;
  /** By height and digest. */
  readonly #tasks = new Map<string, Task>();
  readonly #batchTasks = new Map<string, BatchTask>();
  readonly #held = new Map<number, Map<string, Held>>();
  /** Bodies in held batches, and in how many of them each is. */
  readonly #byKey = new Map<string, { readonly entry: PoolEntry; count: number }>();
  #closed = false;

  constructor(context: BodiesContext) {
    this.#context = context;
  }

  /** A body that is pending, or in a batch that is held. */
  body(key: string): PoolEntry | undefined {
    return this.#context.pool.body(key) ?? this.#byKey.get(key)?.entry;
  }

  hold({ height }: Batch, digest: Uint8Array, entries: readonly PoolEntry[]): void {
    let atHeight = this.#held.get(height);
    if (atHeight === undefined) {
      atHeight = new Map();
      this.#held.set(height, atHeight);
    }
    const name = digestKey(digest);
    if (atHeight.has(name)) return;
    atHeight.set(name, { entries, packed: packTransactions(entries.map(({ bytes }) => bytes)) });
    for (const entry of entries) {
      const known = this.#byKey.get(entry.key);
      if (known === undefined) this.#byKey.set(entry.key, { entry, count: 1 });
      else known.count++;
    }
  }

  /** Packed transactions in batch order; they are held, or it is our own bug. */
  packed(batch: Batch, digest: Uint8Array): Uint8Array {
    if (batch.transactions.length === 0) return NOTHING;
    const held = this.#held.get(batch.height)?.get(digestKey(digest));
    if (held === undefined) throw new Error(`the bodies of the batch at height ${batch.height} are not held`);
    return held.packed;
  }

  /** Puts the bodies of journal records back; they were verified before they were written. Returns those not executed. */
  restore(records: readonly StoredRecord[], stable: number, executed: number, origin: number): readonly PoolEntry[] {
    const pending: PoolEntry[] = [];
    for (const record of records) {
      if (record.kind !== 'proposal' || record.value.vote.height <= stable) continue;
      const { vote, batch, bodies } = record.value;
      const unpacked = unpackTransactions(bodies, batch.transactions.length);
      if (!unpacked.ok) throw new Error(`journal: bodies at height ${vote.height}: ${unpacked.problem}`);
      const entries: PoolEntry[] = [];
      for (const bytes of unpacked.value) {
        const decoded = decodeTransaction(this.#context.genesisId, bytes);
        if (!decoded.ok) throw new Error(`journal: body at height ${vote.height}: ${decoded.problem}`);
        entries.push(poolEntry(decoded.value, idKey(decoded.value.id), origin, this.#context.application));
      }
      this.hold(batch, vote.digest, entries);
      if (vote.height > executed) pending.push(...entries);
    }
    return pending;
  }

  request(batch: Batch, digest: Uint8Array, from: number): void {
    const keys = batch.transactions.map(idKey);
    const missing = new Map<string, Uint8Array>();
    for (const [i, key] of keys.entries()) {
      if (this.body(key) === undefined) missing.set(key, batch.transactions[i]!);
    }
    const task: Task = { batch, digest, keys, missing, stop: undefined, from, tries: 0 };
    const invalid = this.#idsProblem(task);
    const held = this.#held.get(batch.height)?.get(digestKey(digest));
    if (held !== undefined) return this.#context.done(batch, digest, undefined, doGovern(held.entries));
    this.#tasks.set(taskName(batch.height, digest), task);
    if (invalid !== undefined || missing.size === 0) this.#finish(task, invalid);
    else this.#retry(task, BODIES_GRACE_MS);
  }

  /** V9: the batch with this digest, from whoever has it. */
  requestBatch(height: number, digest: Uint8Array, from: number): void {
    const name = taskName(height, digest);
    if (this.#batchTasks.has(name)) return;
    const task: BatchTask = { height, digest, from, stop: undefined, tries: 0 };
    this.#batchTasks.set(name, task);
    void this.#fetchBatch(name, task);
  }

  /** Bodies that came into the pool by any way. */
  added(entries: readonly PoolEntry[]): void {
    for (const task of this.#tasks.values()) {
      if (task.missing.size === 0) continue;
      for (const { key } of entries) task.missing.delete(key);
      if (task.missing.size === 0) this.#finish(task);
    }
  }

  /** Everything up to `height` is executed and stable: nobody proposes it again. */
  stable(height: number): void {
    for (const [name, task] of this.#tasks) if (task.batch.height <= height) this.#drop(name, task);
    for (const [name, task] of this.#batchTasks) if (task.height <= height) this.#dropBatchTask(name, task);
    this.#dropHeld((at) => at <= height);
  }

  /** E2: batches above the last height of an epoch are void. */
  dropAbove(height: number): void {
    for (const [name, task] of this.#tasks) if (task.batch.height > height) this.#drop(name, task);
    for (const [name, task] of this.#batchTasks) if (task.height > height) this.#dropBatchTask(name, task);
    this.#dropHeld((at) => at > height);
  }

  close(): void {
    this.#closed = true;
    for (const [name, task] of this.#tasks) this.#drop(name, task);
    for (const [name, task] of this.#batchTasks) this.#dropBatchTask(name, task);
  }

  #dropHeld(isDropped: (height: number) => boolean): void {
    for (const [at, held] of this.#held) {
      if (!isDropped(at)) continue;
      this.#held.delete(at);
      for (const { entries } of held.values()) for (const { key } of entries) this.#release(key);
    }
  }

  #release(key: string): void {
    const known = this.#byKey.get(key);
    if (known !== undefined && --known.count === 0) this.#byKey.delete(key);
  }

  #drop(name: string, task: Task): void {
    task.stop?.();
    task.missing.clear();
    this.#tasks.delete(name);
  }

  #dropBatchTask(name: string, task: BatchTask): void {
    task.stop?.();
    this.#batchTasks.delete(name);
  }

  #retry(task: Task, delayMs: number): void {
    task.stop?.();
    if (this.#closed) return;
    task.stop = this.#context.setTimer(delayMs, () => void this.#fetch(task));
  }

  async #fetch(task: Task): Promise<void> {
    const lacking: Uint8Array[] = [];
    task.missing.forEach((id, key) => {
      if (!this.#context.isArriving(key)) lacking.push(id);
    });
    if (lacking.length === 0) return this.#retry(task, BODIES_GRACE_MS);
    const members = this.#context.sources(task.from);
    const member = members[task.tries++ % members.length];
    if (member === undefined) return this.#retry(task, BODIES_RETRY_MS);
    const problem = await this.#context.fetch(member, lacking, task.missing);
    if (this.#tasks.get(taskName(task.batch.height, task.digest)) !== task) return;
    if (problem !== undefined) this.#finish(task, problem);
    // A member that did not give everything is followed by the next one.
    else this.#retry(task, BODIES_RETRY_MS);
  }

  async #fetchBatch(name: string, task: BatchTask): Promise<void> {
    const { height, digest, from } = task;
    const members = this.#context.sources(from);
    const member = members[task.tries++ % members.length];
    const batch = member === undefined ? undefined : await this.#context.fetchBatch(member, height, digest);
    if (this.#closed || this.#batchTasks.get(name) !== task) return;
    if (batch !== undefined) {
      this.#batchTasks.delete(name);
      return this.#context.batchDone(batch, digest);
    }
    // After each round of all members a pause; the next member at once.
    const delayMs = members.length === 0 || task.tries % members.length === 0 ? BODIES_RETRY_MS : 0;
    task.stop = this.#context.setTimer(delayMs, () => void this.#fetchBatch(name, task));
  }

  #finish(task: Task, invalid?: string): void {
    const { batch, digest, keys } = task;
    const name = taskName(batch.height, digest);
    this.#drop(name, task);
    const entries: PoolEntry[] = [];
    const gone = new Map<string, Uint8Array>();
    for (const [i, key] of keys.entries()) {
      const entry = this.body(key);
      if (entry === undefined) gone.set(key, batch.transactions[i]!);
      else entries.push(entry);
    }
    if (invalid === undefined && gone.size > 0) {
      // Executed under another height and stable, or expired, while the others were on their way: fetched once more.
      const again: Task = { ...task, missing: gone };
      this.#tasks.set(name, again);
      return this.#retry(again, 0);
    }
    const problem = invalid ?? this.#problem(task, entries);
    if (problem === undefined) this.hold(batch, digest, entries);
    this.#context.done(batch, digest, problem, doGovern(entries));
  }

  /** N4: what the ids alone show; nothing is fetched for a batch that is invalid anyway. */
  #idsProblem({ keys }: Task): string | undefined {
    const { batchTransactionsMax } = this.#context.parameters();
    if (keys.length > batchTransactionsMax) return `${keys.length} transactions, at most ${batchTransactionsMax}`;
    return new Set(keys).size === keys.length ? undefined : 'the same id twice';
  }

  /** N4: what only the batch with all its bodies shows. The bodies themselves are statically valid, being in the pool. */
  #problem({ batch }: Task, entries: readonly PoolEntry[]): string | undefined {
    const parameters = this.#context.parameters();
    let bytes = 0;
    for (const entry of entries) {
      if (!this.#context.pool.isFit(entry.key)) return 'a transaction that this epoch does not allow';
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

function doGovern(entries: readonly PoolEntry[]): boolean {
  return entries.some(({ governs }) => governs);
}

function taskName(height: number, digest: Uint8Array): string {
  return `${height} ${digestKey(digest)}`;
}

const NOTHING = new Uint8Array(0);
