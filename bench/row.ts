/** One figure, as a row of a table or an object of `--json`. */
export interface Row {
  readonly name: string;
  /** Null if it could not be measured here: `skipped` says why. */
  readonly value: number | null;
  readonly unit: string;
  /** Of how many runs `value` is the median. */
  readonly runs?: number;
  /** Of what `value` is a ratio, if it is one. */
  readonly ratioOf?: string;
  readonly skipped?: string;
}

/** How much is measured; each bench has its own sizes for what is not given. */
export interface Options {
  readonly transactions: number | undefined;
  readonly trials: number | undefined;
  /** Only to see that it works: one or two pairs and small loads. */
  readonly quick: boolean;
}

/** Pairs of what is compared, at least. */
const PAIRS = 5;

export function pairsOf({ trials, quick }: Options): number {
  return trials ?? (quick ? 1 : PAIRS);
}

/**
 * Two measurements in turn, A B B A A B ..., each pair its own ratio: what changes on the machine meanwhile meets both.
 * Results in the order of the pairs.
 */
export async function inPairs<A, B>(
  pairs: number,
  first: (pair: number) => A | Promise<A>,
  second: (pair: number) => B | Promise<B>,
): Promise<readonly { readonly a: A; readonly b: B }[]> {
  const results: { a: A; b: B }[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    if (pair % 2 === 0) {
      const a = await first(pair);
      results.push({ a, b: await second(pair) });
    } else {
      const b = await second(pair);
      results.push({ a: await first(pair), b });
    }
  }
  return results;
}

/** Code that has not run yet is slow: what runs in the first milliseconds is not counted. */
export const WARM_MS = 500;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

export function rounded(value: number, digits = 0): number {
  return Number(value.toFixed(digits));
}

/** Mean and largest of several sizes. */
export function sizes(name: string, bytes: readonly number[]): Row[] {
  const mean = bytes.reduce((sum, one) => sum + one, 0) / bytes.length;
  return [
    { name: `${name}, mean`, value: rounded(mean), unit: 'bytes', runs: bytes.length },
    { name: `${name}, largest`, value: Math.max(...bytes), unit: 'bytes', runs: bytes.length },
  ];
}

/** The median over runs of what `of` takes from each. */
export function medianRow<T>(
  name: string,
  unit: string,
  runs: readonly T[],
  of: (run: T) => number,
  { digits = 0, ratioOf }: { readonly digits?: number; readonly ratioOf?: string } = {},
): Row {
  return { ...figure(name, median(runs.map(of)), unit, digits), runs: runs.length, ...(ratioOf && { ratioOf }) };
}

/** NaN is what could not be measured: what a process uses is read from files that only Linux has. */
export function figure(name: string, value: number, unit: string, digits = 0): Row {
  if (Number.isNaN(value)) return { name, value: null, unit, skipped: 'there is no /proc on this system' };
  return { name, value: rounded(value, digits), unit };
}
