import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Admission } from '../../node/admission.ts';
import { ADMITTED_MIN, ADMITTED_WAIT_MS } from '../../node/limits.ts';

const TICK_MS = 50;

/** Clients who always have more, and a network that executes so many a second: how many wait after a while. */
function flooded(admission: Admission, perSecond: number, from: number, ms: number, pending = 0): number {
  let waits = pending;
  for (let now = from; now < from + ms; now += TICK_MS) {
    waits -= Math.min(waits, (perSecond * TICK_MS) / 1_000);
    const room = admission.room(waits, 0, now);
    admission.took(room);
    waits += room;
  }
  return waits;
}

describe('T9: how much of what clients give to one node may wait there', () => {
  it('some thousand in any case: a burst at an idle node, and what nobody executes', () => {
    const admission = new Admission();
    assert.equal(admission.room(0, 0, 0), ADMITTED_MIN);
    admission.took(ADMITTED_MIN);
    assert.equal(admission.room(ADMITTED_MIN, 0, 1_000), 0);
    assert.equal(admission.room(ADMITTED_MIN, 0, 60_000), 0);
  });

  it('what is being verified has its place already, but no more than half: anybody can sign badly', () => {
    const admission = new Admission();
    assert.equal(admission.room(1_000, 500, 0), ADMITTED_MIN - 1_500);
    assert.equal(admission.room(1_000, 10 * ADMITTED_MIN, 0), ADMITTED_MIN / 2 - 1_000);
    assert.equal(admission.room(ADMITTED_MIN / 2, 10 * ADMITTED_MIN, 0), 0);
  });

  it('as much as is executed in the time that it may wait, however fast that is', () => {
    for (const perSecond of [2_000, 10_000, 40_000]) {
      const waits = flooded(new Admission(), perSecond, 0, 30_000);
      const expected = (perSecond * ADMITTED_WAIT_MS) / 1_000;
      assert(Math.abs(waits / expected - 1) < 0.1, `${waits} wait at ${perSecond} a second`);
    }
  });

  it('follows the network when it becomes slow, and when it stands', () => {
    const admission = new Admission();
    const fast = flooded(admission, 10_000, 0, 30_000);
    const slow = flooded(admission, 1_500, 30_000, 60_000, fast);
    assert(slow < 1.6 * ADMITTED_MIN, `${slow} wait`);
    assert.equal(admission.room(slow, 0, 120_000), 0);
    admission.room(0, 0, 120_000);
    assert.equal(admission.room(0, 0, 180_000), ADMITTED_MIN, 'what was executed a minute ago says nothing');
  });

  it('says how fast it goes and when to come back', () => {
    const admission = new Admission();
    const waits = flooded(admission, 4_000, 0, 30_000);
    const { code, detail, retryAfter } = admission.refusal(waits + 10_000);
    assert.equal(code, 'overloaded');
    assert.match(detail, /^\d+ transactions of clients wait at this node, of which (39|40)\d\d a second are executed$/);
    assert.equal(retryAfter, 3, '10,000 more than there is room for, at 4,000 a second');
    assert.equal(new Admission().refusal(ADMITTED_MIN).retryAfter, 1);
  });

  it('half of it of one account', () => {
    const admission = new Admission();
    assert.equal(admission.ofOneAccount, ADMITTED_MIN / 2);
    flooded(admission, 10_000, 0, 30_000);
    assert(admission.ofOneAccount > ADMITTED_MIN, String(admission.ofOneAccount));
  });
});
