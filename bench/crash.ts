import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { toHex } from '../ledger/bytes.ts';
import { packTransactions, type Transaction } from '../ledger/transaction.ts';
import { assertAllFinal } from './checks.ts';
import { type BenchNetwork, spawnValidator, untilReady } from './network.ts';

const BATCH_MAX = 250;
const OPEN_BATCHES = 32;
/** Of a load at a time: when half of it is committed, enough is not sent yet for the first commit after the restart. */
const OPEN = 1 / 4;
const RETRY_MS = 50;
const POLL_MS = 5;
const RESTART_MS = 120_000;

interface Result {
  readonly id: string;
  readonly status?: string;
  readonly block?: { readonly height: number };
  readonly error?: { readonly code: string; readonly retry: string };
}

export interface Crash {
  /** The same network with its new processes; `stop` ends these too. */
  readonly network: BenchNetwork;
  /** From the first new process until a node has executed a block that none had when it came up, in ms. */
  readonly firstCommitMs: number;
  /** Until all four vote again, in ms. */
  readonly readyMs: number;
  /** What a client had been told before the kill to be committed or final, and at which height. */
  readonly told: ReadonlyMap<string, number>;
}

/**
 * Kills all validators with SIGKILL while a load runs, when a client has been told of half of it that it is committed; starts
 * them all again, and goes on until the whole load is final.
 */
export async function crashUnderLoad(network: BenchNetwork, load: readonly Transaction[]): Promise<Crash> {
  const told = new Map<string, number>();
  const half = Promise.withResolvers<void>();
  let killed = false;
  const onResults = (results: readonly Result[]): void => {
    if (killed) return;
    for (const { id, block } of results) if (block !== undefined) told.set(id, block.height);
    if (told.size >= load.length / 2) half.resolve();
  };
  const sending = sendUntilFinal(network, load, onResults);
  await Promise.race([half.promise, sending]);
  // An answer that was on its way counts too, as long as it has been read before the signal.
  killed = true;
  await killAll(network);
  const start = performance.now();
  const restarted = relaunch(network);
  const urls = network.validators.map(({ url }) => url);
  try {
    const [committedAt] = await Promise.all([firstCommit(urls), ...urls.map(untilReady)]);
    const readyMs = performance.now() - start;
    await sending;
    return { network: restarted, firstCommitMs: committedAt - start, readyMs, told };
  } catch (error) {
    await restarted.stop();
    throw error;
  }
}

/** Nothing that a client was told is gone or elsewhere; all that was ever submitted is final, once, on all four nodes. */
export async function assertNothingLost({ network, told }: Crash, expected: number): Promise<void> {
  assert(told.size > 0, 'nothing was committed before the crash');
  const executed = await assertAllFinal(network, expected);
  for (const [id, height] of told) {
    const now = executed.get(id);
    assert.equal(now, height, `${id} was said to be in block ${height} before the crash, and is in ${now ?? 'none'}`);
  }
}

/** Until all are final: what a node does not answer, or takes later, goes to the next one, with the same bytes. */
async function sendUntilFinal(
  network: BenchNetwork,
  transactions: readonly Transaction[],
  onResults: (results: readonly Result[]) => void,
): Promise<void> {
  const batchSize = Math.min(BATCH_MAX, Math.ceil((transactions.length * OPEN) / OPEN_BATCHES));
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < transactions.length) {
      const batch = transactions.slice(next, next + batchSize);
      let node = next / batchSize;
      next += batch.length;
      for (const wait of ['committed', 'final']) {
        while (!(await reaches(network.validators[node % network.validators.length]!.url, batch, wait, onResults))) {
          node++;
          await delay(RETRY_MS);
        }
      }
    }
  };
  await Promise.all(Array.from({ length: OPEN_BATCHES }, worker));
}

async function reaches(
  url: string,
  batch: readonly Transaction[],
  wait: string,
  onResults: (results: readonly Result[]) => void,
): Promise<boolean> {
  const body = packTransactions(batch.map(({ bytes }) => bytes)) as Uint8Array<ArrayBuffer>;
  const headers = { 'content-type': 'application/octet-stream' };
  const results = await fetch(`${url}/v1/transactions/batch?wait=${wait}`, { method: 'POST', body, headers })
    .then(async (response) => ((await response.json()) as { results?: readonly Result[] }).results)
    // It is down, or was killed before it answered.
    .catch(() => undefined);
  if (results === undefined) return false;
  const refused = results.find(({ error }) => error?.retry === 'never');
  assert(refused === undefined, JSON.stringify(refused));
  onResults(results);
  assert.equal(results.length, batch.length);
  return results.every(({ id, status }, i) => {
    assert.equal(id, toHex(batch[i]!.id));
    return status === 'final' || status === wait;
  });
}

/** SIGKILL for all at once; resolves when the processes are gone. */
async function killAll({ validators }: BenchNetwork): Promise<void> {
  for (const { pid } of validators) process.kill(pid, 'SIGKILL');
  for (const { pid } of validators) while (isRunning(pid)) await delay(POLL_MS);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Starts all validators again, in new processes: the same network with these, whose `stop` ends them too. */
function relaunch(network: BenchNetwork): BenchNetwork {
  const children = network.validators.map(spawnValidator);
  return {
    ...network,
    validators: network.validators.map((one, i) => ({ ...one, pid: children[i]!.pid! })),
    async stop() {
      await Promise.all(children.map(end));
      await network.stop();
    },
  };
}

/** Kills all validators and starts them again: the same network with processes that have done nothing yet. */
export async function restartAll(network: BenchNetwork): Promise<BenchNetwork> {
  await killAll(network);
  const restarted = relaunch(network);
  try {
    await Promise.all(restarted.validators.map(({ url }) => untilReady(url)));
    return restarted;
  } catch (error) {
    await restarted.stop();
    throw error;
  }
}

/**
 * When a node has executed what no node had when it first answered. Seen by asking: a block that is new already at some
 * node's first answer counts as old, so the time is never too short.
 */
async function firstCommit(urls: readonly string[]): Promise<number> {
  const deadline = performance.now() + RESTART_MS;
  const first = await Promise.all(
    urls.map(async (url) => {
      for (;;) {
        const height = await heightOf(url);
        if (height !== undefined) return height;
        assert(performance.now() < deadline, `${url} does not answer after ${RESTART_MS / 1_000} s`);
        await delay(POLL_MS);
      }
    }),
  );
  const before = Math.max(...first);
  for (;;) {
    const heights = await Promise.all(urls.map(heightOf));
    if (heights.some((height) => height !== undefined && height > before)) return performance.now();
    assert(performance.now() < deadline, `nothing is committed ${RESTART_MS / 1_000} s after the restart`);
    await delay(POLL_MS);
  }
}

async function heightOf(url: string): Promise<number | undefined> {
  try {
    const answer = await fetch(`${url}/v1/chain`, { signal: AbortSignal.timeout(2_000) });
    return answer.ok ? ((await answer.json()) as { height: number }).height : undefined;
  } catch {
    return undefined;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(late);
}
