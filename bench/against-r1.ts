import { allValidatorsUs, type Cost, measureCost } from './cpu.ts';
import type { BenchNetwork } from './network.ts';
import { measureR1 } from './r1.ts';
import { inPairs, medianRow, type Row, rounded } from './row.ts';

/** Of which each verifies every signature. */
const VALIDATORS = 4;

/** One kind of load, and what its units are called. */
export interface Load<T> {
  /** What its rows begin with. */
  readonly prefix: string;
  readonly unit: 'tx' | 'calls';
  /** Signs the load of one round, which is not measured, and says how many units it is and how to send it to its end. */
  sign(pair: number): {
    readonly count: number;
    send(): Promise<T>;
    /** How late event loops came to what was due since the last call, in ms. */
    loopDelay?(): Promise<number>;
  };
}

interface Round<T> {
  readonly r1: number;
  readonly cost: Cost<T>;
  readonly count: number;
  readonly perSecond: number;
  /** While it was sent. */
  readonly loopDelayMs: number | undefined;
}

/** Final units per second as a ratio to R1, both measured in each round, in turn. */
export async function againstR1<T>(
  network: BenchNetwork,
  { prefix, unit, sign }: Load<T>,
  pairs: number,
  log: (text: string) => void,
): Promise<{ readonly rows: readonly Row[]; readonly rounds: readonly Round<T>[] }> {
  const measured = await inPairs(
    pairs,
    () => measureR1(),
    async (pair) => {
      const { count, send, loopDelay } = sign(pair);
      await loopDelay?.();
      const cost = await measureCost(network, send);
      const loopDelayMs = await loopDelay?.();
      log(`${prefix}${rounded(count / cost.seconds)} ${unit}/s`);
      return { cost, count, perSecond: count / cost.seconds, loopDelayMs };
    },
  );
  const rounds = measured.map(({ a, b }): Round<T> => ({ r1: a, ...b }));
  const perUnit = unit === 'tx' ? 'us/tx' : 'us/call';
  const digits = unit === 'tx' ? 0 : 1;
  const rows = [
    medianRow(`${prefix}finalPerSecond`, `${unit}/s`, rounds, ({ perSecond }) => perSecond),
    medianRow(`${prefix}r1`, 'verifications/s', rounds, ({ r1 }) => r1),
    medianRow(`${prefix}finalPerR1`, 'ratio', rounds, ({ perSecond, r1 }) => perSecond / r1, {
      digits: 3,
      ratioOf: `${prefix}r1`,
    }),
    medianRow(
      `${prefix}cpuPerVerification`,
      'ratio',
      rounds,
      ({ r1, cost, count }) => (allValidatorsUs(cost) / count) * (r1 / (VALIDATORS * 1_000_000)),
      { digits: 3, ratioOf: 'four verifications' },
    ),
    ...network.validators.map((validator, i) =>
      medianRow(`${prefix}cpu ${validator.name}`, perUnit, rounds, ({ cost, count }) => cost.validatorsUs[i]! / count, {
        digits,
      }),
    ),
    medianRow(`${prefix}cpu all validators`, perUnit, rounds, ({ cost, count }) => allValidatorsUs(cost) / count, {
      digits,
    }),
    medianRow(`${prefix}cpu generator`, perUnit, rounds, ({ cost, count }) => cost.generatorUs / count, { digits }),
  ];
  return { rows, rounds };
}
