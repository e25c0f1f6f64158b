/** From a figure to where it stands. */
export type Scale = (value: number) => number;

export function linear([low, high]: readonly [number, number], [from, to]: readonly [number, number]): Scale {
  return (value) => from + ((value - low) / (high - low)) * (to - from);
}

export function logarithmic([low, high]: readonly [number, number], [from, to]: readonly [number, number]): Scale {
  return (value) => from + (Math.log(value / low) / Math.log(high / low)) * (to - from);
}

/** From 0 to the first round figure that is not below `max`: 3 to 6 steps of 1, 2 or 5 times a power of ten. */
export function ticks(max: number): readonly number[] {
  const power = 10 ** Math.floor(Math.log10(max / 3));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => Math.ceil(max / one) <= 6)!;
  return Array.from({ length: Math.ceil(max / step) + 1 }, (_, i) => Number((i * step).toPrecision(12)));
}

/** Powers of `base` from one that is not above `min` to one that is not below `max`. */
export function powers(base: number, min: number, max: number): readonly number[] {
  const first = Math.floor(Math.log(min) / Math.log(base) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log(max) / Math.log(base) - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, i) => Number((base ** (first + i)).toPrecision(12)));
}

/** Moves labels apart that would stand on each other: their places from the top, in the order given. */
export function apart(wanted: readonly number[], distance: number): readonly number[] {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a]! - wanted[b]!);
  const placed: number[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (const i of order) {
    last = Math.max(wanted[i]!, last + distance);
    placed[i] = last;
  }
  return placed;
}
