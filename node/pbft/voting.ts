import { equalBytes } from '../../ledger/bytes.ts';
import { multiSignature } from '../../ledger/validators.ts';
import type { Effect } from './events.ts';
import type { CommitCertificate, SignedVote } from './messages.ts';
import { inBuffer, leaderOf, mayVote, type ReplicaState, type Slot, sameDigest, slotAt } from './state.ts';

export function onPrepare(state: ReplicaState, message: SignedVote, effects: Effect[]): void {
  // The leader's PRE-PREPARE is its PREPARE; a second one would count it twice (R04).
  if (message.sender === leaderOf(state)) return;
  const slot = receiveVote(state, message, 'prepares', effects);
  if (slot !== undefined) tryPrepared(state, slot, effects);
}

export function onCommit(state: ReplicaState, message: SignedVote, effects: Effect[]): void {
  const slot = receiveVote(state, message, 'commits', effects);
  if (slot === undefined) return;
  tryCommitted(state, slot, message);
  tryExecute(state, effects);
}

/** N8: a transferable certificate is sufficient by itself, also above our own votes and without our own prepared one. */
export function onCommitCertificate(state: ReplicaState, certificate: CommitCertificate, effects: Effect[]): void {
  const { vote, commits, batch } = certificate;
  if (vote.height <= state.executed.height || !(inBuffer(state, vote.height) || state.slots.has(vote.height))) return;
  const slot = slotAt(state, vote.height);
  if (slot.committed === undefined) slot.committed = { vote, commits, batch };
  else if (sameDigest(slot.committed.vote.digest, vote.digest)) slot.committed.batch ??= batch;
  tryExecute(state, effects);
}

/** N1: one vote per member and slot; the first verified one counts, a different second is evidence. */
function receiveVote(
  state: ReplicaState,
  message: SignedVote,
  kind: 'prepares' | 'commits',
  effects: Effect[],
): Slot | undefined {
  const { vote, sender } = message;
  if (vote.view !== state.view) return undefined;
  // C2: below the low mark only what is still needed to execute is counted.
  if (!inBuffer(state, vote.height) && !(state.slots.has(vote.height) && vote.height > state.executed.height))
    return undefined;
  const slot = slotAt(state, vote.height);
  const first = slot[kind].get(sender);
  if (first === undefined) {
    slot[kind].set(sender, message);
    return slot;
  }
  if (!equalBytes(first.vote.digest, vote.digest)) {
    effects.push({ type: 'evidence', evidence: { kind: 'vote', member: sender, first, second: message } });
  }
  return undefined;
}

/**
 * N7: prepared with the leader's PRE-PREPARE and q-1 PREPAREs of distinct others for the same digest. The certificate is
 * durable in the same group as our COMMIT.
 */
export function tryPrepared(state: ReplicaState, slot: Slot, effects: Effect[]): void {
  const { proposal } = slot;
  if (slot.prepared !== undefined || proposal?.signature === undefined || !mayVote(state)) return;
  // N11: at an executed height, only for what was accepted here before it, and is what was executed.
  const { committed } = slot;
  if (slot.height <= state.executed.height && proposal.phase !== 'accepted') return;
  if (committed !== undefined && !sameDigest(committed.vote.digest, proposal.vote.digest)) return;
  // C2: a slot at or below the low mark lives on only until it is executed; nobody needs our vote there.
  if (slot.height <= state.low) return;
  const prepares = new Map<number, Uint8Array>();
  for (const [sender, { vote, signature }] of slot.prepares) {
    if (prepares.size < state.quorum - 1 && equalBytes(vote.digest, proposal.vote.digest))
      prepares.set(sender, signature);
  }
  if (prepares.size < state.quorum - 1) return;
  slot.prepared = {
    vote: proposal.vote,
    prePrepareSignature: proposal.signature,
    prepares: multiSignature(state.config.validators.length, prepares),
  };
  effects.push({
    type: 'persist',
    records: [{ kind: 'prepared', certificate: slot.prepared, batch: proposal.batch }],
    then: [{ kind: 'commit', vote: proposal.vote }],
  });
}

/** N8: q COMMITs of distinct members for the same digest. */
function tryCommitted(state: ReplicaState, slot: Slot, { vote }: SignedVote): void {
  if (slot.committed !== undefined) return;
  const commits = new Map<number, Uint8Array>();
  for (const [sender, commit] of slot.commits) {
    if (commits.size < state.quorum && equalBytes(commit.vote.digest, vote.digest))
      commits.set(sender, commit.signature);
  }
  if (commits.size < state.quorum) return;
  slot.committed = { vote, commits: multiSignature(state.config.validators.length, commits), batch: undefined };
}

/** Hands committed heights to the executor in order, as soon as batch and bodies are here (N8, S4). */
export function tryExecute(state: ReplicaState, effects: Effect[]): void {
  while (!state.syncing) {
    const slot = state.slots.get(state.handedOver + 1);
    if (slot?.committed === undefined) return;
    const { committed } = slot;
    if (committed.batch === undefined && sameDigest(slot.proposal?.vote.digest, committed.vote.digest)) {
      committed.batch = slot.proposal?.batch;
    }
    const { batch } = committed;
    const { digest } = committed.vote;
    if (batch === undefined) return;
    if (batch.transactions.length > 0 && !sameDigest(slot.bodiesOf, digest)) {
      if (sameDigest(slot.bodiesAsked, digest)) return;
      slot.bodiesAsked = digest;
      effects.push({ type: 'requestBodies', batch, digest, from: leaderOf(state) });
      return;
    }
    state.handedOver = slot.height;
    effects.push({ type: 'execute', batch, digest });
  }
}
