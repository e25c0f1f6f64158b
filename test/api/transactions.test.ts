import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { BATCH_MAX } from '../../api/limits.ts';
import { PROBLEMS } from '../../api/problems.ts';
import { bundleCodec } from '../../ledger/bundle.ts';
import { toHex } from '../../ledger/bytes.ts';
import { decode } from '../../ledger/codec.ts';
import { packTransactions } from '../../ledger/transaction.ts';
import { startTestApi, type TestApi } from '../support/api-client.ts';
import { describedTransaction, freshTransaction, NO_ID, postBytes, postJson } from '../support/api-requests.ts';
import { fakeChain } from '../support/fake-node.ts';

describe('transactions over REST', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi();
  });
  beforeEach(() => api.reset());
  after(() => api.close());

  const one = freshTransaction(1);
  const id = toHex(one.id);
  const chain = fakeChain();
  const final = toHex(chain.blocks[1]!.transactions[2]!.id);
  const rejected = toHex(chain.blocks[1]!.transactions[0]!.id);
  const committed = toHex(chain.blocks[6]!.transactions[0]!.id);

  it('one is taken as bytes or JSON: 202 pending with Location, then 200 for the same bytes', async () => {
    const first = await api.call('/v1/transactions', postBytes(one.bytes));
    assert.deepEqual([first.status, first.json.id, first.json.status], [202, id, 'pending']);
    assert.equal(first.headers.get('location'), `/v1/transactions/${id}`);
    const again = await api.call('/v1/transactions', postJson({ transaction: toHex(one.bytes) }));
    assert.deepEqual([again.status, again.json.status], [200, 'pending']);
    const asked = await api.call(`/v1/transactions/${id}`);
    assert.deepEqual([asked.status, asked.json.status], [202, 'pending']);
  });

  it('a wait that times out is 202, also for the same bytes again; one that is reached is 200', async () => {
    for (let i = 0; i < 2; i++) {
      const { status, json } = await api.call('/v1/transactions?wait=final&timeoutMs=1', postBytes(one.bytes));
      assert.deepEqual([status, json.status], [202, 'pending'], `time ${i}`);
    }
    const waits = api.call('/v1/transactions?wait=final', postBytes(one.bytes));
    await api.node.waitingBegins;
    api.node.decide(one.id, 'final');
    const reached = await waits;
    assert.deepEqual([reached.status, reached.json.status], [200, 'final']);
    assert.equal((await api.call(`/v1/transactions/${committed}?wait=final&timeoutMs=0`)).status, 202);
    assert.equal((await api.call(`/v1/transactions/${committed}?wait=committed`)).status, 200);
  });

  it('every state is told with block, decoded receipt and decoded calls', async () => {
    const { json } = await api.call(`/v1/transactions/${final}`);
    assert.deepEqual([json.status, json.block], ['final', { height: 1, index: 2 }]);
    const receipt = json.receipt as { status: string; events: { name: string; data: { key: string } }[] };
    assert.deepEqual(
      receipt.events.map(({ name, data }) => [name, data.key]),
      [
        ['registered', 'deed 1'],
        ['registered', 'deed 2'],
      ],
    );
    const { calls } = json.transaction as { calls: { args: { note: string } }[] };
    assert.equal(calls[1]!.args.note, 'note of deed 2');
    const failed = await api.call(`/v1/transactions/${rejected}`);
    assert.deepEqual([failed.status, failed.json.status], [200, 'rejected']);
    assert.notEqual((failed.json.receipt as { code: string }).code, '');
    await api.call('/v1/transactions', postBytes(one.bytes));
    api.node.decide(one.id, 'expired');
    const expired = await api.call(`/v1/transactions/${id}?wait=final`);
    assert.deepEqual([expired.status, expired.json.status], [200, 'expired']);
    assert.equal((await api.call(`/v1/transactions/${NO_ID}`)).json.code, 'not-found');
  });

  it('what is decided may be cached for ever, what is not may not', async () => {
    const { headers } = await api.call(`/v1/transactions/${final}`);
    assert.match(headers.get('cache-control')!, /immutable/);
    assert(headers.get('etag'));
    assert.equal((await api.call(`/v1/transactions/${committed}`)).headers.get('cache-control'), 'no-store');
  });

  it('a wait for finality gives the proof to whom prefers bytes; what is not final is told in JSON', async () => {
    const postOf = (height: number, index: number, query = '?wait=final', accept = 'application/octet-stream') => {
      const { bytes } = chain.blocks[height]!.transactions[index]!;
      return api.call(`/v1/transactions${query}`, postBytes(bytes, accept));
    };
    for (const [index, receipt] of [
      [2, 'ok'],
      [0, 'failed'],
    ] as const) {
      const proven = await postOf(1, index);
      assert.deepEqual([proven.status, proven.headers.get('vary')], [200, 'accept']);
      const { fact } = decode(bundleCodec, proven.bytes);
      assert(fact.kind === 'transaction');
      assert.deepEqual(
        [fact.value.receipt.status, toHex(fact.value.receipt.id)],
        [receipt, [rejected, '', final][index]],
      );
      assert.equal(proven.headers.get('location'), `/v1/transactions/${[rejected, '', final][index]}`);
    }
    for (const [answer, status, state] of [
      [await postOf(1, 2, '?wait=final', 'application/json, application/octet-stream;q=0.9'), 200, 'final'],
      [await postOf(1, 2, '?wait=committed'), 200, 'final'],
      [await postOf(1, 2, ''), 200, 'final'],
      [await postOf(6, 0, '?wait=final&timeoutMs=0'), 202, 'committed'],
    ] as const)
      assert.deepEqual([answer.status, answer.json.status], [status, state]);
    await api.call('/v1/transactions', postBytes(one.bytes));
    api.node.decide(one.id, 'expired');
    const expired = await api.call('/v1/transactions?wait=final', postBytes(one.bytes, 'application/octet-stream'));
    assert.deepEqual([expired.status, expired.json.status], [200, 'expired']);
  });

  it('a batch has one result each, as bytes or JSON', async () => {
    const parts = [freshTransaction(3).bytes, Uint8Array.of(1, 2, 3), freshTransaction(4).bytes];
    for (const [init, status, states] of [
      [postBytes(packTransactions(parts)), 202, ['pending', 'malformed', 'pending']],
      [postJson({ transactions: parts.map(toHex) }), 200, ['known', 'malformed', 'known']],
    ] as const) {
      const answer = await api.call('/v1/transactions/batch', init);
      const results = answer.json.results as { status?: string; error?: { code: string } }[];
      assert.deepEqual(
        results.map((result) => result.status ?? result.error?.code),
        states,
      );
      assert.equal(answer.status, status);
    }
  });

  it('a batch waits for all of its own', async () => {
    const [a, b] = [freshTransaction(5), freshTransaction(6)];
    const packed = postBytes(packTransactions([a.bytes, b.bytes]));
    const waits = api.call('/v1/transactions/batch?wait=committed', packed);
    await api.node.waitingBegins;
    api.node.decide(a.id, 'committed');
    api.node.decide(b.id, 'expired');
    const answer = await waits;
    assert.deepEqual(
      [answer.status, answer.json.results],
      [
        200,
        [
          { id: toHex(a.id), status: 'committed' },
          { id: toHex(b.id), status: 'expired' },
        ],
      ],
    );
    assert.equal((await api.call('/v1/transactions/batch?wait=final&timeoutMs=1', packed)).status, 202);
  });

  it('K05: a batch of the limit is taken, an empty or longer one is not', async () => {
    const junk = (count: number) => postBytes(packTransactions(Array.from({ length: count }, () => Uint8Array.of(1))));
    assert.equal((await api.call('/v1/transactions/batch', junk(BATCH_MAX))).status, 200);
    for (const init of [
      junk(BATCH_MAX + 1),
      junk(0),
      postBytes(Uint8Array.of(0, 0, 0)),
      postJson({ transactions: [] }),
    ]) {
      assert.equal((await api.call('/v1/transactions/batch', init)).json.code, 'malformed');
    }
  });

  it('a refusal of the node has its own status and says when to come back', async () => {
    const statuses = { 'too-many-pending': 429, 'too-fast': 429, overloaded: 429 };
    for (const [code, status] of Object.entries(statuses)) {
      const problem = PROBLEMS[code as keyof typeof statuses];
      assert.deepEqual([problem.status, problem.retry, problem.retryAfter], [status, 'same', 1]);
    }
    const others = ['bad-signature', 'not-permitted', 'expired', 'syncing', 'halted'] as const;
    for (const code of [...others, 'overloaded', 'too-many-pending', 'too-fast'] as const) {
      api.node.refusal = { kind: 'refused', id: one.id, code, detail: 'because', retryAfter: 3 };
      const { status, headers, json } = await api.call('/v1/transactions', postBytes(one.bytes));
      const { sentence } = api.node.why();
      const detail = code === 'syncing' ? `because. ${sentence} (/v1/consensus/why)` : 'because';
      assert.deepEqual([status, json.code, json.detail], [PROBLEMS[code].status, code, detail]);
      assert.equal(headers.get('retry-after'), '3');
      const batch = await api.call('/v1/transactions/batch', postBytes(packTransactions([one.bytes])));
      const [result] = batch.json.results as { id: string; error: { code: string } }[];
      assert.deepEqual([batch.status, result!.id, result!.error.code], [200, id, code]);
      assert.equal(batch.headers.get('retry-after'), '3');
    }
  });

  it('encode gives the id and the bytes that the codec gives', async () => {
    const { status, json } = await api.call('/v1/transactions/encode', postJson(describedTransaction(one)));
    assert.deepEqual([status, json.id, json.body], [200, id, toHex(one.bytes.subarray(0, -64))]);
    const other = (change: object) => postJson({ ...describedTransaction(one), ...change });
    for (const [change, code] of [
      [{ calls: [{ module: 'records', action: 'nothing', args: {} }] }, 'unknown-action'],
      [{ calls: [{ module: 'records', action: 'register', args: { key: 1 } }] }, 'invalid-args'],
      [{ calls: [{ module: '__proto__', action: 'constructor', args: {} }] }, 'unknown-action'],
      [{ calls: [] }, 'malformed'],
      [{ sender: '0xAB' }, 'malformed'],
      [{ nonce: '0x00' }, 'malformed'],
      [{ validUntil: -1 }, 'malformed'],
      [{ memo: `0x${'00'.repeat(300)}` }, 'malformed'],
      [{ gas: 1 }, 'malformed'],
    ] as const) {
      const answer = await api.call('/v1/transactions/encode', other(change));
      assert.equal(answer.json.code, code, JSON.stringify(change));
    }
  });

  it('a proof is JSON or bytes of the same bundle; 409 before finality, 404 for what nobody knows', async () => {
    const json = await api.call(`/v1/transactions/${final}/proof`);
    const bytes = await api.call(`/v1/transactions/${final}/proof`, {
      headers: { accept: 'application/octet-stream' },
    });
    assert.deepEqual(bundleCodec.toJson(decode(bundleCodec, bytes.bytes)), json.json);
    assert.equal(json.headers.get('vary'), 'accept');
    const early = await api.call(`/v1/transactions/${committed}/proof`);
    assert.deepEqual([early.status, early.json.code, early.json.retry], [409, 'not-final', 'later']);
    assert.equal((await api.call(`/v1/transactions/${NO_ID}/proof`)).json.code, 'not-found');
  });
});
