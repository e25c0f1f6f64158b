import { equalBytes, toHex } from '../../ledger/bytes.ts';
import { multiSignature } from '../../ledger/validators.ts';
import type { Effect } from './events.ts';
import { compareVotes } from './evidence.ts';
import { halt } from './halt.ts';
import type { CommitCertificate, SignedVote, Vote } from './messages.ts';
import { persist } from './persist.ts';
import {
  batchOf,
  COMMIT_VIEWS,
  digestKey,
  inBuffer,
  inWindow,
  leaderOf,
  maySupport,
  mayVote,
  type ReplicaState,
  type Slot,
  sameDigest,
  slotAt,
} from './state.ts';

/** N1: one PREPARE per member and slot; the first verified one counts, a different second is evidence. */
export function onPrepare(state: ReplicaState, message: SignedVote, effects: Effect[]): void {
  const { vote, sender } = message;
  // The leader's PRE-PREPARE is its PREPARE; a second one would count it twice (R04).
  if (vote.view !== state.view || sender === leaderOf(state) || !isCounted(state, vote.height)) return;
  const slot = slotAt(state, vote.height);
  const first = slot.prepares.get(sender);
  if (first !== undefined) return compareVotes(state, 'prepare', sender, first, message, effects);
  slot.prepares.set(sender, message);
  showProposal(slot, message, effects);
  tryPrepared(state, slot, effects);
}

/** C6: whoever PREPAREs another digest was told another: the two PRE-PREPAREs together prove the leader faulty. */
function showProposal({ proposal }: Slot, { vote, sender }: SignedVote, effects: Effect[]): void {
  if (proposal?.signature === undefined || proposal.batch === undefined) return;
  if (equalBytes(proposal.vote.digest, vote.digest)) return;
  const { signature, batch } = proposal;
  effects.push({
    type: 'send',
    to: sender,
    message: { kind: 'prePrepare', value: { vote: proposal.vote, signature, batch } },
  });
}

/** N8: COMMITs count in whatever view they were sent, also above our own. */
export function onCommit(state: ReplicaState, message: SignedVote, effects: Effect[]): void {
  const { vote, sender } = message;
  if (!isCounted(state, vote.height)) return;
  const slot = slotAt(state, vote.height);
  const known = slot.commits.get(sender) ?? [];
  const first = known.find((one) => one.vote.view === vote.view);
  if (first !== undefined) return compareVotes(state, 'commit', sender, first, message, effects);
  const kept = [...known, message].sort((a, b) => b.vote.view - a.vote.view).slice(0, COMMIT_VIEWS);
  slot.commits.set(sender, kept);
  tryCommitted(state, slot, message, effects);
  tryExecute(state, effects);
}

/** N8: a transferable certificate is sufficient by itself, also above our own votes and without our own prepared one. */
export function onCommitCertificate(state: ReplicaState, certificate: CommitCertificate, effects: Effect[]): void {
  const { vote, commits, batch } = certificate;
  if (contradicts(state, vote, effects)) return;
  if (vote.height <= state.executed.height || !(inBuffer(state, vote.height) || state.slots.has(vote.height))) return;
  const slot = slotAt(state, vote.height);
  if (slot.committed === undefined) slot.committed = { vote, commits, batch };
  else if (sameDigest(slot.committed.vote.digest, vote.digest)) slot.committed.batch ??= batch;
  tryExecute(state, effects);
}

/** C2: below the low mark only what is still needed to execute is counted. */
function isCounted(state: ReplicaState, height: number): boolean {
  return inBuffer(state, height) || (state.slots.has(height) && height > state.executed.height);
}

/**
 * N7: prepared with the leader's PRE-PREPARE and q-1 PREPAREs of distinct others for the same digest. The certificate is
 * durable in the same group as our COMMIT.
 */
export function tryPrepared(state: ReplicaState, slot: Slot, effects: Effect[]): void {
  const { proposal, committed } = slot;
  if (slot.prepares.size < state.quorum - 1 || slot.prepared?.vote.view === state.view) return;
  if (proposal?.signature === undefined || !mayVote(state) || !inWindow(state, slot.height)) return;
  const { vote, signature } = proposal;
  const batch = proposal.batch ?? batchOf(slot, vote.digest);
  if (batch === undefined || !maySupport(state, vote)) return;
  if (committed !== undefined && !sameDigest(committed.vote.digest, vote.digest)) return;
  const prepares = new Map<number, Uint8Array>();
  for (const [sender, prepare] of slot.prepares) {
    if (prepares.size < state.quorum - 1 && equalBytes(prepare.vote.digest, vote.digest))
      prepares.set(sender, prepare.signature);
  }
  if (prepares.size < state.quorum - 1) return;
  slot.prepared = {
    vote,
    prePrepareSignature: signature,
    prepares: multiSignature(state.config.validators.length, prepares),
  };
  persist(state, [{ kind: 'prepared', certificate: slot.prepared, batch }], [{ kind: 'commit', vote }], effects);
}

/** N8: q COMMITs of distinct members for the same view and digest. */
function tryCommitted(state: ReplicaState, slot: Slot, { vote }: SignedVote, effects: Effect[]): void {
  const commits = new Map<number, Uint8Array>();
  for (const [sender, ofMember] of slot.commits) {
    const commit = ofMember.find((one) => one.vote.view === vote.view && equalBytes(one.vote.digest, vote.digest));
    if (commit !== undefined && commits.size < state.quorum) commits.set(sender, commit.signature);
  }
  if (commits.size < state.quorum || contradicts(state, vote, effects)) return;
  slot.committed ??= { vote, commits: multiSignature(state.config.validators.length, commits), batch: undefined };
}

/** N11: another digest committed at a height that is executed here proves more than f faults. */
function contradicts(state: ReplicaState, vote: Vote, effects: Effect[]): boolean {
  const ordered = state.ordered.get(vote.height);
  if (ordered === undefined || equalBytes(ordered.digest, vote.digest)) return false;
  const { height, view, digest } = vote;
  const here = `${toHex(ordered.digest)} of view ${ordered.view} is executed here`;
  halt(state, `${toHex(digest)} is committed at height ${height} in view ${view}, but ${here}`, effects);
  return true;
}

/** Hands committed heights to the executor in order, as soon as batch and bodies are here (N8, S4). */
export function tryExecute(state: ReplicaState, effects: Effect[]): void {
  while (!state.syncing && state.mode !== 'halted') {
    const slot = state.slots.get(state.handedOver + 1);
    if (slot?.committed === undefined) return;
    const { epoch, digest, view } = slot.committed.vote;
    const batch = batchOf(slot, digest);
    const key = digestKey(digest);
    if (batch === undefined) {
      if (slot.batchAsked.has(key)) return;
      slot.batchAsked.add(key);
      effects.push({ type: 'requestBatch', height: slot.height, digest, from: leaderOf(state) });
      return;
    }
    slot.committed.batch = batch;
    if (batch.transactions.length > 0 && !slot.bodies.has(key)) {
      if (slot.bodiesAsked.has(key)) return;
      slot.bodiesAsked.add(key);
      effects.push({ type: 'requestBodies', batch, digest, from: leaderOf(state) });
      return;
    }
    state.handedOver = slot.height;
    effects.push({ type: 'execute', batch, ordered: { epoch, digest, view } });
  }
}
