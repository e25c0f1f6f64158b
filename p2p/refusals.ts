import type { PeerId } from '@libp2p/interface';
import { REFUSALS_LOG_MS, REFUSALS_LOGGED_MAX } from './limits.ts';
import type { Log } from './port.ts';

/** Says in the log who is refused and why: each once a minute, and not more of them than a person can look at. */
export class Refusals {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #logged = new Set<string>();
  #since = Number.NEGATIVE_INFINITY;

  /** `now` in ms, monotonic. */
  constructor(log: Log, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  note(peer: PeerId, reason: string): void {
    const now = this.#now();
    if (now - this.#since >= REFUSALS_LOG_MS) {
      this.#since = now;
      this.#logged.clear();
    }
    const id = peer.toString();
    if (this.#logged.size >= REFUSALS_LOGGED_MAX || this.#logged.has(id)) return;
    this.#logged.add(id);
    this.#log.warn({ peer: id, reason }, 'peer refused');
  }
}
