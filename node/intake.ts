import type { RefusalCode, SubmitOutcome } from '../api/ports.ts';
import type { Application } from '../ledger/application.ts';
import type { Parameters } from '../ledger/parameters.ts';
import { decodeTransaction, type Transaction, unpackTransactions } from '../ledger/transaction.ts';
import { AccountLimits } from './account-limits.ts';
import { Admission } from './admission.ts';
import { idKey } from './id-key.ts';
import { VERIFYING_MAX } from './limits.ts';
import type { Mempool } from './mempool.ts';
import type { PendingLog } from './pending-log.ts';
import { type PoolEntry, poolEntry, staticProblem } from './pool-entry.ts';
import type { PackedSenders } from './ports.ts';
import type { Refusal } from './refusal.ts';
import { type Sender, Senders } from './senders.ts';
import { isValid, type PackedChecks, packTransactionChecks } from './verify/packed.ts';
import type { VerifyPool } from './verify/pool.ts';

type Refused = Extract<SubmitOutcome, { kind: 'refused' }>;

/** What a client submitted: its place there, the `idKey` of its id. */
interface Submitted {
  readonly at: number;
  readonly key: string;
  readonly transaction: Transaction;
}

/**
 * What a peer sent, while its signature is being verified. Thousands wait for that at full load, so the decoded transaction is not kept.
 */
interface Forwarded {
  readonly key: string;
  readonly entry: PoolEntry;
  /** Why it can never execute, whatever its signature is (N4). */
  readonly invalid: string | undefined;
}

export interface IntakeContext {
  readonly genesisId: Uint8Array;
  readonly application: Application;
  readonly pool: Mempool;
  readonly verifyPool: VerifyPool;
  /** R11. */
  readonly pendingLog: PendingLog;
  /** Who may send at the start. */
  readonly senders: PackedSenders;
  /** Of the epoch. */
  parameters(): Parameters;
  /** Own index in the set; NO_MEMBER for a node without a vote. */
  self(): number;
  /** Block time of the newest executed block, in ms. */
  executedTime(): number;
  /** Chain time in ms (T1). */
  chainNow(): number;
  /** Monotonic clock in ms. */
  now(): number;
  /** A body that is pending, or in a batch that is held. */
  body(key: string): PoolEntry | undefined;
  /** Why nothing is admitted now. */
  refusal(): Refusal | undefined;
  recentlyExecuted(key: string): boolean;
  /** Which of these ids (32 bytes each) have a receipt, as a bitmap. */
  executedAmong(ids: Uint8Array): Promise<Uint8Array>;
  /** New verified transactions are in the pool. */
  added(entries: readonly PoolEntry[], own: boolean): void;
  /** A peer sent something that no correct member sends. */
  blame(member: number, reason: string): void;
}

/** Ids (idKey) that a proposal still lacks; changes while bodies arrive. */
export interface Wanted {
  has(key: string): boolean;
}

/** The only way into the pool: decoded, statically valid, signature verified off the event loop. */
export class Intake {
  /** Follows the executed state. */
  readonly senders: Senders;
  readonly #context: IntakeContext;
  readonly #limits: AccountLimits;
  readonly #admission = new Admission();
  #verifying = 0;
  /** Of these, what clients submitted. */
  #admitting = 0;
  /** Keys of transactions whose signatures are being verified, and how many copies of each. */
  readonly #arriving = new Map<string, number>();

  constructor(context: IntakeContext) {
    this.#context = context;
    this.senders = new Senders(context.senders);
    this.#limits = new AccountLimits(context.pool);
  }

  /** A copy of this transaction is being verified: it is here in a moment, unless its signature is bad. */
  isArriving(key: string): boolean {
    return this.#arriving.has(key);
  }

  /** T9: why there is no room for anything that clients submit now, or undefined; also if there is another reason against it. */
  overload(): Refusal | undefined {
    if (this.#room() > 0 || this.#context.refusal() !== undefined) return undefined;
    return this.#admission.refusal(this.#waiting);
  }

  /** Transactions of clients that wait here. */
  get #waiting(): number {
    return this.#admitting + this.#context.pool.from(this.#context.self());
  }

