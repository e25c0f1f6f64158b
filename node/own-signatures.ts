import type { Certificate } from '../ledger/checkpoint.ts';
import type { Network } from '../p2p/index.ts';
import { SHOWN_RETRY_MS } from './limits.ts';
import type { Event } from './pbft/events.ts';
import type { ReplicaState } from './pbft/state.ts';
import { isShownBy, type MessageContext } from './pbft/verify.ts';
import type { PeerClient } from './peer-client.ts';
import type { Scheduler } from './ports.ts';

export interface OwnSignaturesContext {
  readonly peers: PeerClient;
  readonly network: Network;
  readonly scheduler: Scheduler;
  readonly signal: AbortSignal;
  messages(): MessageContext;
  state(): ReplicaState;
  /** A certificate that has not been verified yet. */
  certified(certificate: Certificate): void;
  dispatch(event: Event): void;
  fatal(error: unknown): void;
}

/**
 * R6: a validator that starts asks the others what they hold of its own signatures, again and again until enough have
 * answered; each of the rest is asked when its channel opens.
 */
export class OwnSignatures {
  readonly #context: OwnSignaturesContext;
  #stop: (() => void) | undefined;

  constructor(context: OwnSignaturesContext) {
    this.#context = context;
  }

  askAll(): void {
    const { network, scheduler, signal, state } = this.#context;
    if (signal.aborted || state().mode !== 'starting') return;
    for (const member of network.connected()) this.ask(member);
    this.#stop?.();
    this.#stop = scheduler.setTimer(SHOWN_RETRY_MS, () => this.askAll());
  }

  ask(member: number): void {
    const { fatal, state } = this.#context;
    // Also when enough have answered: this one may know more.
    if (state().config.self === undefined || state().answered.has(member)) return;
    this.#ask(member).catch(fatal);
  }

  async #ask(member: number): Promise<void> {
    const { messages, dispatch, peers, signal, state, certified } = this.#context;
    const { epoch, validators, self } = state().config;
    if (self === undefined) return;
    const answer = await peers.shown(member, epoch, validators[self]!.key);
    if (answer === undefined || signal.aborted || state().config.epoch !== epoch) return;
    // E7: no answer for the epoch in which we would sign; it leads to a later one, where all are asked again.
    if (answer.kind === 'ended') return certified(answer.value);
    const shown = answer.value.filter((one) => isShownBy(self, one, messages()));
    dispatch({ type: 'shown', from: member, shown });
  }
}
