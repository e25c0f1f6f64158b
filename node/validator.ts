import type { Genesis } from '../genesis/genesis.ts';
import type { Application } from '../ledger/application.ts';
import { type Batch, batchCodec, batchDigest } from '../ledger/block.ts';
import { certificateCodec } from '../ledger/checkpoint.ts';
import { decode, encode } from '../ledger/codec.ts';
import { TRANSACTION_BYTES_MAX } from '../ledger/limits.ts';
import type { Reply, SignedReply } from '../ledger/reply.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import type { Log, Network } from '../p2p/index.ts';
import { Bodies } from './bodies.ts';
import { CatchUp } from './catch-up.ts';
import { Forwarding } from './forwarding.ts';
import { SigningGuard } from './guard.ts';
import { idKey, idKeys } from './id-key.ts';
import { type InboxContext, takeFrame } from './inbox.ts';
import { Intake, type Wanted } from './intake.ts';
import {
  CATCH_UP_DELAY_MS,
  EVIDENCE_LOGGED_MAX,
  POOL_BYTES_MAX,
  POOL_TRANSACTIONS_MAX,
  RECENT_IDS_MAX,
  SNAPSHOT_BLOCKS_MIN,
  STATUS_INTERVAL_MS,
} from './limits.ts';
import { Mempool, type PoolEntry } from './mempool.ts';
import { OwnSignatures } from './own-signatures.ts';
import type { Now, Ordered } from './pbft/events.ts';
import { culpritOf } from './pbft/evidence.ts';
import { HALTED } from './pbft/halt.ts';
import { decodeRecord } from './pbft/records.ts';
import { restoreState } from './pbft/restore.ts';
import { batchOf, chainNow, leaderOf, type ReplicaState } from './pbft/state.ts';
import { isHeld } from './pbft/useful.ts';
import type { MessageContext } from './pbft/verify.ts';
import { shownTo } from './pbft/witness.ts';
import { PeerClient } from './peer-client.ts';
import { answerPeer } from './peer-server.ts';
import type { Executed, Installed, JournalEntry, JournalPort, LedgerPort, OpenedLedger, Scheduler } from './ports.ts';
import { RecentIds } from './recent-ids.ts';
import { refusalOf } from './refusal.ts';
import { Runner } from './runner.ts';
import { onceOnly } from './scheduler.ts';
import type { Signer } from './signatures.ts';
import { isValid } from './verify/packed.ts';
import type { VerifyPool } from './verify/pool.ts';
import { messageFrame } from './wire.ts';

export interface ValidatorOptions {
  readonly genesis: Genesis;
  readonly application: Application;
  /** Index of this member in the genesis set. */
  readonly self: number;
  readonly signer: Signer;
  readonly verify: VerifySignature;
  readonly verifyPool: VerifyPool;
  readonly ledger: LedgerPort;
  readonly opened: OpenedLedger;
  readonly journal: JournalPort;
  readonly records: readonly Uint8Array[];
  /** Why the journal can't be trusted, if it can't (R1). */
  readonly doubt: string | undefined;
  readonly network: Network;
  readonly log: Log;
  readonly scheduler: Scheduler;
  /** R8: how many blocks behind a certificate a snapshot is taken instead. */
  readonly snapshotBlocks?: number;
  now(): Now;
  fatal(error: unknown): void;
}

/** Callbacks of one node that its API side hangs on. */
export interface Observer {
  /** A block is executed; `outcomes` as in Executed. */
  executed(height: number, keys: readonly string[]): void;
  /** Everything up to this height is executed and certified here. */
  final(height: number): void;
  expired(keys: readonly string[]): void;
}

/**
 * One validator: the runner's effects on one side, network, ledger and pool on the other. It decides nothing about the
 * protocol; what it does follows from effects of the core or from bytes that passed their checks.
 */
export class Validator {
  readonly #options: ValidatorOptions;
  readonly #context: MessageContext;
  readonly #runner: Runner;
  readonly #bodies: Bodies;
  readonly #forwarding: Forwarding;
  readonly #peers: PeerClient;
  readonly #own: OwnSignatures;
  readonly #catchUp: CatchUp;
  readonly #guard: SigningGuard;
  readonly #recent = new RecentIds(RECENT_IDS_MAX);
  readonly #abort = new AbortController();
  readonly pool: Mempool;
  readonly intake: Intake;
  /** Newest height that is executed and certified here. */
  finalHeight: number;
  readonly counters = { blamed: 0, evidence: 0, refusedBatches: 0, viewChanges: 0 };
  /** R8: a snapshot left blocks out. */
  #skipsBlocks: boolean;
  #observer: Observer | undefined;
  #poolAnnounced = false;
  /** Up to where the low mark is in the journal. */
  #durable = 0;

