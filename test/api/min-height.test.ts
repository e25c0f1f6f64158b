import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { routes } from '../../api/routes/index.ts';
import { toHex } from '../../ledger/bytes.ts';
import { startTestApi, type TestApi } from '../support/api-client.ts';
import { FINAL, fakeChain, NEWEST } from '../support/fake-node.ts';

const ID = toHex(fakeChain().blocks[1]!.transactions[0]!.id);
const ROW = '/v1/state/records.entries/x';
const committed = [
  '/v1/chain',
  '/v1/blocks',
  '/v1/blocks/1',
  '/v1/blocks/latest',
  '/v1/state/records.entries',
  `${ROW}?at=latest`,
  `/v1/transactions/${ID}`,
];
const final = [
  '/v1/blocks/final',
  '/v1/blocks/1/proof',
  '/v1/checkpoints',
  '/v1/checkpoints/latest',
  '/v1/light/latest',
  '/v1/light/updates',
  ROW,
  `${ROW}?proof=true`,
  `${ROW}?proof=true&at=${FINAL}`,
  `/v1/transactions/${ID}/proof`,
];
const withHeight = (path: string, height: number, timeoutMs: number): string =>
  `${path}${path.includes('?') ? '&' : '?'}minHeight=${height}&timeoutMs=${timeoutMs}`;

describe('H12: a read with minHeight', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi({ waitingMax: 2 });
  });
  beforeEach(() => api.reset());
  after(() => api.close());

  it('is tried here at every route that takes it', () => {
    const taking = routes.filter(({ query }) => 'minHeight' in query.shape).map(({ path }) => path);
    const tried = [...committed, ...final].map((path) => path.split('?')[0]!.split('/'));
    const missed = taking.filter((path) => {
      const parts = path.split('/');
      return !tried.some(
        (one) => one.length === parts.length && parts.every((p, i) => p.startsWith(':') || p === one[i]),
      );
    });
    assert(taking.length >= 11);
    assert.deepEqual(missed, []);
  });

  it('is answered at once where the node is that far: executed, or final for what rests on a certificate', async () => {
    for (const path of committed) assert.equal((await api.call(withHeight(path, NEWEST, 0))).status, 200, path);
    for (const path of final) assert.equal((await api.call(withHeight(path, FINAL, 0))).status, 200, path);
  });

  it('H12: what is asked for as final is final, also where a restart has taken the state of the newest certificate', async () => {
    const { state } = api.node;
    api.node.state = (table, key, _at, ...rest) => state(table, key, 'latest', ...rest);
    for (const path of [ROW, `${ROW}?proof=true`]) {
      const refused = await api.call(withHeight(path, 0, 0));
      assert.deepEqual([refused.status, refused.json.code], [503, 'behind'], path);
    }
    const waiting = api.call(ROW);
    await api.node.waitingBegins;
    api.node.grow(NEWEST - FINAL);
    const { status, json } = await waiting;
    assert.deepEqual([status, json.height], [200, NEWEST]);
  });

  it('is refused after timeoutMs with all heights, and where to go', async () => {
    for (const [paths, height] of [
      [committed, NEWEST + 1],
      [final, FINAL + 1],
    ] as const) {
      for (const path of paths) {
        const { status, json, headers } = await api.call(withHeight(path, height, 1));
        assert.deepEqual([status, json.code, json.retry], [503, 'behind', 'elsewhere'], path);
        assert.equal(headers.get('retry-after'), '1');
        assert.equal(json.detail, `expected height ${height}; executed here is ${NEWEST}, final ${FINAL}`);
      }
    }
  });

  it('waits until the node gets there', async () => {
    const read = api.call(`/v1/chain?minHeight=${NEWEST + 2}`);
    await api.node.waitingBegins;
    api.node.grow(2);
    const { status, json, headers } = await read;
    assert.deepEqual([status, json.height], [200, NEWEST + 2]);
    assert.equal(headers.get('quorate-height'), String(NEWEST + 2));
  });

  it('of a height out of reach is not held', async () => {
    const begun = performance.now();
    for (const height of [1_000_000, 999_999_999_999_999]) {
      const { status, json } = await api.call(`/v1/chain?minHeight=${height}&timeoutMs=60000`);
      assert.deepEqual([status, json.code], [503, 'behind']);
    }
    assert(performance.now() - begun < 5_000);
    assert.equal(api.node.waiting, 0);
    assert.equal((await api.call(`/v1/chain?minHeight=${'9'.repeat(16)}`)).status, 400);
  });

  it('is counted with the other waits: more than the node holds are busy', async () => {
    const reads = [1, 2].map(() => api.call(`/v1/chain?minHeight=${NEWEST + 1}`));
    while (api.node.waiting < 2) await new Promise(setImmediate);
    const { status, json } = await api.call(`/v1/blocks?minHeight=${NEWEST + 1}`);
    assert.deepEqual([status, json.code], [503, 'busy']);
    api.node.grow(1);
    assert.deepEqual(
      (await Promise.all(reads)).map((one) => one.status),
      [200, 200],
    );
  });

  it('of a transaction leaves what is left of its time to `wait`', async () => {
    const begun = performance.now();
    const read = api.call(`/v1/transactions/${ID}?minHeight=${NEWEST + 1}&wait=final&timeoutMs=400`);
    assert.equal((await read).json.code, 'behind');
    assert(performance.now() - begun < 2_000);
  });
});
