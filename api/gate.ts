import { Problem } from './problems.ts';

/** Counts what is held at a time; who finds it full is told to come back. */
export class Gate {
  readonly #what: string;
  readonly #max: number;
  #held = 0;

  constructor(what: string, max: number) {
    this.#what = what;
    this.#max = max;
  }

  get held(): number {
    return this.#held;
  }

  /** Throws the problem `busy` if `count` more do not fit. Each `enter` needs its `leave`. */
  enter(count: number): void {
    if (this.#held + count > this.#max) {
      throw new Problem('busy', `${this.#held} ${this.#what} are open at this node, at most ${this.#max}`);
    }
    this.#held += count;
  }

  leave(count: number): void {
    this.#held -= count;
  }
}
