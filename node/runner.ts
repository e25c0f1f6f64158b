import type { Batch } from '../ledger/block.ts';
import type { Certificate } from '../ledger/checkpoint.ts';
import type { SigningGuard } from './guard.ts';
import { LONG_LIVED } from './journal/format.ts';
import type { Effect, Event, JournalRecord, Now, Ordered, PoolWaiting, TimerName } from './pbft/events.ts';
import type { Evidence, Message, Unsigned } from './pbft/messages.ts';
import { encodeRecord, lastingRecords, recordHeight } from './pbft/records.ts';
import { step } from './pbft/replica.ts';
import { maySupport, type ReplicaState } from './pbft/state.ts';
import type { JournalEntry, JournalPort } from './ports.ts';

/** What the core's effects act on besides journal and signer. */
export interface RunnerPorts {
  readonly journal: JournalPort;
  readonly guard: SigningGuard;
  now(): Now;
  setTimer(delayMs: number, run: () => void): () => void;
  /** To all other members. */
  broadcast(message: Message): void;
  send(to: number, message: Message): void;
  /** Packed bodies of a batch, all of which are in the pool. */
  bodiesOf(batch: Batch, digest: Uint8Array): Uint8Array;
  /** T3, T7: asked at every tick. */
  waiting(): PoolWaiting;
  chooseBatch(height: number, timestamp: number): void;
  requestBatch(height: number, digest: Uint8Array, from: number): void;
  accepted(batch: Batch): void;
  entered(view: number, leader: number): void;
  left(view: number, asked: number, reason: string): void;
  requestBodies(batch: Batch, digest: Uint8Array, from: number): void;
  execute(batch: Batch, ordered: Ordered): void;
  stable(certificate: Certificate): void;
  /** R2: the low mark is in the journal up to this height. */
  stableDurable(height: number): void;
  keepCertificate(certificate: Certificate): void;
  startSync(certificate: Certificate): void;
  epochEnded(certificate: Certificate): void;
  evidence(evidence: Evidence): void;
  refused(what: string, reason: string): void;
  /** R6: to be remembered durably. */
  doubt(reason: string): void;
  halted(reason: string): void;
  /** Disk or ledger failed: nothing may be sent any more. */
  fatal(error: unknown): void;
}

/**
 * Feeds events to the core one at a time and carries out its effects. S1: own messages leave only after the group that
 * holds their records is fsynced; all records of one loop turn share that fsync.
 */
export class Runner {
  #state: ReplicaState;
  readonly #ports: RunnerPorts;
  readonly #queue: Event[] = [];
  readonly #timers = new Map<TimerName, () => void>();
  #draining = false;
  #closed = false;

  constructor(state: ReplicaState, ports: RunnerPorts) {
    this.#state = state;
    this.#ports = ports;
  }

  get state(): ReplicaState {
    return this.#state;
  }

