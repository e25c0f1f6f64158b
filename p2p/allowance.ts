import type { FrameType } from './framing.ts';
import {
  FRAME_BYTES_MAX,
  GUEST_ANSWER_BYTES_BURST,
  GUEST_ANSWER_BYTES_PER_SECOND,
  GUEST_BYTES_BURST,
  GUEST_BYTES_PER_SECOND,
  GUEST_FRAME_PRICE,
  GUEST_PAUSE_FIRST_MS,
  GUEST_PAUSE_MAX_MS,
  GUEST_QUEUE_BYTES_MAX,
  GUEST_REQUEST_BYTES_MAX,
  GUEST_REQUESTS_BURST,
  GUEST_REQUESTS_IN_MAX,
  GUEST_REQUESTS_PER_SECOND,
  QUEUE_BYTES_MAX,
  REQUESTS_IN_MAX,
} from './limits.ts';

/** What one peer may do on its channel. */
export interface Allowance {
  /** What may wait to be sent to it. */
  readonly queueBytesMax: number;
  /** Whether the payload of a frame is wanted, from its header; throws RangeError if it is against the rules. */
  wants(type: FrameType, length: number): boolean;
  /** Whether a request is worked on, when so many of this peer are already. */
  takesRequest(working: number): boolean;
  /** An answer of so many bytes was sent. */
  answered(bytes: number): void;
  /** An answer of so many bytes came, for which we asked. */
  received(bytes: number): void;
}

/** Members are trusted with our time, not with our memory. */
export const MEMBER_ALLOWANCE: Allowance = {
  queueBytesMax: QUEUE_BYTES_MAX,
  wants: () => true,
  takesRequest: (working) => working < REQUESTS_IN_MAX,
  answered() {},
  received() {},
};

/**
 * What one guest may do: it asks, a little at a time, and is answered. Its frames are dropped as they come, so that no byte
 * of them is decoded. All that it sends is charged in bytes, on whatever stream or connection it comes; who overdraws is cut
 * off and refused for a while. Being cut off is no verdict: a member that has executed a change of the set before us sends
 * as a member, and becomes one here when we have executed it too.
 */
export class GuestAllowance implements Allowance {
  readonly queueBytesMax = GUEST_QUEUE_BYTES_MAX;
  readonly #sent: Bucket;
  readonly #requests: Bucket;
  readonly #answers: Bucket;
  readonly #awaited: () => number;
  readonly #overdrawn: (reason: string) => void;
  readonly #now: () => number;
  #pauseMs = GUEST_PAUSE_FIRST_MS;
  #pausedUntil = Number.NEGATIVE_INFINITY;

  /** `awaited` says how many answers of the guest we wait for; `overdrawn` must cut it off. `now` in ms, monotonic. */
  constructor(awaited: () => number, overdrawn: (reason: string) => void, now: () => number) {
    this.#awaited = awaited;
    this.#overdrawn = overdrawn;
    this.#now = now;
    this.#sent = new Bucket(GUEST_BYTES_PER_SECOND, GUEST_BYTES_BURST, now);
    this.#requests = new Bucket(GUEST_REQUESTS_PER_SECOND, GUEST_REQUESTS_BURST, now);
    this.#answers = new Bucket(GUEST_ANSWER_BYTES_PER_SECOND, GUEST_ANSWER_BYTES_BURST, now);
  }

  /** Why it is not let in now. */
  get refusal(): string | undefined {
    return this.#isPaused() ? 'a guest that has sent too much' : undefined;
  }

  wants(type: FrameType, length: number): boolean {
    if (type === 'request' && length > GUEST_REQUEST_BYTES_MAX) {
      throw new RangeError(`request of ${length} bytes, of a guest at most ${GUEST_REQUEST_BYTES_MAX}`);
    }
    this.charge(GUEST_FRAME_PRICE);
    return type !== 'frame';
  }

  takesRequest(working: number): boolean {
    if (working >= GUEST_REQUESTS_IN_MAX || this.#requests.level() < 1 || this.#answers.level() <= 0) return false;
    this.#requests.take(1);
    return true;
  }

  answered(bytes: number): void {
    this.#answers.take(bytes);
  }

  received(bytes: number): void {
    this.#sent.take(-bytes);
  }

  /** It sent so many bytes, or something that costs as much. Every answer that we wait for may have the size of a frame. */
  charge(bytes: number): void {
    this.#sent.take(bytes);
    if (this.#sent.level() >= -this.#awaited() * FRAME_BYTES_MAX || this.#isPaused()) return;
    const pauseMs = this.#pauseMs;
    this.#pausedUntil = this.#now() + pauseMs;
    this.#pauseMs = Math.min(2 * pauseMs, GUEST_PAUSE_MAX_MS);
    this.#overdrawn(`it sent more than a guest may, and is refused for ${pauseMs / 1_000} s`);
  }

  #isPaused(): boolean {
    return this.#now() < this.#pausedUntil;
  }
}

/** Fills at a rate up to what it holds; may be overdrawn. */
export class Bucket {
  readonly #perMs: number;
  readonly #most: number;
  readonly #now: () => number;
  #level: number;
  #at: number;

  /** `now` in ms, monotonic. */
  constructor(perSecond: number, most: number, now: () => number) {
    this.#perMs = perSecond / 1_000;
    this.#most = most;
    this.#now = now;
    this.#level = most;
    this.#at = now();
  }

  level(): number {
    const now = this.#now();
    this.#level = Math.min(this.#most, this.#level + (now - this.#at) * this.#perMs);
    this.#at = now;
    return this.#level;
  }

  take(amount: number): void {
    this.#level = Math.min(this.#most, this.level() - amount);
  }
}
