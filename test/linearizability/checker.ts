import { describeOperation, type History, type Model, type Operation } from './history.ts';

/**
 * Whether a history of one object is linearizable: whether there is one order of its operations that respects real time and
 * in which the sequential object gives the same outputs. A search after Wing and Gong (1993), with Lowe's (2017) two
 * improvements: what was reached is remembered as (operations that took effect, state), and an operation takes effect only
 * when one that returns needs it. It goes through the history in time, and what it knows at a moment is the set of all
 * configurations that are possible then. So its memory is that of one window, however long the history is.
 */

/** What may be at one moment. */
interface Configuration<S> {
  readonly state: S;
  /** Operations that run and have taken effect already, by their index, ascending. */
  readonly done: readonly number[];
}

export interface Counterexample {
  /** Index of the operation whose output no order explains. */
  readonly operation: number;
  /** Those that ran while it did: the smallest window in which there is a contradiction. */
  readonly overlapping: readonly number[];
  /** All states that were possible when it was invoked, before the effects of those that ran then. */
  readonly before: readonly string[];
  /** The whole of it, for people. */
  readonly text: string;
}

export type Verdict<S> =
  /** And the states in which the object may be at the end, those included where operations of unknown outcome took effect. */
  | { readonly kind: 'linearizable'; readonly states: readonly S[] }
  | { readonly kind: 'violation'; readonly counterexample: Counterexample }
  /** More configurations than the limit: nothing is known about the history. */
  | { readonly kind: 'undecided'; readonly reason: string };

/** Configurations that one return may lead to; more would only be slow. */
const CONFIGURATIONS_MAX = 200_000;
const STATES_SHOWN = 4;
const EARLIER_SHOWN = 4;

/** Decides about a history of one object, which was in one of the states `from` before it. */
export function checkLinearizable<S, I, O>(
  model: Model<S, I, O>,
  from: readonly S[],
  history: History<I, O>,
  configurationsMax = CONFIGURATIONS_MAX,
): Verdict<S> {
  const search = new Search(model, from, history, configurationsMax);
  const failed = search.run();
  if (search.isTooLarge)
    return {
      kind: 'undecided',
      reason: `more than ${configurationsMax} configurations in ${search.window.length} open operations`,
    };
  if (failed === undefined) return { kind: 'linearizable', states: search.states() };
  return { kind: 'violation', counterexample: explain(model, from, history, failed, configurationsMax) };
}

interface Event {
  readonly at: number;
  readonly index: number;
  readonly isReturn: boolean;
}

class Search<S, I, O> {
  readonly #model: Model<S, I, O>;
  readonly #history: History<I, O>;
  readonly #max: number;
  #configurations: ReadonlyMap<string, Configuration<S>>;
  /** Operations that have been invoked and have not returned, by their index. */
  readonly #open = new Set<number>();
  isTooLarge = false;

  constructor(model: Model<S, I, O>, from: readonly S[], history: History<I, O>, configurationsMax: number) {
    this.#model = model;
    this.#history = history;
    this.#max = configurationsMax;
    this.#configurations = new Map(from.map((state) => [this.#identify(state, []), { state, done: [] }]));
  }

