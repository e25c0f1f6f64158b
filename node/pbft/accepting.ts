import { equalBytes } from '../../ledger/bytes.ts';
import type { Effect, Now } from './events.ts';
import type { PrePrepare } from './messages.ts';
import {
  chainNow,
  inBuffer,
  inFlight,
  inWindow,
  leaderOf,
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
    slot.proposal = { vote, batch, signature, phase: 'held' };
  } else if (!equalBytes(known.vote.digest, vote.digest)) {
    // N6: the first one counts. C6: the second is evidence.
    if (known.signature !== undefined) {
      const sender = leaderOf(state);
      const first = { vote: known.vote, sender, signature: known.signature };
      const second = { vote, sender, signature };
      effects.push({ type: 'evidence', evidence: { kind: 'prePrepare', member: sender, first, second } });
    }
    return;
  } else {
    known.signature ??= signature;
  }
  tryPrepared(state, slot, effects);
  tryExecute(state, effects);
}

/** Tries held proposals again: every event may have changed a clock, the window or the executed height (N5). */
export function acceptProposals(state: ReplicaState, now: Now, effects: Effect[]): void {
  if (!mayVote(state)) return;
  for (const slot of state.slots.values()) {
    // N11: a height that is executed here takes no new proposal; only what was accepted before is voted for.
    if (slot.height <= state.executed.height) continue;
    if (slot.proposal?.phase === 'held' && inWindow(state, slot.height))
      tryAccept(state, slot, slot.proposal, now, effects);
  }
}

function tryAccept(state: ReplicaState, slot: Slot, proposal: Proposal, now: Now, effects: Effect[]): void {
  const { height, timestamp, transactions } = proposal.batch;
  const { maxAheadMs, maxBehindMs, heartbeatMs } = state.config.parameters;
  const time = chainNow(state, now);
  // T4: too old is refused for good; too far ahead waits for our clock.
  if (timestamp < time - maxBehindMs) {
    proposal.phase = 'refused';
    effects.push({
      type: 'refused',
      what: `batch at height ${height}`,
      reason: `${time - timestamp} ms old, at most ${maxBehindMs}`,
    });
    return;
  }
  const latest = Math.max(now.wall + maxAheadMs, time);
  if (timestamp > latest) {
    effects.push({ type: 'startTimer', timer: 'held', delayMs: timestamp - latest });
    return;
  }
  // N5: an empty batch is only a heartbeat, due when nothing below is in flight and the parent is old enough.
  if (transactions.length === 0) {
    if (state.executed.height !== height - 1 || inFlight(state, height) > 0) return;
    if (timestamp < state.executed.timestamp + heartbeatMs) return;
  }
  proposal.phase = 'bodies';
  requestBodies(state, slot, proposal, effects);
}

function requestBodies(state: ReplicaState, slot: Slot, proposal: Proposal, effects: Effect[]): void {
  const { digest } = proposal.vote;
  if (slot.bodiesOf !== undefined && equalBytes(slot.bodiesOf, digest)) return accept(state, slot, proposal, effects);
  if (slot.bodiesAsked !== undefined && equalBytes(slot.bodiesAsked, digest)) return;
  slot.bodiesAsked = digest;
  effects.push({ type: 'requestBodies', batch: proposal.batch, digest, from: leaderOf(state) });
}

/** All bodies of a batch are here and verified, or one makes the batch invalid for ever (N4). */
export function onBodies(
  state: ReplicaState,
  height: number,
  digest: Uint8Array,
  problem: string | undefined,
  effects: Effect[],
): void {
  const slot = state.slots.get(height);
  if (slot === undefined) return;
  if (slot.bodiesAsked !== undefined && equalBytes(slot.bodiesAsked, digest)) slot.bodiesAsked = undefined;
  const proposal = slot.proposal;
  const proposed = proposal !== undefined && equalBytes(proposal.vote.digest, digest);
  if (problem !== undefined) {
    if (proposed) proposal.phase = 'refused';
    effects.push({ type: 'refused', what: `batch at height ${height}`, reason: problem });
    return;
  }
  slot.bodiesOf = digest;
  if (proposed && proposal.phase === 'bodies') accept(state, slot, proposal, effects);
  tryExecute(state, effects);
}

/** N6: PRE-PREPARE, batch and bodies are durable before PREPARE leaves. The leader sends none. */
function accept(state: ReplicaState, slot: Slot, proposal: Proposal, effects: Effect[]): void {
  if (!mayVote(state) || !inWindow(state, slot.height) || slot.height <= state.executed.height) {
    // Only while the window moved on or doubt came up meanwhile; the proposal is tried again (N5).
    proposal.phase = 'held';
    return;
  }
  if (proposal.signature === undefined) return;
  proposal.phase = 'accepted';
  const { vote, batch, signature } = proposal;
  effects.push({
    type: 'persist',
    records: [{ kind: 'proposal', vote, signature, batch }],
    then: [{ kind: 'prepare', vote }],
  });
}
