import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SNAPSHOT_BLOCKS_MIN } from '../node/limits.ts';
import { assertAllFinal } from './checks.ts';
import { chain, submitAll } from './load.ts';
import { type LoadSource, startSource } from './load-source.ts';
import { type BenchNetwork, startNetwork } from './network.ts';
import { APPROVING, admitObservers, endObserver, startObserver } from './observer-nodes.ts';
import { median, type Row, rounded } from './row.ts';
import { signRegistrations } from './transfers.ts';

const SAMPLE_MS = 20;
const WITHIN_MS = 1_200_000;
/** One transaction at a time, so that blocks are many. */
const SMALL_BLOCKS = { batchSize: 1, openBatches: 4 };
const SMALL_BLOCKS_AT_ONCE = 400;

interface Join {
  /** From the start of its process until it had what is final. */
  readonly ms: number;
  /** What the network had, by the time from its first block to its last. */
  readonly perSecond: number;
  /** By a snapshot, or else by all blocks. */
  readonly bySnapshot: boolean;
}

/**
 * A node without data joins while nothing else runs: how fast it verifies and executes blocks, to how fast the network makes them
 * (in turn, while the chain grows to so many transactions, a row of the state each), and then, where 4,096 blocks lie behind,
 * how long it takes to join by a snapshot. Real processes; a network of its own for each size.
 */
export async function catchUp(
  sizes: readonly number[],
  runs: number,
  log: (text: string) => void,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const size of sizes) rows.push(...(await measure(size, runs, log)));
  return rows;
}

async function measure(size: number, runs: number, log: (text: string) => void): Promise<Row[]> {
  const network = await startNetwork();
  try {
    const source = await startSource(network, signRegistrations);
    const { time } = await chain(network, 0);
    const [home] = await admitObservers(network, 1, time + 1_800_000);
    const part = Math.ceil(size / (runs + 1));
    // Unmeasured: code that has not run yet is slow.
    await submitAll(network, await source.next(part));
    const live: number[] = [];
    const joined: number[] = [];
    for (let run = 0; run < runs; run++) {
      live.push(await finalPerSecond(network, await source.next(part)));
      if ((await chain(network, 0)).height >= SNAPSHOT_BLOCKS_MIN) break;
      const one = await joinOnce(network, home!, source);
      assert(!one.bySnapshot, 'this one did not execute blocks');
      joined.push(one.perSecond);
      log(`${source.made} transactions: live ${rounded(live.at(-1)!)} tx/s, joining ${rounded(one.perSecond)} tx/s`);
    }
    await pad(network, source);
    const snapshots: number[] = [];
    for (let run = 0; run < runs; run++) {
      const one = await joinOnce(network, home!, source);
      assert(one.bySnapshot, 'this one did not take a snapshot');
      snapshots.push(one.ms);
      log(`${source.made} transactions: joined by a snapshot after ${rounded(one.ms)} ms`);
    }
    await assertAllFinal(network, source.made + APPROVING.length);
    return [...blockRows(size, live, joined), ...snapshotRows(source.made, snapshots)];
  } finally {
    await network.stop();
  }
}

function blockRows(size: number, live: readonly number[], joined: readonly number[]): Row[] {
  const name = `${size} transactions`;
  const ratioOf = `${name}: final`;
  if (joined.length === 0) {
    const skipped = `there are ${SNAPSHOT_BLOCKS_MIN} blocks before the first join: it would take a snapshot`;
    return [{ name: `${name}: catch-up`, value: null, unit: 'ratio', ratioOf, skipped }];
  }
  const runs = joined.length;
  const ratios = joined.map((perSecond, i) => perSecond / live[i]!);
  return [
    { name: ratioOf, value: rounded(median(live)), unit: 'tx/s', runs },
    { name: `${name}: joiner verifies and executes`, value: rounded(median(joined)), unit: 'tx/s', runs },
    { name: `${name}: catch-up`, value: rounded(median(ratios), 3), unit: 'ratio', runs, ratioOf },
  ];
}

/** The first one waits until a member has made the snapshot, which is then there for the others. */
function snapshotRows(made: number, ms: readonly number[]): Row[] {
  const name = `snapshot at ${made} transactions`;
  return [
    { name: `${name}: first join`, value: rounded(ms[0]!), unit: 'ms', runs: 1 },
    { name: `${name}: join`, value: rounded(median(ms)), unit: 'ms', runs: ms.length },
  ];
}

/** A node without data, until it has what is final now. */
async function joinOnce(network: BenchNetwork, home: string, source: LoadSource): Promise<Join> {
  await rm(join(home, 'data'), { recursive: true, force: true });
  const { finalHeight: target } = await chain(network, 0);
  const start = performance.now();
  const observer = await startObserver(home);
  try {
    let idleAt = performance.now();
    for (const late = start + WITHIN_MS; ; await delay(SAMPLE_MS)) {
      const now = performance.now();
      const { height, finalHeight } = (await json(observer.url, '/v1/chain')) as {
        height: number;
        finalHeight: number;
      };
      if (finalHeight >= target) break;
      if (height === 0) idleAt = now;
      if (now > late) throw new Error(`at height ${height} of ${target} after ${WITHIN_MS / 1_000} s`);
    }
    const end = performance.now();
    const first = await fetch(`${observer.url}/v1/blocks/1`);
    await first.arrayBuffer();
    const executed = source.made + APPROVING.length;
    return { ms: end - start, perSecond: (1_000 * executed) / (end - idleAt), bySnapshot: first.status !== 200 };
  } finally {
    await endObserver(observer);
  }
}

/** Until whoever begins now takes a snapshot. */
async function pad(network: BenchNetwork, source: LoadSource): Promise<void> {
  while ((await chain(network, 0)).finalHeight < SNAPSHOT_BLOCKS_MIN) {
    await submitAll(network, await source.next(SMALL_BLOCKS_AT_ONCE), SMALL_BLOCKS);
  }
}

async function finalPerSecond(network: BenchNetwork, load: Parameters<typeof submitAll>[1]): Promise<number> {
  const start = performance.now();
  await submitAll(network, load);
  return (1_000 * load.length) / (performance.now() - start);
}

async function json(url: string, path: string): Promise<unknown> {
  return (await fetch(url + path)).json();
}
