import assert from 'node:assert/strict';
import { chain, fund, submitAll } from '../../bench/load.ts';
import type { BenchNetwork } from '../../bench/network.ts';
import { signTransfers } from '../../bench/transfers.ts';
import { toHex } from '../../ledger/bytes.ts';
import { openEvents, type SentEvent } from './events.ts';
import { getJson } from './processes.ts';

/** How often the reader goes on at another node. */
const SWITCHES = 20;
const TOPICS = 'block,transaction,event,checkpoint';
const BLOCKS_AT_A_TIME = 16;

export interface EventRun {
  readonly transactions: number;
  readonly events: number;
  readonly blocks: number;
  readonly switches: number;
  /** Until the last was seen, from when the first was sent. */
  readonly seconds: number;
}

/**
 * Sends transfers to all nodes, and follows the event stream meanwhile, at another node again and again. Throws unless each
 * is seen exactly once, in the order of the blocks, and every node gives the same events.
 */
export async function runEvents(network: BenchNetwork, count: number): Promise<EventRun> {
  const urls = network.validators.map(({ url }) => url);
  const validUntil = (await chain(network, 0)).time + 3_000_000;
  await fund(network, validUntil);
  const load = signTransfers(network, count, 1_000, validUntil);
  const expected = new Set(load.map(({ id }) => toHex(id)));
  const { finalHeight } = await chain(network, 0);
  const begun = performance.now();
  const [{ events, switches }] = await Promise.all([follow(urls, finalHeight + 1, expected), submitAll(network, load)]);
  const seconds = (performance.now() - begun) / 1_000;
  assertOrdered(events);
  const { id: last } = events.at(-1)!;
  const seen = events.filter(({ event }) => event === 'transaction').map(({ data }) => data.id as string);
  const to = Number(last!.split('.')[0]);
  // The last block has no others: the load ends with it.
  assert.deepEqual(seen, await transactionsOf(urls[3]!, finalHeight + 1, to));
  assert.equal(seen.filter((id) => expected.has(id)).length, count);
  assert.equal(new Set(seen).size, seen.length, 'none twice');
  for (const url of urls) {
    await using reader = await openEvents(url, `?topics=${TOPICS}&from=${finalHeight + 1}`);
    assert.deepEqual(await reader.until(last!), events, `all events at once from ${url}`);
  }
  return { transactions: count, events: events.length, blocks: to - finalHeight, switches, seconds };
}

/** Reads until all of `expected` were seen; leaves a node at moments spread over the load, whatever it is sending then. */
async function follow(urls: readonly string[], from: number, expected: ReadonlySet<string>) {
  const events: SentEvent[] = [];
  let [transactions, switches] = [0, 0];
  let last: string | undefined;
  while (transactions < expected.size) {
    const url = urls[switches % urls.length]!;
    const byHeader = switches % 2 === 0;
    const query = `?topics=${TOPICS}${byHeader || last === undefined ? `&from=${from}` : `&after=${last}`}`;
    const headers: Record<string, string> = byHeader && last !== undefined ? { 'last-event-id': last } : {};
    await using reader = await openEvents(url, query, headers);
    const leaveAt =
      switches === SWITCHES ? expected.size : Math.ceil((expected.size * (switches + 1)) / (SWITCHES + 1));
    while (transactions < leaveAt) {
      const event = await reader.next();
      assert(event !== undefined, `${url} ended the stream behind ${last}`);
      // Of a heartbeat, too.
      last = event.id ?? last;
      if (event.event === 'heartbeat') continue;
      events.push(event);
      if (event.event === 'transaction' && expected.has(event.data.id as string)) transactions++;
    }
    if (transactions < expected.size) switches++;
  }
  return { events, switches };
}

function assertOrdered(events: readonly SentEvent[]): void {
  let [height, index] = [0, 0];
  for (const { id } of events) {
    const [nextHeight, nextIndex] = id!.split('.').map(Number) as [number, number];
    const isNext = nextHeight === height ? nextIndex === index + 1 : nextHeight > height && nextIndex === 0;
    assert(isNext, `${id} comes behind ${height}.${index}`);
    [height, index] = [nextHeight, nextIndex];
  }
}

/** Ids in the order of the blocks, as another route tells them. */
async function transactionsOf(url: string, from: number, to: number): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let first = from; first <= to; first += BLOCKS_AT_A_TIME) {
    const heights = Array.from({ length: Math.min(BLOCKS_AT_A_TIME, to + 1 - first) }, (_, i) => first + i);
    const blocks = await Promise.all(
      heights.map((height) => getJson<{ transactions: { id: string }[] }>(`${url}/v1/blocks/${height}`)),
    );
    for (const { transactions } of blocks) ids.push(...transactions.map(({ id }) => id));
  }
  return ids;
}
