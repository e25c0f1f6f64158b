import assert from 'node:assert/strict';
import { type Batch, batchDigest, blockHash, blockTime, genesisHeader, transactionsRoot } from '../../ledger/block.ts';
import { certificateCodec, verifyCertificate } from '../../ledger/checkpoint.ts';
import { decode, encode } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { defaultParameters, type Parameters } from '../../ledger/parameters.ts';
import { type Validator, type ValidatorSet, validatorsHash } from '../../ledger/validators.ts';
import { SigningGuard } from '../../node/guard.ts';
import type {
  Effect,
  Event,
  Head,
  Now,
  Ordered,
  PoolWaiting,
  TimerName,
  UncertifiedHead,
} from '../../node/pbft/events.ts';
import { type Message, messageCodec, type Unsigned } from '../../node/pbft/messages.ts';
import { decodeRecord, encodeRecord, type StoredRecord } from '../../node/pbft/records.ts';
import { step } from '../../node/pbft/replica.ts';
import { restoreState } from '../../node/pbft/restore.ts';
import { batchOf, type ReplicaConfig, type ReplicaState } from '../../node/pbft/state.ts';
import { verifyMessage } from '../../node/pbft/verify.ts';
import { shownTo } from '../../node/pbft/witness.ts';
import { chooseSignatures, createSigner, type Signer } from '../../node/signatures.ts';

const { verify } = chooseSignatures();

/** One member of a cluster in memory: the production core, a journal that is an array, an executor that is a hash. */
export interface Member {
  readonly index: number;
  readonly signer: Signer;
  state: ReplicaState;
  guard: SigningGuard;
  up: boolean;
  /** Survives a crash. */
  readonly disk: {
    records: Uint8Array[];
    heads: UncertifiedHead[];
    certificate: Uint8Array | undefined;
    doubt: string | undefined;
  };
  readonly timers: Map<TimerName, number>;
  readonly effects: Effect[];
}

export interface Sent {
  readonly from: number;
  readonly to: number;
  readonly message: Message;
  /** R4: because a STATUS showed that it lacks there. */
  readonly again?: boolean;
}

/** Sees everything that happens to the members, in order. */
export interface Watch {
  before(member: Member, event: Event): void;
  /** `step` has returned; none of its effects is carried out yet. */
  stepped(member: Member, event: Event, effects: readonly Effect[]): void;
}

/**
 * A cluster for tests of the core: messages wait in `wire` until `deliver` takes them, persist effects are durable at
 * once. No time passes unless `clock` is moved.
 */
export class Cluster {
  readonly genesisId = sha256(Uint8Array.of(1, 2, 3));
  readonly members: Member[];
  readonly wire: Sent[] = [];
  readonly clock = { wall: 1_000_000, monotonic: 0 };
  readonly validators: Validator[];
  readonly parameters: Parameters;
  /** Messages for which this is false are lost. */
  passes: (sent: Sent) => boolean = () => true;
  /** Whether one member reaches another, when it asks what was seen of it (R6). */
  reaches: (from: number, to: number) => boolean = () => true;
  watch: Watch | undefined;
  /** Batches of transactions that a member could order (N13); undefined: the common `pool`, each batch taken once. */
  pendingOf: ((index: number) => readonly Uint8Array[][]) | undefined;
  /** What is wrong with the bodies of a batch (N4). */
  bodiesProblem: (batch: Batch) => string | undefined = () => undefined;
  /** N12: whether a batch may end the epoch. */
  governs: (batch: Batch) => boolean = () => false;
  /** E2: whether executing a batch ends the epoch. */
  ends: (batch: Batch) => boolean = () => false;
  /** R8: catch-up is by a snapshot of the newest certified block. */
  jumps = false;

