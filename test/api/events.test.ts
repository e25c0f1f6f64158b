import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type Api, startApi } from '../../api/index.ts';
import { blockHash } from '../../ledger/block.ts';
import { toHex } from '../../ledger/bytes.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { ACCOUNTS, changedChain } from '../support/chain.ts';
import { type EventNode, eventNode } from '../support/event-node.ts';
import { type EventReader, openEvents, type SentEvent } from '../support/events.ts';

const ALL = 'block,transaction,event,checkpoint,epoch';
const chain = changedChain();
const LAST = chain.height;
/** Heights with which an epoch of the chain ends. */
const ENDS = chain.handoffs.map(({ certificate }) => certificate.checkpoint.height);

/** `kind about` of every event of the chain, told from the chain without the code that makes events. */
const expected = chain.blocks.flatMap(({ header: { height }, transactions, receipts }) => {
  const lines = [`block ${height}`];
  transactions.forEach(({ id }, index) => {
    lines.push(`transaction ${toHex(id)} ${receipts[index]!.status === 'ok' ? 'final' : 'rejected'}`);
    for (const { module, name } of receipts[index]!.events) lines.push(`event ${module}.${name} ${toHex(id)}`);
  });
  if (height > 0) lines.push(`checkpoint ${height}`);
  if (ENDS.includes(height)) lines.push(`epoch ${ENDS.filter((end) => end <= height).length}`);
  return lines.map((line, index) => ({ id: `${height}.${index}`, line }));
});
const LAST_ID = expected.at(-1)!.id;

function lineOf({ event, data }: SentEvent): string {
  const { height, id, status, module, name, transaction, epoch } = data;
  switch (event) {
    case 'transaction':
      return `${event} ${id} ${status}`;
    case 'event':
      return `${event} ${module}.${name} ${transaction}`;
    case 'epoch':
      return `${event} ${epoch}`;
    default:
      return `${event} ${height}`;
  }
}

