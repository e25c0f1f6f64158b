import assert from 'node:assert/strict';
import { it } from 'node:test';
import { FOLLOW_BLOCKS_MAX } from '../../node/limits.ts';
import type { ReplicaState } from '../../node/pbft/state.ts';
import { refusalOf } from '../../node/refusal.ts';

const state = (mode: ReplicaState['mode'], low = 0): ReplicaState =>
  ({ mode, reason: 'so', quorum: 3, low, executed: { height: 0 } }) as ReplicaState;

it('T9, R6: who asks what others hold of its signatures takes transactions, and hands them on, as whoever has no vote', () => {
  for (const mode of ['active', 'starting', 'doubt', 'observing'] as const)
    assert.equal(refusalOf(state(mode), 3), undefined, mode);
  for (const mode of ['starting', 'observing'] as const) {
    assert.equal(refusalOf(state(mode, FOLLOW_BLOCKS_MAX), 3), undefined, mode);
    assert.equal(refusalOf(state(mode, FOLLOW_BLOCKS_MAX + 1), 3)?.code, 'syncing', mode);
  }
});

it('says when to come back: in a moment, or later where hundreds of blocks lack', () => {
  assert.equal(refusalOf(state('behind', FOLLOW_BLOCKS_MAX), 3)?.retryAfter, 1);
  assert.equal(refusalOf(state('behind', FOLLOW_BLOCKS_MAX + 1), 3)?.retryAfter, 10);
  assert.equal(refusalOf(state('observing', FOLLOW_BLOCKS_MAX + 1), 3)?.retryAfter, 10);
  assert.equal(refusalOf(state('active'), 2)?.retryAfter, 1);
  assert.equal(refusalOf(state('halted'), 3)?.retryAfter, 60);
});

it('takes none that nobody would take from it, nor far behind, nor halted', () => {
  for (const mode of ['active', 'starting', 'doubt'] as const)
    assert.equal(refusalOf(state(mode), 2)?.code, 'no-quorum', mode);
  assert.equal(refusalOf(state('observing'), 2), undefined);
  assert.equal(refusalOf(state('observing'), 1)?.code, 'no-quorum');
  assert.equal(refusalOf(state('behind'), 4)?.code, 'syncing');
  assert.equal(refusalOf(state('halted'), 4)?.code, 'halted');
});
