import type { Batch } from '../ledger/block.ts';
import type { Certificate } from '../ledger/checkpoint.ts';
import type { SigningGuard } from './guard.ts';
import type { Effect, Event, Evidence, JournalRecord, Now, TimerName } from './pbft/events.ts';
import { type Message, signedMessage, type Unsigned } from './pbft/messages.ts';
import { encodeRecord, recordHeight } from './pbft/records.ts';
import { step } from './pbft/replica.ts';
import type { ReplicaState } from './pbft/state.ts';
import type { JournalPort } from './ports.ts';

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
  chooseBatch(height: number, timestamp: number): void;
  requestBodies(batch: Batch, digest: Uint8Array, from: number): void;
  execute(batch: Batch, digest: Uint8Array): void;
  stable(certificate: Certificate): void;
  keepCertificate(certificate: Certificate): void;
  startSync(certificate: Certificate): void;
  evidence(evidence: Evidence): void;
  refused(what: string, reason: string): void;
  halted(reason: string): void;
  /** Disk or ledger failed: nothing may be sent any more. */
  fatal(error: unknown): void;
}

/**
 * Feeds events to the core one at a time and carries out its effects. S1: own messages leave only after the group that
 * holds their records is fsynced; all records of one loop turn share that fsync.
 */
export class Runner {
  readonly state: ReplicaState;
  readonly #ports: RunnerPorts;
  readonly #queue: Event[] = [];
  readonly #timers = new Map<TimerName, () => void>();
  #draining = false;
  #closed = false;

  constructor(state: ReplicaState, ports: RunnerPorts) {
    this.state = state;
    this.#ports = ports;
  }

  dispatch(event: Event): void {
    if (this.#closed) return;
    this.#queue.push(event);
    if (this.#draining) return;
    this.#draining = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        for (const effect of step(this.state, next, this.#ports.now())) this.#carryOut(effect);
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
      case 'startTimer':
        return this.#startTimer(effect.timer, effect.delayMs);
      case 'stopTimer':
        return this.#stopTimer(effect.timer);
      case 'chooseBatch':
        return ports.chooseBatch(effect.height, effect.timestamp);
      case 'requestBodies':
        return ports.requestBodies(effect.batch, effect.digest, effect.from);
      case 'execute':
        return ports.execute(effect.batch, effect.digest);
      case 'stable':
        return ports.stable(effect.certificate);
      case 'keepCertificate':
        return ports.keepCertificate(effect.certificate);
      case 'startSync':
        return ports.startSync(effect.certificate);
      case 'evidence':
        return ports.evidence(effect.evidence);
      case 'refused':
        return ports.refused(effect.what, effect.reason);
      case 'halt':
        return ports.halted(effect.reason);
    }
  }

  /** S1. Without records (what they rest on is durable already) signing follows at once. */
  #persist(records: readonly JournalRecord[], then: readonly Unsigned[]): void {
    if (records.length === 0) return this.#signAndSend(then);
    const stored = records.map((record) => ({
      height: recordHeight(record),
      bytes: encodeRecord(
        record,
        record.kind === 'proposal' ? this.#ports.bodiesOf(record.batch, record.vote.digest) : NOTHING,
      ),
    }));
    this.#ports.journal.append(stored).then(
      () => this.#signAndSend(then),
      (error) => this.#ports.fatal(error),
    );
  }

  #signAndSend(unsigned: readonly Unsigned[]): void {
    if (this.#closed || this.state.mode === 'halted') return;
    for (const one of unsigned) {
      if (this.#isPast(one)) continue;
      const message = signedMessage(one, this.state.config.self, this.#ports.guard.sign(one));
      this.#ports.broadcast(message);
      this.dispatch({ type: 'signed', message });
    }
  }

  /** While the fsync ran, the height may have become stable; the vote is of no use to anybody then. */
  #isPast(unsigned: Unsigned): boolean {
    if (unsigned.kind === 'status') return false;
    const height = unsigned.kind === 'checkpoint' ? unsigned.checkpoint.height : unsigned.vote.height;
    return height <= this.state.low;
  }

  #startTimer(timer: TimerName, delayMs: number): void {
    this.#stopTimer(timer);
    const stop = this.#ports.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      this.dispatch({ type: 'timer', timer });
    });
    this.#timers.set(timer, stop);
  }

  #stopTimer(timer: TimerName): void {
    this.#timers.get(timer)?.();
    this.#timers.delete(timer);
  }
}

const NOTHING = new Uint8Array(0);
