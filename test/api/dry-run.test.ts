import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { toHex } from '../../ledger/bytes.ts';
import { startTestApi, type TestApi } from '../support/api-client.ts';
import { describedTransaction, freshTransaction, postBytes, postJson } from '../support/api-requests.ts';
import { fakeChain, NEWEST } from '../support/fake-node.ts';

const PATH = '/v1/transactions/dry-run';
const one = freshTransaction(1);
const { sender, calls } = describedTransaction(one);

describe('POST /v1/transactions/dry-run', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi({ dryRunsMax: 2 });
  });
  beforeEach(() => api.reset());
  after(() => api.close());

  it('answers with the receipt and the height of the state, and submits nothing', async () => {
    const { status, json } = await api.call(PATH, postBytes(one.bytes));
    assert.equal(status, 200);
    assert.equal(json.height, NEWEST);
    assert.deepEqual(json.receipt, { status: 'failed', code: 'not-enough', events: [] });
    assert.equal((await api.call(`/v1/transactions/${toHex(one.id)}`)).status, 404);
  });

  it('takes the same transaction as bytes, as bytes in JSON, and described', async () => {
    for (const body of [
      postBytes(one.bytes),
      postJson({ transaction: toHex(one.bytes) }),
      postJson(describedTransaction(one)),
    ]) {
      assert.equal((await api.call(PATH, body)).status, 200);
    }
    assert.deepEqual(api.node.ran, [one.body, one.body, one.body]);
  });

  it('needs no more than sender and calls: the time is the latest possible then', async () => {
    assert.equal((await api.call(PATH, postJson({ sender, calls }))).status, 200);
    const { time, maxLifetimeMs } = api.node.chain();
    const [body] = api.node.ran;
    assert.deepEqual(body, { ...one.body, nonce: new Uint8Array(8), validUntil: time + maxLifetimeMs });
  });

  it('has no receipt for what executed already', async () => {
    const { status, json } = await api.call(PATH, postBytes(fakeChain().blocks[1]!.transactions[0]!.bytes));
    assert.deepEqual([status, 'receipt' in json], [200, false]);
  });

  it('is refused as a submission is, with the place of the fault', async () => {
    for (const [body, code, detail] of [
      [postBytes(new Uint8Array(3)), 'malformed', /signature of 64 bytes/],
      [postJson({ sender }), 'malformed', /^calls: /],
      [postJson({ transaction: 7 }), 'malformed', /^transaction: /],
      [postJson({ sender: '0x12', calls }), 'malformed', /32 bytes|64 hex/],
      [postJson({ sender, calls: [{ module: 'no', action: 'no', args: {} }] }), 'unknown-action', /no\.no/],
      [postJson({ sender, calls: [{ module: 'records', action: 'register', args: {} }] }), 'invalid-args', /register/],
      [postJson([1]), 'malformed', /body/],
      [postJson('null'), 'malformed', /body/],
    ] as const) {
      const { json } = await api.call(PATH, body);
      assert.equal(json.code, code, JSON.stringify(json));
      assert.match(String(json.detail), detail);
    }
    api.node.refusal = { kind: 'refused', id: one.id, code: 'not-permitted', detail: 'nobody' };
    const { status, json } = await api.call(PATH, postBytes(one.bytes));
    assert.deepEqual([status, json.code, json.detail], [403, 'not-permitted', 'nobody']);
  });

  it('runs a few at once and refuses more: it costs the node time and its sender nothing', async () => {
    const gate = Promise.withResolvers<void>();
    api.node.dryRunsUntil = gate.promise;
    const running = [1, 2].map(() => api.call(PATH, postBytes(one.bytes)));
    await api.node.twoDryRuns;
    const { status, json, headers } = await api.call(PATH, postBytes(one.bytes));
    assert.deepEqual([status, json.code, headers.get('retry-after')], [503, 'busy', '1']);
    gate.resolve();
    assert.deepEqual(
      (await Promise.all(running)).map((one) => one.status),
      [200, 200],
    );
    assert.equal((await api.call(PATH, postBytes(one.bytes))).status, 200, 'room again');
  });
});
