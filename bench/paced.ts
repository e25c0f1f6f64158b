import { setTimeout as delay } from 'node:timers/promises';
import type { Transaction } from '../ledger/transaction.ts';
import { submitUntilFinal } from './load.ts';
import type { BenchNetwork } from './network.ts';

/** A batch this often, each to the next node. */
const EVERY_MS = 20;

/**
 * Sends at a constant rate, whatever the network does with it, until all is sent, and waits for all of it. From when each
 * batch was due to when the last of it was final, in ms.
 */
export async function submitPaced(
  network: BenchNetwork,
  transactions: readonly Transaction[],
  perSecond: number,
): Promise<number[]> {
  const size = Math.max(1, Math.round((perSecond * EVERY_MS) / 1_000));
  const everyMs = (1_000 * size) / perSecond;
  const start = performance.now();
  const latencies: Promise<number>[] = [];
  for (let sent = 0; sent < transactions.length; sent += size) {
    const due = start + latencies.length * everyMs;
    const early = due - performance.now();
    if (early > 0) await delay(early);
    const node = latencies.length % network.validators.length;
    const batch = transactions.slice(sent, sent + size);
    const latency = submitUntilFinal(network, node, batch).then(() => performance.now() - due);
    // Awaited below; until then a failure must not end the process.
    latency.catch(() => {});
    latencies.push(latency);
  }
  return Promise.all(latencies);
}
