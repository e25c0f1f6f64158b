import { TopicValidatorResult } from '@libp2p/gossipsub';
import type { PeerId } from '@libp2p/interface';
import { recordsTopic } from './hello.ts';
import type { Host } from './host.ts';
import { ANNOUNCE_AT_ONCE_MS, ANNOUNCE_MS, ANNOUNCE_SOON_MS } from './limits.ts';
import type { NetworkOptions } from './port.ts';
import type { Received, Records } from './records.ts';

export interface DiscoveryHandlers {
  /** Whether there is a channel to every member. */
  isComplete(): boolean;
  /** A newer record of this key is kept. */
  news(peerKey: Uint8Array, record: Uint8Array): void;
  /** A signature that this peer passed on was checked. */
  checked(from: PeerId): void;
}

/** Spreads our own record among members by gossipsub, and takes those of others from there and from channels. */
export class Discovery {
  readonly #host: Host;
  readonly #options: NetworkOptions;
  readonly #records: Records;
  readonly #handlers: DiscoveryHandlers;
  readonly #topic: string;
  #own: Uint8Array = new Uint8Array(0);
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(host: Host, options: NetworkOptions, records: Records, handlers: DiscoveryHandlers) {
    this.#host = host;
    this.#options = options;
    this.#records = records;
    this.#handlers = handlers;
    this.#topic = recordsTopic(options.genesisId);
    const { pubsub } = host.services;
    pubsub.topicValidators.set(this.#topic, (from, { data }) => verdictOf(this.receive(data, from)));
    pubsub.addEventListener('subscription-change', ({ detail }) => {
      const joined = detail.subscriptions.some(({ topic, subscribe }) => subscribe && topic === this.#topic);
      if (joined) this.announceSoon();
    });
  }

  /** When the host has started. */
  start(): void {
    this.#host.services.pubsub.subscribe(this.#topic);
    this.#announce();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Our newest record. */
  get own(): Uint8Array {
    return this.#own;
  }

  receive(bytes: Uint8Array, from: PeerId): Received {
    const received = this.#records.receive(bytes);
    if (received.kind === 'new' || received.kind === 'bad') this.#handlers.checked(from);
    if (received.kind === 'new') this.#handlers.news(received.peerKey, bytes);
    if (received.kind === 'bad') {
      this.#options.log.debug({ from: from.toString(), reason: received.problem }, 'peer record refused');
    }
    return received;
  }

  /** Somebody came who may not have our record; one announcement for several who come together. */
  announceSoon(): void {
    this.#announceIn(ANNOUNCE_AT_ONCE_MS);
  }

  /** Publishes our own record: often while somebody is missing, else now and then; a changed address spreads by itself. */
  #announce(): void {
    const { announce, log } = this.#options;
    const addresses =
      announce.length > 0 ? announce : this.#host.getMultiaddrs().map((address) => withoutPeer(String(address)));
    this.#own = this.#records.make(addresses);
    this.#host.services.pubsub.publish(this.#topic, this.#own).catch((error: unknown) => {
      log.debug({ reason: String(error) }, 'peer record not published');
    });
    this.#announceIn(this.#handlers.isComplete() ? ANNOUNCE_MS : ANNOUNCE_SOON_MS);
  }

  #announceIn(delayMs: number): void {
    clearTimeout(this.#timer);
    if (!this.#closed) this.#timer = setTimeout(() => this.#announce(), delayMs);
  }
}

/** Whoever passes on a record of a stranger may only be in another epoch than we are. */
function verdictOf({ kind }: Received): TopicValidatorResult {
  if (kind === 'new') return TopicValidatorResult.Accept;
  return kind === 'bad' ? TopicValidatorResult.Reject : TopicValidatorResult.Ignore;
}

function withoutPeer(address: string): string {
  return address.replace(/\/p2p\/[^/]+$/, '');
}
