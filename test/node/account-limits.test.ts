import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AccountLimits } from '../../node/account-limits.ts';
import { BUCKETS_SWEPT_MIN, NO_ROW_LIMITS } from '../../node/limits.ts';
import type { Sender } from '../../node/senders.ts';

const sender = (account: string, perSecond: number, burst: number, pending = 100): Sender => {
  return { account, limits: { pending, rate: { perSecond, burst } } };
};

/** Without anything pending, at a time that is said. */
function setUp(pendingOf: (account: string) => number = () => 0) {
  const limits = new AccountLimits({ pendingOf });
  /** How many of `tries` are admitted at once. */
  const admitted = (who: Sender, tries: number, now: number): number => {
    let count = 0;
    for (let i = 0; i < tries; i++) {
      if (limits.rateProblem(who, 0, now) !== undefined) continue;
      limits.take(who, now);
      count++;
    }
    return count;
  };
  return { limits, admitted };
}

describe('T9: limits of an account', () => {
  it('let a burst through, then so many a second, and what is refused costs nothing', () => {
    const { limits, admitted } = setUp();
    const ann = sender('ann', 10, 25);
    assert.equal(admitted(ann, 100, 0), 25);
    assert.deepEqual(limits.rateProblem(ann, 0, 50), {
      code: 'too-fast',
      detail: 'at most 10 transactions of this account a second and 25 at once, 0 are left',
      retryAfter: 1,
    });
    assert.equal(admitted(ann, 100, 99), 0);
    assert.equal(admitted(ann, 100, 100), 1);
    assert.equal(admitted(ann, 100, 1_100), 10);
    assert.equal(admitted(ann, 1, 1_200), 1);
    assert.equal(admitted(ann, 100, 60_000), 25, 'a long pause gives no more than a burst');
    assert.equal(admitted(sender('ben', 10, 25), 100, 60_000), 25, 'another account has its own');
  });

  it('say when there will be room: whoever comes back then, alone, is admitted', () => {
    const { limits, admitted } = setUp();
    const slow = sender('slow', 1, 30);
    assert.equal(admitted(slow, 30, 0), 30);
    for (const ahead of [0, 4, 29]) {
      const { retryAfter } = limits.rateProblem(slow, ahead, 400)!;
      assert.equal(retryAfter, ahead + 1);
      assert.equal(limits.rateProblem(slow, ahead, 400 + 1_000 * retryAfter), undefined);
    }
    assert.equal(limits.rateProblem(slow, 500, 400)!.retryAfter, 30, 'all there ever is at once');
    const fast = sender('fast', 1_000, 10);
    assert.equal(admitted(fast, 10, 0), 10);
    assert.equal(limits.rateProblem(fast, 0, 0)!.retryAfter, 1, 'no less than a second, which is what the header has');
  });

  it('count those ahead, and name what there is and what may be', () => {
    const { limits } = setUp((account) => (account === 'ann' ? 7 : 0));
    const ann = sender('ann', 1, 3, 9);
    assert.deepEqual(
      [0, 1, 2].map((ahead) => limits.pendingProblem(ann, ahead, Number.POSITIVE_INFINITY)?.code),
      [undefined, undefined, 'too-many-pending'],
    );
    assert.deepEqual(limits.pendingProblem(ann, 2, Number.POSITIVE_INFINITY), {
      code: 'too-many-pending',
      detail: '9 transactions of this account are pending at this node, at most 9',
      retryAfter: 1,
    });
    assert.deepEqual(
      [0, 2, 3].map((ahead) => limits.rateProblem(ann, ahead, 0)?.code),
      [undefined, undefined, 'too-fast'],
    );
    const free = { account: 'ann', limits: NO_ROW_LIMITS };
    assert.equal(limits.rateProblem(free, 1_000_000, 0), undefined);
    assert.equal(limits.pendingProblem(free, NO_ROW_LIMITS.pending - 8, Number.POSITIVE_INFINITY), undefined);
    assert.equal(
      limits.pendingProblem(free, NO_ROW_LIMITS.pending - 7, Number.POSITIVE_INFINITY)?.code,
      'too-many-pending',
    );
  });

  it('are those of now, also while a burst is used up', () => {
    const { admitted } = setUp();
    assert.equal(admitted(sender('ann', 1, 100), 40, 0), 40);
    assert.equal(admitted(sender('ann', 1, 5), 40, 0), 5, 'of 60 that were left, as many as a burst has now');
    assert.equal(admitted(sender('ann', 1, 100), 40, 0), 0, 'a larger burst has to be waited for');
    assert.equal(admitted({ account: 'ann', limits: NO_ROW_LIMITS }, 40, 0), 40);
    assert.equal(admitted(sender('ann', 20, 100), 40, 1_000), 20);
  });

  it('forget whoever has its whole burst again: memory is for those that are slowed down', () => {
    const { limits, admitted } = setUp();
    for (let i = 0; i < 10 * BUCKETS_SWEPT_MIN; i++) admitted(sender(`passing ${i}`, 1_000, 1_000), 1, i);
    assert(limits.size <= BUCKETS_SWEPT_MIN + 1, `${limits.size}`);
    const slow = sender('slow', 1, 1_000_000);
    assert.equal(admitted(slow, 500_000, 0), 500_000);
    for (let i = 0; i < 10 * BUCKETS_SWEPT_MIN; i++) admitted(sender(`passing ${i}`, 1_000, 1_000), 1, 100_000 + i);
    assert.equal(admitted(slow, 700_000, 120_000), 500_120, 'its bucket is still known');
    // Those who are slowed down all at once are all known, and swept again when they are over.
    for (let i = 0; i < 3 * BUCKETS_SWEPT_MIN; i++) admitted(sender(`slow ${i}`, 1, 5), 5, 200_000);
    assert(limits.size >= 3 * BUCKETS_SWEPT_MIN);
    for (let i = 0; i < 10 * BUCKETS_SWEPT_MIN; i++) admitted(sender(`after ${i}`, 1_000, 5), 1, 300_000 + 10 * i);
    assert(limits.size <= BUCKETS_SWEPT_MIN + 1, `${limits.size}`);
  });
});
