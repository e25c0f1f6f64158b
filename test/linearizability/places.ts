import { byKey, describeOperation, type Model, type Operation } from './history.ts';

/** Where an operation took effect, as the chain says. */
export interface Place {
  readonly height: number;
  /** In its block; undefined for a read, which sees what is after the block. */
  readonly index: number | undefined;
}

/** An operation that took effect. Its output is that of the chain where the client never learned it. */
export interface Placed<I, O> extends Operation<I, O> {
  readonly place: Place;
  readonly output: O;
}

/**
 * Whether placed operations are what the API promises for every read, also of a node that lags: writes took effect in the
 * order of their places, each place with the output that the object gives there; a read at height h sees the state after
 * block h; whatever had returned before a write was invoked is below the write's block; and no process sees a lower height
 * after a higher one. Needs no search. Gives each violation in words.
 */
export function placeViolations<S, I, O>(
  model: Model<S, I, O>,
  from: ReadonlyMap<string, S>,
  operations: readonly Placed<I, O>[],
): readonly string[] {
  const replayed = [...byKey(operations)].flatMap(([key, own]) => replayViolations(model, from.get(key), own));
  return [
    ...sharedPlaces(model, operations),
    ...replayed,
    ...orderViolations(model, operations),
    ...sessionViolations(model, operations),
  ];
}

/** The states of the objects after all of them, whatever is wrong with their outputs. */
export function replay<S, I, O>(
  model: Model<S, I, O>,
  from: ReadonlyMap<string, S>,
  operations: readonly Placed<I, O>[],
): ReadonlyMap<string, S> {
  const states = new Map(from);
  for (const [key, own] of byKey(operations)) {
    const writes = own.filter(isWrite).sort(byPlace);
    const start = states.get(key);
    if (start === undefined) continue;
    states.set(
      key,
      writes.reduce((state, { input }) => model.step(state, input, undefined) ?? state, start),
    );
  }
  return states;
}

function sharedPlaces<S, I, O>(model: Model<S, I, O>, operations: readonly Placed<I, O>[]): string[] {
  const violations: string[] = [];
  const taken = new Map<string, Placed<I, O>>();
  for (const one of operations.filter(isWrite)) {
    const place = `${one.place.height}.${one.place.index}`;
    const other = taken.get(place);
    if (other !== undefined) violations.push(`One place for two:\n${lines(model, [other, one])}`);
    taken.set(place, one);
  }
  return violations;
}

/** One object: stops at its first contradiction, after which its state is not known. */
function replayViolations<S, I, O>(
  model: Model<S, I, O>,
  from: S | undefined,
  operations: readonly Placed<I, O>[],
): string[] {
  let state = from;
  let last: Placed<I, O> | undefined;
  for (const one of [...operations].sort(byPlace)) {
    if (state === undefined) return [`There is no object ${one.key}`];
    const next = model.step(state, one.input, one.output);
    if (next === undefined) {
      const before = last === undefined ? [] : [last];
      const known = `{${model.identify(state)}}`;
      return [
        `Not what the object gives in the order of the chain, where its state is ${known}:\n${lines(model, [...before, one])}`,
      ];
    }
    state = next;
    if (isWrite(one)) last = one;
  }
  return [];
}

/** Real time: the heights that were known when a write was invoked are below its own. */
function orderViolations<S, I, O>(model: Model<S, I, O>, operations: readonly Placed<I, O>[]): string[] {
  const violations: string[] = [];
  const returns = operations
    .filter(({ returned }) => returned !== undefined)
    .sort((a, b) => a.returned!.at - b.returned!.at);
  const writes = operations.filter(isWrite).sort((a, b) => a.invokedAt - b.invokedAt);
  let highest: Placed<I, O> | undefined;
  let next = 0;
  for (const write of writes) {
    for (; next < returns.length && returns[next]!.returned!.at < write.invokedAt; next++) {
      if (highest === undefined || returns[next]!.place.height > highest.place.height) highest = returns[next];
    }
    if (highest !== undefined && write.place.height <= highest.place.height)
      violations.push(
        `The second was invoked after the first had returned, and is not in a later block:\n${lines(model, [highest, write])}`,
      );
  }
  return violations;
}

/** Each process: what it sees is never older than what it has seen, its own writes included. */
function sessionViolations<S, I, O>(model: Model<S, I, O>, operations: readonly Placed<I, O>[]): string[] {
  const violations: string[] = [];
  for (const own of Map.groupBy(operations, ({ process }) => process).values()) {
    let highest: Placed<I, O> | undefined;
    // One after the other, so also by when they returned: what an operation needed first, like a fence, is before it.
    const returned = own.filter((one) => one.returned !== undefined);
    for (const one of returned.sort((a, b) => a.returned!.at - b.returned!.at)) {
      if (highest !== undefined && one.place.height < highest.place.height)
        violations.push(`The same process saw a lower height after a higher one:\n${lines(model, [highest, one])}`);
      else highest = one;
    }
  }
  return violations;
}

function isWrite({ place }: Placed<unknown, unknown>): boolean {
  return place.index !== undefined;
}

/** Reads are behind all writes of their block. */
function byPlace(a: Placed<unknown, unknown>, b: Placed<unknown, unknown>): number {
  const last = Number.POSITIVE_INFINITY;
  const [first, second] = [a.place.index ?? last, b.place.index ?? last];
  return a.place.height - b.place.height || (first === second ? 0 : first - second);
}

function lines<S, I, O>(model: Model<S, I, O>, operations: readonly Placed<I, O>[]): string {
  return operations
    .map((one) => {
      const { height, index } = one.place;
      return `  at ${height}${index === undefined ? '' : `.${index}`} ${describeOperation(model, one)}`;
    })
    .join('\n');
}
