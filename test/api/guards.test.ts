import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { SERVER_LIMITS } from '../../api/limits.ts';
import { routes } from '../../api/routes/index.ts';
import { type Answer, plainGet, startTestApi, type TestApi } from '../support/api-client.ts';
import { examplePath, freshTransaction, postBytes } from '../support/api-requests.ts';

/** A request of a route as it is sent when nothing is wrong with it, but for what is put into it. */
type Ask = (headers?: readonly string[], query?: string, body?: string) => Promise<Answer>;

const one = freshTransaction(1);
const JSON_BODY = ['Content-Type: application/json'];

describe('H10: every route of the table goes through the same guards', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi();
  });
  beforeEach(() => api.reset());
  after(() => api.close());

  const each = async (work: (ask: Ask, where: string, bytesMax: number) => Promise<void>, of = api): Promise<void> => {
    assert(routes.length > 20, 'the table is there');
    for (const { method, path, body } of routes) {
      const ask: Ask = (headers = [], query = '', text = method === 'POST' ? '{}' : '') => {
        const length = text === '' ? [] : [`Content-Length: ${text.length}`];
        const type = method === 'POST' ? JSON_BODY : [];
        const get = plainGet(`${examplePath(path)}${query}`, ...type, ...length, ...headers);
        return of.raw(get.replace('GET', method) + text);
      };
      await work(ask, `${method} ${path}`, body?.bytesMax ?? 0);
    }
  };

  it('H10: the chain stands in the headers, and nothing is sniffed or kept by caches unless it is said so', async () => {
    for (const { method, path } of routes) {
      for (const query of ['', '?unknown=1']) {
        const init = method === 'POST' ? postBytes(one.bytes) : {};
        const { headers, body } = await fetch(`${api.url}${examplePath(path)}${query}`, init);
        // Only the headers: an answer may go on for long.
        await body?.cancel();
        const where = `${method} ${path}${query}`;
        assert.equal(headers.get('x-content-type-options'), 'nosniff', where);
        assert.match(headers.get('cache-control') ?? '', /no-store|no-cache|immutable/, where);
        for (const name of ['quorate-height', 'quorate-final-height', 'quorate-time'])
          assert.match(headers.get(name) ?? '', /^\d+$/, `${name} of ${where}`);
      }
    }
  });

  it('H10: too many headers, none of the host, and parameters that nobody knows are refused', async () => {
    const many = Array.from({ length: SERVER_LIMITS.headersMax }, (_, i) => `X-${i}: 1`);
    await each(async (ask, where) => {
      assert.equal((await ask(many)).json.code, 'headers-too-large', where);
      const { status, json } = await ask([], '?unknown=1');
      assert.deepEqual([status, json.code], [400, 'malformed'], where);
      assert.match(String(json.detail), /unknown parameter/, where);
    });
    for (const { method, path } of routes) {
      const noHost = plainGet(examplePath(path)).replace('GET', method).replace('Host: x\r\n', '');
      assert.match(String((await api.raw(noHost)).json.detail), /Host/, path);
    }
  });

  it('H10, H01: a body where none is taken, one that is too long, and a compressed one are refused', async () => {
    await each(async (ask, where, bytesMax) => {
      const tooLong = [`Content-Length: ${bytesMax + 1}`];
      assert.equal((await ask(tooLong, '', '')).json.code, 'too-large', where);
      if (bytesMax === 0) {
        assert.equal((await ask([], '', '{}')).json.code, 'too-large', where);
        const chunked = ['Transfer-Encoding: chunked', 'Content-Encoding: gzip'];
        const { status, json } = await api.raw(chunkedBody(where, chunked));
        assert.deepEqual([status, json.code], [413, 'too-large'], where);
      } else {
        const { status, json } = await ask(['Content-Encoding: gzip']);
        assert.deepEqual([status, json.code], [415, 'unsupported-media-type'], where);
      }
    });
  });

  it('H10, H14: a failure of the node is 500 without a word of why', async () => {
    api.node.broken = true;
    let failed = 0;
    await each(async (ask, where) => {
      const { status, json, bytes } = await ask();
      assert.deepEqual([status, json.code], [500, 'internal'], where);
      assert.doesNotMatch(Buffer.from(bytes).toString(), /secret/, where);
      failed++;
    });
    assert.equal(failed, routes.length);
  });

  it('H10: all of them count as open requests, and are refused beyond their limit', async () => {
    const narrow = await startTestApi({ requestsMax: 1 });
    try {
      const waits = narrow.call('/v1/transactions?wait=final', postBytes(one.bytes));
      await narrow.node.waitingBegins;
      await each(async (ask, where) => {
        const { status, json, headers } = await ask();
        assert.deepEqual([status, json.code, headers.get('retry-after')], [503, 'busy', '1'], where);
      }, narrow);
      narrow.node.decide(one.id, 'final');
      assert.equal((await waits).status, 200);
    } finally {
      await narrow.close();
    }
  });
});

function chunkedBody(where: string, headers: readonly string[]): string {
  const [method = '', path = ''] = where.split(' ');
  return `${plainGet(examplePath(path), ...headers).replace('GET', method)}2\r\n{}\r\n0\r\n\r\n`;
}