  constructor(options: ValidatorOptions) {
    const scheduler = onceOnly(options.scheduler);
    this.#options = { ...options, scheduler };
    const { genesis, opened, self } = options;
    const { parameters, validators } = genesis;
    this.#context = {
      genesisId: genesis.id,
      epoch: 0,
      validators,
      verify: options.verify,
      window: parameters.window,
      isVerified: (viewChange) => isHeld(this.state, viewChange),
    };
    this.pool = new Mempool({ transactionsMax: POOL_TRANSACTIONS_MAX, bytesMax: POOL_BYTES_MAX }, validators.length);
    for (const key of idKeys(opened.recentIds.subarray(-32 * RECENT_IDS_MAX))) this.#recent.add(key);
    const stable = opened.certificate === undefined ? undefined : decode(certificateCodec, opened.certificate);
    this.finalHeight = stable?.checkpoint.height ?? 0;
    const records = options.records.map(decodeRecord);
    this.#guard = new SigningGuard(genesis.id, options.signer, self);
    this.#guard.forget(this.finalHeight);
    const { network, log, fatal } = options;
    this.#skipsBlocks = opened.base > 0;
    this.#peers = new PeerClient({
      network,
      log,
      signal: this.#abort.signal,
      isKnown: (key) => this.#bodies.body(key) !== undefined || this.#recent.has(key) || this.intake.isArriving(key),
      take: (member, packed) => this.intake.fromPeer(member, packed),
      blame: (member, reason) => this.#blame(member, reason),
      fatal,
    });
    this.#own = new OwnSignatures({
      self,
      peers: this.#peers,
      network,
      scheduler,
      context: this.#context,
      signal: this.#abort.signal,
      state: () => this.state,
      dispatch: (event) => this.#runner.dispatch(event),
      fatal,
    });
    this.#catchUp = new CatchUp({
      ...options,
      messages: this.#context,
      now: () => options.now().monotonic,
      signal: this.#abort.signal,
      snapshotBlocks: options.snapshotBlocks ?? SNAPSHOT_BLOCKS_MIN,
      state: () => this.state,
      dispatch: (event) => this.#runner.dispatch(event),
      executed: (executed, keys) => this.#executed(executed, keys, undefined),
      installed: (installed) => this.#installed(installed),
      blame: (member, reason) => this.#blame(member, reason),
    });
    const config = {
      genesisId: genesis.id,
      epoch: 0,
      validators,
      self,
      parameters,
      statusIntervalMs: STATUS_INTERVAL_MS,
      catchUpDelayMs: CATCH_UP_DELAY_MS,
    };
    const state = restoreState(config, { head: opened.head, stable, records }, options.now());
    this.#runner = new Runner(state, this.#ports());
    this.#bodies = new Bodies({
      genesisId: genesis.id,
      pool: this.pool,
      parameters,
      setTimer: scheduler.setTimer,
      sources: (from) => this.#sources(from),
      isArriving: (key) => this.intake.isArriving(key),
      fetch: (member, ids, wanted) => this.#fetchBodies(member, ids, wanted),
      fetchBatch: (member, height, digest) => this.#peers.batch(member, height, digest),
      done: ({ height }, digest, problem) => this.#runner.dispatch({ type: 'bodies', height, digest, problem }),
      batchDone: (batch, digest) => this.#runner.dispatch({ type: 'batch', batch, digest }),
    });
    const { monotonic } = options.now();
    const leader = leaderOf(state);
    for (const entry of this.#bodies.restore(records, this.finalHeight, opened.head.height, leader)) {
      // Executed since in another batch: a proposal of an earlier view may still name it.
      if (!this.#recent.has(entry.key)) this.pool.add(entry, monotonic);
    }
    this.#forwarding = new Forwarding({
      pool: this.pool,
      self,
      broadcast: (frame) => network.broadcast(frame),
      send: (to, frame) => void network.send(to, frame),
      leader: () => leaderOf(this.state),
      stale: (entries) => this.#dropExecuted(entries),
      now: () => options.now().monotonic,
      setTimer: scheduler.setTimer,
      soon: scheduler.soon,
    });
    this.intake = new Intake({
      genesisId: genesis.id,
      parameters,
      application: options.application,
      self,
      pool: this.pool,
      verifyPool: options.verifyPool,
      senders: opened.senders,
      chainNow: () => this.chainNow(),
      now: () => options.now().monotonic,
      body: (key) => this.#bodies.body(key),
      refusal: () => refusalOf(this.state, network.connected().length + 1),
      recentlyExecuted: (key) => this.#recent.has(key),
      executedAmong: (ids) => options.ledger.query('executedAmong', { ids }),
      added: (entries, own) => this.#added(entries, own),
      blame: (member, reason) => this.#blame(member, reason),
    });
  }

  /** How often it caught up, and how often by a snapshot. */
  get catchUps(): CatchUp['counters'] {
    return this.#catchUp.counters;
  }

  get state(): ReplicaState {
    return this.#runner.state;
  }

  /** T1: the chain's time now in ms. */
  chainNow(): number {
    return chainNow(this.state, this.#options.now());
  }

  /** What every new segment of the journal begins with. */
  lastingEntries(): readonly JournalEntry[] {
    return this.#runner.lastingEntries();
  }

  /** C5. */
  signReply(reply: Reply): SignedReply {
    return this.#guard.signReply(reply);
  }

  observe(observer: Observer): void {
    this.#observer = observer;
  }

  /** Begins to speak and to vote. */
  start(): void {
    const { network, doubt, opened, ledger } = this.#options;
    const inbox: InboxContext = {
      messages: this.#context,
      state: () => this.state,
      dispatch: (event) => this.#runner.dispatch(event),
      transactions: (from, packed) => void this.intake.fromPeer(from, packed).catch(this.#options.fatal),
      offer: (from, ids) => this.#peers.onOffer(from, ids),
      blame: (member, reason) => this.#blame(member, reason),
    };
    network.onFrame((from, frame) => takeFrame(from, frame, inbox));
    network.onRequest((from, body) =>
      answerPeer(from, body, {
        ledger,
        body: (key) => this.#bodies.body(key),
        batch: (height, digest) => this.#heldBatch(height, digest),
        shownTo: (member) => shownTo(this.state, member),
      }),
    );
    network.onChannel((member, open) => {
      this.#runner.dispatch({ type: 'channel', member, open });
      if (open) this.#own.ask(member);
    });
    network.onUnreachable((member) => this.#runner.dispatch({ type: 'unreachable', member }));
    if (doubt !== undefined) this.#runner.dispatch({ type: 'doubt', reason: doubt });
    this.#runner.dispatch({ type: 'started', uncertified: opened.uncertified });
    for (const member of network.connected()) this.#runner.dispatch({ type: 'channel', member, open: true });
    this.#announcePool();
    this.#own.askAll();
  }

  close(): void {
    this.#abort.abort();
    this.#runner.close();
    this.#bodies.close();
    this.#forwarding.close();
  }

  #ports(): ConstructorParameters<typeof Runner>[1] {
    const { scheduler } = this.#options;
    const { maxLifetimeMs } = this.#options.genesis.parameters;
    const { journal, network, ledger, log, now, fatal } = this.#options;
    return {
      journal,
      guard: this.#guard,
      now,
      fatal,
      setTimer: scheduler.setTimer,
      broadcast: (message) => network.broadcast(messageFrame(message)),
      send: (to, message) => void network.send(to, messageFrame(message)),
      bodiesOf: (batch, digest) => this.#bodies.packed(batch, digest),
      waiting: () => this.pool.waiting(this.chainNow(), maxLifetimeMs),
      chooseBatch: (height, timestamp) => this.#chooseBatch(height, timestamp),
      requestBodies: (batch, digest, from) => this.#bodies.request(batch, digest, from),
      requestBatch: (height, digest, from) => this.#bodies.requestBatch(height, digest, from),
      accepted: (batch) => this.#accepted(batch),
      entered: (view, leader) => this.#entered(view, leader),
      left: (view, asked, reason) => {
        this.counters.viewChanges++;
        log.info({ view, asked, reason }, 'view left');
      },
      execute: (batch, ordered) => void this.#execute(batch, ordered),
      stable: (certificate) => this.#stable(certificate.checkpoint.height),
      stableDurable: (height) => {
        this.#durable = Math.max(this.#durable, height);
        this.#prune();
      },
      keepCertificate: (certificate) => {
        ledger.storeCertificate(encode(certificateCodec, certificate)).catch(fatal);
        this.#final();
      },
      startSync: (certificate) => void this.#catchUp.run(certificate),
      evidence: (evidence) => {
        // X09: an equivocator must not fill our log.
        if (++this.counters.evidence > EVIDENCE_LOGGED_MAX) return;
        const { kind } = evidence.kind === 'vote' ? evidence.value : evidence;
        log.warn({ member: culpritOf(evidence), kind }, 'two different signed contents for one slot');
      },
      refused: (what, reason) => {
        this.counters.refusedBatches++;
        log.warn({ what, reason }, 'refused');
      },
      doubt: (reason) => {
        log.error({ reason }, 'in doubt: this validator signs nothing any more in this epoch');
        this.#options.journal.doubt(reason).catch(fatal);
      },
      halted: (reason) => {
        log.error({ reason }, 'halted: this node signs nothing any more');
        this.#options.journal.doubt(`${HALTED}${reason}`).catch(fatal);
      },
    };
  }

  /** N13: what waits for long may have been executed before it came here; nobody would ever order it again. */
  #dropExecuted(entries: readonly PoolEntry[]): void {
    this.#executedAmong(entries)
      .then((keys) => this.pool.remove(keys))
      .catch(this.#options.fatal);
  }

  async #executedAmong(entries: readonly PoolEntry[]): Promise<readonly string[]> {
    const ids = new Uint8Array(32 * entries.length);
    for (const [i, { id }] of entries.entries()) ids.set(id, 32 * i);
    const bits = await this.#options.ledger.query('executedAmong', { ids });
    return entries.filter((_, i) => isValid(bits, i)).map(({ key }) => key);
  }

  /** N13: it leaves what is orderable. T7: and shows whether the leader left something out. */
  #accepted(batch: Batch): void {
    if (batch.height <= this.state.executed.height) return;
    const { batchTransactionsMax, batchBytesMax, maxLifetimeMs, inclusionTimeoutMs } = this.#options.genesis.parameters;
    const keys = batch.transactions.map(idKey);
    this.pool.enterBatch(batch.height, keys);
    let bytes = 0;
    for (const key of keys) bytes += this.#bodies.body(key)?.bytes.length ?? 0;
    const full = keys.length >= batchTransactionsMax || bytes + TRANSACTION_BYTES_MAX > batchBytesMax;
    const at = { time: this.chainNow(), monotonic: this.#options.now().monotonic };
    this.pool.judgeInclusion(keys, full, at, { lifetimeMaxMs: maxLifetimeMs, inclusionMs: inclusionTimeoutMs });
  }

  #entered(view: number, leader: number): void {
    this.pool.enterView();
    this.#forwarding.enteredView();
    this.#announcePool();
    if (view > 0) this.#options.log.info({ view, leader }, 'view entered');
  }

  #chooseBatch(height: number, timestamp: number): void {
    const { batchTransactionsMax, batchBytesMax, maxLifetimeMs } = this.#options.genesis.parameters;
    const chosen = this.pool.choose(timestamp, batchTransactionsMax, batchBytesMax, maxLifetimeMs);
    let batch: Batch | undefined;
    if (chosen.length > 0) {
      batch = { height, timestamp, transactions: chosen.map(({ id }) => id) };
      this.#bodies.hold(batch, batchDigest(batch), chosen);
    }
    this.#runner.dispatch({ type: 'batchReady', height, batch, pool: this.#poolView() });
  }

  async #fetchBodies(member: number, ids: readonly Uint8Array[], wanted: Wanted): Promise<string | undefined> {
    const packed = await this.#peers.bodies(member, ids);
    return packed === undefined ? undefined : this.intake.forBatch(member, packed, wanted);
  }

  #heldBatch(height: number, digest: Uint8Array): Batch | undefined {
    const slot = this.state.slots.get(height);
    return slot && batchOf(slot, digest);
  }

  /** S4: the one way into the executor for ordered batches; the ledger executes in the order of calls. */
  async #execute(batch: Batch, ordered: Ordered): Promise<void> {
    const { ledger, journal, fatal } = this.#options;
    try {
      const bodies = this.#bodies.packed(batch, ordered.digest);
      const executed = await ledger.execute(encode(batchCodec, batch), bodies, ordered, journal.mark());
      this.#executed(executed, batch.transactions.map(idKey), ordered);
    } catch (error) {
      fatal(error);
    }
  }

  #executed(executed: Executed, keys: readonly string[], ordered: Ordered | undefined): void {
    const { height, senders } = executed;
    if (senders !== undefined) this.intake.senders.apply(senders);
    let transactions = 0;
    for (const outcome of executed.outcomes) if (outcome !== 2) transactions++;
    for (const key of keys) this.#recent.add(key);
    this.pool.executed(height, keys);
    // Whoever waits hears of execution before finality, which the core may find in the same step.
    this.#observer?.executed(height, keys);
    this.#runner.dispatch({ type: 'executed', head: executed, transactions, ordered });
    this.#final();
    this.#announcePool();
  }

  /** R8: what the snapshot says was executed is pending no more, before anything is taken for expired. */
  async #installed({ head, recentIds, senders }: Installed): Promise<void> {
    this.intake.senders.replace(senders);
    for (const key of idKeys(recentIds.subarray(-32 * RECENT_IDS_MAX))) this.#recent.add(key);
    const keys = await this.#executedAmong([...this.pool.entries()]);
    this.#skipsBlocks = true;
    this.pool.skipTo(head.height, keys);
    this.#observer?.executed(head.height, keys);
    this.#runner.dispatch({ type: 'executed', head, transactions: recentIds.length / 32, ordered: undefined });
    this.#final();
    this.#announcePool();
  }

  #stable(height: number): void {
    this.#guard.forget(height);
    this.#final();
  }

  /** Moves the final height: certified and executed here. C4: what can't execute any more by certified time is expired. */
  #final(): void {
    const { low, executed, stable, certified: height } = this.state;
    if (height <= this.finalHeight) return;
    this.finalHeight = height;
    this.#bodies.stable(height);
    this.#prune();
    this.#observer?.final(height);
    if (stable === undefined || low > executed.height) return;
    const expired = this.pool.expire(stable.checkpoint.timestamp);
    if (expired.length > 0) this.#expired(expired).catch(this.#options.fatal);
  }

  /** C4: a peer may send again what has executed. Where blocks were left out, the ledger is asked whether it would see it. */
  async #expired(entries: readonly PoolEntry[]): Promise<void> {
    const ask = ({ id, validUntil }: PoolEntry) => this.#options.ledger.query('hasExecuted', { id, validUntil });
    const seen = this.#skipsBlocks && (await Promise.all(entries.map(ask)));
    const unseen = entries.filter((_, i) => !seen || seen[i] === false);
    if (unseen.length > 0) this.#observer?.expired(unseen.map(({ key }) => key));
  }

  /** V10: what the journal has is needed until block and certificate above it are durable. */
  #prune(): void {
    this.#options.journal.prune(Math.min(this.#durable, this.finalHeight));
  }

  #sources(first: number): readonly number[] {
    const others = this.#options.network.connected().filter((member) => member !== first);
    return first === this.#options.self ? others : [first, ...others];
  }

  #added(entries: readonly PoolEntry[], own: boolean): void {
    this.#bodies.added(entries);
    if (own) this.#forwarding.added(entries);
    this.#announcePool();
  }

  /** Tells the core once per loop turn what the leader could order. */
  #announcePool(): void {
    if (this.#poolAnnounced) return;
    this.#poolAnnounced = true;
    this.#options.scheduler.soon(() => {
      this.#poolAnnounced = false;
      this.#runner.dispatch({ type: 'pool', view: this.#poolView() });
    });
  }

  #poolView() {
    const { batchTransactionsMax, batchBytesMax } = this.#options.genesis.parameters;
    return this.pool.view(batchTransactionsMax, batchBytesMax);
  }

  #blame(member: number, reason: string): void {
    this.counters.blamed++;
    this.#options.log.debug({ member, reason }, 'refused what a peer sent');
  }
}
