import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { PROBLEMS } from '../../api/problems.ts';
import { problemsOf, type Route } from '../../api/route.ts';
import { routes } from '../../api/routes/index.ts';
import { toHex } from '../../ledger/bytes.ts';
import { packTransactions } from '../../ledger/transaction.ts';
import { plainGet, startTestApi, type TestApi } from '../support/api-client.ts';
import { describedTransaction, freshTransaction, NO_ID, postBytes, postJson } from '../support/api-requests.ts';
import { smallChain } from '../support/chain.ts';
import { FINAL, fakeChain } from '../support/fake-node.ts';

const chain = fakeChain();
const other = smallChain();
other.handOver(other.members);
const final = toHex(chain.blocks[1]!.transactions[2]!.id);
const committed = toHex(chain.blocks[6]!.transactions[0]!.id);
const [a, b] = [freshTransaction(1), freshTransaction(2)];
const asBytes = { headers: { accept: 'application/octet-stream' } };
/** No route is named: every answer is held against the table by the client. */
const junk = {
  text: fc.oneof(
    fc.constantFrom(
      '0',
      '1',
      'latest',
      'final',
      NO_ID,
      final,
      'records.entries',
      'deed 1',
      'true',
      'none',
      '-1',
      '1e9',
    ),
    fc.string(),
    fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
  ),
  name: fc.oneof(
    fc.constantFrom('wait', 'timeoutMs', 'limit', 'cursor', 'order', 'at', 'proof', 'prefix'),
    fc.string(),
  ),
};

describe('the contract of the route table', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi();
  });
  after(() => api.close());

  it('every documented answer of every route happens, and none other', async () => {
    await everyAnswer(api);
    const missing = routes.flatMap((route) => documented(route).filter((name) => !api.seen.has(name)));
    assert.deepEqual(missing, []);
  });

  it('any junk to any route gets a documented answer, never a failure', async () => {
    api.reset();
    const request = fc.record({
      route: fc.constantFrom(...routes),
      params: fc.array(junk.text, { minLength: 2, maxLength: 2 }),
      query: fc.array(fc.tuple(junk.name, junk.text), { maxLength: 2 }),
      body: fc.oneof(
        fc.uint8Array({ maxLength: 300 }).map(postBytes),
        fc.jsonValue().map(postJson),
        fc.string().map(postJson),
      ),
      accept: fc.constantFrom('*/*', 'application/octet-stream', 'text/html', 'a'),
    });
    await fc.assert(
      fc.asyncProperty(request, async ({ route, params, query, body, accept }) => {
        let next = 0;
        const path = route.path.replace(/:\w+/g, () => encodeURIComponent(params[next++] || 'x'));
        const init = route.method === 'GET' ? { headers: { accept } } : body;
        const wait = route.method === 'POST' ? [] : query;
        // fetch folds dots away, so that another route is asked than the table says.
        if (/^(%2e|\.){1,2}$/i.test(path.split('/').at(-1)!) || params.some((text) => /^\.{1,2}$/.test(text))) return;
        const { status } = await api.call(`${path}?${new URLSearchParams(wait)}`, init);
        assert(status < 500, `${path}: ${status}`);
      }),
      { numRuns: 400 },
    );
    assert.deepEqual(api.errors, []);
  });

  it('any path gets a documented answer, never a failure', async () => {
    const part = fc.oneof(fc.constantFrom('v1', 'blocks', 'state', 'transactions', 'batch', 'proof', NO_ID), junk.text);
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 5 }),
        fc.constantFrom('GET', 'POST', 'PUT'),
        async (parts, method) => {
          const path = `/${parts.map(encodeURIComponent).join('/')}`;
          const { status } = await api.raw(plainGet(path).replace('GET', method));
          assert(status < 500, `${method} ${path}: ${status}`);
        },
      ),
      { numRuns: 200 },
    );
    assert.deepEqual(api.errors, []);
  });
});

/** What the client notes for the answers of a route; a slow request has its own test, and GETs have no body to be slow. */
function documented(route: Route): string[] {
  const codes = [...problemsOf(route)].filter((code) => code !== 'request-timeout');
  return [
    ...Object.keys(route.answers),
    ...(route.cacheable ? ['304'] : []),
    ...(Object.values(route.answers).some(({ bytes }) => bytes !== undefined) ? ['bytes'] : []),
    ...codes,
    ...codes.map((code) => PROBLEMS[code].status),
  ].map((what) => `${route.name} ${what}`);
}