  /** For what is not verified yet. */
  #room(): number {
    return this.#verifying >= VERIFYING_MAX ? 0 : this.#roomBehind(this.#admitting);
  }

  #roomBehind(verified: number): number {
    const { pool, self, now } = this.#context;
    return this.#admission.room(pool.from(self()), verified, now());
  }

  /**
   * What clients of this node submit: one outcome each, same order, when all that is acknowledged by it is on disk (R11).
   * `viaNode`: clients of a node without a vote, which has asked for their rate itself, sends again what has no room yet,
   * and keeps on its own disk what it has acknowledged.
   */
  async fromClient(submitted: readonly Uint8Array[], viaNode = false): Promise<readonly SubmitOutcome[]> {
    const outcomes: (SubmitOutcome | undefined)[] = submitted.map(() => undefined);
    const open: Submitted[] = [];
    const { application, pool, parameters } = this.#context;
    const refusal = this.#context.refusal();
    const inForce = parameters();
    for (const [at, bytes] of submitted.entries()) {
      const decoded = decodeTransaction(this.#context.genesisId, bytes);
      if (!decoded.ok) {
        outcomes[at] = refused(undefined, 'malformed', decoded.problem);
        continue;
      }
      const transaction = decoded.value;
      const key = idKey(transaction.id);
      if (this.#context.body(key) !== undefined || this.#context.recentlyExecuted(key)) {
        outcomes[at] = { kind: 'known', id: transaction.id };
      } else {
        open.push({ at, key, transaction });
      }
    }
    await this.#markExecuted(open, outcomes);
    const checked: Submitted[] = [];
    /** How many of each account are in `checked`: nothing is verified for what there is no room for anyway. */
    const ahead = new Map<string, number>();
    const room = this.#room();
    for (const one of open) {
      const { at, transaction } = one;
      if (outcomes[at] !== undefined) continue;
      outcomes[at] =
        refusal === undefined ? this.problem(transaction) : { kind: 'refused', id: transaction.id, ...refusal };
      if (outcomes[at] !== undefined) continue;
      const sender = this.senders.of(transaction.body.sender)!;
      const before = ahead.get(sender.account) ?? 0;
      outcomes[at] = this.#tooMuch(transaction, sender, before, viaNode);
      if (outcomes[at] !== undefined) continue;
      if (checked.length >= room || !pool.hasRoom(this.#context.self(), transaction.bytes.length, true)) {
        outcomes[at] = {
          kind: 'refused',
          id: transaction.id,
          ...this.#admission.refusal(this.#waiting + checked.length),
        };
        continue;
      }
      ahead.set(sender.account, before + 1);
      checked.push(one);
    }
    this.#admitting += checked.length;
    const valid = await this.#verify(checked, this.#checksOf(checked)).finally(() => {
      this.#admitting -= checked.length;
    });
    const entries: PoolEntry[] = [];
    for (const [i, { at, key, transaction }] of checked.entries()) {
      const { id, bytes } = transaction;
      if (!valid[i]) {
        outcomes[at] = refused(id, 'bad-signature', 'the signature is not valid for this sender, body and chain');
        continue;
      }
      if (this.#context.body(key) !== undefined || this.#context.recentlyExecuted(key)) {
        outcomes[at] = { kind: 'known', id };
        continue;
      }
      // The epoch, or who sends, may be another one meanwhile, and others may have taken the room.
      const sender = this.senders.of(transaction.body.sender);
      outcomes[at] =
        (parameters() === inForce && sender !== undefined ? undefined : this.problem(transaction)) ??
        this.#tooMuch(transaction, sender!, 0, viaNode);
      if (outcomes[at] !== undefined) continue;
      const self = this.#context.self();
      if (this.#roomBehind(0) === 0 || !pool.hasRoom(self, bytes.length, true)) {
        outcomes[at] = { kind: 'refused', id, ...this.#admission.refusal(this.#waiting) };
        continue;
      }
      outcomes[at] = { kind: 'accepted', id };
      const entry = poolEntry(transaction, key, self, application, sender!.account);
      if (!viaNode) this.#limits.take(sender!, this.#context.now());
      pool.add(entry, this.#context.now());
      this.#admission.took();
      entries.push(entry);
    }
    if (entries.length > 0) this.#context.added(entries, true);
    if (!viaNode) await this.#context.pendingLog.keep([...entries, ...this.#known(outcomes)]);
    return outcomes as readonly SubmitOutcome[];
  }

  /** What a client is told of as known, and is not executed yet. */
  #known(outcomes: readonly (SubmitOutcome | undefined)[]): PoolEntry[] {
    const { body, recentlyExecuted } = this.#context;
    return outcomes.flatMap((outcome) => {
      if (outcome?.kind !== 'known') return [];
      const key = idKey(outcome.id);
      return recentlyExecuted(key) ? [] : (body(key) ?? []);
    });
  }

  /**
   * R11: takes back what was acknowledged before this start: what is neither executed nor past its time. How many that are.
   * Whether the sender may send is not asked again.
   */
  async restore(stored: readonly Uint8Array[]): Promise<number> {
    const { genesisId, application, pool, pendingLog, self, parameters, now, executedTime } = this.#context;
    const found = new Map<string, Transaction>();
    for (const bytes of stored) {
      const decoded = decodeTransaction(genesisId, bytes);
      if (decoded.ok && decoded.value.body.validUntil >= executedTime())
        found.set(idKey(decoded.value.id), decoded.value);
    }
    const executed: (SubmitOutcome | undefined)[] = [];
    const open = [...found].map(([key, transaction], at) => ({ at, key, transaction }));
    await this.#markExecuted(open, executed);
    const pending = open.filter(({ at }) => executed[at] === undefined);
    const valid = await this.#verify(pending, this.#checksOf(pending));
    const entries = pending
      .filter((_, i) => valid[i])
      .map(({ key, transaction }) => {
        const account = this.senders.of(transaction.body.sender)?.account;
        const isFit = staticProblem(transaction, application, parameters()) === undefined;
        return { isFit, entry: poolEntry(transaction, key, self(), application, account) };
      });
    for (const { entry, isFit } of entries)
      if (this.#context.body(entry.key) === undefined) pool.add(entry, now(), isFit);
    await pendingLog.begin(
      entries.map(({ entry }) => entry),
      (key) => this.#context.body(key)?.bytes,
    );
    return entries.length;
  }

  /** What another validator admitted and forwards (T9): never refused within its share. */
  async fromPeer(member: number, packed: Uint8Array): Promise<void> {
    await this.#receive(member, packed, () => this.#verifying < VERIFYING_MAX);
  }

  /**
   * Bodies that a proposal needs, whoever gives them: no share applies. Returns a problem if one of them makes every
   * batch with its id invalid: its signature is good and its content is not. `wanted` is asked again after verification:
   * what came by another way meanwhile, and may be executed already, must not enter the pool a second time.
   */
  async forBatch(member: number, packed: Uint8Array, wanted: Wanted): Promise<string | undefined> {
    return this.#receive(member, packed, (key) => wanted.has(key), true);
  }

  /** Whether transactions' signatures are valid; one flag each. */
  async #verify(arrived: readonly { readonly key: string }[], checks: PackedChecks): Promise<readonly boolean[]> {
    if (arrived.length === 0) return [];
    this.#verifying += arrived.length;
    for (const { key } of arrived) this.#arriving.set(key, (this.#arriving.get(key) ?? 0) + 1);
    try {
      const bits = await this.#context.verifyPool.verify(checks);
      return arrived.map((_, i) => isValid(bits, i));
    } finally {
      this.#verifying -= arrived.length;
      for (const { key } of arrived) {
        const left = (this.#arriving.get(key) ?? 1) - 1;
        if (left === 0) this.#arriving.delete(key);
        else this.#arriving.set(key, left);
      }
    }
  }

  #checksOf(submitted: readonly Submitted[]): PackedChecks {
    return packTransactionChecks(
      this.#context.genesisId,
      submitted.map(({ transaction }) => transaction),
    );
  }

  /** What of a member's frame is new, and its signatures to check. */
  #unpack(
    member: number,
    packed: Uint8Array,
    take: (key: string) => boolean,
    forBatch: boolean,
  ): { readonly fresh: readonly Forwarded[]; readonly checks: PackedChecks } | undefined {
    const { genesisId, application, pool, parameters } = this.#context;
    const unpacked = unpackTransactions(packed, VERIFYING_MAX);
    if (!unpacked.ok) {
      this.#context.blame(member, `transactions: ${unpacked.problem}`);
      return undefined;
    }
    const fresh: Forwarded[] = [];
    const transactions: Transaction[] = [];
    for (const bytes of unpacked.value) {
      const decoded = decodeTransaction(genesisId, bytes);
      if (!decoded.ok) {
        this.#context.blame(member, `transaction: ${decoded.problem}`);
        continue;
      }
      const key = idKey(decoded.value.id);
      if (!take(key) || this.#context.body(key) !== undefined || (!forBatch && this.#context.recentlyExecuted(key)))
        continue;
      if (!forBatch && !pool.hasRoom(member, bytes.length, false)) continue;
      const transaction = decoded.value;
      transactions.push(transaction);
      const entry = poolEntry(transaction, key, member, application);
      fresh.push({ key, entry, invalid: staticProblem(transaction, application, parameters())?.detail });
    }
    return { fresh, checks: packTransactionChecks(genesisId, transactions) };
  }

  async #receive(
    member: number,
    packed: Uint8Array,
    take: (key: string) => boolean,
    forBatch = false,
  ): Promise<string | undefined> {
    const { pool, parameters } = this.#context;
    const inForce = parameters();
    const unpacked = this.#unpack(member, packed, take, forBatch);
    if (unpacked === undefined) return undefined;
    const { fresh } = unpacked;
    const valid = await this.#verify(fresh, unpacked.checks);
    let problem: string | undefined;
    const entries: PoolEntry[] = [];
    for (const [i, { key, entry: made, invalid: before }] of fresh.entries()) {
      if (!valid[i]) {
        // N13: nothing is remembered against the id; the bytes are held against who sent them.
        this.#context.blame(member, 'a transaction with a bad signature');
        continue;
      }
      const invalid = parameters() === inForce ? before : this.#invalid(made.bytes);
      if (invalid !== undefined) {
        problem = `transaction in the batch: ${invalid}`;
        this.#context.blame(member, invalid);
        continue;
      }
      if (this.#context.body(key) !== undefined || (forBatch ? !take(key) : this.#context.recentlyExecuted(key)))
        continue;
      // Asked again: the others of this frame came into the share meanwhile.
      if (!forBatch && !pool.hasRoom(member, made.bytes.length, false)) continue;
      // The set may have changed while the question was under way; `hasRoom` says so of what is only forwarded.
      const origin = forBatch ? pool.originOf(member) : member;
      const entry = origin === member ? made : { ...made, origin };
      pool.add(entry, this.#context.now());
      entries.push(entry);
    }
    if (entries.length > 0) this.#context.added(entries, false);
    return problem;
  }

  /** N4: why bytes that decode can never execute in the epoch of now. */
  #invalid(bytes: Uint8Array): string | undefined {
    const { genesisId, application, parameters } = this.#context;
    const decoded = decodeTransaction(genesisId, bytes);
    return decoded.ok ? staticProblem(decoded.value, application, parameters())?.detail : decoded.problem;
  }

  /** Static validity (N4) and what only the admitting node judges: the sender and the lifetime by chain time. */
  problem(transaction: Transaction): Refused | undefined {
    const { application } = this.#context;
    const { id, body } = transaction;
    const parameters = this.#context.parameters();
    const invalid = staticProblem(transaction, application, parameters);
    if (invalid !== undefined) return refused(id, invalid.code, invalid.detail);
    const nobody = this.senders.problem(body, application);
    if (nobody !== undefined) return refused(id, 'not-permitted', nobody);
    const now = this.#context.chainNow();
    if (body.validUntil < now) {
      return refused(
        id,
        'expired',
        `validUntil ${body.validUntil} is ${now - body.validUntil} ms before chain time ${now}`,
      );
    }
    if (body.validUntil > now + parameters.maxLifetimeMs) {
      const over = body.validUntil - now;
      return refused(
        id,
        'expiry-too-far',
        `validUntil is ${over} ms after chain time ${now}, at most ${parameters.maxLifetimeMs}`,
      );
    }
    return undefined;
  }

  /** T9: more of this account than this node may admit, behind `ahead` others of it. */
  #tooMuch({ id }: Transaction, sender: Sender, ahead: number, viaNode: boolean): SubmitOutcome | undefined {
    const problem =
      this.#limits.pendingProblem(sender, ahead, this.#admission.ofOneAccount) ??
      (viaNode ? undefined : this.#limits.rateProblem(sender, ahead, this.#context.now()));
    return problem && { kind: 'refused', id, ...problem };
  }

  async #markExecuted(open: readonly Submitted[], outcomes: (SubmitOutcome | undefined)[]): Promise<void> {
    if (open.length === 0) return;
    const ids = new Uint8Array(32 * open.length);
    for (const [i, { transaction }] of open.entries()) ids.set(transaction.id, 32 * i);
    const bits = await this.#context.executedAmong(ids);
    for (const [i, { at, transaction }] of open.entries()) {
      if (((bits[i >> 3]! >> (i & 7)) & 1) === 1) outcomes[at] = { kind: 'known', id: transaction.id };
    }
  }
}

function refused(id: Uint8Array | undefined, code: RefusalCode, detail: string): Refused {
  return { kind: 'refused', id, code, detail };
}
