import { equalBytes } from '../ledger/bytes.ts';
import { type Certificate, certificateCodec } from '../ledger/checkpoint.ts';
import { decode, encode } from '../ledger/codec.ts';
import { parametersProblem } from '../ledger/parameters.ts';
import type { SignedReady } from '../ledger/ready.ts';
import { verifyRecovery } from '../ledger/recovery.ts';
import type { Reply, SignedReply } from '../ledger/reply.ts';
import { decodeTransaction } from '../ledger/transaction.ts';
import { Bodies } from './bodies.ts';
import { CatchUp } from './catch-up.ts';
import { type Checks, configOf, contextOf, indexIn, renewed, signingIn, startingEpoch } from './epochs.ts';
import { Execution } from './execution.ts';
import { FollowEpochs } from './follow-epochs.ts';
import { Forwarding } from './forwarding.ts';
import { type Signing, SigningGuard } from './guard.ts';
import { idKeys } from './id-key.ts';
import { type InboxContext, takeFrame } from './inbox.ts';
import { Intake, type Wanted } from './intake.ts';
import {
  EVIDENCE_LOGGED_MAX,
  POOL_BYTES_MAX,
  POOL_TRANSACTIONS_MAX,
  RECENT_IDS_MAX,
  SNAPSHOT_BLOCKS_MIN,
} from './limits.ts';
import { Mempool } from './mempool.ts';
import { Ordering } from './ordering.ts';
import { OwnSignatures } from './own-signatures.ts';
import type { Event, Now, UncertifiedHead } from './pbft/events.ts';
import { allEvidence, culpritOf } from './pbft/evidence.ts';
import { HALTED, hasHalted } from './pbft/halt.ts';
import { decodeRecord } from './pbft/records.ts';
import { restoreState } from './pbft/restore.ts';
import { chainNow, heldBatch, leaderOf, type ReplicaState } from './pbft/state.ts';
import { isHeard } from './pbft/status.ts';
import { isHeld } from './pbft/useful.ts';
import type { MessageContext } from './pbft/verify.ts';
import { PeerClient } from './peer-client.ts';
import { answerPeer } from './peer-server.ts';
import { PeerSets } from './peer-sets.ts';
import { NO_MEMBER, type PoolEntry, staticProblem } from './pool-entry.ts';
import type { Head, Installed, JournalEntry, Membership } from './ports.ts';
import { signReady } from './ready.ts';
import { RecentIds } from './recent-ids.ts';
import { refusalOf } from './refusal.ts';
import { Runner } from './runner.ts';
import { onceOnly } from './scheduler.ts';
import type { Observer, ValidatorOptions } from './validator-options.ts';
import { messageFrame } from './wire.ts';

/**
 * One node of the chain, a validator wherever the set names it: the runner's effects on one side, network, ledger and pool on
 * the other. It decides nothing about the protocol; what it does follows from effects of the core or from bytes that
 * passed their checks.
 */
export class Validator {
  readonly #options: ValidatorOptions;
  readonly #runner: Runner;
  readonly #bodies: Bodies;
  readonly #forwarding: Forwarding;
  readonly #ordering: Ordering;
  readonly #execution: Execution;
  readonly #peers: PeerClient;
  readonly #own: OwnSignatures;
  readonly #follow: FollowEpochs;
  readonly #catchUp: CatchUp;
  readonly #guard: SigningGuard;
  readonly #recent = new RecentIds(RECENT_IDS_MAX);
  readonly #abort = new AbortController();
  readonly pool: Mempool;
  readonly intake: Intake;
  readonly counters = { blamed: 0, evidence: 0, refusedBatches: 0, viewChanges: 0, epochs: 0 };
  readonly #peerSets: PeerSets;
  /** Of every message, in whatever epoch. */
  readonly #checks: Checks;
  #context: MessageContext;
  #signing: Signing;
  /** E3: an epoch is being entered. */
  #entering = false;
  #observer: Observer | undefined;

