import { ASK_FIRST_MS, REQUEST_TIMEOUT_MS, UNANSWERED_MS } from './limits.ts';

export interface SourcesContext {
  /** Members with a channel that say they have executed more than `above`, the highest first. */
  candidates(above: number): readonly number[];
  request(member: number, body: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  /** Monotonic clock in ms. */
  now(): number;
}

/**
 * Whom to ask for what lacks here (R7, R21). Each in turn, since what members claim is no reason to prefer one. Who did not
 * answer lately comes last, and nobody is waited for longer than it takes the others to answer: a link that is cut in
 * silence, or a faulty member, costs a moment once and not with every question.
 */
export class Sources {
  readonly #context: SourcesContext;
  /** When members did not answer, on the monotonic clock. */
  readonly #unanswered = new Map<number, number>();
  #timeoutMs = ASK_FIRST_MS;

  constructor(context: SourcesContext) {
    this.#context = context;
  }

  /** All that may be asked, in the order in which they should be; each turn begins with another one. */
  inTurn(above: number, turn: number): readonly number[] {
    const { candidates, now } = this.#context;
    const since = now() - UNANSWERED_MS;
    const all = candidates(above);
    const silent = all.filter((member) => (this.#unanswered.get(member) ?? Number.NEGATIVE_INFINITY) > since);
    const good = all.filter((member) => !silent.includes(member));
    // Where nobody answers in time, it is the time that is too short.
    if (good.length === 0 && all.length > 0) this.#timeoutMs = Math.min(2 * this.#timeoutMs, REQUEST_TIMEOUT_MS);
    return [...good.map((_, i) => good[(turn + i) % good.length]!), ...silent];
  }

  /** `leastMs`: how long the answer may take in any case. */
  async ask(member: number, body: Uint8Array, leastMs = 0): Promise<Uint8Array> {
    try {
      const answer = await this.#context.request(member, body, Math.max(this.#timeoutMs, leastMs));
      this.#unanswered.delete(member);
      return answer;
    } catch (error) {
      // What takes long to make is no sign that a member is silent.
      if (leastMs === 0) this.#unanswered.set(member, this.#context.now());
      throw error;
    }
  }
}
