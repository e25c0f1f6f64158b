import { sum } from './load.ts';
import { type BenchNetwork, cpuUs } from './network.ts';

export interface Cost<T> {
  readonly result: T;
  /** On this process's clock, in ms. */
  readonly startedAt: number;
  readonly seconds: number;
  /** CPU time of each validator, in us. */
  readonly validatorsUs: readonly number[];
  /** CPU time of this process, which makes the load, in us. */
  readonly generatorUs: number;
}

/** What `work` gives, and what it cost whom. */
export async function measureCost<T>(network: BenchNetwork, work: () => Promise<T>): Promise<Cost<T>> {
  const before = await Promise.all(network.validators.map(({ pid }) => cpuUs(pid)));
  const own = process.cpuUsage();
  const startedAt = performance.now();
  const result = await work();
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(own);
  const after = await Promise.all(network.validators.map(({ pid }) => cpuUs(pid)));
  return {
    result,
    startedAt,
    seconds,
    validatorsUs: after.map((us, i) => us - before[i]!),
    generatorUs: user + system,
  };
}

export function allValidatorsUs({ validatorsUs }: Cost<unknown>): number {
  return sum(validatorsUs);
}