describe('the event stream', () => {
  let node: EventNode;
  let api: Api;
  const start = (port: EventNode) =>
    startApi({
      node: port,
      application: quorateApplication,
      verifyPage: undefined,
      docsPage: undefined,
      host: '127.0.0.1',
      port: 0,
      log: { error: (fields) => assert.fail(JSON.stringify(fields)) },
      limits: { heartbeatMs: 20 },
    });
  beforeEach(async () => {
    node = eventNode(chain, LAST);
    api = await start(node);
  });
  afterEach(() => api.close());

  const readAll = async (query: string, until = LAST_ID): Promise<readonly SentEvent[]> => {
    await using reader = await openEvents(api.url, query);
    const events = await reader.until(until);
    return events;
  };
  const refused = async (query: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${api.url}/v1/events${query}`, { headers });
    const { code, detail } = (await response.json()) as { code: string; detail: string };
    return { status: response.status, code, detail };
  };
  const heartbeat = async (reader: EventReader): Promise<SentEvent> => {
    for (;;) {
      const event = await reader.next();
      assert(event !== undefined);
      if (event.event === 'heartbeat') return event;
    }
  };

  it('H15: contract: ordered, unique, gap-free: every event of the chain once, in its order, with its place as id', async () => {
    const events = await readAll(`?topics=${ALL}&from=0`);
    assert.deepEqual(
      events.map((event) => ({ id: event.id, line: lineOf(event) })),
      expected,
    );
    assert(expected.length > 150 && ENDS.length === 3, `${expected.length} events`);
  });

  it('says what the REST views say, in the same words', async () => {
    const events = await readAll(`?topics=${ALL}&from=1`, '2.0');
    const { json } = await call('/v1/blocks/1');
    const { hash, header, transactions } = json as {
      hash: string;
      header: object;
      transactions: { id: string; transaction: { sender: string }; receipt: { code: string; events: object[] } }[];
    };
    assert.deepEqual(events[0]!.data, { height: 1, hash, header });
    const [first, , third] = transactions;
    const { code } = first!.receipt;
    assert.deepEqual(events[1]!.data, {
      height: 1,
      index: 0,
      id: first!.id,
      sender: first!.transaction.sender,
      status: 'rejected',
      code,
    });
    assert.notEqual(code, '');
    const ofThird = events.filter(({ event, data }) => event === 'event' && data.transaction === third!.id);
    assert.deepEqual(
      ofThird.map(({ data: { module, name, data } }) => ({ module, name, data })),
      third!.receipt.events,
    );
    assert.deepEqual(events.find(({ event }) => event === 'checkpoint')!.data, {
      height: 1,
      blockHash: toHex(blockHash(chain.blocks[1]!.header)),
      epoch: 0,
    });
  });

  it('an epoch comes with its validators at the end of the block before it', async () => {
    const epochs = await readAll('?topics=epoch,checkpoint&from=0', `${LAST}.${LAST_ID.split('.')[1]}`);
    const sets = epochs.filter(({ event }) => event === 'epoch').map(({ data }) => data);
    assert.deepEqual(
      sets.map(({ height, epoch, firstHeight, validators }) => [
        height,
        epoch,
        firstHeight,
        (validators as object[]).length,
      ]),
      [
        [5, 1, 6, 5],
        [12, 2, 13, 7],
        [20, 3, 21, 4],
      ],
    );
    const epochAt = (at: number) =>
      epochs.find(({ event, data }) => event === 'checkpoint' && data.height === at)!.data.epoch;
    assert.deepEqual([1, 5, 6, 12, 13, 20, 21, 40].map(epochAt), [0, 0, 1, 1, 2, 2, 3, 3]);
  });

  it('H15: ids are the same at a node that gets the blocks one by one and whatever the topics are', async () => {
    const late = eventNode(chain, 0);
    const other = await start(late);
    try {
      await using reader = await openEvents(other.url, '?topics=event:assets,transaction&from=0');
      for (let height = 1; height <= LAST; height++) late.makeFinal(height);
      const wanted = expected.filter(({ line }) => /^(transaction|event assets)/.test(line));
      const events = await reader.until(wanted.at(-1)!.id);
      assert.deepEqual(
        events.map((event) => ({ id: event.id, line: lineOf(event) })),
        wanted,
      );
    } finally {
      await other.close();
    }
  });

  it('H15: a stream that begins behind any event goes on with the next one, by header and by parameter', async () => {
    for (const [index, { id }] of expected.entries()) {
      if (id === LAST_ID) continue;
      const byHeader = index % 2 === 0;
      await using reader = byHeader
        ? await openEvents(api.url, `?topics=${ALL}&after=0.0`, { 'last-event-id': id })
        : await openEvents(api.url, `?topics=${ALL}&after=${id}`);
      const events = await reader.until(LAST_ID);
      assert.deepEqual(
        events.map((event) => event.id),
        expected.slice(index + 1).map((event) => event.id),
        id,
      );
    }
  });

  it('an id beyond the last event of its block stands behind that block', async () => {
    const [first] = await readAll('?topics=block&after=7.999', '8.0');
    assert.equal(first!.id, '8.0');
  });

  it('H15: nothing is sent before it is final, and what becomes final is sent once', async () => {
    node.final = 3;
    await using reader = await openEvents(api.url, '?topics=block&from=3');
    await reader.until('3.0');
    const idle = await heartbeat(reader);
    assert.deepEqual([idle.data.finalHeight, idle.id?.split('.')[0]], [3, '3']);
    assert.equal(Math.max(...node.read), 3, 'what is not final is not even read');
    node.makeFinal(6);
    assert.deepEqual(
      (await reader.until('6.0')).map(({ id }) => id),
      ['4.0', '5.0', '6.0'],
    );
  });

  it('without a place it begins with what becomes final next, and its first heartbeat names the last event before', async () => {
    node.final = 7;
    await using reader = await openEvents(api.url, '');
    const first = await reader.next();
    const before = expected.filter(({ id }) => id.startsWith('7.')).at(-1)!.id;
    assert.deepEqual([first!.event, first!.id], ['heartbeat', before]);
    node.makeFinal(8);
    const events = await reader.until('8.0');
    assert.deepEqual(events.map(lineOf), ['block 8'], 'blocks and transactions if no topics are given');
  });

  it('a height that is not final yet is waited for, behind an id and from a height', async () => {
    node.final = 2;
    await using behind = await openEvents(api.url, '?topics=block&after=9.0');
    await using from = await openEvents(api.url, '?topics=block&from=9');
    assert.equal((await heartbeat(behind)).id, '9.0');
    assert.equal((await heartbeat(from)).id, undefined, 'nothing was looked at');
    node.makeFinal(10);
    assert.equal((await from.until('9.0')).length, 1);
    assert.deepEqual(
      (await behind.until('10.0')).map(({ id }) => id),
      ['10.0'],
    );
  });

  it('H15: heartbeats name the last event that was looked at, so that rare topics do not begin anew', async () => {
    await using reader = await openEvents(api.url, '?topics=epoch&from=21');
    let id: string | undefined;
    while (id !== LAST_ID) id = (await heartbeat(reader)).id;
    node.read.length = 0;
    await using again = await openEvents(api.url, '?topics=epoch&from=21', { 'last-event-id': id });
    assert.equal((await heartbeat(again)).id, LAST_ID);
    await heartbeat(again);
    assert(
      node.read.every((height) => height === LAST),
      `read ${node.read}`,
    );
  });

  it('H15: heartbeats come while old blocks are looked at, also when nothing in them was asked for', async () => {
    // Longer than a heartbeat is away, for each of 40 blocks.
    node.beforeBlock = () => new Promise((resolve) => setTimeout(resolve, 25));
    await using reader = await openEvents(api.url, '?topics=event:records.registered&from=21');
    const heights = new Set<string | undefined>();
    while (!heights.has(String(LAST))) heights.add((await heartbeat(reader)).id?.split('.')[0]);
    assert(heights.size > 10, `it says where it is: ${[...heights]}`);
  });

  it('topics choose: accounts by the key that signed, events by module and name, each event once', async () => {
    const [ann, ben] = ACCOUNTS.map(({ key }) => toHex(key));
    const transactionsOf = (key: string | undefined) =>
      chain.blocks.flatMap(({ header, transactions }) =>
        transactions.filter(({ body }) => toHex(body.sender) === key).map(({ id }) => `${header.height} ${toHex(id)}`),
      );
    const chosen = async (topics: string) =>
      (await readAll(`?topics=${topics},block&from=0`, `${LAST}.0`)).filter(({ event }) => event !== 'block');
    const transactions = (events: readonly SentEvent[]) => events.map(({ data }) => `${data.height} ${data.id}`);
    const upTo = (list: string[]) => list.filter((line) => Number(line.split(' ')[0]) < LAST);
    assert.deepEqual(transactions(await chosen(`account:${ann}`)), upTo(transactionsOf(ann)));
    assert.deepEqual(transactions(await chosen(`account:${ben}`)), upTo(transactionsOf(ben)));
    const both = await chosen(`account:${ben},account:${ann},transaction,account:${ann}`);
    assert.equal(
      both.length,
      transactionsOf(ann).length + transactionsOf(ben).length - chain.blocks[LAST]!.header.count,
    );
    const names = async (topics: string) =>
      new Set((await chosen(topics)).map(lineOf).map((line) => line.split(' ')[1]));
    assert.deepEqual(await names('event:assets'), new Set(['assets.issued', 'assets.transferred']));
    assert.deepEqual(await names('event:assets.issued'), new Set(['assets.issued']));
    assert.deepEqual(await names('event'), new Set(['assets.issued', 'assets.transferred', 'records.registered']));
  });

  it('ids, places and topics of another form are 400, and the answer lists the topics that there are', async () => {
    for (const id of [
      '',
      '1',
      '1.',
      '.1',
      '1.2.3',
      '01.1',
      '-1.0',
      '1.-1',
      '1e3.0',
      'x',
      '1.1 ',
      '9007199254740993.0',
    ]) {
      assert.equal((await refused(`?after=${encodeURIComponent(id)}`)).code, 'malformed', `after ${id}`);
      if (id.trim() !== id) continue;
      assert.equal((await refused('', { 'last-event-id': id })).code, 'malformed', `Last-Event-ID ${id}`);
    }
    for (const query of ['?from=x', '?from=-1', '?from=1&after=1.0', '?from=1&from=1', '?since=1'])
      assert.equal((await refused(query)).code, 'malformed', query);
    for (const [topics, says] of [
      ['', /there are block, transaction, event,/],
      ['blocks', /no topic "blocks"; there are block, transaction/],
      ['block,', /no topic ""/],
      ['account:0x12', /account:<0x key>/],
      ['event:', /event:<module>/],
      ['event:nothing', /no module "nothing"; there are .*assets/],
      ['event:__proto__', /no module/],
      ['event:assets.nothing', /no event "nothing" of assets; there are issued/],
      ['event:assets.constructor', /no event "constructor"/],
      [Array.from({ length: 65 }, (_, i) => `event:m${i}`).join(','), /at most 64/],
    ] as const) {
      const { status, code, detail } = await refused(`?topics=${encodeURIComponent(topics)}`);
      assert.deepEqual([status, code], [400, 'malformed'], topics);
      assert.match(detail, says);
    }
  });

  it('K14: what this node does not keep is 410, and a stream that comes to it ends', async () => {
    node.base = 10;
    for (const query of ['?from=9', '?after=9.0', '?from=0']) {
      const { status, code } = await refused(query);
      assert.deepEqual([status, code], [410, 'pruned'], query);
    }
    node.final = 3;
    node.base = 0;
    await using reader = await openEvents(api.url, '?topics=block&from=2');
    await reader.until('3.0');
    // It was behind, and took a snapshot.
    node.base = 10;
    node.makeFinal(12);
    for (let event = await reader.next(); event !== undefined; event = await reader.next())
      assert.equal(event.event, 'heartbeat');
    assert.equal((await refused('', { 'last-event-id': '3.0' })).code, 'pruned');
    await using next = await openEvents(api.url, '?topics=block');
    node.makeFinal(13);
    assert.equal((await next.until('13.0')).length, 1);
  });

  it('view changes are what this node sees: without an id, and only for whoever asked', async () => {
    node.final = 1;
    await using asked = await openEvents(api.url, '?topics=view-change,block');
    await using other = await openEvents(api.url, '?topics=block');
    await heartbeat(asked);
    await heartbeat(other);
    node.enterView({ epoch: 0, view: 3, leader: 2 });
    node.makeFinal(2);
    const seen = await asked.until('2.0');
    assert.deepEqual(seen[0], { id: undefined, event: 'view-change', data: { epoch: 0, view: 3, leader: 2 } });
    assert.deepEqual((await other.until('2.0')).map(lineOf), ['block 2']);
  });

  it('H15: the example for Node in docs/events.md sees every transaction once, also when its node ends', async () => {
    const page = await readFile(new URL('../../docs/events.md', import.meta.url), 'utf8');
    const [, example] = /^```js\n(\/\/ Node:.*?)^```$/ms.exec(page) ?? [];
    assert(example !== undefined);
    const source = `export async function run(nodes, act) {${example}}`;
    const { run } = (await import(`data:text/javascript,${encodeURIComponent(source)}`)) as {
      run(nodes: readonly string[], act: (data: { id: string }) => Promise<void>): Promise<never>;
    };
    node.final = 10;
    const other = await start(eventNode(chain, LAST));
    const wanted = chain.blocks.flatMap(({ transactions }) => transactions.map(({ id }) => toHex(id)));
    const firsts = chain.blocks.slice(0, 11).reduce((sum, { transactions }) => sum + transactions.length, 0);
    const seen: string[] = [];
    const all = Promise.withResolvers<void>();
    void run([api.url, other.url], async ({ id }) => {
      seen.push(id);
      // All that the first has; then it ends in the middle of the stream.
      if (seen.length === firsts) void api.close();
      if (seen.length < wanted.length) return;
      all.resolve();
      // The example goes on for ever.
      await new Promise(() => {});
    });
    await all.promise;
    await other.close();
    assert.deepEqual(seen, wanted);
  });

  async function call(path: string): Promise<{ json: unknown }> {
    return { json: await (await fetch(`${api.url}${path}`)).json() };
  }
});
