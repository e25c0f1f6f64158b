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
  /** From before the POST to its answer, when the transaction is final. */
  readonly answeredMs: number;
  /** And to the end of the verification of its proof. */
  readonly verifiedMs: number;
}

/**
 * From submission to the verified final certificate on an idle network: one transaction after the other, each to the next
 * node, which waits for finality. In turn it answers with the proof in bytes, which the light client verifies with the genesis
 * file; or with the status in JSON, and the light client fetches the proof.
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
    const transactions = signTransfers(network, 2 * (samples + unmeasured), 1_000_000, validUntil);
    const once: Sample[] = [];
    const twice: Sample[] = [];
    for (const [i, transaction] of transactions.entries()) {
      const node = (i >> 1) % clients.length;
      const { url } = network.validators[node]!;
      const isOnce = i % 2 === 0;
      const start = performance.now();
      const shown = isOnce ? { from: 0, proof: await submitProven(url, transaction) } : undefined;
      if (!isOnce) await submitFinal(url, transaction);
      const answeredMs = performance.now() - start;
      const proven = await clients[node]!.transaction(transaction.id, shown);
      const verifiedMs = performance.now() - start;
      assert.equal(proven?.value.receipt.status, 'ok', `no proof of ${toHex(transaction.id)}`);
      if (i >= 2 * unmeasured) (isOnce ? once : twice).push({ answeredMs, verifiedMs });
    }
    await assertAllFinal(network, 2 + WARM + transactions.length);
    log(`checked: ${once.length + twice.length} proofs verified, all transactions final, none twice`);
    const row = (name: string, share: number, measured: Sample[], of: (sample: Sample) => number): Row => ({
      name,
      value: rounded(percentile(measured.map(of), share), 1),
      unit: 'ms',
      runs: measured.length,
    });
    const verified = ({ verifiedMs }: Sample): number => verifiedMs;
    const answered = ({ answeredMs }: Sample): number => answeredMs;
    return [
      row('idle submit to verified p50', 0.5, once, verified),
      row('idle submit to verified p99', 0.99, once, verified),
      row('of that verification p50', 0.5, once, (sample) => verified(sample) - answered(sample)),
      row('idle submit to final p50', 0.5, twice, answered),
      row('idle submit to final p99', 0.99, twice, answered),
      row('idle submit to verified in two requests p50', 0.5, twice, verified),
      row('of that proof and verification p50', 0.5, twice, (sample) => verified(sample) - answered(sample)),
    ];
  } finally {
    await network.stop();
  }
}

/** `POST` with `wait=final`, answered when it is. */
async function submitFinal(url: string, transaction: Transaction): Promise<void> {
  const response = await post(url, transaction, 'application/json');
  const answer = (await response.json()) as { status: string };
  assert.equal(answer.status, 'final', JSON.stringify(answer));
}

/** The same, answered with the bundle's canonical bytes. */
async function submitProven(url: string, transaction: Transaction): Promise<Uint8Array> {
  const response = await post(url, transaction, 'application/octet-stream');
  const type = response.headers.get('content-type');
  assert.equal(type, 'application/octet-stream', `no proof of ${toHex(transaction.id)}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

function post(url: string, { bytes }: Transaction, accept: string): Promise<Response> {
  return fetch(`${url}/v1/transactions?wait=final`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream', accept },
    body: bytes as Uint8Array<ArrayBuffer>,
  });
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
