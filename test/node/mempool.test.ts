import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Mempool, type PoolEntry } from '../../node/mempool.ts';

const LIMITS = { transactionsMax: 80, bytesMax: 8_000 };

function entry(name: string, options: { origin?: number; bytes?: number; validUntil?: number } = {}): PoolEntry {
  const { origin = 0, bytes = 10, validUntil = 1_000 } = options;
  return { id: new Uint8Array(32), key: name, bytes: new Uint8Array(bytes), validUntil, origin };
}

describe('mempool', () => {
  it('chooses the oldest orderable transactions that fit, and none that is in an accepted batch (N13)', () => {
    const pool = new Mempool(LIMITS, 4);
    for (const name of 'abcde') pool.add(entry(name));
    assert.deepEqual(names(pool.choose(0, 2, 1_000)), ['a', 'b']);
    pool.enterBatch(1, ['a', 'b']);
    assert.deepEqual(names(pool.choose(0, 9, 25)), ['c', 'd']);
    assert.deepEqual(pool.view(3, 1_000), { orderable: 3, full: true });
    pool.leaveBatch(1);
    assert.deepEqual(names(pool.choose(0, 9, 1_000)), ['a', 'b', 'c', 'd', 'e']);
  });

  it('does not choose what would be too late at the timestamp', () => {
    const pool = new Mempool(LIMITS, 4);
    pool.add(entry('late', { validUntil: 99 }));
    pool.add(entry('just', { validUntil: 100 }));
    assert.deepEqual(names(pool.choose(100, 9, 1_000)), ['just']);
  });

  it('does not choose what is valid for longer than a batch may hold (N4)', () => {
    const pool = new Mempool(LIMITS, 4);
    pool.add(entry('far', { validUntil: 201 }));
    pool.add(entry('near', { validUntil: 200 }));
    assert.deepEqual(names(pool.choose(100, 9, 1_000, 100)), ['near']);
  });

  it('expires by the given block time what is in no batch', () => {
    const pool = new Mempool(LIMITS, 4);
    pool.add(entry('a', { validUntil: 99 }));
    pool.add(entry('b', { validUntil: 99 }));
    pool.add(entry('c', { validUntil: 100 }));
    pool.enterBatch(1, ['b']);
    assert.deepEqual(names(pool.expire(100)), ['a']);
    assert.equal(pool.size, 2);
  });

  it('keeps bodies of executed heights until they are stable', () => {
    const pool = new Mempool(LIMITS, 4);
    pool.add(entry('a'));
    pool.enterBatch(1, ['a']);
    pool.executed(1, ['a']);
    assert.equal(pool.size, 0);
    assert.notEqual(pool.body('a'), undefined);
    pool.stable(1);
    assert.equal(pool.body('a'), undefined);
  });

  it('one origin fills its own share only, and admits half of it (T9)', () => {
    const pool = new Mempool(LIMITS, 4);
    let admitted = 0;
    while (pool.hasRoom(0, 10, true)) pool.add(entry(`own${admitted++}`));
    assert.equal(admitted, 10);
    let received = 0;
    while (pool.hasRoom(0, 10, false)) pool.add(entry(`more${received++}`));
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
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const pool = new Mempool(LIMITS, 4);
        for (const one of steps) {
          if (one.do === 'add') pool.add(entry(one.key, { validUntil: one.key < 'c' ? 1 : 100 }));
          if (one.do === 'enter') pool.enterBatch(one.height, one.keys);
          if (one.do === 'leave') pool.leaveBatch(one.height);
          if (one.do === 'execute') pool.executed(one.height, one.keys);
          if (one.do === 'expire') pool.expire(50);
          const { orderable } = pool.view(1, 1);
          assert.equal(orderable, pool.choose(0, 100, 100_000).length);
          assert.equal(pool.bytes, pool.size * 10);
        }
      }),
    );
  });
});

function names(entries: readonly PoolEntry[]): string[] {
  return entries.map(({ key }) => key);
}
