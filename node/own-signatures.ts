import type { Network } from '../p2p/index.ts';
import { SHOWN_RETRY_MS } from './limits.ts';
import type { Event } from './pbft/events.ts';
import type { ReplicaState } from './pbft/state.ts';
import { isShownBy, type MessageContext } from './pbft/verify.ts';
import type { PeerClient } from './peer-client.ts';
import type { Scheduler } from './ports.ts';

export interface OwnSignaturesContext {
  readonly self: number;
  readonly peers: PeerClient;
  readonly network: Network;
  readonly scheduler: Scheduler;
  readonly context: MessageContext;
  readonly signal: AbortSignal;
  state(): ReplicaState;
  dispatch(event: Event): void;
  fatal(error: unknown): void;
}

/**
 * R6: a validator that starts asks the others what they hold of its own signatures, again and again until enough have
 * answered; each of the rest is asked when its channel opens.
 */
export class OwnSignatures {
  readonly #context: OwnSignaturesContext;

  constructor(context: OwnSignaturesContext) {
    this.#context = context;
  }

  askAll(): void {
    const { network, scheduler, signal, state } = this.#context;
    if (signal.aborted || state().mode !== 'starting') return;
    for (const member of network.connected()) this.ask(member);
    scheduler.setTimer(SHOWN_RETRY_MS, () => this.askAll());
  }

  ask(member: number): void {
    const { fatal, state } = this.#context;
    // Also when enough have answered: this one may know more.
    if (state().answered.has(member)) return;
    this.#ask(member).catch(fatal);
  }

  async #ask(member: number): Promise<void> {
    const { context, dispatch, peers, self, signal } = this.#context;
    const shown = await peers.shown(member);
    if (shown === undefined || signal.aborted) return;
    dispatch({ type: 'shown', from: member, shown: shown.filter((one) => isShownBy(self, one, context)) });
  }
}