  /** The index of the first operation whose return nothing explains. Ends before what is invoked at `until` or later. */
  run(until = Number.POSITIVE_INFINITY): number | undefined {
    for (const { at, index, isReturn } of eventsOf(this.#history)) {
      if (at >= until) return undefined;
      if (!isReturn) this.#open.add(index);
      else if (!this.#return(index)) return this.isTooLarge ? undefined : index;
    }
    return undefined;
  }

  /** Those that are open now. */
  get window(): readonly number[] {
    return [...this.#open];
  }

  /** Every state that is possible now: as it is known, and after any of what is open and has not taken effect. */
  states(): readonly S[] {
    const reached = new Map<string, Configuration<S>>();
    for (const one of this.#configurations.values()) this.#reach(one, reached);
    const states = new Map<string, S>();
    for (const { state } of reached.values()) states.set(this.#model.identify(state), state);
    return [...states.values()];
  }

  /** As it is known now, without what is open and need not have taken effect. */
  knownStates(): readonly string[] {
    return [...new Set([...this.#configurations.values()].map(({ state }) => this.#model.identify(state)))];
  }

  /** Keeps the configurations in which `index` has taken effect. */
  #return(index: number): boolean {
    const next = new Map<string, Configuration<S>>();
    const reached = new Map<string, Configuration<S>>();
    for (const one of this.#configurations.values()) {
      this.#reach(one, reached, (found) => {
        if (!found.done.includes(index)) return false;
        const done = found.done.filter((other) => other !== index);
        next.set(this.#identify(found.state, done), { state: found.state, done });
        return true;
      });
      if (this.isTooLarge) return false;
    }
    this.#open.delete(index);
    if (next.size === 0) return false;
    this.#configurations = next;
    return true;
  }

  /** Everything that open operations lead to; not beyond a configuration that is `enough`. */
  #reach(
    from: Configuration<S>,
    reached: Map<string, Configuration<S>>,
    enough = (_: Configuration<S>) => false,
  ): void {
    const stack = [this.#withReads(from)];
    while (stack.length > 0) {
      const one = stack.pop()!;
      const identity = this.#identify(one.state, one.done);
      if (reached.has(identity)) continue;
      reached.set(identity, one);
      if (reached.size > this.#max) {
        this.isTooLarge = true;
        return;
      }
      if (enough(one)) continue;
      for (const index of this.#open) {
        const next = one.done.includes(index) ? undefined : this.#effect(one, index);
        if (next !== undefined) stack.push(this.#withReads(next));
      }
    }
  }

  #effect({ state, done }: Configuration<S>, index: number): Configuration<S> | undefined {
    const { input, returned } = this.#history[index]!;
    const next = this.#model.step(state, input, returned?.output);
    if (next === undefined) return undefined;
    // Of unknown outcome and without an effect: the same as if it had not happened.
    if (returned === undefined && this.#model.identify(next) === this.#model.identify(state)) return undefined;
    return { state: next, done: [...done, index].sort((a, b) => a - b) };
  }

  /** What only reads, and fits now, may as well have happened now: no other order is lost by that. */
  #withReads({ state, done }: Configuration<S>): Configuration<S> {
    const reads: number[] = [];
    for (const index of this.#open) {
      const { input, returned } = this.#history[index]!;
      if (returned === undefined || done.includes(index) || !this.#model.isRead(input, returned.output)) continue;
      if (this.#model.step(state, input, returned.output) !== undefined) reads.push(index);
    }
    return reads.length === 0 ? { state, done } : { state, done: [...done, ...reads].sort((a, b) => a - b) };
  }

  #identify(state: S, done: readonly number[]): string {
    return `${done.join(' ')}|${this.#model.identify(state)}`;
  }
}

/** In the order of time; at the same time invocations come first, so that both may have been in any order. */
function eventsOf<I, O>(history: History<I, O>): readonly Event[] {
  const events: Event[] = [];
  for (const [index, { invokedAt, returned }] of history.entries()) {
    events.push({ at: invokedAt, index, isReturn: false });
    if (returned !== undefined) events.push({ at: returned.at, index, isReturn: true });
  }
  return events.sort((a, b) => a.at - b.at || Number(a.isReturn) - Number(b.isReturn));
}

/** What contradicts: the operation, those that ran while it did, and what was possible before. */
function explain<S, I, O>(
  model: Model<S, I, O>,
  from: readonly S[],
  history: History<I, O>,
  failed: number,
  configurationsMax: number,
): Counterexample {
  const last = history[failed]!;
  const end = last.returned!.at;
  const search = new Search(model, from, history, configurationsMax);
  search.run(last.invokedAt);
  const before = search.knownStates();
  const overlapping = indexesOf(history, (one) => one.invokedAt <= end && (one.returned?.at ?? end) >= last.invokedAt);
  const others = overlapping.filter((index) => index !== failed);
  const earlier = indexesOf(history, (one) => (one.returned?.at ?? end) < last.invokedAt)
    .sort((a, b) => history[b]!.returned!.at - history[a]!.returned!.at)
    .slice(0, EARLIER_SHOWN);
  const line = (index: number): string => `  ${describeOperation(model, history[index]!)}`;
  const more = before.length > STATES_SHOWN ? ` and ${before.length - STATES_SHOWN} more` : '';
  const text = [
    'No order explains',
    line(failed),
    `When it was invoked, the state was ${before
      .slice(0, STATES_SHOWN)
      .map((one) => `{${one}}`)
      .join(' or ')}${more}; then`,
    ...(others.length === 0 ? ['  nothing else ran'] : others.map(line)),
    'The last that had returned before it:',
    ...(earlier.length === 0 ? ['  nothing'] : earlier.map(line)),
  ].join('\n');
  return { operation: failed, overlapping: others, before, text };
}

function indexesOf<I, O>(history: History<I, O>, isOne: (operation: Operation<I, O>) => boolean): number[] {
  return [...history.keys()].filter((index) => isOne(history[index]!));
}
