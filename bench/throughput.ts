import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { toHex } from '../ledger/bytes.ts';
import { packTransactions, type Transaction } from '../ledger/transaction.ts';
import { type BenchNetwork, cpuUs, startNetwork } from './network.ts';
import { measureR1 } from './r1.ts';
import { type Row, rounded } from './row.ts';
import { accountOf, signCall, signTransfers } from './transfers.ts';

const BATCH = 250;
/** Batches that wait for finality at a time, over all nodes. */
const OPEN_BATCHES = 32;
const LATENCY_SAMPLES = 100;

/**
 * Four validators as real processes, durable, each verifying every signature. Load: pre-signed transfers through the
 * batch endpoint of all four nodes. Latency: single transactions on the idle network afterwards.
 */
export async function throughput(transactions: number, log: (text: string) => void): Promise<readonly Row[]> {
  const r1Before = measureR1();
  const network = await startNetwork();
  try {
    log(`four validators ready after ${Math.round(network.startMs)} ms; signing ${transactions} transfers`);
    const time = (await chain(network, 0)).time;
    const validUntil = time + 1_800_000;
    await fund(network, validUntil);
    // A tenth first, unmeasured: code that has not run yet is slow.
    const warm = signTransfers(network, Math.ceil(transactions / 10), 1_000, validUntil);
    await submitAll(network, warm);
    const load = signTransfers(network, transactions, 1_000_000, validUntil);
    const cpuBefore = await Promise.all(network.validators.map(({ pid }) => cpuUs(pid)));
    const own = process.cpuUsage();
    const start = performance.now();
    const answered = await submitAll(network, load);
    const seconds = (performance.now() - start) / 1_000;
    const committedSeconds = (Math.max(...answered.map(({ committedAt }) => committedAt)) - start) / 1_000;
    const batchLatencies = answered.map(({ finalMs }) => finalMs);
    const ownUs = process.cpuUsage(own).user + process.cpuUsage(own).system;
    const cpuAfter = await Promise.all(network.validators.map(({ pid }) => cpuUs(pid)));
    const committed = await assertAllFinal(network, 2 + warm.length + load.length);
    log(`checked: ${committed} transactions final, none twice, equal state roots on four nodes`);
    const latencies = await latency(network, validUntil);
    const r1After = measureR1();
    const r1 = (r1Before + r1After) / 2;
    const perSecond = transactions / seconds;
    const perProcess = cpuAfter.map((after, i) => (after - cpuBefore[i]!) / transactions);
    return [
      { name: 'finalPerSecond', value: rounded(perSecond), unit: 'tx/s' },
      { name: 'committedPerSecond', value: rounded(transactions / committedSeconds), unit: 'tx/s' },
      { name: 'r1', value: rounded(r1), unit: 'verifications/s' },
      { name: 'r1Before', value: r1Before, unit: 'verifications/s' },
      { name: 'r1After', value: r1After, unit: 'verifications/s' },
      { name: 'finalPerR1', value: rounded(perSecond / r1, 3), unit: 'ratio', ratioOf: 'r1' },
      ...perProcess.map((us, i) => ({ name: `cpu ${network.validators[i]!.name}`, value: rounded(us), unit: 'us/tx' })),
      { name: 'cpu all validators', value: rounded(sum(perProcess)), unit: 'us/tx' },
      { name: 'cpu generator', value: rounded(ownUs / transactions), unit: 'us/tx' },
      { name: 'loaded submit to final p50', value: rounded(percentile(batchLatencies, 0.5), 1), unit: 'ms' },
      { name: 'loaded submit to final p99', value: rounded(percentile(batchLatencies, 0.99), 1), unit: 'ms' },
      { name: 'idle submit to final p50', value: rounded(percentile(latencies, 0.5), 1), unit: 'ms' },
      { name: 'idle submit to final p99', value: rounded(percentile(latencies, 0.99), 1), unit: 'ms' },
      { name: 'start of four validators', value: rounded(network.startMs), unit: 'ms' },
    ];
  } finally {
    await network.stop();
  }
}

/** Gives both accounts enough of one asset. */
async function fund(network: BenchNetwork, validUntil: number): Promise<void> {
  const issuer = accountOf(network, 'issuer');
  for (const [nonce, name] of ['alice', 'bob'].entries()) {
    const args = { asset: 'bench', to: toHex(accountOf(network, name).publicKey), amount: '1000000000' };
    await submitAndWait(network, 0, [signCall(network, issuer, 'issue', args, nonce, validUntil)]);
  }
}

