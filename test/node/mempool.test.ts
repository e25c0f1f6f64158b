import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Mempool } from '../../node/mempool.ts';
import type { PoolEntry } from '../../node/pool-entry.ts';

const LIMITS = { transactionsMax: 80, bytesMax: 8_000 };

function entry(
  name: string,
  options: { origin?: number; bytes?: number; validUntil?: number; account?: string } = {},
): PoolEntry {
  const { origin = 0, bytes = 10, validUntil = 1_000, account } = options;
  return {
    id: new Uint8Array(32),
    key: name,
    bytes: new Uint8Array(bytes),
    validUntil,
    origin,
    account,
    governs: false,
    candidates: [],
  };
}

describe('mempool', () => {
  it('T9: counts what clients gave to this node by account, whichever way it leaves', () => {
    const pool = new Mempool(LIMITS, 4);
    const own = (name: string, validUntil = 1_000) => entry(name, { account: 'ann', validUntil });
    for (const name of ['executed', 'caught up', 'skipped', 'stays']) pool.add(own(name), 0);
    pool.add(own('expired', 5), 0);
    pool.add(own('stays'), 1);
    pool.add(entry('of a peer', { origin: 1 }), 0);
    pool.add(entry('of ben', { account: 'ben' }), 0);
    assert.deepEqual([pool.pendingOf('ann'), pool.pendingOf('ben'), pool.pendingOf('cleo')], [5, 1, 0]);
    pool.enterBatch(1, ['executed']);
    assert.equal(pool.pendingOf('ann'), 5, 'in a batch it is not executed yet');
    pool.enterEpoch(
      3,
      (origin) => (origin === 0 ? -1 : origin - 1),
      ({ key }) => key !== 'skipped',
    );
    assert.equal(pool.pendingOf('ann'), 5, 'whatever becomes of the node that admitted it');
    pool.executed(1, ['executed', 'of a peer', 'never here']);
    pool.remove(['caught up']);
    pool.skipTo(9, ['skipped']);
    assert.equal(pool.expire(6).length, 1);
    assert.deepEqual([pool.pendingOf('ann'), pool.pendingOf('ben')], [1, 1]);
    pool.remove(['stays']);
    pool.remove(['stays', 'of ben']);
    assert.deepEqual([pool.pendingOf('ann'), pool.pendingOf('ben'), pool.size], [0, 0, 0]);
  });

  it('chooses the oldest orderable transactions that fit, and none that is in an accepted batch (rule N13)', () => {
    const pool = new Mempool(LIMITS, 4);
    for (const name of 'abcde') pool.add(entry(name), 0);
    assert.deepEqual(names(pool.choose(0, 2, 1_000)), ['a', 'b']);
    pool.enterBatch(1, ['a', 'b']);
    assert.deepEqual(names(pool.choose(0, 9, 25)), ['c', 'd']);
    assert.deepEqual(pool.view(3, 1_000), { orderable: 3, full: true });
    pool.leaveBatch(1);
    assert.deepEqual(names(pool.choose(0, 9, 1_000)), ['a', 'b', 'c', 'd', 'e']);
  });

  it('does not choose what would be too late at the timestamp', () => {
    const pool = new Mempool(LIMITS, 4);
    pool.add(entry('late', { validUntil: 99 }), 0);
    pool.add(entry('just', { validUntil: 100 }), 0);
    assert.deepEqual(names(pool.choose(100, 9, 1_000)), ['just']);
  });

  it('does not choose what is valid for longer than a batch may hold (N4)', () => {
    const pool = new Mempool(LIMITS, 4);
    pool.add(entry('far', { validUntil: 201 }), 0);
    pool.add(entry('near', { validUntil: 200 }), 0);
    assert.deepEqual(names(pool.choose(100, 9, 1_000, 100)), ['near']);
  });

  it('expires by the given block time what is in no batch', () => {
    const pool = new Mempool(LIMITS, 4);
    pool.add(entry('a', { validUntil: 99 }), 0);
    pool.add(entry('b', { validUntil: 99 }), 0);
    pool.add(entry('c', { validUntil: 100 }), 0);
    pool.enterBatch(1, ['b']);
    assert.deepEqual(names(pool.expire(100)), ['a']);
    assert.equal(pool.size, 2);
  });

  it('T3: a transaction that was handed to the leader and can be ordered is what the leader is waited for', () => {
    const pool = new Mempool(LIMITS, 4);
    pool.add(entry('a'), 0);
    assert.deepEqual(pool.waiting(100, 2_000), { handed: false, overdue: false });
    pool.handed(['a'], 5);
    assert.deepEqual(pool.waiting(100, 2_000), { handed: true, overdue: false });
    assert.equal(pool.waiting(1_001, 2_000).handed, false, 'it has expired');
    pool.enterBatch(1, ['a']);
    assert.equal(pool.waiting(100, 2_000).handed, false, 'it is in an accepted batch');
    pool.enterView();
    assert.equal(pool.waiting(100, 2_000).handed, false, 'the next leader was not handed it yet');
  });

  it('T7, L11: left out is what waited for the inclusion time while the leader had room or ordered later ones', () => {
    const rule = { lifetimeMaxMs: 2_000, inclusionMs: 50 };
    const judged = (monotonic: number, full: boolean, lateArrival: number) => {
      const pool = new Mempool(LIMITS, 4);
      pool.add(entry('victim'), 10);
      pool.handed(['victim'], 10);
      pool.add(entry('other'), lateArrival);
      pool.enterBatch(1, ['other']);
      pool.judgeInclusion(['other'], full, { time: 100, monotonic }, rule);
      return pool;
    };
    assert(judged(60, false, 11).waiting(100, 2_000).overdue, 'room was left');
    assert(judged(60, true, 60).waiting(100, 2_000).overdue, 'one that came 50 ms later was ordered before it');
    assert(!judged(60, true, 59).waiting(100, 2_000).overdue, 'full of older ones');
    assert(!judged(59, false, 60).waiting(100, 2_000).overdue, 'it has not waited long enough');
    const pool = judged(60, false, 11);
    pool.enterBatch(2, ['victim']);
    assert(!pool.waiting(100, 2_000).overdue, 'ordered after all');
  });

  it('one origin fills its own share only, and admits half of it (T9)', () => {
    const pool = new Mempool(LIMITS, 4);
    let admitted = 0;
    while (pool.hasRoom(0, 10, true)) pool.add(entry(`own${admitted++}`), 0);
    assert.equal(admitted, 10);
    let received = 0;
    while (pool.hasRoom(0, 10, false)) pool.add(entry(`more${received++}`), 0);
    assert.equal(admitted + received, 20);
    assert(pool.hasRoom(1, 10, true));
    assert(!pool.hasRoom(4, 10, false), 'nobody but members has a share');
  });

  it('Q02: an id in two accepted batches never makes the counts wrong', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('add' as const), key: fc.constantFrom(...'abcdef') }),
      fc.record({
        do: fc.constant('enter' as const),
        height: fc.integer({ min: 1, max: 3 }),
        keys: fc.uniqueArray(fc.constantFrom(...'abcdef')),
      }),
      fc.record({ do: fc.constant('leave' as const), height: fc.integer({ min: 1, max: 3 }) }),
      fc.record({
        do: fc.constant('execute' as const),
        height: fc.integer({ min: 1, max: 3 }),
        keys: fc.uniqueArray(fc.constantFrom(...'abcdef')),
      }),
      fc.record({ do: fc.constant('expire' as const) }),
    );
    const accountOf = (key: string) => ('ace'.includes(key) ? 'even' : undefined);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const pool = new Mempool(LIMITS, 4);
        for (const one of steps) {
          if (one.do === 'add')
            pool.add(entry(one.key, { validUntil: one.key < 'c' ? 1 : 100, account: accountOf(one.key) }), 0);
          if (one.do === 'enter') pool.enterBatch(one.height, one.keys);
          if (one.do === 'leave') pool.leaveBatch(one.height);
          if (one.do === 'execute') pool.executed(one.height, one.keys);
          if (one.do === 'expire') pool.expire(50);
          const { orderable } = pool.view(1, 1);
          assert.equal(orderable, pool.choose(0, 100, 100_000).length);
          assert.equal(pool.bytes, pool.size * 10);
          const own = [...pool.entries()].filter(({ account }) => account === 'even');
          assert.equal(pool.pendingOf('even'), own.length);
        }
      }),
    );
  });
});

function names(entries: readonly PoolEntry[]): string[] {
  return entries.map(({ key }) => key);
}
