import type { BenchNetwork } from './network.ts';

const METRIC = /^quorate_loop_delay_p99_seconds (\S+)$/m;

/**
 * How late the event loops of the validators came to what was due since the last call, p99 in ms, of the one that came
 * latest.
 */
export async function loopDelay(network: BenchNetwork): Promise<number> {
  const delays = await Promise.all(
    network.validators.map(async ({ metrics }) => {
      if (metrics === undefined) throw new Error('a validator serves no metrics');
      const text = await (await fetch(`${metrics}/metrics`)).text();
      const found = METRIC.exec(text);
      if (found === null) throw new Error(`${metrics} has no loop delay`);
      return 1_000 * Number(found[1]);
    }),
  );
  return Math.max(...delays);
}
