import { assertNothingLost, crashUnderLoad } from './crash.ts';
import { chain, fund, submitAll } from './load.ts';
import { startNetwork } from './network.ts';
import { inPairs, medianRow, type Options, pairsOf, type Row } from './row.ts';
import { signTransfers } from './transfers.ts';

/** In each trial; a quarter of them is open at a time. */
const TRANSACTIONS = 32_000;
const QUICK_TRANSACTIONS = 2_000;

/**
 * How soon four validators commit again that were all killed (kill -9) under full load: from their start until a block that
 * none had before. As a ratio to how long four new validators need to start, measured next to each.
 */
export async function restart(options: Options, log: (text: string) => void): Promise<readonly Row[]> {
  const perTrial = options.transactions ?? (options.quick ? QUICK_TRANSACTIONS : TRANSACTIONS);
  let network = await startNetwork();
  try {
    const validUntil = (await chain(network, 0)).time + 3_000_000;
    await fund(network, validUntil);
    await submitAll(network, signTransfers(network, perTrial, 1_000, validUntil));
    let submitted = 2 + perTrial;
    let told = 0;
    const pairs = await inPairs(pairsOf(options), startOfFour, async (pair) => {
      const load = signTransfers(network, perTrial, (pair + 1) * 10_000_000, validUntil);
      const crash = await crashUnderLoad(network, load);
      network = crash.network;
      submitted += perTrial;
      told += crash.told.size;
      await assertNothingLost(crash, submitted);
      log(`first commit after ${Math.round(crash.firstCommitMs)} ms; checked: nothing of ${crash.told.size} is lost`);
      return crash;
    });
    const runs = pairs.map(({ a, b }) => ({ startMs: a, ...b }));
    const ratioOf = 'start of four validators';
    const worst = Math.max(...runs.map(({ firstCommitMs }) => firstCommitMs));
    return [
      medianRow(ratioOf, 'ms', runs, ({ startMs }) => startMs),
      medianRow('start to first commit', 'ms', runs, ({ firstCommitMs }) => firstCommitMs),
      { name: 'start to first commit, worst', value: Math.round(worst), unit: 'ms', runs: runs.length },
      medianRow('start until all four vote', 'ms', runs, ({ readyMs }) => readyMs),
      medianRow('restart', 'ratio', runs, (one) => one.firstCommitMs / one.startMs, { digits: 3, ratioOf }),
      { name: 'lost by kill -9 of all', value: 0, unit: `of ${told} told to be committed` },
    ];
  } finally {
    await network.stop();
  }
}

async function startOfFour(): Promise<number> {
  const fresh = await startNetwork();
  await fresh.stop();
  return fresh.startMs;
}
