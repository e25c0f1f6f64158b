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
