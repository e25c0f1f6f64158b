import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Transaction } from '../ledger/transaction.ts';
import { Connections } from './connections.ts';
import { chain } from './load.ts';
import type { BenchNetwork } from './network.ts';

const CONNECTIONS = 64;
/** How long a client leaves a node alone that takes nothing now. */
const REFUSED_MS = 50;

/**
 * One transaction a request, over 64 connections to all nodes; done when all are final. A node that refuses is left alone for
 * a moment, and the same bytes go to the next one. How often that was.
 */
export async function submitSingly(network: BenchNetwork, transactions: readonly Transaction[]): Promise<number> {
  const nodes = network.validators.length;
  const connections = new Connections(CONNECTIONS / nodes);
  let next = 0;
  let refusals = 0;
  const worker = async (_: unknown, first: number): Promise<void> => {
    for (let node = first; next < transactions.length; ) {
      const { bytes } = transactions[next++]!;
      for (;;) {
        const { url } = network.validators[node % nodes]!;
        const { status, body } = await connections.post(`${url}/v1/transactions`, bytes);
        if (status === 200 || status === 202) break;
        assert(status === 429 || status === 503, `${status}: ${body}`);
        refusals++;
        node++;
        await delay(REFUSED_MS);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: CONNECTIONS }, worker));
    // Whatever is acknowledged is in a block soon after; which is the last one, only an empty mempool says.
    await untilAllExecuted(network);
    return refusals;
  } finally {
    connections.close();
  }
}

/** Nothing is pending at any node, and the newest block of any is final at all. */
export async function untilAllExecuted(network: BenchNetwork): Promise<void> {
  for (const [node, { url }] of network.validators.entries()) {
    while (!(await isEmpty(url))) await delay(5);
    const { height } = await chain(network, node);
    while ((await chain(network, node)).finalHeight < height) await delay(5);
  }
}

async function isEmpty(url: string): Promise<boolean> {
  const { transactions } = (await (await fetch(`${url}/v1/mempool`)).json()) as { transactions: number };
  return transactions === 0;
}
