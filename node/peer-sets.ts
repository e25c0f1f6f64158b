import type { Genesis } from '../genesis/genesis.ts';
import type { Trust } from '../ledger/checkpoint.ts';
import type { PeerNetwork } from '../p2p/index.ts';
import { indexIn, peerSetOf } from './epochs.ts';
import { LEAVING_MS } from './limits.ts';
import type { Event } from './pbft/events.ts';
import type { ReplicaState } from './pbft/state.ts';
import { NO_MEMBER } from './pool-entry.ts';
import type { Executed, LedgerPort, Membership, Scheduler } from './ports.ts';

export interface PeerSetsContext {
  readonly network: Pick<PeerNetwork, 'update' | 'guests'>;
  readonly ledger: Pick<LedgerPort, 'query'>;
  readonly scheduler: Scheduler;
  readonly genesis: Pick<Genesis, 'validators' | 'addresses'>;
  readonly peerKey: Uint8Array;
  readonly signal: AbortSignal;
  state(): ReplicaState;
  dispatch(event: Event): void;
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
    // Else a node that closes would wait for it.
    context.signal.addEventListener('abort', () => this.#stop?.());
  }

  /** Before the state is that of the other epoch. */
  enter(membership: Membership, servesLeaving: boolean): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#membership = membership;
    this.#servesLeaving = servesLeaving;
  }

  /**
   * A block admits somebody else, or by its time the proposal of a candidate is over. If it has ended the epoch too, entering
   * the next one says so.
   */
  async executed({ membership: isOther, timestamp }: Pick<Executed, 'membership' | 'timestamp'>): Promise<void> {
    const { guestsUntil = Number.POSITIVE_INFINITY } = this.#membership;
    if (!isOther && timestamp <= guestsUntil) return;
    const membership = await this.#context.ledger.query('membership', {});
    if (this.#context.signal.aborted) return;
    this.#membership = membership;
    this.update();
  }

  /** The same epoch, as a snapshot had it. */
  replace(membership: Membership): void {
    this.#membership = membership;
    this.update();
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

  update(): void {
    const { network, genesis, peerKey, state, dispatch } = this.#context;
    const { current, previous } = this.#membership;
    const epoch = state().config.epoch === current.number ? current : previous!;
    network.update(peerSetOf(epoch, peerKey, this.#membership, this.#servesLeaving, genesis));
    // The network says nothing of channels that it ends with this.
    const left = network.guests().filter(({ connected }) => connected);
    for (const guest of [...state().guests.values()])
      if (indexIn(left, { peerKey: guest }) === NO_MEMBER) dispatch({ type: 'guest', peerKey: guest, open: false });
  }
}
