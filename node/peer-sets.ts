import type { Genesis } from '../genesis/genesis.ts';
import type { Trust } from '../ledger/checkpoint.ts';
import type { PeerNetwork } from '../p2p/index.ts';
import { peerSetOf } from './epochs.ts';
import { LEAVING_MS } from './limits.ts';
import type { ReplicaState } from './pbft/state.ts';
import type { LedgerPort, Membership, Scheduler } from './ports.ts';

export interface PeerSetsContext {
  readonly network: Pick<PeerNetwork, 'update'>;
  readonly ledger: Pick<LedgerPort, 'query'>;
  readonly scheduler: Scheduler;
  readonly genesis: Pick<Genesis, 'validators' | 'addresses'>;
  readonly peerKey: Uint8Array;
  readonly signal: AbortSignal;
  state(): ReplicaState;
}

/** Whom this node talks to: the set of its epoch, the guests that the ledger names, and for a while whoever has left (E6). */
export class PeerSets {
  readonly #context: PeerSetsContext;
  #membership: Membership;
  /** E6: members that have left with this epoch are still served. */
  #servesLeaving: boolean;
  /** While the time of those that have left runs out. */
  #stop: (() => void) | undefined;

  constructor(context: PeerSetsContext, membership: Membership, servesLeaving: boolean) {
    this.#context = context;
    this.#membership = membership;
    this.#servesLeaving = servesLeaving;
  }

  /** Before the state is that of the other epoch. */
  enter(membership: Membership, servesLeaving: boolean): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#membership = membership;
    this.#servesLeaving = servesLeaving;
  }

  /** Somebody else is admitted; if the epoch has ended too, entering the next one says so. */
  async admit(): Promise<void> {
    const membership = await this.#context.ledger.query('membership', {});
    if (this.#context.signal.aborted) return;
    this.#membership = membership;
    this.update();
  }

  /** The same epoch, as a snapshot had it. */
  replace(membership: Membership): void {
    this.#membership = membership;
  }

  /** E6: with the first final block of the epoch the time of those that have left begins to run out. */
  final(height: number): void {
    const { state, scheduler, signal } = this.#context;
    if (!this.#servesLeaving || this.#stop !== undefined || height < state().config.firstHeight) return;
    this.#stop = scheduler.setTimer(LEAVING_MS, () => {
      this.#stop = undefined;
      this.#servesLeaving = false;
      if (!signal.aborted) this.update();
    });
  }

  /** The epoch before the node's, as far as the rows of its newest block tell. */
  previous(): Trust | undefined {
    const { previous } = this.#membership;
    const { config } = this.#context.state();
    if (previous?.number !== config.epoch - 1) return undefined;
    return { genesisId: config.genesisId, epoch: previous.number, validators: previous.validators };
  }

  close(): void {
    this.#stop?.();
  }

  update(): void {
    const { network, genesis, peerKey, state } = this.#context;
    const { current, previous } = this.#membership;
    const epoch = state().config.epoch === current.number ? current : previous!;
    network.update(peerSetOf(epoch, peerKey, this.#membership, this.#servesLeaving, genesis));
  }
}
