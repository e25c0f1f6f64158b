import type { Certificate } from '../ledger/checkpoint.ts';
import { faultsTolerated } from '../ledger/validators.ts';
import type { Log, Network } from '../p2p/index.ts';
import { checkBodies } from './check-bodies.ts';
import type { FollowEpochs } from './follow-epochs.ts';
import type { Event } from './pbft/events.ts';
import { CONNECTED_INTERVALS, type ReplicaState } from './pbft/state.ts';
import type { PoolEntry } from './pool-entry.ts';
import type { Executed, Installed, JournalPort, LedgerPort } from './ports.ts';
import { newPatience } from './snapshot-sync.ts';
import { Sources } from './sources.ts';
import { syncTo } from './sync.ts';
import type { VerifyPool } from './verify/pool.ts';

export interface CatchUpContext {
  readonly ledger: LedgerPort;
  readonly journal: JournalPort;
  readonly network: Network;
  readonly log: Log;
  readonly verifyPool: VerifyPool;
  readonly genesisId: Uint8Array;
  readonly follow: FollowEpochs;
  readonly signal: AbortSignal;
  /** R8: how many blocks behind a certificate a snapshot is taken. */
  readonly snapshotBlocks: number;
  state(): ReplicaState;
  /** Monotonic clock in ms. */
  now(): number;
  dispatch(event: Event): void;
  /** A body that is here, whose signature was verified. */
  body(key: string): PoolEntry | undefined;
  /** A block was executed, with the keys of its transactions. */
  executed(executed: Executed, keys: readonly string[]): void;
  /** A snapshot took the place of the blocks up to it. */
  installed(installed: Installed): Promise<void>;
  blame(member: number, reason: string): void;
  fatal(error: unknown): void;
}

/** R7, R8: brings a validator that is behind a certificate up to it, by what its peers have. */
export class CatchUp {
  readonly #context: CatchUpContext;
  readonly counters = { catchUps: 0, snapshots: 0 };
  readonly #patience = newPatience();
  readonly #sources: Sources;
  #last: Promise<void> = Promise.resolve();

  constructor(context: CatchUpContext) {
    this.#context = context;
    const { network, signal, now } = context;
    this.#sources = new Sources({
      now,
      candidates: (above) => this.#candidates(above),
      request: (member, body, timeoutMs) => network.request(member, body, { timeoutMs, signal }),
    });
  }

  /** Until the certificate's height is reached, or nobody can help now. One after the other, also across epochs. */
  run(certificate: Certificate): Promise<void> {
    this.#last = this.#last.then(() => this.#run(certificate));
    return this.#last;
  }

  async #run(certificate: Certificate): Promise<void> {
    const { log, signal, state, dispatch, fatal } = this.#context;
    this.counters.catchUps++;
    log.info({ executed: state().executed.height, certified: certificate.checkpoint.height }, 'catching up');
    try {
      await this.#sync(certificate.checkpoint.height);
    } catch (error) {
      if (!signal.aborted) fatal(error);
    }
    dispatch({ type: 'syncEnded' });
    log.info({ executed: state().executed.height, certified: state().low }, 'caught up');
  }

  #sync(target: number): Promise<void> {
    const { ledger, journal, log, verifyPool, genesisId, follow, signal, snapshotBlocks } = this.#context;
    const { state, now, dispatch, executed, installed, blame, body } = this.#context;
    return syncTo(
      {
        ledger,
        snapshotBlocks,
        f: () => faultsTolerated(state().config.validators.length),
        patience: this.#patience,
        now,
        mark: () => journal.mark(),
        executed: () => state().executed,
        sources: (above, turn) => this.#sources.inTurn(above, turn),
        ask: (member, body, leastMs) => this.#sources.ask(member, body, leastMs),
        newest: () => follow.newest,
        verifyCertificate: (value) => follow.verify(value),
        checkBodies: (packed, count) => checkBodies(genesisId, packed, count, verifyPool, (key) => body(key)?.bytes),
        certified: (message) => follow.certified(message),
        onExecuted: executed,
        onPiece: () => dispatch({ type: 'piece' }),
        onInstalled: async (snapshot) => {
          this.counters.snapshots++;
          const { height } = snapshot.head;
          log.info({ executed: state().executed.height, height }, 'snapshot installed');
          await installed(snapshot);
        },
        onDiverged: (reason) => dispatch({ type: 'diverged', reason }),
        blame,
      },
      target,
      signal,
    );
  }

  #candidates(above: number): readonly number[] {
    const { network, state, now } = this.#context;
    const { peers, config } = state();
    // Of whom is in another epoch by now nothing new is heard; nor of anybody by a node without a vote.
    const oldest = now() - CONNECTED_INTERVALS * config.statusIntervalMs;
    const executedBy = (member: number): number => {
      const { status, heardAt } = peers[member]!;
      return status === undefined || heardAt < oldest ? Number.POSITIVE_INFINITY : status.body.executed;
    };
    return network
      .connected()
      .map((member) => ({ member, executed: executedBy(member) }))
      .filter(({ executed }) => executed > above)
      .sort((a, b) => b.executed - a.executed || 0)
      .map(({ member }) => member);
  }
}
