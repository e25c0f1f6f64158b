import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { type Api, startApi } from '../../api/index.ts';
import { BATCH_MAX, SINGLE_BODY_BYTES_MAX } from '../../api/limits.ts';
import { PROBLEMS, type ProblemCode } from '../../api/problems.ts';
import { routes } from '../../api/routes/index.ts';
import { toHex } from '../../ledger/bytes.ts';
import { sha256 } from '../../ledger/hash.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { packTransactions, signTransaction } from '../../ledger/transaction.ts';
import { createSigner } from '../../node/signatures.ts';
import { FAKE_GENESIS_ID, type FakeNode, fakeNode } from '../support/fake-node.ts';

const signer = createSigner(sha256(Uint8Array.of(3)));
const ID = `0x${'ab'.repeat(32)}`;

function transaction(nonce: number) {
  const args = quorateApplication.argsFromJson('records', 'register', { key: 'k', digest: ID, note: '' });
  assert(args.ok);
  const body = {
    sender: signer.publicKey,
    nonce: new Uint8Array(8).fill(nonce),
    validUntil: 5,
    calls: [{ module: 'records', action: 'register', args: args.value }],
    memo: new Uint8Array(0),
  };
  return signTransaction(FAKE_GENESIS_ID, body, (message) => signer.sign(message));
}

