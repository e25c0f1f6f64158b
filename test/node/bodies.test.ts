import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Batch, batchDigest } from '../../ledger/block.ts';
import { sha256 } from '../../ledger/hash.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { defaultParameters } from '../../ledger/parameters.ts';
import { packTransactions } from '../../ledger/transaction.ts';
import { Bodies } from '../../node/bodies.ts';
import { idKey } from '../../node/id-key.ts';
import { Mempool } from '../../node/mempool.ts';
import type { PoolEntry } from '../../node/pool-entry.ts';

const TIME = 1_000;

function entry(number: number, validUntil = TIME + 10): PoolEntry {
  const id = sha256(Uint8Array.of(number));
  return {
    id,
    key: idKey(id),
    bytes: Uint8Array.of(number),
    validUntil,
    origin: 0,
    account: undefined,
    governs: false,
    candidates: [],
  };
}

/** A pool, a Bodies over it, and a member that gives the entries of `others` when asked. */
function setUp(others: readonly PoolEntry[] = []) {
  const pool = new Mempool({ transactionsMax: 1_000, bytesMax: 100_000 }, 1);
  const asked: number[] = [];
  const arriving = new Set<string>();
  const finished = Promise.withResolvers<string | undefined>();
  const found = Promise.withResolvers<Batch>();
  const bodies = new Bodies({
    genesisId: sha256(Uint8Array.of(0)),
    pool,
    application: quorateApplication,
    parameters: () => ({ ...defaultParameters, batchTransactionsMax: 5 }),
    setTimer(delayMs, run) {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
    sources: (from) => [from, 8],
    isArriving: (key) => arriving.has(key),
    async fetch(member, ids, wanted) {
      asked.push(member);
      const given = others.filter(({ id, key }) => wanted.has(key) && ids.some((one) => idKey(one) === idKey(id)));
      for (const one of given) pool.add(one, 0);
      bodies.added(given);
      return undefined;
    },
    async fetchBatch(member, height) {
      asked.push(member);
      return member === 8 ? { height, timestamp: TIME, transactions: [] } : undefined;
    },
    done: (_batch, _digest, problem) => finished.resolve(problem),
    batchDone: (batch) => found.resolve(batch),
  });
  const request = (entries: readonly PoolEntry[], from = 7) => {
    const batch = { height: 1, timestamp: TIME, transactions: entries.map(({ id }) => id) };
    bodies.request(batch, batchDigest(batch), from);
    return batch;
  };
  return { pool, bodies, asked, arriving, finished: finished.promise, found: found.promise, request };
}

describe('bodies of a proposed batch', { timeout: 20_000 }, () => {
  it('are packed in batch order as soon as all are here, and asked of nobody', async () => {
    const [a, b] = [entry(1), entry(2)];
    const { pool, bodies, asked, finished, request } = setUp();
    pool.add(b, 0);
    const batch = request([b, a]);
    pool.add(a, 0);
    bodies.added([a]);
    assert.equal(await finished, undefined);
    assert.deepEqual(bodies.packed(batch, batchDigest(batch)), packTransactions([b.bytes, a.bytes]));
    assert.deepEqual(asked, []);
    bodies.close();
  });

  it('L05: what does not come by itself is fetched, from the proposer first, then from the others', async () => {
    const [a, b] = [entry(1), entry(2)];
    const { bodies, asked, finished, request, pool } = setUp([b]);
    pool.add(a, 0);
    request([a, b], 7);
    assert.equal(await finished, undefined);
    assert.deepEqual(asked, [7]);
    bodies.close();
  });

  it('what is being verified is not asked for', async () => {
    const a = entry(1);
    const { bodies, asked, arriving, finished, request, pool } = setUp([a]);
    arriving.add(a.key);
    request([a]);
    // Longer than the grace: the timer has looked, and left it alone.
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual(asked, []);
    pool.add(a, 0);
    bodies.added([a]);
    assert.equal(await finished, undefined);
    bodies.close();
  });

  it('Q02: one that left the pool meanwhile, executed elsewhere, is fetched again and never missing in the pack', async () => {
    const [a, b] = [entry(1), entry(2)];
    const { pool, bodies, asked, finished, request } = setUp([a]);
    pool.add(a, 0);
    const batch = request([a, b]);
    pool.executed(0, [a.key]);
    pool.add(b, 0);
    bodies.added([b]);
    assert.equal(await finished, undefined);
    assert.deepEqual(asked, [7]);
    assert.deepEqual(bodies.packed(batch, batchDigest(batch)), packTransactions([a.bytes, b.bytes]));
    bodies.close();
  });

  it('N4, L16, Q01: a batch that is invalid by its ids or bodies is refused, and nothing is fetched for it', async () => {
    const cases: readonly [readonly PoolEntry[], RegExp][] = [
      [[entry(1), entry(1)], /twice/],
      [[1, 2, 3, 4, 5, 6].map((number) => entry(number)), /6 transactions, at most 5/],
      [[entry(1, TIME - 1)], /valid until/],
      [[entry(1, TIME + defaultParameters.maxLifetimeMs + 1)], /ahead/],
    ];
    for (const [entries, expected] of cases) {
      const { pool, bodies, asked, finished, request } = setUp();
      for (const one of entries.slice(0, 5)) pool.add(one, 0);
      request(entries);
      assert.match((await finished)!, expected);
      assert.deepEqual(asked, []);
      bodies.close();
    }
  });

  it('rule V10: stay, whatever the pool does, until their height is executed and stable', async () => {
    const a = entry(1);
    const { pool, bodies, finished, request } = setUp();
    pool.add(a, 0);
    const batch = request([a]);
    await finished;
    pool.executed(1, [a.key]);
    assert.equal(pool.body(a.key), undefined);
    assert.deepEqual(bodies.body(a.key), a);
    bodies.stable(0);
    assert.deepEqual(bodies.packed(batch, batchDigest(batch)), packTransactions([a.bytes]));
    bodies.stable(1);
    assert.equal(bodies.body(a.key), undefined);
    assert.throws(() => bodies.packed(batch, batchDigest(batch)), /not held/);
    bodies.close();
  });

  it('V9: the batch of a carried digest is asked of one member after the other', async () => {
    const { bodies, asked, found } = setUp();
    bodies.requestBatch(3, sha256(Uint8Array.of(3)), 7);
    assert.equal((await found).height, 3);
    assert.deepEqual(asked, [7, 8]);
    bodies.close();
  });
});
