import type { Connection, PeerId } from '@libp2p/interface';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import type { Host } from './host.ts';
import { DIAL_RETRY_FIRST_MS, DIAL_RETRY_MAX_MS, DIAL_TIMEOUT_MS } from './limits.ts';

export interface DialerHandlers {
  addresses(): readonly string[];
  /** Whether the member must still be reached. */
  isNeeded(): boolean;
  /** There is a connection, perhaps one that was there before. */
  reached(connection: Connection): void;
  /** Nothing listens at any address. */
  refused(): void;
}

/** Dials one member, again and again, until it is not needed any more. */
export class Dialer {
  readonly #host: Host;
  readonly #peer: PeerId;
  readonly #handlers: DialerHandlers;
  #delayMs = DIAL_RETRY_FIRST_MS;
  #timer: NodeJS.Timeout | undefined;
  /** Of the dial that is under way. */
  #dialing: { readonly abort: AbortController; readonly done: Promise<void> } | undefined;
  #closed = false;
  /** Why the last try failed. */
  reason = 'no address known';

  constructor(host: Host, peer: PeerId, handlers: DialerHandlers) {
    this.#host = host;
    this.#peer = peer;
    this.#handlers = handlers;
  }

  /** Something changed: a new address, a lost channel. Begins with short waits again. */
  start(waitMs = 0): void {
    this.#delayMs = DIAL_RETRY_FIRST_MS;
    this.#schedule(waitMs);
  }

  /** Dials no more; resolves when a dial that was under way has ended too. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#dialing?.abort.abort();
    await this.#dialing?.done;
  }

  #schedule(waitMs: number): void {
    if (this.#closed || this.#dialing !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#handlers.isNeeded()) return;
      const abort = new AbortController();
      this.#dialing = { abort, done: this.#dial(abort).then(() => this.#again()) };
    }, waitMs);
  }

  async #dial(abort: AbortController): Promise<void> {
    const addresses = parse(this.#handlers.addresses(), this.#peer);
    if (addresses.length === 0) return;
    const timer = setTimeout(() => abort.abort(), DIAL_TIMEOUT_MS);
    try {
      const connection = await this.#host.dial(addresses, { signal: abort.signal });
      if (!this.#closed) this.#handlers.reached(connection);
      this.reason = `reached, but no channel came of it: does it admit ${this.#host.peerId}?`;
    } catch (error) {
      this.reason = error instanceof Error ? error.message : String(error);
      if (abort.signal.aborted) this.reason = `no answer within ${DIAL_TIMEOUT_MS} ms`;
      if (isRefused(error) && !this.#closed) this.#handlers.refused();
    } finally {
      clearTimeout(timer);
    }
  }

  /** Also after success: the channel is opened by whom it concerns; isNeeded() is false when it is there. */
  #again(): void {
    this.#dialing = undefined;
    this.#delayMs = Math.min(2 * this.#delayMs, DIAL_RETRY_MAX_MS);
    this.#schedule(this.#delayMs * (0.75 + Math.random() / 2));
  }
}

/** Every address was tried and refused the connection. */
function isRefused(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isRefused);
  return (error as { code?: unknown }).code === 'ECONNREFUSED' || /ECONNREFUSED/.test(String(error));
}

/** Well-formed addresses, each with the member's id. */
function parse(texts: readonly string[], peer: PeerId): Multiaddr[] {
  const addresses: Multiaddr[] = [];
  const suffix = `/p2p/${peer.toString()}`;
  for (const text of new Set(texts)) {
    try {
      addresses.push(multiaddr(text.includes('/p2p/') ? text : `${text}${suffix}`));
    } catch {
      // An address that is none is as useless as one that nobody answers at.
    }
  }
  return addresses.filter((address) => address.toString().endsWith(suffix));
}