interface Answered {
  /** When the last of the batch was committed at its node, on this process's clock. */
  readonly committedAt: number;
  /** From submission to finality of the last of the batch. */
  readonly finalMs: number;
}

/** Sends everything, each batch to the next node, and waits for the last of each batch to be final. */
async function submitAll(network: BenchNetwork, transactions: readonly Transaction[]): Promise<Answered[]> {
  const latencies: Answered[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < transactions.length) {
      const batch = transactions.slice(next, next + BATCH);
      const node = Math.floor(next / BATCH) % network.validators.length;
      next += batch.length;
      latencies.push(await submitAndWait(network, node, batch));
    }
  };
  await Promise.all(Array.from({ length: OPEN_BATCHES }, worker));
  return latencies;
}

/** As a good client: a node that is overloaded or catching up is left alone for a moment, and the same bytes go elsewhere. */
async function submitAndWait(network: BenchNetwork, first: number, batch: readonly Transaction[]): Promise<Answered> {
  const start = performance.now();
  for (let node = first; ; node = (node + 1) % network.validators.length) {
    const { url } = network.validators[node]!;
    if (!(await submit(url, batch))) {
      await delay(50);
      continue;
    }
    const last = toHex(batch.at(-1)!.id);
    await reached(url, last, 'committed');
    const committedAt = performance.now();
    await reached(url, last, 'final');
    return { committedAt, finalMs: performance.now() - start };
  }
}

async function reached(url: string, id: string, wait: 'committed' | 'final'): Promise<void> {
  for (;;) {
    const answer = await fetch(`${url}/v1/transactions/${id}?wait=${wait}&timeoutMs=30000`);
    const { status } = (await answer.json()) as { status: string };
    if (status === 'final' || status === wait) return;
    assert(status === 'pending' || status === 'committed', `transaction ${id} is ${status}`);
  }
}

/** False if the node takes nothing now. */
async function submit(url: string, batch: readonly Transaction[]): Promise<boolean> {
  const response = await fetch(`${url}/v1/transactions/batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: packTransactions(batch.map(({ bytes }) => bytes)) as Uint8Array<ArrayBuffer>,
  });
  const { results } = (await response.json()) as { results: { error?: { code: string; retry: string } }[] };
  const refused = results.find(({ error }) => error !== undefined)?.error;
  assert(refused?.retry !== 'never', JSON.stringify(refused));
  return refused === undefined;
}

async function latency(network: BenchNetwork, validUntil: number): Promise<number[]> {
  const latencies: number[] = [];
  for (const [i, transaction] of signTransfers(network, LATENCY_SAMPLES, 900_000_000, validUntil).entries()) {
    const { url } = network.validators[i % network.validators.length]!;
    const start = performance.now();
    const response = await fetch(`${url}/v1/transactions?wait=final`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: transaction.bytes as Uint8Array<ArrayBuffer>,
    });
    const answer = (await response.json()) as { status: string };
    assert.equal(answer.status, 'final', JSON.stringify(answer));
    latencies.push(performance.now() - start);
  }
  return latencies;
}

/** Nothing is lost, nothing executed twice, and all nodes agree: otherwise the figure means nothing. */
async function assertAllFinal(network: BenchNetwork, expected: number): Promise<number> {
  const target = Math.max(
    ...(await Promise.all(network.validators.map((_, node) => chain(network, node)))).map(({ height }) => height),
  );
  for (const node of network.validators.keys()) {
    while ((await chain(network, node)).finalHeight < target) await delay(20);
  }
  let count = 0;
  const roots = new Set<string>();
  for (const node of network.validators.keys()) {
    const { url } = network.validators[node]!;
    const checkpoint = (await (await fetch(`${url}/v1/checkpoints/${target}`)).json()) as {
      checkpoint: { stateRoot: string };
    };
    roots.add(checkpoint.checkpoint.stateRoot);
  }
  assert.equal(roots.size, 1, `state roots differ: ${[...roots].join(', ')}`);
  for (let height = 1; height <= target; height++) {
    const { url } = network.validators[0]!;
    const block = (await (await fetch(`${url}/v1/blocks/${height}`)).json()) as { header: { count: number } };
    count += block.header.count;
  }
  assert.equal(count, expected, 'transactions with a receipt');
  return count;
}

async function chain(network: BenchNetwork, node: number) {
  const response = await fetch(`${network.validators[node]!.url}/v1/chain`);
  return (await response.json()) as { time: number; height: number; finalHeight: number };
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