async function everyAnswer(api: TestApi): Promise<void> {
  const row = '/v1/state/records.entries/x';
  for (const path of [
    '/problems',
    '/problems/busy',
    '/problems/nothing',
    '/',
    '/openapi.json',
    '/livez',
    '/readyz',
    '/docs',
    '/verify',
    '/v1/blocks',
    '/v1/checkpoints',
    row,
  ])
    await api.call(path);
  for (const path of [
    'chain',
    'genesis',
    'status',
    'validators',
    'consensus',
    'consensus/why',
    'peers',
    'mempool',
    'evidence',
    'candidacy',
    'state/records.entries',
  ]) {
    await api.call(`/v1/${path}`);
  }
  const { key, peerKey } = chain.members[0]!;
  const application = { application: 'quorate', applicationVersion: 1, protocolVersion: 1 };
  const ready = { epoch: 0, height: 1, ...application, key, peerKey };
  api.node.signReady = () => ({ ready, signature: new Uint8Array(64) });
  await api.call('/v1/candidacy');
  for (const path of ['blocks/1', 'blocks/99', 'checkpoints/1', 'checkpoints/99', 'state/x.y', 'state/x.y/z']) {
    await api.call(`/v1/${path}`);
  }
  for (const path of ['checkpoints/1', 'blocks/1/proof', 'light/updates', 'light/latest']) {
    await api.call(`/v1/${path}`);
    await api.call(`/v1/${path}`, asBytes);
  }
  for (const route of routes.filter(({ query }) => 'minHeight' in query.shape)) {
    const at = route.path.replace(':id', final).replace(':table', 'records.entries').replace(/:\w+/, '1');
    await api.call(`${at}?minHeight=99&timeoutMs=0`);
  }
  for (const path of ['blocks/6/proof', 'blocks/3/proof?under=1']) await api.call(`/v1/${path}`);
  await api.call(`${row}?at=1`);
  await api.call(`${row}?proof=true`, asBytes);
  for (const id of [final, committed, NO_ID]) {
    await api.call(`/v1/transactions/${id}`);
    await api.call(`/v1/transactions/${id}?wait=final&timeoutMs=0`);
    await api.call(`/v1/transactions/${id}/proof`);
  }
  await api.call(`/v1/transactions/${final}/proof`, asBytes);
  const sent = postBytes(chain.blocks[1]!.transactions[2]!.bytes, 'application/octet-stream');
  await api.call('/v1/transactions?wait=final', sent);
  api.node.handoffs = async () => Array.from({ length: 64 }, () => other.handoffs[0]!);
  for (const path of [
    '/docs',
    '/problems',
    '/problems/busy',
    '/verify',
    '/v1/light/updates',
    '/v1/genesis',
    '/v1/blocks/1',
    '/v1/checkpoints/1',
    `/v1/transactions/${final}`,
  ]) {
    const { headers } = await api.call(path);
    await api.raw(plainGet(path, `If-None-Match: ${headers.get('etag')}`));
  }
  for (let i = 0; i < 2; i++) {
    await api.call('/v1/transactions', postBytes(a.bytes));
    await api.call('/v1/transactions/batch', postBytes(packTransactions([a.bytes, b.bytes])));
  }
  await api.call('/v1/transactions/encode', postJson(describedTransaction(a)));
  for (const [module, args] of [
    ['nothing', {}],
    ['records', {}],
  ] as const) {
    const calls = [{ module, action: 'register', args }];
    for (const path of ['encode', 'dry-run'])
      await api.call(`/v1/transactions/${path}`, postJson({ ...describedTransaction(a), calls }));
  }
  await api.call('/v1/transactions/dry-run', postJson(describedTransaction(a)));
  for (const { bytes } of [chain.blocks[1]!.transactions[2]!, freshTransaction(9)])
    await api.call('/v1/transactions/status?signed=true', postBytes(bytes));
  for (const query of ['?from=1&topics=block,transaction,event,checkpoint,epoch', '?topics=x'])
    await api.call(`/v1/events${query}`);
  api.node.base = 4;
  await api.call('/v1/events?from=2');
  api.node.young = true;
  await api.call(`${row}?proof=true&at=${FINAL}`);
  await api.call('/v1/light/latest');
  for (const mode of ['behind', 'halted'] as const) {
    api.node.mode = mode;
    await api.call('/readyz');
    await api.call(`/v1/transactions/${final}?signed=true`);
    await api.call('/v1/transactions/status?signed=true', postBytes(chain.blocks[1]!.transactions[2]!.bytes));
  }
  api.node.mode = 'active';
  api.node.connected = 1;
  await api.call('/readyz');
  api.node.full = { detail: 'because', retryAfter: 1 };
  await api.call('/v1/transactions/batch', postBytes(packTransactions([a.bytes])));
  api.node.full = undefined;
  for (const [name, path] of [
    ['submitTransaction', '/v1/transactions'],
    ['dryRunTransaction', '/v1/transactions/dry-run'],
  ]) {
    for (const code of problemsOf(routes.find((one) => one.name === name)!)) {
      if (!isRefusal(code)) continue;
      api.node.refusal = { kind: 'refused', id: undefined, code, detail: 'because' };
      await api.call(path!, postBytes(freshTransaction(3).bytes));
    }
  }
  await commonProblems(api);
}

function isRefusal(code: string): code is 'bad-signature' {
  return !['request-timeout', 'headers-too-large', 'internal', 'busy', 'unsupported-media-type'].includes(code);
}

async function commonProblems(api: TestApi): Promise<void> {
  const full = await startTestApi({ requestsMax: 0 });
  const withoutPage = await startTestApi({}, {});
  await withoutPage.call('/verify');
  await withoutPage.call('/docs');
  const many = Array.from({ length: 120 }, (_, i) => `X-${i}: 1`);
  for (const { method, path, body } of routes) {
    const at = path
      .replace(':id', NO_ID)
      .replace(':table', 'records.entries')
      .replace(':code', 'busy')
      .replace(/:\w+/, '0');
    await api.call(`${at}?unknown=1`, body === undefined ? {} : postBytes(a.bytes));
    const long = `${method} ${at} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`;
    await api.raw(`${long}Content-Length: 100000000\r\n\r\n`);
    await api.raw(`${long}${many.join('\r\n')}\r\n\r\n`);
    if (body !== undefined) await api.call(at, { method, body: 'x' });
    await full.raw(`${long}\r\n`);
    api.node.broken = true;
    await api.call(at, body === undefined ? {} : postBytes(a.bytes));
    api.node.broken = false;
  }
  for (const other of [full, withoutPage]) {
    for (const name of other.seen) api.seen.add(name);
    await other.close();
  }
}
