import { setTimeout as delay } from 'node:timers/promises';
import { assertAllFinal } from './checks.ts';
import { type DelayedNetwork, startDelayed } from './delayed-network.ts';
import { percentile, submitAll, submitUntilFinal } from './load.ts';
import { type BenchSize, interleaved, type LoadSource, startSource } from './load-source.ts';
import { cpuUs } from './network.ts';
import { submitPaced } from './paced.ts';
import { median, type Row, rounded } from './row.ts';

/** One way, between any two validators. */
const DELAYS_MS = [25, 50] as const;
/** Forwarding, PRE-PREPARE, PREPARE, COMMIT, CHECKPOINT: what a certificate takes at least where the origin is not the leader. */
const MESSAGE_DELAYS = 5;
const SHARE_OF_PEAK = 0.3;
const IDLE_SAMPLES_PER_SECOND = 10;
/** What was sent before the delay was another one has arrived. */
const SETTLE_MS = 1_000;

type DelayMs = (typeof DELAYS_MS)[number];

/**
 * Submit to final where the validators are far from each other: one transaction at a time on the idle network, and at 30 % of
 * what the network takes at this delay. Four real processes; a fifth one delays what they send. Whoever submits is near its
 * validator.
 */
export async function wan(size: BenchSize, log: (text: string) => void): Promise<readonly Row[]> {
  return onDelayed(size, log, async (network, source) => {
    const peaks = new Map<DelayMs, number>();
    for (const ms of DELAYS_MS) {
      peaks.set(ms, await finalPerSecond(network, ms, source, size.transactions));
      log(`${ms} ms: ${rounded(peaks.get(ms)!)} tx/s final at full load`);
    }
    const idle = new Map<DelayMs, number[][]>(DELAYS_MS.map((ms) => [ms, []]));
    const loaded = new Map<DelayMs, number[][]>(DELAYS_MS.map((ms) => [ms, []]));
    for (const round of interleaved(DELAYS_MS, size.pairs)) {
      for (const ms of round) {
        await settle(network, ms);
        const alone = await source.next(Math.ceil(IDLE_SAMPLES_PER_SECOND * size.seconds));
        idle.get(ms)!.push(await oneByOne(network, alone));
        const perSecond = SHARE_OF_PEAK * peaks.get(ms)!;
        const load = await source.next(Math.ceil(perSecond * size.seconds));
        loaded.get(ms)!.push(await submitPaced(network, load, perSecond));
        const shown = (runs: number[][]) => rounded(percentile(runs.at(-1)!, 0.5), 1);
        log(`${ms} ms: idle p50 ${shown(idle.get(ms)!)} ms, at 30 % p50 ${shown(loaded.get(ms)!)} ms`);
      }
    }
    return DELAYS_MS.flatMap((ms) => [
      { name: `${ms} ms one way: peak`, value: rounded(peaks.get(ms)!), unit: 'tx/s' },
      ...latencyRows(`${ms} ms one way, idle`, ms, idle.get(ms)!),
      ...latencyRows(`${ms} ms one way, at 30 % of the peak`, ms, loaded.get(ms)!),
    ]);
  });
}

/** Whether the window of heights hides the delay: throughput at 50 ms to throughput at 0 ms, through the same proxy. */
export async function window(size: BenchSize, log: (text: string) => void): Promise<readonly Row[]> {
  return onDelayed(size, log, async (network, source) => {
    const near: number[] = [];
    const far: number[] = [];
    const proxyBefore = await cpuUs(network.proxyPid);
    const made = source.made;
    for (const round of interleaved([0, 50], size.pairs)) {
      for (const ms of round) {
        const perSecond = await finalPerSecond(network, ms, source, size.transactions);
        (ms === 0 ? near : far).push(perSecond);
        log(`${ms} ms: ${rounded(perSecond)} tx/s`);
      }
    }
    const proxyUs = ((await cpuUs(network.proxyPid)) - proxyBefore) / (source.made - made);
    const runs = near.length;
    const ratios = far.map((perSecond, i) => perSecond / near[i]!);
    const ratioOf = 'final at 0 ms';
    return [
      { name: ratioOf, value: rounded(median(near)), unit: 'tx/s', runs },
      { name: 'final at 50 ms one way', value: rounded(median(far)), unit: 'tx/s', runs },
      { name: 'window', value: rounded(median(ratios), 3), unit: 'ratio', runs, ratioOf },
      { name: 'cpu proxy', value: rounded(proxyUs), unit: 'us/tx' },
    ];
  });
}

async function onDelayed(
  size: BenchSize,
  log: (text: string) => void,
  measure: (network: DelayedNetwork, source: LoadSource) => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
  const network = await startDelayed();
  try {
    const source = await startSource(network);
    // Unmeasured: code that has not run yet is slow.
    await submitAll(network, await source.next(Math.ceil(size.transactions / 5)));
    const rows = await measure(network, source);
    await network.setDelay(0);
    await assertAllFinal(network, source.made);
    log(`checked: ${source.made} transactions final, none twice`);
    return rows;
  } finally {
    await network.stop();
  }
}

async function finalPerSecond(
  network: DelayedNetwork,
  ms: number,
  source: LoadSource,
  transactions: number,
): Promise<number> {
  const load = await source.next(transactions);
  await settle(network, ms);
  const start = performance.now();
  await submitAll(network, load);
  return (1_000 * transactions) / (performance.now() - start);
}

async function settle(network: DelayedNetwork, ms: number): Promise<void> {
  await network.setDelay(ms);
  await delay(SETTLE_MS);
}

async function oneByOne(network: DelayedNetwork, transactions: Awaited<ReturnType<LoadSource['next']>>) {
  const latencies: number[] = [];
  for (const [i, transaction] of transactions.entries()) {
    const start = performance.now();
    await submitUntilFinal(network, i % network.validators.length, [transaction]);
    latencies.push(performance.now() - start);
  }
  return latencies;
}

function latencyRows(name: string, ms: DelayMs, runs: readonly (readonly number[])[]): Row[] {
  return [0.5, 0.99].flatMap((share) => {
    const row = `${name}: submit to final p${100 * share}`;
    const value = median(runs.map((latencies) => percentile(latencies, share)));
    const ratioOf = `${MESSAGE_DELAYS} x ${ms} ms`;
    return [
      { name: row, value: rounded(value, 1), unit: 'ms', runs: runs.length },
      { name: row, value: rounded(value / (MESSAGE_DELAYS * ms), 3), unit: 'ratio', runs: runs.length, ratioOf },
    ];
  });
}
