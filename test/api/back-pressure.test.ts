import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { PROBLEMS, type ProblemCode } from '../../api/problems.ts';
import { problemsOf } from '../../api/route.ts';
import { routes } from '../../api/routes/index.ts';
import { packTransactions } from '../../ledger/transaction.ts';
import { startTestApi, type TestApi } from '../support/api-client.ts';
import { freshTransaction, postBytes } from '../support/api-requests.ts';

const one = freshTransaction(1);
const LONG = 'Waiting for validators; '.repeat(1_000);

describe('back-pressure of the REST API', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi();
  });
  beforeEach(() => api.reset());
  after(() => api.close());

  it('every problem with status 429 or 503 says after how many seconds to come back, and only what passes does', () => {
    const all = Object.entries(PROBLEMS) as [ProblemCode, { status: number; retry: string; retryAfter?: number }][];
    const slowed = all.filter(([, { status }]) => status === 429 || status === 503);
    assert(slowed.length >= 8);
    for (const [code, { retryAfter, retry }] of slowed) {
      assert(Number.isInteger(retryAfter) && retryAfter! >= 1 && retryAfter! <= 60, code);
      assert.notEqual(retry, 'never', code);
      assert(
        routes.some((route) => problemsOf(route).has(code)),
        `${code} is documented somewhere`,
      );
    }
    for (const [code, { retry, retryAfter }] of all) if (retry === 'never') assert.equal(retryAfter, undefined, code);
  });

  it('a node that waits for others says what for, in the words of /v1/consensus/why, where it refuses', async () => {
    const { sentence } = (await api.call('/v1/consensus/why')).json;
    const detail = `because. ${sentence} (/v1/consensus/why)`;
    for (const code of ['no-quorum', 'syncing'] as const) {
      api.node.refusal = { kind: 'refused', id: one.id, code, detail: 'because', retryAfter: 2 };
      const single = await api.call('/v1/transactions', postBytes(one.bytes));
      assert.deepEqual([single.json.code, single.json.detail, single.headers.get('retry-after')], [code, detail, '2']);
      const packed = postBytes(packTransactions([one.bytes, freshTransaction(2).bytes]));
      const { results } = (await api.call('/v1/transactions/batch', packed)).json as { results: { error: object }[] };
      for (const { error } of results) assert.deepEqual({ ...error, code, detail }, error);
    }
    api.node.mode = 'starting';
    const ready = await api.call('/readyz');
    assert.deepEqual([ready.status, ready.json.code, ready.headers.get('retry-after')], [503, 'syncing', '1']);
    assert(String(ready.json.detail).endsWith(`. ${sentence} (/v1/consensus/why)`), String(ready.json.detail));
  });

  it('asks for its sentence once for a whole batch, and not for other refusals; and shortens a long one', async () => {
    let asked = 0;
    const why = api.node.why();
    api.node.why = () => {
      asked++;
      return { ...why, sentence: LONG };
    };
    const many = Array.from({ length: 100 }, (_, i) => freshTransaction(i).bytes);
    api.node.refusal = { kind: 'refused', id: one.id, code: 'no-quorum', detail: 'because', retryAfter: 1 };
    const { results } = (await api.call('/v1/transactions/batch', postBytes(packTransactions(many)))).json as {
      results: { error: { detail: string } }[];
    };
    assert.deepEqual([results.length, asked], [100, 1]);
    assert(results[0]!.error.detail.length < 500, `${results[0]!.error.detail.length} characters`);
    api.node.refusal = { ...api.node.refusal, code: 'overloaded' };
    assert.equal((await api.call('/v1/transactions', postBytes(one.bytes))).json.detail, 'because');
    assert.equal(asked, 1);
  });

  it('a node that is full refuses a batch as a whole and looks at nothing of it', async () => {
    api.node.full = { detail: '3000 wait', retryAfter: 4 };
    let submitted = 0;
    const { submit } = api.node;
    api.node.submit = (transactions) => {
      submitted++;
      return submit(transactions);
    };
    const packed = postBytes(packTransactions([one.bytes]));
    const answer = await api.call('/v1/transactions/batch', packed);
    assert.deepEqual([answer.status, answer.json.code, answer.json.detail], [429, 'overloaded', '3000 wait']);
    assert.deepEqual([answer.headers.get('retry-after'), submitted], ['4', 0]);
    api.node.full = undefined;
    assert.equal((await api.call('/v1/transactions/batch', packed)).status, 202);
  });

  it('what arrives while the server closes is refused, with when to come back, and not held', async () => {
    const closing = await startTestApi();
    const { hostname, port } = new URL(closing.url);
    const begun = ['/v1/transactions', '/v1/transactions/batch'].map((path) => {
      const body = Buffer.from(path.endsWith('batch') ? packTransactions([one.bytes]) : one.bytes);
      const socket = connect(Number(port), hostname);
      const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: ${body.length}`;
      socket.write(Buffer.concat([Buffer.from(`${head}\r\nExpect: 100-continue\r\n\r\n`), body.subarray(0, 1)]));
      return { socket, rest: body.subarray(1) };
    });
    const probe = closing.call('/v1/transactions?wait=final', postBytes(freshTransaction(2).bytes));
    await closing.node.waitingBegins;
    const closed = closing.close();
    for (const { socket, rest } of begun) {
      let received = '';
      socket.on('data', (chunk) => {
        received += chunk;
      });
      socket.write(rest);
      await once(socket, 'close');
      assert.match(received, /"code":"draining"/);
      assert.match(received, /^retry-after: 5\r$/im);
    }
    assert.equal((await probe).status, 202);
    await closed;
    const { status } = await closing.node.transaction(one.id, 'none', 0, new AbortController().signal);
    assert.equal(status, 'unknown');
  });
});
