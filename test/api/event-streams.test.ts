import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { type Api, startApi } from '../../api/index.ts';
import type { ServerLimits } from '../../api/limits.ts';
import type { BlockView } from '../../api/ports.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { plainGet } from '../support/api-client.ts';
import { changedChain } from '../support/chain.ts';
import { type EventNode, eventNode } from '../support/event-node.ts';
import { openEvents } from '../support/events.ts';

const chain = changedChain();
const ALL = 'block,transaction,event,checkpoint,epoch';
/** More blocks than anybody reads here. */
const ENDLESS = 1_000_000;

/** As many blocks as anybody likes, each of them block 2 of the chain: five transfers. */
function endlessNode(): EventNode {
  const node = eventNode(chain, ENDLESS);
  const { block } = node;
  node.block = async (at): Promise<BlockView> => {
    node.read.push(Number(at));
    const found = (await block(2))!;
    return { ...found, header: { ...found.header, height: Number(at) } };
  };
  node.blocks = async (from) => [{ hash: new Uint8Array(32), header: { ...chain.blocks[2]!.header, height: from } }];
  return node;
}

interface Server {
  readonly node: EventNode;
  readonly api: Api;
  /** What the server logged as its own failures. */
  readonly errors: object[];
}

async function withServer(
  limits: Partial<ServerLimits>,
  work: (server: Server) => Promise<void>,
  node = eventNode(chain, chain.height),
): Promise<void> {
  const errors: object[] = [];
  const log = { error: (fields: object) => void errors.push(fields) };
  const common = {
    application: quorateApplication,
    verifyPage: undefined,
    docsPage: undefined,
    host: '127.0.0.1',
    port: 0,
    log,
  };
  const api = await startApi({ ...common, node, limits });
  try {
    await work({ node, api, errors });
  } finally {
    await api.close();
  }
}

