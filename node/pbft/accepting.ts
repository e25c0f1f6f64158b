import type { Batch } from '../../ledger/block.ts';
import { equalBytes } from '../../ledger/bytes.ts';
import type { Effect, Now } from './events.ts';
import { compareVotes } from './evidence.ts';
import type { PrePrepare } from './messages.ts';
import { persist } from './persist.ts';
import { NO_SIGNATURE } from './records.ts';
import {
  awaitsGovernance,
  chainNow,
  digestKey,
  inBuffer,
  inFlight,
  inWindow,
  isLeader,
  leaderOf,
  maySupport,
  mayVote,
  type Proposal,
  type ReplicaState,
  type Slot,
  slotAt,
} from './state.ts';
import { tryExecute, tryPrepared } from './voting.ts';

/** A PRE-PREPARE of the current view's leader, or our own coming back signed. */
export function onPrePrepare(state: ReplicaState, message: PrePrepare, effects: Effect[]): void {
  const { vote, signature, batch } = message;
  if (vote.view !== state.view || !inBuffer(state, vote.height)) return;
  const slot = slotAt(state, vote.height);
  const known = slot.proposal;
  if (known === undefined) {
    // V9: at and below M only what the NEW-VIEW carries; a carried height has its proposal already.
    if (vote.height <= state.carryTop) return;
    slot.proposal = { vote, batch, signature, carried: false, phase: 'held' };
  } else if (!equalBytes(known.vote.digest, vote.digest)) {
    // N6: the first one counts. C6: the second is evidence.
    if (known.signature !== undefined) {
      const first = { vote: known.vote, signature: known.signature };
      compareVotes(state, 'prePrepare', leaderOf(state), first, message, effects);
    }
    return;
  } else {
    known.signature ??= signature;
    known.batch ??= batch;
  }
  tryPrepared(state, slot, effects);
  tryExecute(state, effects);
}

/** Tries held proposals again: every event may have changed a clock, the window or the executed height (N5). */
export function acceptProposals(state: ReplicaState, now: Now, effects: Effect[]): void {
  if (!mayVote(state)) return;
  for (const slot of state.slots.values()) {
    const { proposal } = slot;
    if (proposal === undefined || !inWindow(state, slot.height)) continue;
    const waits = !proposal.carried && awaitsGovernance(state, slot.height);
    if (proposal.phase === 'held' && !waits && maySupport(state, proposal.vote))
      tryAccept(state, slot, proposal, now, effects);
    tryPrepared(state, slot, effects);
  }
}

function tryAccept(state: ReplicaState, slot: Slot, proposal: Proposal, now: Now, effects: Effect[]): void {
  const { batch, vote } = proposal;
  if (batch === undefined) {
    // V9: the content of a carried digest is fetched from whoever has it.
    const key = digestKey(vote.digest);
    if (slot.batchAsked.has(key)) return;
    slot.batchAsked.add(key);
    effects.push({ type: 'requestBatch', height: slot.height, digest: vote.digest, from: leaderOf(state) });
    return;
  }
  // A carried batch is accepted however old it is, and so is one that a quorum has committed and we have executed.
  const judged = proposal.carried || slot.height <= state.executed.height;
  if (!judged && !isTimely(state, slot, proposal, batch, now, effects)) return;
  proposal.phase = 'bodies';
  requestBodies(state, slot, proposal, batch, effects);
}

/** N5, T4: the first-hand checks. What does not hold now is held; only "too old" refuses for good. */
function isTimely(
  state: ReplicaState,
  { height }: Slot,
  proposal: Proposal,
  { timestamp, transactions }: Batch,
  now: Now,
  effects: Effect[],
): boolean {
  const { maxAheadMs, maxBehindMs, heartbeatMs } = state.config.parameters;
  const time = chainNow(state, now);
  if (timestamp < time - maxBehindMs) {
    proposal.phase = 'refused';
    const reason = `${time - timestamp} ms old, at most ${maxBehindMs}`;
    effects.push({ type: 'refused', what: `batch at height ${height}`, reason });
    return false;
  }
  const latest = Math.max(now.wall + maxAheadMs, time);
  if (timestamp > latest) {
    effects.push({ type: 'startTimer', timer: 'held', delayMs: timestamp - latest });
    return false;
  }
  if (transactions.length > 0) return true;
  // An empty batch is only a heartbeat, due when nothing below is in flight and the parent is old enough.
  if (state.executed.height !== height - 1 || inFlight(state, height) > 0) return false;
  return timestamp >= state.executed.timestamp + heartbeatMs;
}

function requestBodies(state: ReplicaState, slot: Slot, proposal: Proposal, batch: Batch, effects: Effect[]): void {
  const { digest } = proposal.vote;
  const key = digestKey(digest);
  if (slot.bodies.has(key)) return accept(state, slot, proposal, batch, effects);
  if (slot.bodiesAsked.has(key)) return;
  slot.bodiesAsked.add(key);
  effects.push({ type: 'requestBodies', batch, digest, from: leaderOf(state) });
}

/** V9: the content of a digest that was asked for. */
export function onBatch(state: ReplicaState, digest: Uint8Array, batch: Batch, effects: Effect[]): void {
  const slot = state.slots.get(batch.height);
  if (slot === undefined) return;
  slot.batchAsked.delete(digestKey(digest));
  const { proposal, committed } = slot;
  if (proposal !== undefined && equalBytes(proposal.vote.digest, digest)) proposal.batch ??= batch;
  if (committed !== undefined && equalBytes(committed.vote.digest, digest)) committed.batch ??= batch;
  tryPrepared(state, slot, effects);
  tryExecute(state, effects);
}

/** All bodies of a batch are here and verified, or one makes the batch invalid for ever (N4). */
export function onBodies(
  state: ReplicaState,
  height: number,
  digest: Uint8Array,
  problem: string | undefined,
  governs: boolean,
  effects: Effect[],
): void {
  const slot = state.slots.get(height);
  if (slot === undefined) return;
  const key = digestKey(digest);
  slot.bodiesAsked.delete(key);
  const { proposal } = slot;
  const proposed = proposal !== undefined && equalBytes(proposal.vote.digest, digest);
  if (problem !== undefined) {
    if (proposed) proposal.phase = 'refused';
    effects.push({ type: 'refused', what: `batch at height ${height}`, reason: problem });
    return;
  }
  slot.bodies.add(key);
  if (governs) slot.governs.add(key);
  if (proposed && proposal.phase === 'bodies' && proposal.batch !== undefined) {
    accept(state, slot, proposal, proposal.batch, effects);
  }
  tryExecute(state, effects);
}

/** N6: PRE-PREPARE, batch and bodies are durable before PREPARE leaves. The leader's PRE-PREPARE is its PREPARE. */
function accept(state: ReplicaState, slot: Slot, proposal: Proposal, batch: Batch, effects: Effect[]): void {
  if (!mayVote(state) || !inWindow(state, slot.height) || !maySupport(state, proposal.vote)) {
    // Only while the window moved on or the view was left meanwhile; the proposal is tried again (N5).
    proposal.phase = 'held';
    return;
  }
  const { vote } = proposal;
  proposal.phase = 'accepted';
  slot.batches.set(digestKey(vote.digest), batch);
  if (slot.governs.has(digestKey(vote.digest))) state.governing.add(slot.height);
  effects.push({ type: 'accepted', batch });
  const signature = proposal.signature ?? NO_SIGNATURE;
  const records = [{ kind: 'proposal', vote, signature, batch } as const];
  persist(state, records, isLeader(state) ? [] : [{ kind: 'prepare', vote }], effects);
}
