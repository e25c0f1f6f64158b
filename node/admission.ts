import { ADMITTED_MIN, ADMITTED_WAIT_MS } from './limits.ts';
import type { Refusal } from './refusal.ts';

/**
 * T9: how much of what clients give to this node may wait here. As much as was executed of it in the last ADMITTED_WAIT_MS,
 * so that what is admitted waits about that long, and always ADMITTED_MIN. All validators verify what one of them admits:
 * admitting more than is ordered takes the time of ordering.
 */
export class Admission {
  /** Executed of late, those of a time ago counting e^(-time ÷ ADMITTED_WAIT_MS). */
  #executed = 0;
  /** On the monotonic clock in ms. */
  #at = 0;
  /** How many would be pending if none of them had been executed. */
  #expected = 0;

  /** So many, one if nothing is said, were admitted and are pending. */
  took(count = 1): void {
    this.#expected += count;
  }

  /**
   * How many more may be admitted when of those before so many are `pending` and the signatures of so many are being
   * `verified`. These take half of the room at most: anybody can send what turns out to be badly signed. `now` on the
   * monotonic clock in ms.
   */
  room(pending: number, verified: number, now: number): number {
    this.#executed *= Math.exp((this.#at - now) / ADMITTED_WAIT_MS);
    this.#executed += Math.max(0, this.#expected - pending);
    this.#at = now;
    this.#expected = pending;
    const most = this.#most;
    return Math.max(0, most - pending - Math.min(verified, Math.floor(most / 2)));
  }

  /** How many of them may be of one account: the others find room when one floods. */
  get ofOneAccount(): number {
    return Math.floor(this.#most / 2);
  }

  get #most(): number {
    return Math.floor(Math.max(ADMITTED_MIN, this.#executed));
  }

  /** What whoever comes when there is no room, behind `waiting` others, is told. */
  refusal(waiting: number): Refusal {
    const perSecond = (1_000 * this.#executed) / ADMITTED_WAIT_MS;
    const excess = waiting + 1 - this.#most;
    const seconds = perSecond > 0 ? Math.ceil(excess / perSecond) : 1;
    return {
      code: 'overloaded',
      detail: `${waiting} transactions of clients wait at this node, of which ${Math.round(perSecond)} a second are executed`,
      retryAfter: Math.min(Math.max(1, seconds), RETRY_MAX_SECONDS),
    };
  }
}

const RETRY_MAX_SECONDS = 10;
