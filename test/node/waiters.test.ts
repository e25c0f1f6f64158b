import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sha256 } from '../../ledger/hash.ts';
import { idKey } from '../../node/id-key.ts';
import { WAITERS_MAX } from '../../node/limits.ts';
import { type Held, Waiters } from '../../node/waiters.ts';

const KEYS = [1, 2, 3].map((byte) => idKey(sha256(Uint8Array.of(byte))));
const LONG_MS = 60_000;

function outcome(held: Held | undefined): { done: boolean } {
  const state = { done: false };
  void held!.woken.then(() => {
    state.done = true;
  });
  return state;
}

describe('waiters', () => {
  it('wakes when the last of its transactions is executed or will never be', async () => {
    const waiters = new Waiters();
    const { signal } = new AbortController();
    const one = outcome(waiters.outcomes([KEYS[0]!], LONG_MS, signal));
    const all = outcome(waiters.outcomes(KEYS, LONG_MS, signal));
    waiters.executed(7, [idKey(sha256(Uint8Array.of(9)))]);
    await Promise.resolve();
    assert.deepEqual([one.done, all.done], [false, false]);
    waiters.executed(8, [KEYS[0]!, KEYS[2]!]);
    await Promise.resolve();
    assert.deepEqual([one.done, all.done], [true, false]);
    // Once is enough: another word of the same one is none of the one that lacks.
    waiters.executed(9, [KEYS[0]!]);
    await Promise.resolve();
    assert.equal(all.done, false);
    waiters.expired([KEYS[1]!]);
    await Promise.resolve();
    assert.equal(all.done, true);
    assert(waiters.idle);
    assert.equal(waiters.outcomes([], LONG_MS, signal), undefined);
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
    await Promise.all(ended.map((held) => held!.woken));
    await waiters.reach(10, 'committed', 1, signal)!.woken;
    assert(waiters.idle);
  });

  it('ends on abort, expiry, close and with no time left, and keeps nothing', async () => {
    const waiters = new Waiters();
    const abort = new AbortController();
    const aborted = waiters.outcomes(KEYS, LONG_MS, abort.signal)!;
    abort.abort();
    await aborted.woken;
    assert(waiters.idle);
    const { signal } = new AbortController();
    assert.equal(waiters.outcomes(KEYS, 0, signal), undefined);
    assert.equal(waiters.outcomes(KEYS, LONG_MS, abort.signal), undefined);
    await waiters.outcomes(KEYS, 1, signal)!.woken;
    assert(waiters.idle);
    const expired = waiters.outcomes(KEYS.slice(1, 2), LONG_MS, signal)!;
    waiters.expired(KEYS);
    await expired.woken;
    const closed = [waiters.outcomes(KEYS, LONG_MS, signal), waiters.outcomes(KEYS.slice(0, 1), LONG_MS, signal)];
    waiters.close();
    await Promise.all(closed.map((held) => held!.woken));
    assert(waiters.idle);
  });

  it('holds as many as it may and no more, and room is there again for who left, however often', async () => {
    const waiters = new Waiters();
    const { signal } = new AbortController();
    const many = Array.from({ length: WAITERS_MAX - 1 }, (_, i) => `${i}`);
    const held = waiters.outcomes(many, LONG_MS, signal)!;
    assert.equal(waiters.outcomes(KEYS, LONG_MS, signal), undefined);
    const last = waiters.reach(1, 'final', LONG_MS, signal)!;
    assert.equal(waiters.reach(1, 'final', LONG_MS, signal), undefined);
    last.leave();
    last.leave();
    await last.woken;
    assert.equal(waiters.outcomes(KEYS, LONG_MS, signal), undefined, 'left once');
    held.leave();
    assert(waiters.idle);
  });
});
