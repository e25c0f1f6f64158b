import type { Transaction } from '../ledger/transaction.ts';
import { againstR1, type Load } from './against-r1.ts';
import { assertAllFinal } from './checks.ts';
import type { Cost } from './cpu.ts';
import { assertNothingLost, crashUnderLoad } from './crash.ts';
import { idleLatencies } from './latency.ts';
import { type Answered, chain, fund, percentile, submitAll, submitWaiting } from './load.ts';
import { loopDelay } from './loop-delay.ts';
import { type BenchNetwork, startNetwork } from './network.ts';
import { medianRow, type Options, pairsOf, type Row, rounded } from './row.ts';
import { submitSingly } from './single.ts';
import { signTransfers } from './transfers.ts';

/** In each round: more than the 8,000 that are open at a time, so that most of a round is full load. */
const TRANSACTIONS = 20_000;
const QUICK_TRANSACTIONS = 3_000;
/** Of these, how many are sent one a request in each round: that takes several times as long. */
const SINGLE = 1 / 4;
/** How many in requests that are answered when all of their batch is final. */
const WAITING = 1 / 2;
const LATENCY_SAMPLES = 100;

/**
 * Four validators as real processes, durable, each verifying every signature. Load: pre-signed transfers through the
 * batch endpoint of all four nodes, then the same with `?wait=final`, then one a request. Latency: single transactions on the
 * idle network afterwards. At the end all four are killed under full load and started again: nothing that a client was told may be gone.
 */
export async function throughput(options: Options, log: (text: string) => void): Promise<readonly Row[]> {
  const transactions = options.transactions ?? (options.quick ? QUICK_TRANSACTIONS : TRANSACTIONS);
  const pairs = pairsOf(options);
  let network = await startNetwork();
  try {
    const { startMs } = network;
    log(`four validators ready after ${Math.round(startMs)} ms`);
    const validUntil = (await chain(network, 0)).time + 3_000_000;
    await fund(network, validUntil);
    // Two rounds first, unmeasured: code that has not run yet is slow, and compiling it takes a fifth of the processors.
    const warm = signTransfers(
      network,
      options.quick ? Math.ceil(transactions / 10) : 2 * transactions,
      1_000,
      validUntil,
    );
    await submitAll(network, warm);
    const load = loads(network, validUntil);
    const batches = await againstR1(network, load('', transactions, 1_000_000, submitAll), pairs, log);
    let submitted = 2 + warm.length + transactions * pairs;
    await assertAllFinal(network, submitted);
    const perWaitingRound = Math.ceil(transactions * WAITING);
    const waiting = await againstR1(network, load('waiting ', perWaitingRound, 400_000_000, submitWaiting), pairs, log);
    submitted += perWaitingRound * pairs;
    const perSingleRound = Math.ceil(transactions * SINGLE);
    const singles = await againstR1(network, load('single ', perSingleRound, 500_000_000, submitSingly), pairs, log);
    submitted += perSingleRound * pairs;
    await assertAllFinal(network, submitted);
    log(`checked: ${submitted} transactions final, none twice, none failed, equal state roots on four nodes`);
    const latencies = await idleLatencies(network, signTransfers(network, LATENCY_SAMPLES, 900_000_000, validUntil));
    const last = signTransfers(network, Math.max(QUICK_TRANSACTIONS, transactions), 1_000_000_000, validUntil);
    const crash = await crashUnderLoad(network, last);
    network = crash.network;
    submitted += LATENCY_SAMPLES + last.length;
    await assertNothingLost(crash, submitted);
    log(`checked after kill -9 of all four: ${crash.told.size} told to be committed are there, all ${submitted} final`);
    const loaded = batches.rounds.flatMap(({ cost }) => cost.result.map(({ finalMs }) => finalMs));
    const committed = batches.rounds.flatMap(({ cost }) => cost.result.map(({ committedMs }) => committedMs));
    return [
      ...batches.rows,
      medianRow('loop lag p99', 'ms', batches.rounds, ({ loopDelayMs }) => loopDelayMs!, { digits: 1 }),
      medianRow('committedPerSecond', 'tx/s', batches.rounds, ({ cost }) => transactions / committedSeconds(cost)),
      ...waiting.rows,
      ...singles.rows,
      { name: 'loaded submit to committed p50', value: rounded(percentile(committed, 0.5), 1), unit: 'ms' },
      { name: 'loaded submit to final p50', value: rounded(percentile(loaded, 0.5), 1), unit: 'ms' },
      { name: 'loaded submit to final p99', value: rounded(percentile(loaded, 0.99), 1), unit: 'ms' },
      { name: 'idle submit to final p50', value: rounded(percentile(latencies, 0.5), 1), unit: 'ms' },
      { name: 'idle submit to final p99', value: rounded(percentile(latencies, 0.99), 1), unit: 'ms' },
      { name: 'start of four validators', value: rounded(startMs), unit: 'ms' },
      { name: 'lost by kill -9 of all', value: 0, unit: `of ${crash.told.size} told to be committed` },
    ];
  } finally {
    await network.stop();
  }
}

/** Until the last batch was committed at its node. */
function committedSeconds({ result, startedAt }: Cost<readonly Answered[]>): number {
  return (Math.max(...result.map(({ committedAt }) => committedAt)) - startedAt) / 1_000;
}

/** Only single submissions: `npm run bench -- single`. */
export async function single(options: Options, log: (text: string) => void): Promise<readonly Row[]> {
  const transactions = options.transactions ?? (options.quick ? QUICK_TRANSACTIONS : TRANSACTIONS);
  const perRound = Math.ceil(transactions * SINGLE);
  const pairs = pairsOf(options);
  const network = await startNetwork();
  try {
    const validUntil = (await chain(network, 0)).time + 3_000_000;
    await fund(network, validUntil);
    const warm = signTransfers(network, Math.ceil(perRound / 2), 1_000, validUntil);
    await submitSingly(network, warm);
    const { rows } = await againstR1(
      network,
      loads(network, validUntil)('single ', perRound, 500_000_000, submitSingly),
      pairs,
      log,
    );
    await assertAllFinal(network, 2 + warm.length + perRound * pairs);
    return rows;
  } finally {
    await network.stop();
  }
}

/** Loads of `count` transfers a round, with nonces of its own from `nonces` on. */
const loads =
  (network: BenchNetwork, validUntil: number) =>
  <T>(
    prefix: string,
    count: number,
    nonces: number,
    send: (network: BenchNetwork, transactions: readonly Transaction[]) => Promise<T>,
  ): Load<T> => ({
    prefix,
    unit: 'tx',
    sign(pair) {
      const transactions = signTransfers(network, count, nonces + pair * 1_000_000, validUntil);
      return { count, send: () => send(network, transactions), loopDelay: () => loopDelay(network) };
    },
  });
