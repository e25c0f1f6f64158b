import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { chain, fund, percentile, submitAll, sum } from './load.ts';
import { type BenchNetwork, cpuUs, startNetwork } from './network.ts';
import { measureR1 } from './r1.ts';
import { type Row, rounded } from './row.ts';
import { signTransfers } from './transfers.ts';

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
export async function assertAllFinal(network: BenchNetwork, expected: number): Promise<number> {
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
