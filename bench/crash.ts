import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { toHex } from '../ledger/bytes.ts';
import { packTransactions, type Transaction } from '../ledger/transaction.ts';
import { assertAllFinal } from './checks.ts';
import { inBatches } from './load.ts';
import { type BenchNetwork, spawnValidator, untilReady } from './network.ts';

const BATCH_MAX = 250;
const OPEN_BATCHES = 32;
/** Of a load at a time: when half of it is committed, enough is not sent yet for the first commit after the restart. */
const OPEN = 1 / 4;
/** Clients and validators share the processors: who asks in vain all the time makes the start longer. */
const RETRY_MS = 250;
const POLL_MS = 10;
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
  const restarted = await relaunch(network);
  try {
    const [committedAt] = await Promise.all([firstCommit(network), allReady(network)]);
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
  await inBatches(transactions, { batchSize, openBatches: OPEN_BATCHES }, async (batch, first) => {
    let node = first;
    for (const wait of ['committed', 'final']) {
      while (!(await reaches(network.validators[node % network.validators.length]!.url, batch, wait, onResults))) {
        node++;
        await delay(RETRY_MS);
      }
    }
  });
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
async function relaunch(network: BenchNetwork): Promise<BenchNetwork> {
  await Promise.all(network.validators.map((one) => rm(logOf(one), { force: true })));
  const children = network.validators.map((one) => spawnValidator(one, logOf(one)));
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
  const restarted = await relaunch(network);
  try {
    await allReady(restarted);
    return restarted;
  } catch (error) {
    await restarted.stop();
    throw error;
  }
}

type Validator = BenchNetwork['validators'][number];

const logOf = ({ config }: Validator): string => join(dirname(config), 'restarted.log');

/** The height that a node had executed when it started, once it has; asked of its log, which costs the node nothing. */
async function startedAt(validator: Validator): Promise<number> {
  for (const deadline = performance.now() + RESTART_MS; performance.now() < deadline; await delay(POLL_MS)) {
    const log = await readFile(logOf(validator), 'utf8').catch(() => '');
    const line = log.split('\n').find((one) => one.includes('"validator started"'));
    if (line !== undefined) return (JSON.parse(line) as { height: number }).height;
  }
  throw new Error(`${validator.name} has not started after ${RESTART_MS / 1_000} s`);
}

async function allReady({ validators }: BenchNetwork): Promise<void> {
  await Promise.all(
    validators.map(async (validator) => {
      await startedAt(validator);
      await untilReady(validator.url);
    }),
  );
}

/** When a client sees that a node has executed what none had executed when it started. */
async function firstCommit({ validators }: BenchNetwork): Promise<number> {
  const before = Math.max(...(await Promise.all(validators.map(startedAt))));
  const deadline = performance.now() + RESTART_MS;
  let seenAt: number | undefined;
  // Each at its own pace: one that is slow to answer hides no other.
  const watch = async ({ url }: Validator): Promise<void> => {
    for (; seenAt === undefined && performance.now() < deadline; await delay(POLL_MS)) {
      const height = await heightOf(url);
      if (height !== undefined && height > before) seenAt ??= performance.now();
    }
  };
  await Promise.all(validators.map(watch));
  if (seenAt === undefined) throw new Error(`nothing is committed ${RESTART_MS / 1_000} s after the restart`);
  return seenAt;
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