/** Sends these bytes and reads nothing until it is told to. */
async function unread({ api }: Server, ...requests: readonly string[]): Promise<Socket> {
  const { hostname, port } = new URL(api.url);
  const socket = connect(Number(port), hostname).pause();
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  socket.write(requests.join(''));
  return socket;
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const until = async (check: () => boolean): Promise<void> => {
  while (!check()) await new Promise(setImmediate);
};
/** When nothing more is read for streams: how many blocks were. */
const stalled = async ({ read }: EventNode): Promise<number> => {
  for (let before = 0; ; before = read.length) {
    for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
    if (before > 0 && before === read.length) return before;
  }
};
const statusOf = async ({ api }: Server, path: string): Promise<number> => {
  const stop = new AbortController();
  const { status } = await fetch(`${api.url}${path}`, { signal: stop.signal });
  stop.abort();
  return status;
};

describe('event streams and the server', () => {
  it('H15, K11: bounded buffer: who does not read is dropped, while the others go on', async () => {
    await withServer(
      { streamStallMs: 300 },
      async (server) => {
        const { node, api } = server;
        await unread(server, get(`/v1/events?topics=${ALL}&from=1`));
        await until(() => node.watchers.size === 1);
        await using reader = await openEvents(api.url, '?topics=block&from=100000');
        let last: string | undefined;
        let stalled = 0;
        // The slow one is a reader of the first blocks, the other one of those from 100,000 on.
        while (node.watchers.size > 1) {
          last = (await reader.next())!.id;
          stalled = node.read.filter((height) => height < 100_000).length;
        }
        assert(Number(last!.split('.')[0]) > 100_000 + 10);
        const bytes = stalled * Buffer.byteLength(await blockText(api));
        assert(bytes < 32 * 1024 * 1024, `${bytes} bytes were made for a reader that does not read`);
        const goesOn = Number(last!.split('.')[0]) + 100;
        await reader.until(`${goesOn}.0`);
      },
      endlessNode(),
    );
  });

  it('H15: one that reads slowly, but reads, is not dropped', async () => {
    await withServer(
      { streamStallMs: 2_000 },
      async (server) => {
        const { node } = server;
        const socket = await unread(server, get(`/v1/events?topics=${ALL}&from=1`));
        await until(() => node.watchers.size === 1);
        const before = await stalled(node);
        assert(before < ENDLESS, 'it waits for its reader');
        socket.resume();
        await until(() => node.read.length > before + 100);
        assert.equal(node.watchers.size, 1);
        socket.destroy();
        await until(() => node.watchers.size === 0);
      },
      endlessNode(),
    );
  });

  it('what becomes final and what this node sees is sent at once, not with the next heartbeat', async () => {
    await withServer({ heartbeatMs: 3_600_000 }, async (server) => {
      const { node, api } = server;
      node.final = 3;
      await using reader = await openEvents(api.url, '?topics=block,view-change');
      assert.equal((await reader.next())!.event, 'heartbeat');
      node.makeFinal(5);
      assert.deepEqual([(await reader.next())!.id, (await reader.next())!.id], ['4.0', '5.0']);
      // By then the stream waits again.
      await statusOf(server, '/v1/chain');
      node.enterView({ epoch: 0, view: 1, leader: 1 });
      assert.equal((await reader.next())!.event, 'view-change');
    });
  });

  it('H15: too many streams are 503, other requests are not, and a place is free when a stream has ended', async () => {
    await withServer({ streamsMax: 2, requestsMax: 1 }, async (server) => {
      const { node, api } = server;
      const first = await openEvents(api.url);
      await using _second = await openEvents(api.url);
      await until(() => node.watchers.size === 2);
      const refused = await fetch(`${api.url}/v1/events`);
      const { code } = (await refused.json()) as { code: string };
      assert.deepEqual([refused.status, code, refused.headers.get('retry-after')], [503, 'busy', '1']);
      assert.equal(await statusOf(server, '/v1/chain'), 200, 'streams are not requests in work');
      await first.close();
      await until(() => node.watchers.size === 1);
      assert.equal(await statusOf(server, '/v1/events'), 200);
    });
  });

  it('H15: nothing is worked on for a client that has gone', async () => {
    await withServer({ streamsMax: 1 }, async (server) => {
      const { node, api, errors } = server;
      node.final = 3;
      const held = Promise.withResolvers<void>();
      const asked = Promise.withResolvers<void>();
      node.beforeBlock = async () => {
        asked.resolve();
        await held.promise;
      };
      const waiting = await openEvents(api.url, '?from=9');
      await until(() => node.watchers.size === 1);
      await waiting.close();
      await until(() => node.watchers.size === 0);
      const reading = await openEvents(api.url, '?from=1');
      await asked.promise;
      await reading.close();
      // Its place is free as soon as the server knows that it has gone.
      while ((await fetch(`${api.url}/v1/events`, { method: 'HEAD' })).status === 503);
      assert.equal(node.watchers.size, 1, 'the block is still on its way');
      held.resolve();
      await until(() => node.watchers.size === 0);
      node.makeFinal(20);
      await new Promise(setImmediate);
      assert.deepEqual([node.read, errors], [[1], []], 'the one block that was on its way, and no more');
    });
  });

  it('a stream is the last request of its connection: what comes behind it ends both', async () => {
    await withServer({}, async (server) => {
      const { node } = server;
      const together = await unread(server, get('/v1/events'), plainGet('/v1/chain'));
      const [text] = await received(together);
      assert.match(text, /^HTTP\/1.1 400 .*last request of its connection/s);
      const behind = await unread(server, get('/v1/events'));
      await until(() => node.watchers.size === 1);
      behind.write(get('/v1/chain'));
      const [stream] = await received(behind);
      assert.match(stream, /^HTTP\/1.1 200 OK\r\n.*connection: close\r\n/is);
      assert.equal(stream.match(/HTTP\/1.1/g)!.length, 1);
      await until(() => node.watchers.size === 0);
    });
  });

  it('HEAD is the head of a stream, and no stream', async () => {
    await withServer({ streamsMax: 1 }, async (server) => {
      for (let i = 0; i < 3; i++) {
        const socket = await unread(server, get('/v1/events?from=1').replace('GET', 'HEAD'));
        const [text] = await received(socket);
        assert.match(text, /^HTTP\/1.1 200 OK\r\n.*content-type: text\/event-stream.*\r\n\r\n$/is);
      }
      assert.deepEqual([server.node.read, server.node.watchers.size], [[], 0]);
    });
  });

  it('closing the server ends streams at once, also those that are not read', { timeout: 30_000 }, async () => {
    const node = endlessNode();
    await withServer(
      { closeGraceMs: 3_600_000, streamStallMs: 3_600_000 },
      async (server) => {
        const { api } = server;
        const idle = await openEvents(api.url, `?from=${ENDLESS + 5}`);
        assert.equal((await idle.next())!.event, 'heartbeat');
        const socket = await unread(server, get('/v1/events?from=1'));
        await until(() => node.watchers.size === 2);
        await stalled(node);
        const closing = api.close();
        assert.equal(await idle.next(), undefined);
        await closing;
        assert.equal(node.watchers.size, 0);
        socket.destroy();
      },
      node,
    );
  });

  it('H14: a failure in the middle is logged and ends the stream, which says nothing of it', async () => {
    await withServer({}, async ({ node, api, errors }) => {
      node.beforeBlock = async (height) => {
        if (height === 4) throw new Error('a secret path /var/lib/secret');
      };
      await using reader = await openEvents(api.url, '?topics=block&from=2');
      const seen: unknown[] = [];
      for (let event = await reader.next(); event !== undefined; event = await reader.next()) seen.push(event);
      assert.doesNotMatch(JSON.stringify(seen), /secret/);
      assert.equal(errors.length, 1);
      node.beforeBlock = async () => undefined;
      await using again = await openEvents(api.url, '?topics=block&from=4');
      assert.equal((await again.until('4.0')).length, 1, 'what failed once is tried again');
    });
  });
});

describe('answers that nobody reads', () => {
  it('K11: whoever asks on and reads nothing is answered no more than sockets hold, and is cut off', async () => {
    await withServer({ idleMs: 300, connectionsMax: 1 }, async (server) => {
      const { node, api, errors } = server;
      const { blocks } = node;
      node.blocks = (from, ...page) => {
        node.read.push(from);
        return blocks(from, ...page);
      };
      const requests = 5_000;
      const socket = await unread(server, get('/v1/blocks?order=asc&limit=200').repeat(requests));
      const answered = await stalled(node);
      assert(answered < requests / 2, `${answered} of ${requests} were worked on`);
      // Until its place is free nobody else is let in.
      while (!(await fetch(`${api.url}/v1/chain`).then(Boolean, () => false)));
      const [text] = await received(socket);
      assert(text.split('HTTP/1.1 200 OK').length <= answered + 1);
      assert.deepEqual([node.read.length - answered, errors], [0, []]);
    });
  });

  it('K11: a connection that ends in the middle of an answer is no failure of ours', async () => {
    await withServer({}, async (server) => {
      const { node, errors } = server;
      for (let i = 0; i < 20; i++) {
        const socket = await unread(server, get('/v1/blocks/2').repeat(50));
        await until(() => node.read.length > i);
        socket.resetAndDestroy();
      }
      assert.equal(await statusOf(server, '/v1/chain'), 200);
      assert.deepEqual(errors, []);
    });
  });
});

/** All events of one block as they are sent. */
async function blockText(api: Api): Promise<string> {
  await using reader = await openEvents(api.url, `?topics=${ALL}&from=7`);
  return JSON.stringify(await reader.until('8.0'));
}

/** What comes until the connection ends. */
function received(socket: Socket): Promise<[string]> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('close', () => resolve([text]));
    socket.resume();
  });
}