describe('REST API', () => {
  let node: FakeNode;
  let api: Api;
  const errors: object[] = [];

  before(async () => {
    node = fakeNode();
    const port = new Proxy({} as FakeNode, { get: (_, name) => Reflect.get(node, name) });
    const log = { error: (fields: object) => void errors.push(fields) };
    api = await startApi({ node: port, application: quorateApplication, host: '127.0.0.1', port: 0, log });
  });

  beforeEach(() => {
    node = fakeNode();
    errors.length = 0;
  });

  after(() => api.close());

  interface Answer {
    readonly status: number;
    readonly headers: Headers;
    readonly json: Record<string, unknown>;
  }

  /** Every answer has the headers, and every error is a problem of the catalogue with its own status. */
  async function call(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(`${api.url}${path}`, init);
    const text = await response.text();
    const json = text === '' ? {} : JSON.parse(text);
    if (response.status >= 400) {
      assert.match(response.headers.get('content-type')!, /^application\/problem\+json/);
      const { code, title, status, retry, type, detail, ...rest } = json;
      assert.deepEqual(rest, {}, 'nothing but the fields of a problem');
      const kind = PROBLEMS[code as ProblemCode];
      assert.deepEqual({ title, status, retry }, { ...kind }, code);
      assert.equal(status, response.status);
      assert(type.endsWith(code) && typeof detail === 'string');
      assert.doesNotMatch(text, /node_modules|\.ts:|at \w+ \(/, 'no stack (H14)');
    }
    return { status: response.status, headers: response.headers, json };
  }

  const bytes = (body: Uint8Array): RequestInit => ({
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: body as Uint8Array<ArrayBuffer>,
  });
  const json = (body: string): RequestInit => ({
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });

  it('takes one transaction as bytes or JSON: 202 pending with Location, then 200 for the same bytes', async () => {
    const one = transaction(1);
    const first = await call('/v1/transactions', bytes(one.bytes));
    assert.deepEqual([first.status, first.json.id, first.json.status], [202, toHex(one.id), 'pending']);
    assert.equal(first.headers.get('location'), `/v1/transactions/${toHex(one.id)}`);
    const again = await call('/v1/transactions', json(JSON.stringify({ transaction: toHex(one.bytes) })));
    assert.deepEqual([again.status, again.json.status], [200, 'pending']);
  });

  it('a wait that times out is 202, one that is reached is 200', async () => {
    const one = transaction(2);
    assert.equal((await call('/v1/transactions?wait=final&timeoutMs=1', bytes(one.bytes))).status, 202);
    const key = toHex(one.id).slice(2);
    node.statuses.set(key, { id: one.id, status: 'committed', block: { height: 7, index: 0 } });
    assert.equal((await call(`/v1/transactions/${toHex(one.id)}?wait=final`)).status, 202);
    assert.equal((await call(`/v1/transactions/${toHex(one.id)}?wait=committed`)).status, 200);
    node.statuses.set(key, { id: one.id, status: 'final', block: { height: 6, index: 0 } });
    const final = await call(`/v1/transactions/${toHex(one.id)}?wait=final`);
    assert.equal(final.status, 200);
    assert.match(final.headers.get('cache-control')!, /immutable/);
    const etag = final.headers.get('etag')!;
    // Not by fetch, which forbids caches as soon as a condition is set.
    const get = `GET /v1/transactions/${toHex(one.id)} HTTP/1.1\r\nHost: x\r\nIf-None-Match: ${etag}\r\nConnection: close\r\n\r\n`;
    const cached = await raw(get);
    assert.equal(cached.status, 304);
  });

  it('takes a batch with one result each', async () => {
    const packed = packTransactions([transaction(3).bytes, Uint8Array.of(1, 2, 3), transaction(4).bytes]);
    const { status, json: body } = await call('/v1/transactions/batch', bytes(packed));
    assert.equal(status, 202);
    const results = body.results as { id?: string; status?: string; error?: { code: string } }[];
    assert.deepEqual(
      results.map((result) => result.status ?? result.error?.code),
      ['pending', 'malformed', 'pending'],
    );
    const over = packTransactions(Array.from({ length: BATCH_MAX + 1 }, () => Uint8Array.of(1)));
    assert.equal((await call('/v1/transactions/batch', bytes(over))).status, 400);
    assert.equal((await call('/v1/transactions/batch', bytes(new Uint8Array(0)))).status, 400);
  });

  it('answers every refusal of the node with its own status, and says when to come back', async () => {
    for (const code of [
      'bad-signature',
      'unknown-action',
      'not-permitted',
      'expired',
      'overloaded',
      'no-quorum',
    ] as const) {
      node.refusal = { kind: 'refused', id: undefined, code, detail: 'because', retryAfter: 3 };
      const { status, headers, json: body } = await call('/v1/transactions', bytes(transaction(5).bytes));
      assert.deepEqual([status, body.code], [PROBLEMS[code].status, code]);
      assert.equal(headers.get('retry-after'), '3');
    }
  });

  it('encodes a transaction described in JSON: the id and bytes are those of the codec', async () => {
    const one = transaction(6);
    const described = {
      sender: toHex(one.body.sender),
      nonce: toHex(one.body.nonce),
      validUntil: one.body.validUntil,
      calls: [{ module: 'records', action: 'register', args: { key: 'k', digest: ID, note: '' } }],
    };
    const { status, json: body } = await call('/v1/transactions/encode', json(JSON.stringify(described)));
    assert.equal(status, 200);
    assert.equal(body.id, toHex(one.id));
    assert.equal(body.body, toHex(one.bytes.subarray(0, -64)));
    const unknown = { ...described, calls: [{ module: 'records', action: 'nothing', args: {} }] };
    assert.equal((await call('/v1/transactions/encode', json(JSON.stringify(unknown)))).json.code, 'unknown-action');
    const wrong = { ...described, calls: [{ module: 'records', action: 'register', args: { key: 1 } }] };
    assert.equal((await call('/v1/transactions/encode', json(JSON.stringify(wrong)))).json.code, 'invalid-args');
  });

  it('every read route answers, with chain heights and time in its headers', async () => {
    for (const path of [
      '/',
      '/v1/chain',
      '/v1/genesis',
      '/v1/status',
      '/v1/validators',
      '/v1/consensus',
      '/v1/peers',
      '/v1/mempool',
      '/v1/blocks',
      '/v1/blocks/0',
      '/v1/checkpoints',
      '/v1/state/records.entries',
      '/v1/state/records.entries/readme',
      '/livez',
      '/readyz',
    ]) {
      const { status, headers } = await call(path);
      assert.equal(status, 200, path);
      assert.deepEqual(
        ['quorate-height', 'quorate-final-height', 'quorate-time'].map((name) => headers.get(name)),
        ['7', '6', '1700000000000'],
      );
    }
  });

  it('a row that does not exist is an answer, not an error; only final state has a proof', async () => {
    const row = await call('/v1/state/records.entries/readme');
    assert.deepEqual([row.status, row.json.exists, row.json.height], [200, false, 6]);
    assert.equal((await call('/v1/state/records.entries/readme?proof=true')).json.code, 'not-final');
    assert.equal((await call('/v1/state/records.entries/readme?proof=true&at=latest')).json.code, 'malformed');
    assert.equal((await call('/v1/state/records.nothing/readme')).json.code, 'not-found');
    assert.equal((await call('/v1/state/members.accounts/zz')).json.code, 'malformed');
  });

  it('K14: heights that are pruned, in the future, negative or no numbers have a defined answer', async () => {
    const expected: Record<string, number> = {
      '0': 200,
      '6': 404,
      '99': 404,
      '-1': 400,
      '1e3': 400,
      '01': 400,
      '9007199254740993': 400,
    };
    for (const [height, status] of Object.entries(expected))
      assert.equal((await call(`/v1/blocks/${height}`)).status, status, height);
    assert.equal((await call(`/v1/blocks/0x12`)).status, 400);
    assert.equal((await call('/v1/checkpoints/nothing')).status, 400);
  });

  it('not ready is 503 with the reason', async () => {
    node.mode = 'behind';
    assert.equal((await call('/readyz')).json.code, 'syncing');
    node.mode = 'halted';
    assert.equal((await call('/readyz')).json.code, 'halted');
    node.mode = 'active';
    node.connected = 2;
    assert.equal((await call('/readyz')).json.code, 'no-quorum');
    assert.equal((await call('/livez')).status, 200);
  });

  it('unknown and repeated query parameters are refused on every route', async () => {
    for (const { method, path } of routes) {
      const at = path.replace(':id', ID).replace(':table', 'records.entries').replace(':at', '0').replace(/:\w+/, '0');
      const init = method === 'GET' ? {} : bytes(transaction(7).bytes);
      for (const query of ['unknown=1', '__proto__=1', 'wait=final&wait=final']) {
        const { status, json: body } = await call(`${at}?${query}`, init);
        assert.deepEqual([status, body.code], [400, 'malformed'], `${at}?${query}`);
      }
    }
  });

  it('H02: odd JSON is refused', async () => {
    const one = toHex(transaction(8).bytes);
    for (const body of [
      `{"transaction":"${one}","transaction":"${one}"}`,
      `{"transaction":"${one}","\\u0074ransaction":"${one}"}`,
      `{"transaction":"${one}","__proto__":{}}`,
      `{"transaction":"${one}","more":1}`,
      `\ufeff{"transaction":"${one}"}`,
      '{"transaction":1e400}',
      '{"transaction":-0}',
      '{"transaction":"\\ud800"}',
      '['.repeat(10_000),
      `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`,
      '{"transaction":',
      'null',
      '',
    ]) {
      const { status, json: answer } = await call('/v1/transactions', json(body));
      assert.deepEqual([status, answer.code], [400, 'malformed'], body.slice(0, 80));
    }
    assert.equal((await call('/v1/transactions', { method: 'POST', body: 'x' })).json.code, 'unsupported-media-type');
  });

  it('H01, K05, L17: bodies up to the limit are read, longer ones are not, announced or not', async () => {
    const fits = await call('/v1/transactions', bytes(new Uint8Array(SINGLE_BODY_BYTES_MAX)));
    assert.equal(fits.json.code, 'malformed');
    const announced = await call('/v1/transactions', bytes(new Uint8Array(SINGLE_BODY_BYTES_MAX + 1)));
    assert.equal(announced.json.code, 'too-large');
    const status = await new Promise<number>((resolve, reject) => {
      const chunked = httpRequest(`${api.url}/v1/transactions`, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream', 'transfer-encoding': 'chunked' },
      });
      chunked.on('response', (response) => resolve(response.statusCode!));
      chunked.on('error', reject);
      for (let i = 0; i < 8; i++) chunked.write(new Uint8Array(SINGLE_BODY_BYTES_MAX / 4));
    });
    assert.equal(status, 413);
    const zipped = {
      ...bytes(new Uint8Array(10)),
      headers: { 'content-encoding': 'gzip', 'content-type': 'application/octet-stream' },
    };
    assert.equal((await call('/v1/transactions', zipped)).status, 415);
  });

  it('H03: paths that go elsewhere find nothing', async () => {
    for (const path of [
      '/v1/../etc/passwd',
      '/v1/%2e%2e/x',
      '/v1/blocks/%00',
      '/v1//blocks',
      '/V1/chain',
      '/v1/chain/',
      '/%zz',
      `/v1/${'x'.repeat(8_000)}`,
    ]) {
      const { status } = await raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      assert([400, 404].includes(status), `${path}: ${status}`);
    }
  });

  it('H08: other methods are 405 with Allow; nothing is answered to TRACE', async () => {
    const wrong = await call('/v1/chain', { method: 'DELETE' });
    assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'GET, HEAD']);
    assert.equal((await call('/v1/transactions', { method: 'GET' })).headers.get('allow'), 'POST');
    assert.equal((await raw('TRACE /v1/chain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).status, 405);
    assert.equal((await call('/nowhere', { method: 'PUT' })).status, 404);
  });

  it('H06: no other origin is let in', async () => {
    const { headers } = await call('/v1/chain', { headers: { origin: 'https://evil.example' } });
    assert.equal(headers.get('access-control-allow-origin'), null);
  });

  it('H07: pages are bounded and cursors are checked', async () => {
    for (const limit of ['0', '-1', '1000000000', '1e2', '']) {
      assert.equal((await call(`/v1/blocks?limit=${limit}`)).status, 400, limit);
    }
    const first = await call('/v1/blocks?limit=3');
    const heights = (page: Answer) =>
      (page.json.items as { header: { height: number } }[]).map(({ header }) => header.height);
    assert.deepEqual(heights(first), [7, 6, 5]);
    const second = await call(`/v1/blocks?limit=3&cursor=${first.json.cursor}`);
    assert.deepEqual(heights(second), [4, 3, 2]);
    for (const cursor of [
      `${first.json.cursor}=`,
      'x',
      'YmxvY2tzLWRlc2MgLTE',
      Buffer.from('blocks-asc 3').toString('base64url'),
    ]) {
      assert.equal((await call(`/v1/blocks?cursor=${cursor}`)).json.code, 'malformed', cursor);
    }
  });

  it('H14: a failure of the node itself is 500 without a word of why, and logged', async () => {
    node.broken = true;
    const { status, json: body } = await call('/v1/chain');
    assert.deepEqual([status, body.code], [500, 'internal']);
    assert.doesNotMatch(JSON.stringify(body), /secret/);
    assert.equal(errors.length, 1);
  });

  it('any junk gets a documented answer and never a crash', async () => {
    const path = fc.array(
      fc.oneof(
        fc.constantFrom('v1', 'blocks', 'state', 'transactions', 'batch', 'proof', ID, 'records.entries'),
        fc.string(),
      ),
      { maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(
        path,
        fc.string(),
        fc.constantFrom('GET', 'POST', 'PUT'),
        fc.uint8Array({ maxLength: 300 }),
        async (parts, query, method, body) => {
          const url = `/${parts.map(encodeURIComponent).join('/')}?${encodeURIComponent(query)}`;
          const init = method === 'GET' ? {} : { ...bytes(body), method };
          const { status } = await call(url, init);
          assert(status < 500, `${method} ${url}: ${status}`);
        },
      ),
      { numRuns: 150 },
    );
    assert.deepEqual(errors, []);
  });

  /** Sends exactly these bytes. */
  function raw(text: string): Promise<{ status: number }> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(api.url);
      const socket = connect(Number(port), hostname, () => socket.write(text));
      let received = '';
      socket.on('data', (chunk) => {
        received += chunk;
      });
      socket.on('end', () => resolve({ status: Number(received.split(' ')[1]) }));
      socket.on('error', reject);
    });
  }
});