  constructor(options: ValidatorOptions) {
    const scheduler = onceOnly(options.scheduler);
    this.#options = { ...options, scheduler };
    const { genesis, opened, application, network, log, fatal } = options;
    const epoch = startingEpoch(opened);
    const signing = signingIn(epoch, options.peerKey, options.signers);
    this.#checks = {
      genesisId: genesis.id,
      verify: options.verify,
      isVerified: (viewChange) => isHeld(this.state, viewChange),
    };
    this.#context = contextOf(epoch, this.#checks);
    const limits = { transactionsMax: POOL_TRANSACTIONS_MAX, bytesMax: POOL_BYTES_MAX };
    this.pool = new Mempool(limits, epoch.validators.length);
    for (const key of idKeys(opened.recentIds.subarray(-32 * RECENT_IDS_MAX))) this.#recent.add(key);
    const stable = opened.certificate === undefined ? undefined : decode(certificateCodec, opened.certificate);
    const finalHeight = stable?.checkpoint.height ?? 0;
    const records = options.records.map(decodeRecord);
    this.#signing = signing;
    this.#guard = new SigningGuard(genesis.id, signing);
    this.#guard.forget(finalHeight);
    const common = {
      network,
      log,
      scheduler,
      signal: this.#abort.signal,
      messages: () => this.#context,
      state: () => this.state,
      parameters: () => this.state.config.parameters,
      self: () => this.state.config.self ?? NO_MEMBER,
      chainNow: () => this.chainNow(),
      monotonic: () => options.now().monotonic,
      dispatch: (event: Event) => this.#runner.dispatch(event),
      blame: (member: number, reason: string) => this.#blame(member, reason),
      fatal,
    };
    const isFresh = finalHeight < epoch.firstHeight;
    this.#peerSets = new PeerSets({ ...options, ...common }, opened.membership, isFresh);
    this.#peers = new PeerClient({
      ...common,
      isKnown: (key) => this.#bodies.body(key) !== undefined || this.#recent.has(key) || this.intake.isArriving(key),
      take: (member, packed) => this.intake.fromPeer(member, packed),
    });
    this.#follow = new FollowEpochs({
      ...common,
      peers: this.#peers,
      ledger: options.ledger,
      now: () => options.now(),
      previous: () => this.#peerSets.previous(),
      recoveryRule: { percent: genesis.recovery, accepted: options.acceptRecovery ?? [], judge: verifyRecovery },
    });
    this.#own = new OwnSignatures({
      ...common,
      peers: this.#peers,
      certified: (certificate) => this.#follow.take(certificate),
    });
    this.#catchUp = new CatchUp({
      ...options,
      ...common,
      genesisId: genesis.id,
      follow: this.#follow,
      now: common.monotonic,
      snapshotBlocks: options.snapshotBlocks ?? SNAPSHOT_BLOCKS_MIN,
      body: (key) => this.#bodies.body(key),
      executed: (executed, keys) => this.#execution.executed(executed, keys, undefined),
      installed: (installed) => this.#installed(installed),
    });
    const restored = { head: opened.head, stable, records };
    const state = restoreState(configOf(epoch, signing.self, genesis.id), restored, options.now());
    this.#runner = new Runner(state, this.#ports());
    this.#bodies = new Bodies({
      ...common,
      genesisId: genesis.id,
      application,
      pool: this.pool,
      setTimer: scheduler.setTimer,
      sources: (from) => this.#sources(from),
      isArriving: (key) => this.intake.isArriving(key),
      fetch: (member, ids, wanted) => this.#fetchBodies(member, ids, wanted),
      fetchBatch: (member, height, digest) => this.#peers.batch(member, height, digest),
      done: ({ height }, digest, problem, governs) =>
        this.#runner.dispatch({ type: 'bodies', height, digest, problem, governs }),
      batchDone: (batch, digest) => this.#runner.dispatch({ type: 'batch', batch, digest }),
    });
    const { monotonic } = options.now();
    const origin = this.pool.originOf(leaderOf(state));
    for (const entry of this.#bodies.restore(records, finalHeight, opened.head.height, origin)) {
      // Executed since in another batch: a proposal of an earlier view may still name it.
      if (!this.#recent.has(entry.key)) this.pool.add(entry, monotonic);
    }
    this.#forwarding = new Forwarding({
      ...common,
      pool: this.pool,
      broadcast: (frame) => network.broadcast(frame),
      submit: (packed, members) => this.#peers.submit(packed, members),
      enough: () => this.state.faults + 1,
      send: (to, frame) => void network.send(to, frame),
      leader: () => leaderOf(this.state),
      stale: (entries) => this.#ordering.dropExecuted(entries),
      now: common.monotonic,
      setTimer: scheduler.setTimer,
      soon: scheduler.soon,
    });
    this.#ordering = new Ordering({
      ...common,
      pool: this.pool,
      bodies: this.#bodies,
      forwarding: this.#forwarding,
      ledger: options.ledger,
      now: common.monotonic,
      soon: scheduler.soon,
      areHeard: (candidates) => candidates.every((peerKey) => isHeard(this.state, peerKey, options.now())),
    });
    this.intake = new Intake({
      ...common,
      genesisId: genesis.id,
      application,
      pool: this.pool,
      verifyPool: options.verifyPool,
      pendingLog: options.pendingLog,
      senders: opened.senders,
      now: common.monotonic,
      executedTime: () => this.state.executed.timestamp,
      body: (key) => this.#bodies.body(key),
      refusal: () => refusalOf(this.state, network.connected().length + 1),
      recentlyExecuted: (key) => this.#recent.has(key),
      executedAmong: (ids) => options.ledger.query('executedAmong', { ids }),
      added: (entries, own) => this.#added(entries, own),
    });
    this.#execution = new Execution({
      ...common,
      ledger: options.ledger,
      journal: options.journal,
      pool: this.pool,
      bodies: this.#bodies,
      ordering: this.#ordering,
      intake: this.intake,
      guard: this.#guard,
      recent: this.#recent,
      skipsBlocks: opened.base > 0,
      finalHeight,
      observer: () => this.#observer,
      blockExecuted: (executed) => void this.#peerSets.executed(executed).catch(fatal),
      final: (height) => this.#peerSets.final(height),
    });
    this.#refit((index) => index);
  }

  /** How often it caught up, and how often by a snapshot. */
  get catchUps(): CatchUp['counters'] {
    return this.#catchUp.counters;
  }

  get executed(): Execution['counters'] {
    return this.#execution.counters;
  }

  /** Newest height that is executed and certified here. */
  get finalHeight(): number {
    return this.#execution.finalHeight;
  }

  get state(): ReplicaState {
    return this.#runner.state;
  }

  /** T1: the chain's time now in ms. */
  chainNow(): number {
    return chainNow(this.state, this.now());
  }

  now(): Now {
    return this.#options.now();
  }

  /** What every new segment of the journal begins with. */
  lastingEntries(): readonly JournalEntry[] {
    return this.#runner.lastingEntries();
  }

  /** C5. */
  signReply(reply: Reply): SignedReply {
    return this.#guard.signReply(reply);
  }

  /** R9: without a vote it has asked, and executed what there is. */
  get isCurrent(): boolean {
    return this.#follow.isCurrent;
  }

  /** E5. */
  signReady(): SignedReady | string {
    return signReady(this.state, this.#options.peerKey, this.#options.signers, this.#follow.isCurrent);
  }

  observe(observer: Observer): void {
    this.#observer = observer;
  }

  /** Begins to speak and to vote. */
  start(): void {
    const { network, doubt, opened, ledger, fatal } = this.#options;
    const inbox: InboxContext = {
      messages: () => this.#context,
      state: () => this.state,
      dispatch: (event) => this.#runner.dispatch(event),
      transactions: (from, packed) => void this.intake.fromPeer(from, packed).catch(fatal),
      offer: (from, ids) => this.#peers.onOffer(from, ids),
      blame: (member, reason) => this.#blame(member, reason),
      otherEpoch: (from, epoch, message) => this.#follow.otherEpoch(from, epoch, message),
    };
    const answer = (body: Uint8Array): Promise<Uint8Array> =>
      answerPeer(body, {
        ledger,
        body: (key) => this.#bodies.body(key),
        batch: (height, digest) => heldBatch(this.state, height, digest),
        state: () => this.state,
        submitted: (transactions) => void this.intake.fromClient(transactions, true).catch(fatal),
      });
    network.onFrame((from, frame) => takeFrame(from, frame, inbox));
    network.onRequest((_from, body) => answer(body));
    network.onGuestRequest((_peerKey, body) => answer(body));
    network.onChannel((member, open) => {
      this.#runner.dispatch({ type: 'channel', member, open });
      if (open) this.#own.ask(member);
    });
    network.onGuestChannel((peerKey, open) => this.#runner.dispatch({ type: 'guest', peerKey, open }));
    network.onUnreachable((member) => this.#runner.dispatch({ type: 'unreachable', member }));
    if (doubt !== undefined) this.#runner.dispatch({ type: 'doubt', reason: doubt });
    this.#begin(opened.uncertified);
    this.#follow.start();
  }

  /** What a node does that begins, or begins anew in another epoch. */
  #begin(uncertified: readonly UncertifiedHead[]): void {
    const { network } = this.#options;
    this.#peerSets.update();
    this.#runner.dispatch({ type: 'started', uncertified });
    for (const member of network.connected()) this.#runner.dispatch({ type: 'channel', member, open: true });
    for (const { peerKey, connected } of network.guests())
      if (connected) this.#runner.dispatch({ type: 'guest', peerKey, open: true });
    this.#ordering.announce();
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
      waiting: () => this.#ordering.waiting(),
      chooseBatch: (height, timestamp) => this.#ordering.choose(height, timestamp),
      requestBodies: (batch, digest, from) => this.#bodies.request(batch, digest, from),
      requestBatch: (height, digest, from) => this.#bodies.requestBatch(height, digest, from),
      accepted: (batch) => {
        if (batch.height > this.state.executed.height) this.#ordering.accepted(batch);
      },
      entered: (view, leader) => {
        this.#ordering.entered();
        if (view === 0) return;
        log.info({ view, leader }, 'view entered');
        this.#observer?.viewEntered?.(this.state.config.epoch, view, leader);
      },
      left: (view, asked, reason) => {
        this.counters.viewChanges++;
        log.info({ view, asked, reason }, 'view left');
      },
      execute: (batch, ordered) => void this.#execution.execute(batch, ordered),
      stable: (certificate) => this.#execution.stable(certificate.checkpoint.height),
      stableDurable: (height) => this.#execution.stableDurable(height),
      keepCertificate: (certificate) => {
        ledger.storeCertificate(encode(certificateCodec, certificate)).catch(fatal);
        this.#execution.final();
      },
      startSync: (certificate) => void this.#catchUp.run(certificate),
      epochEnded: (certificate) => this.#epochEnded(certificate),
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
        const through = reason.startsWith(HALTED) ? 'for ever' : this.state.config.epoch;
        journal.doubt(reason, through).catch(fatal);
      },
      halted: (reason) => {
        log.error({ reason }, 'halted: this node signs nothing any more');
        journal.doubt(`${HALTED}${reason}`, 'for ever').catch(fatal);
      },
    };
  }

  async #fetchBodies(member: number, ids: readonly Uint8Array[], wanted: Wanted): Promise<string | undefined> {
    const packed = await this.#peers.bodies(member, ids);
    return packed === undefined ? undefined : this.intake.forBatch(member, packed, wanted);
  }

  #sources(first: number): readonly number[] {
    const others = this.#options.network.connected().filter((member) => member !== first);
    return first === this.state.config.self ? others : [first, ...others];
  }

  #added(entries: readonly PoolEntry[], own: boolean): void {
    this.#bodies.added(entries);
    if (own) this.#forwarding.added(entries);
    this.#ordering.announce();
  }

  async #installed(installed: Installed): Promise<void> {
    await this.#execution.installed(installed);
    const { head, recentIds, membership } = installed;
    const certificate = decode(certificateCodec, installed.certificate);
    if (certificate.checkpoint.epoch === this.state.config.epoch) {
      this.#peerSets.replace(membership);
      this.#runner.dispatch({ type: 'executed', head, transactions: recentIds.length / 32, ordered: undefined });
    } else {
      // E7: hand-offs have led here; the blocks of the epochs between were never executed.
      await this.#enter(membership, head, certificate);
    }
    this.#execution.final();
    this.#ordering.announce();
  }

  /** E3: the last block of the epoch is executed and stable here. */
  #epochEnded(certificate: Certificate): void {
    if (this.#entering) return;
    this.#entering = true;
    this.#enterNext(certificate)
      .catch((error: unknown) => {
        if (!this.#abort.signal.aborted) this.#options.fatal(error);
      })
      .finally(() => {
        this.#entering = false;
      });
  }

  async #enterNext(certificate: Certificate): Promise<void> {
    const { ledger } = this.#options;
    // R2: what the next epoch rests on is durable, and the set that comes next is as executed.
    await ledger.storeCertificate(encode(certificateCodec, certificate));
    await this.#enter(await ledger.query('membership', {}), this.state.executed, certificate);
  }

  /** E3: `head` is the block below the epoch's first, or one in it that a snapshot led to. */
  async #enter(membership: Membership, head: Head, certificate: Certificate): Promise<void> {
    const { current: epoch } = membership;
    const { log, now, journal, peerKey, signers, application, genesis } = this.#options;
    const { number, parameters } = epoch;
    const problem = parametersProblem(parameters) ?? application.versionProblem(parameters);
    if (problem !== undefined) throw new Error(`epoch ${number} can't be entered: ${problem}`);
    const signing = signingIn(epoch, peerKey, signers);
    // C3: whose own state was wrong is in doubt for ever.
    let doubt = hasHalted(this.state) ? this.state.reason : undefined;
    if (signing.signer !== undefined && doubt === undefined) {
      const validatorKey = signing.signer.publicKey;
      const isOther = this.#signing.signer === undefined || !equalBytes(this.#signing.signer.publicKey, validatorKey);
      // R6: a journal that was in doubt, or that is another key's, begins anew.
      if (isOther || this.state.mode === 'doubt') doubt = await renewed(journal, { epoch: number, validatorKey });
      const entered = { kind: 'entered', epoch: number } as const;
      const stable = { kind: 'stable', certificate, executed: head.height } as const;
      if (doubt === undefined) await journal.append([entered, stable].map((record) => this.#runner.entryOf(record)));
    }
    // A snapshot may have led further meanwhile.
    if (this.#abort.signal.aborted || number <= this.state.config.epoch) return;
    const before = this.state;
    const config = configOf(epoch, signing.self, genesis.id);
    this.#peerSets.enter(membership, head.height < epoch.firstHeight);
    this.#context = contextOf(epoch, this.#checks);
    this.#guard.enter(signing);
    this.#signing = signing;
    this.#guard.forget(head.height);
    this.#runner.enter(restoreState(config, { head, stable: certificate, records: allEvidence(before) }, now()));
    this.#bodies.dropAbove(head.height);
    this.#refit((index) => indexIn(epoch.validators, before.config.validators[index]));
    this.counters.epochs++;
    if (doubt !== undefined) this.#runner.dispatch({ type: 'doubt', reason: doubt });
    log.info({ epoch: number, height: head.height, index: signing.self }, 'epoch entered');
    this.#begin([]);
    this.#follow.entered();
    this.#forwarding.enteredEpoch();
    this.#execution.final();
  }

  /** N4: what waits is judged by the parameters of the epoch; T9: and shared out among its members. */
  #refit(indexOf: (index: number) => number): void {
    const { application, genesis } = this.#options;
    const { parameters, validators } = this.state.config;
    this.pool.enterEpoch(validators.length, indexOf, ({ bytes }) => {
      const decoded = decodeTransaction(genesis.id, bytes);
      return decoded.ok && staticProblem(decoded.value, application, parameters) === undefined;
    });
  }

  #blame(member: number, reason: string): void {
    this.counters.blamed++;
    this.#options.log.debug({ member, reason }, 'refused what a peer sent');
  }
}