  constructor(n: number, parameters: Partial<Parameters> = {}) {
    this.parameters = { ...defaultParameters, ...parameters };
    const signers = Array.from({ length: n }, (_, i) => createSigner(sha256(Uint8Array.of(i))));
    this.validators = signers.map(({ publicKey }, i) => ({
      name: `v${i}`,
      organisation: `org${i}`,
      key: publicKey,
      peerKey: sha256(publicKey),
    }));
    this.members = signers.map((signer, index) => {
      const head = { ...genesisHead(this.genesisId, this.validators), ordered: undefined };
      const disk = { records: [], heads: [head], certificate: undefined, doubt: undefined };
      const member = { index, signer, up: false, disk, timers: new Map(), effects: [] } as unknown as Member;
      this.#boot(member);
      return member;
    });
    for (const member of this.members) this.start(member.index);
  }

  now(): Now {
    return { ...this.clock };
  }

  /** Feeds one event and carries out its effects. */
  feed(index: number, event: Event): Effect[] {
    const member = this.members[index]!;
    this.watch?.before(member, event);
    const effects = step(member.state, event, this.now());
    this.watch?.stepped(member, event, effects);
    for (const effect of effects) {
      member.effects.push(effect);
      this.#carryOut(member, effect, event);
    }
    return effects;
  }

  /** Puts a message on the wire as if `from` had sent it. */
  inject(from: number, to: number, message: Message): void {
    this.wire.push({ from, to, message });
  }

  /** Delivers until nothing waits; `pick` chooses the next one (default: in order). */
  deliver(pick: (count: number) => number = () => 0): void {
    for (let rounds = 0; this.wire.length > 0; rounds++) {
      assert(rounds < 200_000, 'messages never end');
      const [sent] = this.wire.splice(pick(this.wire.length), 1);
      this.deliverOne(sent!);
    }
  }

  deliverOne(sent: Sent): void {
    const member = this.members[sent.to]!;
    if (!member.up || !this.passes(sent)) return;
    const { window } = this.parameters;
    const context = { genesisId: this.genesisId, epoch: 0, validators: this.validators, verify, beginning: 0, window };
    const judged = verifyMessage(sent.message, context);
    if (judged.ok) this.feed(sent.to, { type: 'message', message: judged.message });
    else if (judged.reject.code === 'misconduct' && sent.message.kind === 'newView') {
      this.feed(sent.to, { type: 'misconduct', message: sent.message, detail: judged.reject.detail });
    }
  }