  /** E3: goes on in another epoch. What waits is about this one; effects on their way end in nothing. */
  enter(state: ReplicaState): void {
    this.#state = state;
    for (const timer of [...this.#timers.keys()]) this.#stopTimer(timer);
  }

  dispatch(event: Event): void {
    if (this.#closed) return;
    this.#queue.push(event);
    if (this.#draining) return;
    this.#draining = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        for (const effect of step(this.#state, next, this.#ports.now())) this.#carryOut(effect);
      }
    } finally {
      this.#draining = false;
    }
  }

  close(): void {
    this.#closed = true;
    for (const stop of this.#timers.values()) stop();
    this.#timers.clear();
  }

  #carryOut(effect: Effect): void {
    const ports = this.#ports;
    switch (effect.type) {
      case 'persist':
        return this.#persist(effect.records, effect.then);
      case 'send':
        return ports.send(effect.to, effect.message);
      case 'relay':
        return ports.broadcast(effect.message);
      case 'startTimer':
        return this.#startTimer(effect.timer, effect.delayMs);
      case 'stopTimer':
        return this.#stopTimer(effect.timer);
      case 'chooseBatch':
        return ports.chooseBatch(effect.height, effect.timestamp);
      case 'requestBodies':
        return ports.requestBodies(effect.batch, effect.digest, effect.from);
      case 'execute':
        return ports.execute(effect.batch, effect.ordered);
      case 'requestBatch':
        return ports.requestBatch(effect.height, effect.digest, effect.from);
      case 'accepted':
        return ports.accepted(effect.batch);
      case 'entered':
        return ports.entered(effect.view, effect.leader);
      case 'left':
        return ports.left(effect.view, effect.asked, effect.reason);
      case 'stable':
        return ports.stable(effect.certificate);
      case 'keepCertificate':
        return ports.keepCertificate(effect.certificate);
      case 'startSync':
        return ports.startSync(effect.certificate);
      case 'epochEnded':
        return ports.epochEnded(effect.certificate);
      case 'evidence':
        return ports.evidence(effect.evidence);
      case 'refused':
        return ports.refused(effect.what, effect.reason);
      case 'doubt':
        return ports.doubt(effect.reason);
      case 'halt':
        return ports.halted(effect.reason);
    }
  }

  /** S1. Without records (what they rest on is durable already) signing follows at once. */
  #persist(records: readonly JournalRecord[], then: readonly Unsigned[]): void {
    if (records.length === 0) return this.#signAndSend(then);
    const stored = records.map((record) => this.entryOf(record));
    this.#ports.journal.append(stored).then(
      () => {
        for (const record of records)
          if (record.kind === 'stable') this.#ports.stableDurable(record.certificate.checkpoint.height);
        this.#signAndSend(then);
      },
      (error) => this.#ports.fatal(error),
    );
  }

  /** What a new segment of the journal begins with. */
  lastingEntries(): readonly JournalEntry[] {
    return lastingRecords(this.state).map((record) => this.entryOf(record));
  }

  /** A record as the journal keeps it. */
  entryOf(record: JournalRecord): JournalEntry {
    const bodies = record.kind === 'proposal' ? this.#ports.bodiesOf(record.batch, record.vote.digest) : NOTHING;
    return { height: recordHeight(record) ?? LONG_LIVED, bytes: encodeRecord(record, bodies) };
  }

  #signAndSend(unsigned: readonly Unsigned[]): void {
    if (this.#closed) return;
    for (const one of unsigned) {
      if (this.#isPast(one)) continue;
      const message = this.#ports.guard.sign(one);
      this.#ports.broadcast(message);
      this.dispatch({ type: 'signed', message });
    }
  }

  /** While the fsync ran, the height may have become stable or executed, the view old, or this node halted or in doubt. */
  #isPast(unsigned: Unsigned): boolean {
    const { low, asked, mode, config } = this.state;
    if (epochOf(unsigned) !== config.epoch) return true;
    if (unsigned.kind === 'status') return false;
    if (mode === 'halted' || mode === 'doubt') return true;
    switch (unsigned.kind) {
      case 'checkpoint':
        return unsigned.checkpoint.height <= low;
      case 'viewChange':
        return unsigned.body.view < asked;
      case 'newView':
        return unsigned.view < asked;
      default:
        // A vote whose record went ahead of a VIEW-CHANGE's is signed before it (V5): the journal keeps the order. N11: what
        // was executed meanwhile, ordered in another view, is not voted against.
        return unsigned.vote.height <= low || !maySupport(this.state, unsigned.vote);
    }
  }

  #startTimer(timer: TimerName, delayMs: number): void {
    this.#stopTimer(timer);
    const stop = this.#ports.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      this.dispatch(timer === 'tick' ? { type: 'tick', waiting: this.#ports.waiting() } : { type: 'timer', timer });
    });
    this.#timers.set(timer, stop);
  }

  #stopTimer(timer: TimerName): void {
    this.#timers.get(timer)?.();
    this.#timers.delete(timer);
  }
}

/** What is still to be signed may be of an epoch that was left while the fsync ran. */
function epochOf(unsigned: Unsigned): number {
  switch (unsigned.kind) {
    case 'checkpoint':
      return unsigned.checkpoint.epoch;
    case 'viewChange':
    case 'status':
      return unsigned.body.epoch;
    case 'newView':
      return unsigned.epoch;
    default:
      return unsigned.vote.epoch;
  }
}

const NOTHING = new Uint8Array(0);
