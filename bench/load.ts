import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { toHex } from '../ledger/bytes.ts';
import { packTransactions, type Transaction } from '../ledger/transaction.ts';
import type { BenchNetwork } from './network.ts';
import { accountOf, signCall } from './transfers.ts';

/** Gives both accounts enough of one asset. */
export async function fund(network: BenchNetwork, validUntil: number): Promise<void> {
  const issuer = accountOf(network, 'issuer');
  for (const [nonce, name] of ['alice', 'bob'].entries()) {
    const args = { asset: 'bench', to: toHex(accountOf(network, name).publicKey), amount: '1000000000' };
    await submitAndWait(network, 0, [signCall(network, issuer, 'issue', args, nonce, validUntil)]);
  }
}

export interface Answered {
  /** When the last of the batch was committed at its node, on this process's clock. */
  readonly committedAt: number;
  /** From submission to that, in ms. */
  readonly committedMs: number;
  /** From submission to finality of the last of the batch. */
  readonly finalMs: number;
}

/** How a load is sent. */
export interface LoadShape {
  readonly batchSize: number;
  /** Batches that wait for finality at a time, over all nodes. */
  readonly openBatches: number;
}

const FULL_LOAD: LoadShape = { batchSize: 250, openBatches: 32 };

/** Sends everything, each batch to the next node, and waits for the last of each batch to be final. */
export async function submitAll(
  network: BenchNetwork,
  transactions: readonly Transaction[],
  shape: LoadShape = FULL_LOAD,
): Promise<Answered[]> {
  const latencies: Answered[] = [];
  await inBatches(transactions, shape, async (batch, first) => {
    latencies.push(await submitAndWait(network, first, batch));
  });
  return latencies;
}

/** Cuts a load in batches and sends several at a time, the first attempt of each at another node: `first`, counted on without end. */
export async function inBatches(
  transactions: readonly Transaction[],
  { batchSize, openBatches }: LoadShape,
  send: (batch: readonly Transaction[], first: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < transactions.length) {
      const at = next;
      next += batchSize;
      await send(transactions.slice(at, next), at / batchSize);
    }
  };
  await Promise.all(Array.from({ length: openBatches }, worker));
}

/** As `submitAll`, with one request for each batch, which is answered when all of it is final. */
export function submitWaiting(network: BenchNetwork, transactions: readonly Transaction[]): Promise<void> {
  return inBatches(transactions, FULL_LOAD, (batch, first) => submitUntilFinal(network, first, batch));
}

/** As `submitAndWait`, with one request, which is answered when all of the batch is final. */
export async function submitUntilFinal(
  network: BenchNetwork,
  first: number,
  batch: readonly Transaction[],
): Promise<void> {
  const nodes = network.validators.length;
  for (let node = first; !(await submit(network.validators[node % nodes]!.url, batch, '?wait=final')); node++) {
    await delay(50);
  }
}

/** As a good client: a node that is overloaded or catching up is left alone for a moment, and the same bytes go elsewhere. */
export async function submitAndWait(
  network: BenchNetwork,
  first: number,
  batch: readonly Transaction[],
): Promise<Answered> {
  const start = performance.now();
  const nodes = network.validators.length;
  for (let node = first; ; node++) {
    const { url } = network.validators[node % nodes]!;
    if (!(await submit(url, batch))) {
      await delay(50);
      continue;
    }
    const last = toHex(batch.at(-1)!.id);
    await reached(url, last, 'committed');
    const committedAt = performance.now();
    await reached(url, last, 'final');
    return { committedAt, committedMs: committedAt - start, finalMs: performance.now() - start };
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

/** False if the node takes nothing now, or did not reach in time what the query waits for. */
async function submit(url: string, batch: readonly Transaction[], query = ''): Promise<boolean> {
  const response = await fetch(`${url}/v1/transactions/batch${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: packTransactions(batch.map(({ bytes }) => bytes)) as Uint8Array<ArrayBuffer>,
  });
  // A node that is full looks at nothing.
  if (response.status === 429) {
    await response.arrayBuffer();
    return false;
  }
  const { results } = (await response.json()) as { results: { error?: { code: string; retry: string } }[] };
  const refused = results.find(({ error }) => error !== undefined)?.error;
  assert(refused?.retry !== 'never', JSON.stringify(refused));
  return refused === undefined && (query === '' || response.status === 200);
}

export async function chain(network: BenchNetwork, node: number) {
  const response = await fetch(`${network.validators[node]!.url}/v1/chain`);
  return (await response.json()) as { time: number; height: number; finalHeight: number };
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
