import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { routes } from '../../api/routes/index.ts';
import { type Answer, plainGet, startTestApi, type TestApi } from '../support/api-client.ts';
import { examplePath, freshTransaction, postBytes } from '../support/api-requests.ts';

const PAGE = 'https://app.example';
const LOCAL = 'http://127.0.0.1:8080';
/** None of them is listed, near as some of them are. */
const OTHERS = [
  'https://evil.example',
  'null',
  '*',
  'https://app.example.evil.example',
  'https://app.example:8443',
  'http://app.example',
  'HTTPS://APP.EXAMPLE',
  'https://app.example/',
  `${PAGE}, https://evil.example`,
];
const one = freshTransaction(1);

describe('CORS for listed origins', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi({}, { origins: [PAGE, LOCAL] });
  });
  beforeEach(() => api.reset());
  after(() => api.close());

  const get = (path: string, ...headers: readonly string[]): Promise<Answer> => api.raw(plainGet(path, ...headers));
  const preflight = (path: string, origin: string, method: string, ...more: readonly string[]): Promise<Answer> => {
    const asked = [`Origin: ${origin}`, `Access-Control-Request-Method: ${method}`, ...more];
    return api.raw(plainGet(path, ...asked).replace('GET', 'OPTIONS'));
  };
  const allowed = ({ headers }: Answer): Record<string, string> =>
    Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control')));

  it('H06: a listed origin is let in by its own name, without credentials, and sees our headers', async () => {
    for (const origin of [PAGE, LOCAL]) {
      const answer = await get('/v1/chain', `Origin: ${origin}`);
      assert.equal(answer.status, 200);
      const { 'access-control-expose-headers': exposed, ...rest } = allowed(answer);
      assert.deepEqual(rest, { 'access-control-allow-origin': origin });
      const names = exposed!.toLowerCase().split(', ');
      for (const name of answer.headers.keys()) {
        if (name.startsWith('quorate-')) assert(names.includes(name), `${name} is exposed`);
      }
      for (const name of ['location', 'retry-after', 'etag', 'link', 'allow']) assert(names.includes(name), name);
    }
  });

  it('H06: nobody else is let in, whatever it says it is; caches are told that answers differ', async () => {
    for (const origin of OTHERS) {
      const answer = await get('/v1/chain', `Origin: ${origin}`);
      assert.deepEqual([answer.status, allowed(answer)], [200, {}], origin);
      const asked = await preflight('/v1/transactions', origin, 'POST');
      assert.deepEqual([asked.status, allowed(asked)], [405, {}], origin);
      for (const { headers } of [answer, asked]) assert.match(headers.get('vary') ?? '', /\borigin\b/i);
    }
    const twice = await get('/v1/chain', `Origin: ${PAGE}`, 'Origin: https://evil.example');
    assert.notEqual(allowed(twice)['access-control-allow-origin'], 'https://evil.example');
  });

  it('H06: Vary names the origin on every route, also to those that send none, and beside Accept', async () => {
    for (const { method, path } of routes) {
      const init = method === 'POST' ? postBytes(one.bytes) : {};
      const { headers, body } = await fetch(`${api.url}${examplePath(path)}`, init);
      await body?.cancel();
      assert.match(headers.get('vary') ?? '', /\borigin\b/i, path);
      assert.equal(headers.get('access-control-allow-origin'), null, path);
    }
    const { headers } = await get('/v1/blocks/1/proof', `Origin: ${PAGE}`);
    assert.deepEqual(headers.get('vary')?.toLowerCase().split(', ').sort(), ['accept', 'origin']);
  });

  it('H06: problems can be read by the page too, our own failures and 304 as well', async () => {
    for (const [path, status] of [
      ['/nowhere', 404],
      ['/v1/chain?unknown=1', 400],
      ['/v1/%zz', 404],
    ] as const) {
      const answer = await get(path, `Origin: ${PAGE}`);
      assert.deepEqual([answer.status, answer.headers.get('access-control-allow-origin')], [status, PAGE], path);
    }
    const many = Array.from({ length: 150 }, (_, i) => `X-${i}: 1`);
    const odd = await get('/v1/chain', `Origin: ${PAGE}`, ...many);
    assert.deepEqual([odd.status, odd.headers.get('access-control-allow-origin')], [431, PAGE]);
    const genesis = await get('/v1/genesis', `Origin: ${PAGE}`);
    const same = await get('/v1/genesis', `Origin: ${PAGE}`, `If-None-Match: ${genesis.headers.get('etag')}`);
    assert.deepEqual([same.status, same.headers.get('access-control-allow-origin')], [304, PAGE]);
    api.node.broken = true;
    const broken = await get('/v1/chain', `Origin: ${PAGE}`);
    assert.deepEqual([broken.status, broken.headers.get('access-control-allow-origin')], [500, PAGE]);
  });

  it('H06, H08: a preflight is told the methods of its path, and headers from a fixed list', async () => {
    for (const { path } of routes) {
      const at = examplePath(path);
      const answer = await preflight(at, PAGE, 'POST', 'Access-Control-Request-Headers: x-evil, authorization');
      assert.equal(answer.status, 204, at);
      const { 'access-control-allow-methods': methods, ...rest } = allowed(answer);
      const own = routes.filter((other) => examplePath(other.path) === at).map(({ method }) => method);
      for (const method of own) assert(methods!.split(', ').includes(method), `${method} ${at}`);
      assert.equal(methods!.includes('POST'), (await get405(at)).includes('POST'), at);
      assert.match(rest['access-control-allow-headers']!, /\bcontent-type\b/i);
      assert.doesNotMatch(JSON.stringify(rest), /evil|authorization|credentials|\*/i);
    }
  });

  it('H08: other OPTIONS are refused as ever: of no path, and of no browser', async () => {
    assert.equal((await preflight('/nowhere', PAGE, 'GET')).status, 404);
    const plain = await api.raw(plainGet('/v1/chain').replace('GET', 'OPTIONS'));
    assert.deepEqual([plain.status, plain.headers.get('allow')], [405, 'GET, HEAD']);
    const noMethod = await api.raw(plainGet('/v1/chain', `Origin: ${PAGE}`).replace('GET', 'OPTIONS'));
    assert.deepEqual([noMethod.status, noMethod.headers.get('access-control-allow-origin')], [405, PAGE]);
    for (let i = 0; i < 500; i++) await preflight('/v1/transactions', PAGE, 'POST');
    assert.equal((await api.call('/v1/chain')).status, 200, 'many of them are harmless');
  });

  /** What a method that nothing has is told of the path. */
  async function get405(path: string): Promise<readonly string[]> {
    const answer = await api.raw(plainGet(path).replace('GET', 'DELETE'));
    return answer.headers.get('allow')!.split(', ');
  }
});
