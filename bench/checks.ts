import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { chain } from './load.ts';
import type { BenchNetwork } from './network.ts';

const PAGE = 200;
const SETTLED_MS = 300_000;

/**
 * Nothing is lost, nothing executed twice, all succeeded, and all nodes agree: otherwise a figure means nothing. All that
 * was ever submitted to the network is `expected` transactions, each with bytes of its own. Their ids, each with its height.
 */
export async function assertAllFinal(network: BenchNetwork, expected: number): Promise<ReadonlyMap<string, number>> {
  const target = await assertAgreement(network);
  const executed = await executedIn(network, 1, target);
  assert.equal(executed.size, expected, `expected ${expected} transactions with a receipt, found ${executed.size}`);
  return executed;
}

/** As `assertAllFinal` from the headers alone, for chains too long to read every block: what a header counts has other ids. */
export async function assertCounted(network: BenchNetwork, expected: number): Promise<void> {
  const target = await assertAgreement(network);
  let counted = 0;
  for (const { count } of (await headers(network, 1, target)).blocks) counted += count;
  assert.equal(counted, expected, `expected ${expected} transactions with a receipt, found ${counted}`);
}

/** All nodes have the newest block of any, with a certificate and the same state; its height. */
export async function assertAgreement(network: BenchNetwork): Promise<number> {
  const nodes = [...network.validators.keys()];
  const target = Math.max(
    ...(await Promise.all(nodes.map((node) => chain(network, node)))).map(({ height }) => height),
  );
  for (const node of nodes) await finalAt(network, node, target);
  const roots = await Promise.all(
    network.validators.map(async ({ url }) => {
      const answer = await fetch(`${url}/v1/checkpoints/${target}`);
      return ((await answer.json()) as { checkpoint: { stateRoot: string } }).checkpoint.stateRoot;
    }),
  );
  assert.equal(new Set(roots).size, 1, `state roots differ: ${roots.join(', ')}`);
  return target;
}

async function finalAt(network: BenchNetwork, node: number, height: number): Promise<void> {
  for (const end = performance.now() + SETTLED_MS; (await chain(network, node)).finalHeight < height; ) {
    assert(performance.now() < end, `${network.validators[node]!.name} has no certificate of height ${height}`);
    await delay(20);
  }
}

/** Ids of what the blocks `from` to `to` executed, each with its height; nothing twice, and nothing that failed. */
export async function executedIn(network: BenchNetwork, from: number, to: number): Promise<Map<string, number>> {
  const executed = new Map<string, number>();
  const { url, blocks } = await headers(network, from, to);
  for (const { height, count } of blocks) {
    if (count === 0) continue;
    const { transactions } = (await (await fetch(`${url}/v1/blocks/${height}`)).json()) as {
      transactions: { id: string; receipt: { status: string; code: string } }[];
    };
    assert.equal(
      transactions.length,
      count,
      `block ${height} says ${count} transactions, and has ${transactions.length}`,
    );
    for (const { id, receipt } of transactions) {
      assert.equal(receipt.status, 'ok', `${id} at height ${height}: ${receipt.code}`);
      assert(!executed.has(id), `${id} is executed at heights ${executed.get(id)} and ${height}`);
      executed.set(id, height);
    }
  }
  return executed;
}

/** How many validators do not have every block up to `to`, as after a snapshot (R8). */
export async function lackingBlocks({ validators }: BenchNetwork, to: number): Promise<number> {
  const found = await Promise.all(validators.map(({ url }) => headersAt(url, 1, to)));
  return found.filter((blocks) => blocks === undefined).length;
}

type Header = { readonly height: number; readonly count: number };

/** Of the first node that has them all. */
async function headers({ validators }: BenchNetwork, from: number, to: number) {
  for (const { url } of validators) {
    const blocks = await headersAt(url, from, to);
    if (blocks !== undefined) return { url, blocks };
  }
  throw new Error(`no node has all blocks from ${from} to ${to}`);
}

/** Newest first; undefined if one of them is not there. */
async function headersAt(url: string, from: number, to: number): Promise<Header[] | undefined> {
  const found: Header[] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined && found.length <= to - from; ) {
    const answer = await fetch(`${url}/v1/blocks?order=desc&limit=${PAGE}${cursor && `&cursor=${cursor}`}`);
    const page = (await answer.json()) as { items: { header: Header }[]; cursor?: string };
    const wanted = page.items.map(({ header }) => header).filter(({ height }) => height >= from && height <= to);
    found.push(...wanted);
    cursor = page.cursor && encodeURIComponent(page.cursor);
  }
  return found.length === to - from + 1 && found.every(({ height }, i) => height === to - i) ? found : undefined;
}
