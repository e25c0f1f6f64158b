import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ChainEvent, EventsOptions } from '../../light/ledger-client/index.ts';
import { SseParser } from '../../light/ledger-client/sse.ts';
import { ClientNetwork, type ClientRequest, isClientError } from '../support/client-network.ts';

/** Three events a block, from block 1 on: what every node would send. */
const HISTORY = [1, 2, 3, 4].flatMap((height) => [0, 1, 2].map((index) => `${height}.${index}`));

function text(id: string | undefined, name = 'transaction', data: unknown = { at: id }): string {
  return `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}

/** An open stream of these pieces; `then` ends it, fails it, or leaves it silent. */
function stream(pieces: readonly string[], then: 'end' | 'fail' | 'silent', { signal }: ClientRequest): Response {
  const encoder = new TextEncoder();
  let next = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = pieces[next++];
      if (piece !== undefined) return controller.enqueue(encoder.encode(piece));
      if (then === 'end') return controller.close();
      if (then === 'fail') return controller.error(new Error('reset'));
      return new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason));
      });
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

/** What comes behind the id that a request names. */
function behind({ headers, path }: ClientRequest): string[] {
  const last = headers.get('last-event-id');
  const from = Number(new URL(`http://x/${path}`).searchParams.get('from') ?? 0);
  return last === null
    ? HISTORY.filter((id) => Number(id.split('.')[0]) >= from)
    : HISTORY.slice(HISTORY.indexOf(last) + 1);
}

function serve(
  network: ClientNetwork,
  node: number,
  answer: (request: ClientRequest) => Response | Promise<Response>,
): ClientRequest[] {
  const requests: ClientRequest[] = [];
  network.nodes[node]!.script = (request) => {
    if (!request.path.startsWith('events')) return undefined;
    requests.push(request);
    return Promise.resolve(answer(request));
  };
  return requests;
}

async function take(network: ClientNetwork, count: number, options: EventsOptions = {}): Promise<ChainEvent[]> {
  const ledger = await network.connect();
  const events: ChainEvent[] = [];
  for await (const event of ledger.events(options)) {
    events.push(event);
    if (events.length === count) break;
  }
  return events;
}

const ids = (events: readonly ChainEvent[]) => events.map(({ id }) => id);

