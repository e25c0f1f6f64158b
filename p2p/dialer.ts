import type { PeerId } from '@libp2p/interface';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import type { Host } from './host.ts';
import { DIAL_RETRY_FIRST_MS, DIAL_RETRY_MAX_MS } from './limits.ts';

/** Dials one member, again and again, until `needed` says that it is reached. */
export class Dialer {
  readonly #host: Host;
  readonly #peer: PeerId;
  readonly #addresses: () => readonly string[];
  readonly #needed: () => boolean;
  readonly #refused: () => void;
  #delayMs = DIAL_RETRY_FIRST_MS;
  #timer: NodeJS.Timeout | undefined;
  #dialing = false;
  #closed = false;
  /** Why the last try failed. */
  reason = 'no address known';

  /** `refused` is called when nothing listens at any address. */
  constructor(
    host: Host,
    peer: PeerId,
    addresses: () => readonly string[],
    needed: () => boolean,
    refused: () => void,
  ) {
    this.#host = host;
    this.#peer = peer;
    this.#addresses = addresses;
    this.#needed = needed;
    this.#refused = refused;
  }

  /** Something changed: a new address, a lost channel. Begins with short waits again. */
  start(waitMs = 0): void {
    this.#delayMs = DIAL_RETRY_FIRST_MS;
    this.#schedule(waitMs);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #schedule(waitMs: number): void {
    if (this.#closed || this.#dialing) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#dial(), waitMs);
  }

  async #dial(): Promise<void> {
    if (this.#closed || !this.#needed()) return;
    const addresses = parse(this.#addresses(), this.#peer);
    this.#dialing = true;
    try {
      if (addresses.length > 0) {
        await this.#host.dial(addresses);
        this.reason = 'reached, but it has opened no channel: does it know this validator?';
      }
    } catch (error) {
      this.reason = error instanceof Error ? error.message : String(error);
      if (isRefused(error) && !this.#closed) this.#refused();
    } finally {
      this.#dialing = false;
    }
    // Also after success: the channel is opened by whom it concerns; needed() is false when it is there.
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
