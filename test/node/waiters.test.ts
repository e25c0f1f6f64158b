import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sha256 } from '../../ledger/hash.ts';
import { idKey } from '../../node/id-key.ts';
import { Waiters } from '../../node/waiters.ts';

const id = sha256(Uint8Array.of(1));
const LONG_MS = 60_000;

function outcome(promise: Promise<void>): { done: boolean } {
  const state = { done: false };
  void promise.then(() => {
    state.done = true;
  });
  return state;
}

describe('waiters', () => {
  it('wakes for committed at execution and for final at finality', async () => {
    const waiters = new Waiters();
    const { signal } = new AbortController();
    const committed = outcome(waiters.wait(id, 'committed', undefined, LONG_MS, signal));
    const final = outcome(waiters.wait(id, 'final', undefined, LONG_MS, signal));
    waiters.executed(7, [idKey(sha256(Uint8Array.of(2)))]);
    await Promise.resolve();
    assert.deepEqual([committed.done, final.done], [false, false]);
    waiters.executed(8, [idKey(id)]);
    await Promise.resolve();
    assert.deepEqual([committed.done, final.done], [true, false]);
    waiters.final(7);
    await Promise.resolve();
    assert.equal(final.done, false);
    waiters.final(9);
    await Promise.resolve();
    assert.equal(final.done, true);
    assert(waiters.idle);
  });

  it('wakes for a height once all up to it is executed, or final', async () => {
    const waiters = new Waiters();
    const { signal } = new AbortController();
    const committed = outcome(waiters.reach(8, 'committed', LONG_MS, signal));
    const final = outcome(waiters.reach(8, 'final', LONG_MS, signal));
    waiters.executed(7, []);
    await Promise.resolve();
    assert.deepEqual([committed.done, final.done], [false, false]);
    // A snapshot leaves heights out.
    waiters.executed(9, []);
    await Promise.resolve();
    assert.deepEqual([committed.done, final.done], [true, false]);
    waiters.final(9);
    await Promise.resolve();
    assert.equal(final.done, true);
    assert(waiters.idle);
    const ended = [waiters.reach(10, 'committed', LONG_MS, signal), waiters.reach(10, 'final', LONG_MS, signal)];
    waiters.close();
    await Promise.all(ended);
    await waiters.reach(10, 'committed', 1, signal);
    assert(waiters.idle);
  });

  it('ends on abort, expiry, close and with no time left, and keeps nothing', async () => {
    const waiters = new Waiters();
    const abort = new AbortController();
    const aborted = waiters.wait(id, 'final', undefined, LONG_MS, abort.signal);
    abort.abort();
    await aborted;
    const { signal } = new AbortController();
    const expired = waiters.wait(id, 'final', undefined, LONG_MS, signal);
    waiters.expired([idKey(id)]);
    await expired;
    await waiters.wait(id, 'final', undefined, 0, signal);
    const closed = [
      waiters.wait(id, 'final', undefined, LONG_MS, signal),
      waiters.wait(id, 'final', 4, LONG_MS, signal),
    ];
    waiters.close();
    await Promise.all(closed);
    assert(waiters.idle);
  });
});