describe('events', () => {
  it('come in order, with their data, from where the caller begins, for the topics that it names', async () => {
    const network = new ClientNetwork();
    const asked = serve(network, 0, (request) =>
      stream(
        behind(request).map((id) => text(id)),
        'silent',
        request,
      ),
    );
    const events = await take(network, 3, { topics: ['transaction', 'event:assets'], from: 2 });
    assert.deepEqual(events[0], { id: '2.0', topic: 'transaction', data: { at: '2.0' } });
    assert.equal(asked[0]!.path, 'events?topics=transaction%2Cevent%3Aassets&from=2');
    assert.equal(asked[0]!.headers.get('last-event-id'), null);
    assert.deepEqual(ids(await take(network, 3, { after: '3.1' })), ['3.2', '4.0', '4.1']);
    assert.equal(asked[1]!.headers.get('last-event-id'), '3.1');
    assert.equal(asked[1]!.path, 'events');
  });

  for (const [how, then] of [
    ['ends', 'end'],
    ['fails', 'fail'],
    ['falls silent', 'silent'],
  ] as const) {
    it(`go on at the next node behind the last id, each once, when one ${how}`, async () => {
      const network = new ClientNetwork();
      const requests = network.nodes.map((_, node) =>
        serve(network, node, (request) => {
          const next = behind(request)
            .slice(0, 4)
            .map((id) => text(id));
          // Once more what was there before: a node may begin further back.
          const again = request.headers.has('last-event-id') ? [text(request.headers.get('last-event-id')!)] : [];
          if (then === 'silent') setTimeout(() => network.timers.expire(), 20);
          return stream([...again, ...next], then, request);
        }),
      );
      assert.deepEqual(ids(await take(network, 12)), HISTORY);
      assert.deepEqual(
        requests.map((of) => of.map(({ headers }) => headers.get('last-event-id'))),
        [[null], ['2.0'], ['3.1'], []],
      );
    });
  }

  it('that are cut anywhere are put together again', async () => {
    const all = HISTORY.map((id) => text(id, 'event', { text: 'é\n漢' })).join('');
    const whole = new TextEncoder().encode(all);
    const network = new ClientNetwork();
    serve(network, 0, () => {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          for (let at = 0; at < whole.length; at += 7) controller.enqueue(whole.subarray(at, at + 7));
        },
      });
      return new Response(body, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } });
    });
    const events = await take(network, 12);
    assert.deepEqual(ids(events), HISTORY);
    assert.deepEqual(events[11]!.data, { text: 'é\n漢' });
  });

  it('heartbeats move the position without being yielded, unless the caller wants them', async () => {
    const network = new ClientNetwork();
    const pieces = [text('1.0'), text('3.2', 'heartbeat', {}), text(undefined, 'view-change', { view: 4 })];
    serve(network, 0, (request) => stream(pieces, 'end', request));
    const second = serve(network, 1, (request) =>
      stream(
        behind(request).map((id) => text(id)),
        'silent',
        request,
      ),
    );
    const events = await take(network, 3);
    assert.deepEqual(ids(events), ['1.0', undefined, '4.0']);
    assert.equal(second[0]!.headers.get('last-event-id'), '3.2');
    const all = await take(network, 2, { heartbeats: true });
    assert.deepEqual(all[1], { id: '3.2', topic: 'heartbeat', data: {} });
  });

  it('that are no events, or end in a position that is none, are the end of that node', async () => {
    const sound = (request: ClientRequest) =>
      stream(
        behind(request).map((id) => text(id)),
        'silent',
        request,
      );
    for (const piece of [
      text('9'),
      text('1.0.0'),
      text('-1.0'),
      'id: 1.0\ndata: no json\n\n',
      'id: 1.0\ndata: [1]\n\n',
    ]) {
      const network = new ClientNetwork();
      serve(network, 0, (request) => stream([piece, text('4.2')], 'silent', request));
      serve(network, 1, sound);
      assert.deepEqual(ids(await take(network, 12)), HISTORY, piece);
    }
    const network = new ClientNetwork();
    serve(network, 0, () => new Response('<html>', { headers: { 'content-type': 'text/html' } }));
    serve(network, 1, sound);
    assert.deepEqual(ids(await take(network, 12)), HISTORY);
  });

  it('a node that only repeats itself is left, though it is never silent', async () => {
    const network = new ClientNetwork();
    serve(network, 0, () => {
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          network.timers.pass(5_000);
          controller.enqueue(new TextEncoder().encode(text('1.0', 'heartbeat', {})));
        },
      });
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
    });
    serve(network, 1, (request) =>
      stream(
        behind(request).map((id) => text(id)),
        'silent',
        request,
      ),
    );
    assert.deepEqual(ids(await take(network, 2)), ['1.1', '1.2']);
  });

  it('pruned at one node: the next is asked; at all of them, or a refusal by all: that is the end', async () => {
    const network = new ClientNetwork();
    const pruned = () => network.problem(410, 'pruned', 'elsewhere');
    serve(network, 0, pruned);
    let busy = 3;
    serve(network, 1, (request) =>
      busy-- > 0
        ? network.problem(503, 'busy', 'same')
        : stream(
            behind(request).map((id) => text(id)),
            'silent',
            request,
          ),
    );
    for (const node of [2, 3]) serve(network, node, () => Promise.reject(new TypeError('fetch failed')));
    assert.deepEqual(ids(await take(network, 12)), HISTORY, 'the one that was busy has them');
    for (const node of [1, 2]) serve(network, node, pruned);
    await assert.rejects(take(network, 1, { from: 1 }), isClientError('pruned', { retry: 'elsewhere' }));
    for (const node of [0, 1, 2, 3]) serve(network, node, () => network.problem(400, 'malformed', 'never'));
    await assert.rejects(take(network, 1, { topics: ['nonsense'] }), isClientError('malformed', { retry: 'never' }));
    await assert.rejects(take(network, 1, { after: 'yesterday' }), isClientError('invalid-args'));
    await assert.rejects(take(network, 1, { from: -1 }), isClientError('invalid-args'));
    await assert.rejects(take(network, 1, { after: '1.0', from: 1 }), isClientError('invalid-args'));
  });

  it('end at once by the signal, also between two events, and let go of the node when the caller is done', async () => {
    const network = new ClientNetwork();
    const requests = serve(network, 0, (one) => stream([text('1.0'), text('1.1')], 'silent', one));
    const ledger = await network.connect();
    const abort = new AbortController();
    const seen: (string | undefined)[] = [];
    const reading = (async () => {
      for await (const { id } of ledger.events({ signal: abort.signal })) {
        seen.push(id);
        if (seen.length === 2) setImmediate(() => abort.abort('enough'));
      }
    })();
    await assert.rejects(reading, isClientError('aborted', { cause: 'enough' }));
    assert.deepEqual(seen, ['1.0', '1.1']);
    assert(requests[0]!.signal!.aborted);
    await take(network, 1);
    assert(requests[1]!.signal!.aborted, 'nobody reads on');
  });
});

describe('the parser of server-sent events', () => {
  const parse = (...pieces: string[]) => {
    const parser = new SseParser(1_000);
    return pieces.flatMap((piece) => parser.push(piece));
  };

  it('keeps to the standard: comments, ends of lines, several lines of data, fields without a value', () => {
    const one = { name: 'x', data: 'a\nb', id: '1' };
    assert.deepEqual(parse('event: x\nid: 1\ndata: a\ndata: b\n\n'), [one]);
    assert.deepEqual(parse('event:x\r\nid:1\r\ndata:a\r\ndata:b\r\n\r\n'), [one]);
    assert.deepEqual(parse('event: x\rid: 1\rdata: a\rdata: b\r\r'), [one]);
    assert.deepEqual(parse('event: x\r', '\nid: 1\r', '\ndata: a\r\ndata: b\r\n\r', '\n'), [one]);
    assert.deepEqual(parse('\uFEFF: a comment\nretry: 5\n\ndata\n\n'), [{ name: 'message', data: '', id: undefined }]);
    assert.deepEqual(parse('id: 1\n\ndata:  a\n\n'), [{ name: 'message', data: ' a', id: undefined }]);
    assert.deepEqual(parse('data: not ended\n'), []);
  });

  it('holds no event that is longer than its limit, in one line or in many, and starts anew behind each', () => {
    assert.throws(() => parse(`data: ${'x'.repeat(1_000)}`), /more than 1000/);
    assert.throws(() => parse(...Array.from({ length: 200 }, () => 'data: x\n')), /more than 1000/);
    assert.equal(parse(...Array.from({ length: 200 }, () => 'data: x\n\n')).length, 200);
  });
});
