import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { toHex } from '../ledger/bytes.ts';
import type { Transaction } from '../ledger/transaction.ts';
import { createLightClient } from '../light/client.ts';
import { assertAllFinal } from './checks.ts';
import { chain, fund, percentile, submitAll } from './load.ts';
import { type BenchNetwork, startNetwork } from './network.ts';
import { type Options, type Row, rounded } from './row.ts';
import { signTransfers } from './transfers.ts';

const SAMPLES = 300;
const QUICK_SAMPLES = 30;
const WARM = 200;
/** Unmeasured: the way from genesis is followed once, and V8 takes code that runs a hundred times a second for slow until then. */
const WARM_SAMPLES = 1_000;
const QUICK_WARM_SAMPLES = 4;

interface Sample {
  /** From before the POST to the answer that it is final. */
  readonly finalMs: number;
  /** And to the end of the verification of its proof. */
  readonly verifiedMs: number;
}

/**
 * From submission to the verified final certificate on an idle network: one transaction after the other, each to the next
 * node, which waits for finality; then its proof is fetched there and verified by the light client with the genesis file.
 */
export async function latency(options: Options, log: (text: string) => void): Promise<readonly Row[]> {
  const samples = options.transactions ?? (options.quick ? QUICK_SAMPLES : SAMPLES);
  const network = await startNetwork();
  try {
    const validUntil = (await chain(network, 0)).time + 1_800_000;
    await fund(network, validUntil);
    await submitAll(network, signTransfers(network, WARM, 1_000, validUntil));
    const genesis = await readFile(network.genesisFile, 'utf8');
    const clients = network.validators.map(({ url }) => createLightClient({ genesis, urls: [url] }));
    const unmeasured = options.quick ? QUICK_WARM_SAMPLES : WARM_SAMPLES;
    const transactions = signTransfers(network, samples + unmeasured, 1_000_000, validUntil);
    const measured: Sample[] = [];
    for (const [i, transaction] of transactions.entries()) {
      const node = i % clients.length;
      const start = performance.now();
      await submitFinal(network.validators[node]!.url, transaction);
      const finalMs = performance.now() - start;
      const proven = await clients[node]!.transaction(transaction.id);
      const verifiedMs = performance.now() - start;
      assert.equal(proven?.value.receipt.status, 'ok', `no proof of ${toHex(transaction.id)}`);
      if (i >= unmeasured) measured.push({ finalMs, verifiedMs });
    }
    await assertAllFinal(network, 2 + WARM + transactions.length);
    log(`checked: ${measured.length} proofs verified, all transactions final, none twice`);
    const row = (name: string, share: number, of: (sample: Sample) => number): Row => ({
      name,
      value: rounded(percentile(measured.map(of), share), 1),
      unit: 'ms',
      runs: measured.length,
    });
    return [
      row('idle submit to final p50', 0.5, ({ finalMs }) => finalMs),
      row('idle submit to final p99', 0.99, ({ finalMs }) => finalMs),
      row('idle submit to verified p50', 0.5, ({ verifiedMs }) => verifiedMs),
      row('idle submit to verified p99', 0.99, ({ verifiedMs }) => verifiedMs),
      row('of that proof and verification p50', 0.5, ({ finalMs, verifiedMs }) => verifiedMs - finalMs),
    ];
  } finally {
    await network.stop();
  }
}

/** `POST` with `wait=final`, answered when it is. */
export async function submitFinal(url: string, transaction: Transaction): Promise<void> {
  const response = await fetch(`${url}/v1/transactions?wait=final`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: transaction.bytes as Uint8Array<ArrayBuffer>,
  });
  const answer = (await response.json()) as { status: string };
  assert.equal(answer.status, 'final', JSON.stringify(answer));
}

/** In ms, of transactions one after the other on the idle network. */
export async function idleLatencies(network: BenchNetwork, transactions: readonly Transaction[]): Promise<number[]> {
  const latencies: number[] = [];
  for (const [i, transaction] of transactions.entries()) {
    const start = performance.now();
    await submitFinal(network.validators[i % network.validators.length]!.url, transaction);
    latencies.push(performance.now() - start);
  }
  return latencies;
}