  /** Moves both clocks and fires the timers that are due. */
  advance(ms: number): void {
    this.clock.wall += ms;
    this.clock.monotonic += ms;
    for (const member of this.members) {
      for (const [timer, due] of [...member.timers]) {
        if (due > this.clock.monotonic || !member.up) continue;
        member.timers.delete(timer);
        this.feed(
          member.index,
          timer === 'tick' ? { type: 'tick', waiting: this.#waiting(member.index) } : { type: 'timer', timer },
        );
      }
    }
  }

  /** The leader is told of a batch that could be ordered; `chooseBatch` will give it. */
  order(...names: readonly string[]): void {
    if (names.length > 0) this.pool.push(names.map((name) => sha256(new TextEncoder().encode(name))));
    for (const { index, up } of this.members) if (up) this.feed(index, { type: 'pool', view: this.#poolView(index) });
  }

  readonly pool: Uint8Array[][] = [];
  /** Transactions that the pool counts and never gives, being too late for any batch. */
  unorderable = 0;

  crash(index: number): void {
    this.members[index]!.up = false;
    this.members[index]!.timers.clear();
  }

  /** Boots from disk: memory is gone, the guard too. */
  restart(index: number): void {
    this.#boot(this.members[index]!);
    this.start(index);
  }

  start(index: number): void {
    const member = this.members[index]!;
    member.up = true;
    const { doubt } = member.disk;
    if (doubt !== undefined) this.feed(index, { type: 'doubt', reason: doubt });
    const certified = member.state.low;
    const uncertified = member.disk.heads.filter(({ height }) => height > certified);
    this.feed(index, { type: 'started', uncertified });
    for (const other of this.members) {
      if (other.index === index || !other.up) continue;
      this.feed(index, { type: 'channel', member: other.index, open: true });
      this.feed(other.index, { type: 'channel', member: index, open: true });
    }
    this.askForOwn();
  }

  /** R6: whoever is starting asks everybody that is up and reached. */
  askForOwn(): void {
    for (const asking of this.members) {
      for (const asked of this.members) {
        if (asking === asked || !asking.up || !asked.up || asking.state.mode !== 'starting') continue;
        if (!this.reaches(asking.index, asked.index) || asking.state.answered.has(asked.index)) continue;
        this.feed(asking.index, { type: 'shown', from: asked.index, shown: shownTo(asked.state, asking.index) });
      }
    }
  }

  /** All heads a member has on disk, by height. */
  chain(index: number): readonly Head[] {
    return this.members[index]!.disk.heads;
  }

  #boot(member: Member): void {
    const { disk, index } = member;
    const config: ReplicaConfig = {
      genesisId: this.genesisId,
      epoch: 0,
      firstHeight: 1,
      validators: this.validators,
      self: index,
      parameters: this.parameters,
      statusIntervalMs: 500,
      catchUpDelayMs: 100,
    };
    const stable = disk.certificate === undefined ? undefined : decode(certificateCodec, disk.certificate);
    const records: StoredRecord[] = disk.records.map(decodeRecord);
    member.guard = new SigningGuard(this.genesisId, { epoch: 0, signer: member.signer, self: index });
    member.guard.forget(stable?.checkpoint.height ?? 0);
    member.state = restoreState(config, { head: disk.heads.at(-1)!, stable, records }, this.now());
  }

  #carryOut(member: Member, effect: Effect, event: Event): void {
    const { disk, index } = member;
    switch (effect.type) {
      case 'persist':
        for (const record of effect.records) disk.records.push(encodeRecord(record, new Uint8Array(0)));
        for (const unsigned of effect.then) this.#sign(member, unsigned);
        return;
      case 'send':
        this.wire.push({ from: index, to: effect.to, message: effect.message, again: isStatus(event) });
        return;
      case 'relay':
        for (const other of this.members) if (other !== member) this.inject(index, other.index, effect.message);
        return;
      case 'startTimer':
        member.timers.set(effect.timer, this.clock.monotonic + effect.delayMs);
        return;
      case 'stopTimer':
        member.timers.delete(effect.timer);
        return;
      case 'chooseBatch': {
        const transactions = this.pendingOf === undefined ? this.pool.shift() : this.pendingOf(index)[0];
        const batch = transactions && { height: effect.height, timestamp: effect.timestamp, transactions };
        const pool = this.#poolView(index, batch);
        this.feed(index, {
          type: 'batchReady',
          height: effect.height,
          batch,
          pool,
          governs: batch !== undefined && this.governs(batch),
        });
        return;
      }
      case 'requestBodies':
        this.feed(index, {
          type: 'bodies',
          height: effect.batch.height,
          digest: effect.digest,
          problem: this.bodiesProblem(effect.batch),
          governs: this.governs(effect.batch),
        });
        return;
      case 'execute':
        return this.#execute(member, effect.batch, effect.ordered);
      case 'startSync':
        return this.#sync(member, effect.certificate.checkpoint.height);
      case 'keepCertificate': {
        const trust = { genesisId: this.genesisId, epoch: 0, validators: this.validators };
        assert(verifyCertificate(effect.certificate, trust, verify).ok, 'a stable checkpoint has a valid certificate');
        disk.certificate = encode(certificateCodec, effect.certificate);
        return;
      }
      case 'stable':
        member.guard.forget(effect.certificate.checkpoint.height);
        return;
      case 'requestBatch': {
        const batch = this.#findBatch(index, effect.height, effect.digest);
        if (batch !== undefined) this.feed(index, { type: 'batch', batch, digest: effect.digest });
        return;
      }
      case 'doubt':
        disk.doubt = effect.reason;
        return;
      case 'epochEnded':
      case 'evidence':
      case 'refused':
      case 'accepted':
      case 'entered':
      case 'left':
      case 'halt':
        return;
    }
  }

  #sign(member: Member, unsigned: Unsigned): void {
    const message = member.guard.sign(unsigned);
    // Through bytes, as over a network.
    encode(messageCodec, message);
    for (const other of this.members) if (other.index !== member.index) this.inject(member.index, other.index, message);
    this.feed(member.index, { type: 'signed', message });
  }

