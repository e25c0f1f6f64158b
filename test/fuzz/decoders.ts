import { parseArgs } from 'node:util';
import { toHex } from '../../ledger/bytes.ts';
import { allDecoders, type Decoder } from '../support/decoders.ts';
import { mutate, randomFrom } from '../support/mutate.ts';

export interface FuzzResult {
  readonly runs: number;
  /** By decoder: inputs that were accepted, and refused. */
  readonly counts: ReadonlyMap<string, { accepted: number; refused: number }>;
}

/** An input with which a decoder broke its contract. */
export class FuzzFailure extends Error {
  readonly input: Uint8Array;

  constructor(decoder: string, seed: number, input: Uint8Array, cause: unknown) {
    super(`decoder "${decoder}", seed ${seed}, input ${toHex(input)}`, { cause });
    this.input = input;
  }
}

/**
 * Feeds mutated bytes to every decoder in turn until `isOver`. What a decoder accepts becomes a new sample. The same seed
 * gives the same inputs in the same order. Throws FuzzFailure.
 */
export function fuzz(seed: number, isOver: (runs: number) => boolean, decoders = allDecoders()): FuzzResult {
  const random = randomFrom(seed);
  const counts = new Map(decoders.map(({ name }) => [name, { accepted: 0, refused: 0 }]));
  const pools = decoders.map((decoder) => [...decoder.samples(seed)]);
  const everything = pools.flat();
  let runs = 0;
  const run = (decoder: Decoder, input: Uint8Array, pool: Uint8Array[]): void => {
    runs++;
    let result: 'accepted' | 'refused';
    try {
      result = decoder.run(input);
    } catch (cause) {
      throw new FuzzFailure(decoder.name, seed, input, cause);
    }
    counts.get(decoder.name)![result]++;
    if (result === 'accepted') keep(pool, input, random);
  };
  for (const [index, decoder] of decoders.entries()) {
    for (const sample of [...pools[index]!, new Uint8Array(0)]) run(decoder, sample, pools[index]!);
  }
  while (!isOver(runs)) {
    for (const [index, decoder] of decoders.entries()) {
      const pool = pools[index]!;
      const base =
        random(8) === 0 || pool.length === 0 ? everything[random(everything.length)]! : pool[random(pool.length)]!;
      run(decoder, mutate(base, everything[random(everything.length)]!, random), pool);
    }
  }
  return { runs, counts };
}

const POOL_MAX = 200;
const SAMPLE_BYTES_MAX = 20_000;

function keep(pool: Uint8Array[], input: Uint8Array, random: (below: number) => number): void {
  if (input.length > SAMPLE_BYTES_MAX) return;
  if (pool.length < POOL_MAX) pool.push(input.slice());
  else pool[random(POOL_MAX)] = input.slice();
}

function main(): void {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '30' }, seed: { type: 'string' } } });
  const seconds = Number(values.seconds);
  const seed = values.seed === undefined ? Date.now() % 2 ** 32 : Number(values.seed);
  if (!(seconds > 0) || !Number.isSafeInteger(seed)) throw new Error('usage: npm run fuzz -- [--seconds N] [--seed N]');
  console.log(`seed ${seed}, ${seconds} s`);
  const end = performance.now() + seconds * 1_000;
  const { runs, counts } = fuzz(seed, () => performance.now() >= end);
  for (const [name, { accepted, refused }] of counts) {
    console.log(`${String(refused).padStart(9)} refused ${String(accepted).padStart(9)} accepted  ${name}`);
  }
  console.log(`${runs} inputs, no decoder broke its contract`);
}

if (import.meta.main) main();
