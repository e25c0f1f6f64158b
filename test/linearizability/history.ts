/** What clients saw, and what an object is that could have answered so. Pure. */

/** One operation of a client. Times are in ms of one monotonic clock that all clients share. */
export interface Operation<I, O> {
  /** Who called: one operation after the other. After one with an unknown outcome, a client goes on as another process. */
  readonly process: string;
  /** The object. Operations on different ones are checked apart: a history is linearizable if it is so for each object. */
  readonly key: string;
  readonly input: I;
  readonly invokedAt: number;
  /** Undefined if the outcome never became known: it may take effect at any time after `invokedAt`, or not at all. */
  readonly returned: { readonly at: number; readonly output: O } | undefined;
}

export type History<I, O> = readonly Operation<I, O>[];

/** The sequential specification of an object. */
export interface Model<S, I, O> {
  /**
   * The state after `input` if it gives `output` in `state`, undefined if it can't give that there. An output of undefined
   * is unknown: the state after whatever it gives.
   */
  step(state: S, input: I, output: O | undefined): S | undefined;
  /** True if the state is the same afterwards, whatever it was. */
  isRead(input: I, output: O | undefined): boolean;
  /** Equal for equal states, different for others. */
  identify(state: S): string;
  /** In words, like `transfer 5 from a to b gives insufficient-balance`. */
  describe(input: I, output: O | undefined): string;
}

/** One line about an operation: who, what, from when to when. */
export function describeOperation<S, I, O>(model: Model<S, I, O>, operation: Operation<I, O>): string {
  const { process, key, input, invokedAt, returned } = operation;
  const end = returned === undefined ? 'never known' : returned.at.toFixed(1);
  return `${process} on ${key}: ${model.describe(input, returned?.output)} [${invokedAt.toFixed(1)} .. ${end}]`;
}

/** The histories of the objects. */
export function byKey<T extends { readonly key: string }>(operations: readonly T[]): ReadonlyMap<string, readonly T[]> {
  return Map.groupBy(operations, ({ key }) => key);
}
