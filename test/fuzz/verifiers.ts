import { hash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { installHashEngine } from '../../ledger/hash.ts';
import { randomFrom } from '../support/mutate.ts';
import { allVerifiers, type Meter, type Target } from '../support/verifiers.ts';

/** How many inputs ended where, by target. */
export type Counts = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** An input with which a verifier broke its contract. */
export class VerifierFailure extends Error {
  constructor(target: string, seed: number, cause: unknown) {
    super(`${target}: npm run fuzz:verifiers -- --target '${target}' --seed ${seed} --inputs 1`, { cause });
  }
}

/** The verifiers over a hash that counts into their meter: for this whole process. */
export function meteredVerifiers(): readonly Target[] {
  const meter: Meter = { signatures: 0, hashes: 0, hashedBytes: 0 };
  const sha256 = (data: Uint8Array): Uint8Array => {
    meter.hashes++;
    meter.hashedBytes += data.length;
    return new Uint8Array(hash('sha256', data, 'buffer'));
  };
  const sha256Into = (data: Uint8Array, target: Uint8Array, at: number): void => target.set(sha256(data), at);
  const hashPairs = (input: Uint8Array, output: Uint8Array): void => {
    for (let i = 0; i * 64 < input.length; i++) sha256Into(input.subarray(i * 64, i * 64 + 64), output, i * 32);
  };
  installHashEngine({ name: 'counting', sha256, sha256Into, hashPairs });
  return allVerifiers(meter);
}

/**
 * Gives each target one input after the other until `isOver`. The input number i is made from the seed plus i alone, so that
 * one number repeats a failure. Throws VerifierFailure.
 */
export function fuzzVerifiers(targets: readonly Target[], seed: number, isOver: (inputs: number) => boolean): Counts {
  const counts: Record<string, Record<string, number>> = {};
  for (const { name, ends } of targets) counts[name] = Object.fromEntries(ends.map((end) => [end, 0]));
  for (let i = 0; !isOver(i); i++) {
    for (const target of targets) {
      const own = counts[target.name]!;
      try {
        const end = target.run(randomFrom((seed + i) ^ saltOf(target.name)));
        own[end] = (own[end] ?? 0) + 1;
      } catch (cause) {
        throw new VerifierFailure(target.name, seed + i, cause);
      }
    }
  }
  return counts;
}

/** So that targets with inputs of one kind do not all get the same ones. */
function saltOf(name: string): number {
  return hash('sha256', name, 'buffer').readUInt32BE();
}

/** Ends that no input came to: what was to be tried there was not. */
export function notReached(counts: Counts): readonly string[] {
  return Object.entries(counts).flatMap(([name, ends]) =>
    Object.entries(ends).flatMap(([end, count]) => (count === 0 ? [`${name}: ${end}`] : [])),
  );
}

const USAGE = 'usage: npm run fuzz:verifiers -- [--seconds N | --inputs N] [--seed N] [--target NAME]';

function main(): void {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '30' },
      inputs: { type: 'string' },
      seed: { type: 'string' },
      target: { type: 'string' },
    },
  });
  const seconds = Number(values.seconds);
  const inputs = values.inputs === undefined ? undefined : Number(values.inputs);
  const seed = values.seed === undefined ? Date.now() % 2 ** 32 : Number(values.seed);
  const targets = meteredVerifiers().filter(({ name }) => values.target === undefined || name === values.target);
  if (!(seconds > 0) || !Number.isSafeInteger(seed) || !Number.isSafeInteger(inputs ?? 0) || targets.length === 0) {
    console.error(USAGE);
    process.exit(2);
  }
  console.error(`seed ${seed}`);
  const end = performance.now() + seconds * 1_000;
  const isOver = inputs === undefined ? () => performance.now() >= end : (done: number) => done >= inputs;
  try {
    const counts = fuzzVerifiers(targets, seed, isOver);
    const missed = inputs === 1 ? [] : notReached(counts);
    console.log(JSON.stringify({ seed, inputs: sum(counts), counts, missed }));
    if (missed.length > 0) process.exitCode = 1;
  } catch (error) {
    if (!(error instanceof VerifierFailure)) throw error;
    console.error(error);
    console.log(JSON.stringify({ seed, failure: error.message }));
    process.exitCode = 1;
  }
}

function sum(counts: Counts): number {
  return Object.values(counts).reduce((all, ends) => Object.values(ends).reduce((total, one) => total + one, all), 0);
}

if (import.meta.main) main();