  #execute(member: Member, batch: Batch, ordered: Ordered): void {
    const parent = member.disk.heads.at(-1)!;
    // E2: the block below has ended the epoch.
    if (parent.nextEpoch > ordered.epoch) return;
    assert.equal(batch.height, parent.height + 1, 'heights execute in order, once');
    const made = executeBatch(parent, batch);
    const head = this.ends(batch) ? { ...made, nextEpoch: made.nextEpoch + 1 } : made;
    member.disk.heads.push({ ...head, ordered });
    this.feed(member.index, { type: 'executed', head, transactions: batch.transactions.length, ordered });
  }

  /** Blocks of any member that has them, as the real catch-up would deliver them. */
  #sync(member: Member, target: number): void {
    const { height } = member.disk.heads.at(-1)!;
    const source = this.members.find(
      ({ index, up, disk }) => up && disk.heads.at(-1)!.height >= target && this.reaches(member.index, index),
    );
    const blocks = source?.disk.heads.filter((head) => head.height > height && head.height <= target) ?? [];
    for (const head of this.jumps ? blocks.slice(-1) : blocks) {
      member.disk.heads.push({ ...head, ordered: undefined });
      this.feed(member.index, { type: 'executed', head, transactions: 1, ordered: undefined });
    }
    this.feed(member.index, { type: 'syncEnded' });
  }

  #findBatch(asking: number, height: number, digest: Uint8Array): Batch | undefined {
    for (const { index, up, state } of this.members) {
      const slot = up && this.reaches(asking, index) ? state.slots.get(height) : undefined;
      const batch = slot && batchOf(slot, digest);
      if (batch !== undefined) return batch;
    }
    return undefined;
  }

  /** Whatever is in the pool was handed to the leader. */
  #waiting(index: number): PoolWaiting {
    return { handed: (this.pendingOf?.(index) ?? this.pool).length > 0, overdue: false };
  }

  /** `taken` is about to be proposed. */
  #poolView(index: number, taken?: Batch) {
    const pending = this.pendingOf?.(index).length;
    const orderable = pending === undefined ? this.pool.length + this.unorderable : pending - (taken ? 1 : 0);
    return { orderable, full: orderable > 0 };
  }
}

export function isStatus(event: Event): boolean {
  return event.type === 'message' && event.message.kind === 'status';
}

export function genesisHead(genesisId: Uint8Array, validators: ValidatorSet): Head {
  const header = genesisHeader(genesisId, 999_000);
  return {
    height: 0,
    blockHash: blockHash(header),
    stateRoot: genesisId,
    historyRoot: genesisId,
    timestamp: header.timestamp,
    nextEpoch: 0,
    nextValidatorsHash: validatorsHash(validators),
  };
}

/** A state machine that remembers only what it executed. */
export function executeBatch(parent: Head, batch: Batch): Head {
  const timestamp = blockTime(batch, parent.timestamp);
  const hash = blockHash({
    height: batch.height,
    parent: parent.blockHash,
    timestamp,
    transactionsRoot: transactionsRoot(batch.transactions),
    receiptsRoot: batchDigest(batch),
    count: batch.transactions.length,
  });
  const stateRoot = sha256(new Uint8Array([...parent.stateRoot, ...hash]));
  const { nextEpoch, nextValidatorsHash } = parent;
  const historyRoot = sha256(stateRoot);
  return { height: batch.height, blockHash: hash, stateRoot, historyRoot, timestamp, nextEpoch, nextValidatorsHash };
}
