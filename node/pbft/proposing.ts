import type { Batch } from '../../ledger/block.ts';
import type { Effect, Now, PoolView, TimerName } from './events.ts';
import { voteFor } from './messages.ts';
import { persist } from './persist.ts';
import { NO_SIGNATURE } from './records.ts';
import {
  awaitsGovernance,
  chainNow,
  digestKey,
  inFlight,
  inWindow,
  isLeader,
  mayVote,
  type ReplicaState,
  slotAt,
} from './state.ts';

/**
 * N3: the leader asks for a batch at the next free height of the window. At once when nothing is in flight, else when a
 * full batch could be made or the batch delay has passed for each batch in flight; an idle chain gets a heartbeat when one
 * is due (N5).
 */
export function propose(state: ReplicaState, now: Now, effects: Effect[]): void {
  if (!isLeader(state) || !mayVote(state) || state.choosing !== undefined) return;
  // It has executed s of its NEW-VIEW first, and proposes nothing beyond its term (V1).
  if (state.executed.height < state.carryBase) return;
  const height = Math.max(state.proposed, state.low, state.executed.height) + 1;
  if (!inWindow(state, height) || height > state.carryTop + state.config.parameters.leaderTerm) return;
  if (awaitsGovernance(state, height)) return;
  const flying = inFlight(state);
  if (state.pool.orderable === 0) {
    if (flying === 0) proposeHeartbeat(state, height, now, effects);
    return;
  }
  if (flying === 0 || state.pool.full || state.delayPassed) {
    stopDelay(state, effects);
    state.choosing = height;
    effects.push({ type: 'chooseBatch', height, timestamp: chainNow(state, now) });
    return;
  }
  if (!state.delayRunning) {
    state.delayRunning = true;
    effects.push({ type: 'startTimer', timer: 'batchDelay', delayMs: flying * state.config.parameters.batchDelayMs });
  }
}

export function onTimer(state: ReplicaState, timer: TimerName): void {
  if (timer === 'heartbeat') state.heartbeatDue = undefined;
  if (timer === 'batchDelay') {
    state.delayRunning = false;
    state.delayPassed = true;
  }
}

/** The pool's answer to `chooseBatch`: no batch if nothing is orderable any more. */
export function onBatchReady(
  state: ReplicaState,
  height: number,
  batch: Batch | undefined,
  pool: PoolView,
  governs: boolean,
  effects: Effect[],
): void {
  if (state.choosing !== height) return;
  state.choosing = undefined;
  // N13: what the pool counts may be too late or too early for any batch; it is asked again when it changes.
  state.pool = batch === undefined ? { orderable: 0, full: false } : pool;
  if (batch === undefined || !isLeader(state) || !mayVote(state) || !inWindow(state, height)) return;
  if (governs) state.governing.add(height);
  proposeBatch(state, batch, effects);
}

function proposeHeartbeat(state: ReplicaState, height: number, now: Now, effects: Effect[]): void {
  if (state.executed.height !== height - 1) return;
  const due = state.executed.timestamp + state.config.parameters.heartbeatMs;
  const time = chainNow(state, now);
  if (time < due) {
    if (state.heartbeatDue === due) return;
    state.heartbeatDue = due;
    effects.push({ type: 'startTimer', timer: 'heartbeat', delayMs: due - time });
    return;
  }
  proposeBatch(state, { height, timestamp: time, transactions: [] }, effects);
}

/** The leader's PRE-PREPARE counts as its PREPARE, so batch and bodies are durable before it is signed (N3, R2). */
function proposeBatch(state: ReplicaState, batch: Batch, effects: Effect[]): void {
  const vote = voteFor(state.config.epoch, state.view, batch);
  const slot = slotAt(state, batch.height);
  slot.proposal = { vote, batch, signature: undefined, carried: false, phase: 'accepted' };
  slot.batches.set(digestKey(vote.digest), batch);
  slot.bodies.add(digestKey(vote.digest));
  state.proposed = batch.height;
  effects.push({ type: 'accepted', batch });
  const records = [{ kind: 'proposal', vote, signature: NO_SIGNATURE, batch } as const];
  persist(state, records, [{ kind: 'prePrepare', vote, batch }], effects);
}

export function stopDelay(state: ReplicaState, effects: Effect[]): void {
  state.delayPassed = false;
  if (!state.delayRunning) return;
  state.delayRunning = false;
  effects.push({ type: 'stopTimer', timer: 'batchDelay' });
}
