import { equalBytes } from '../../ledger/bytes.ts';
import type { Effect } from './events.ts';
import type { Evidence, Vote, VoteKind } from './messages.ts';
import { persist } from './persist.ts';
import { type ReplicaState, targetView } from './state.ts';

/** C6: pieces kept of one member. */
export const EVIDENCE_PER_MEMBER_MAX = 16;

/** Pieces kept of earlier epochs. */
const PAST_EVIDENCE_MAX = 256;

interface Signed {
  readonly vote: Vote;
  readonly signature: Uint8Array;
}

/** Two verified votes of one member for one slot: evidence if they differ. */
export function compareVotes(
  state: ReplicaState,
  kind: VoteKind,
  member: number,
  { vote, signature }: Signed,
  { vote: otherVote, signature: otherSignature }: Signed,
  effects: Effect[],
): void {
  if (equalBytes(vote.digest, otherVote.digest)) return;
  const first = { vote, signature };
  const second = { vote: otherVote, signature: otherSignature };
  keepEvidence(state, { kind: 'vote', value: { kind, member, first, second } }, effects);
}

/** C6: kept durably, passed on once, and counted in STATUS, so that a lost one is sent again. */
export function keepEvidence(state: ReplicaState, evidence: Evidence, effects: Effect[]): void {
  const member = culpritOf(evidence);
  const view = faultyViewOf(evidence);
  if (view !== undefined && view === targetView(state)) state.proven.add(view);
  const kept = state.evidence.get(member) ?? [];
  if (kept.length >= EVIDENCE_PER_MEMBER_MAX || kept.some((one) => sameSlot(one, evidence))) return;
  state.evidence.set(member, [...kept, evidence]);
  if (view !== undefined && view > targetView(state)) state.proven.add(view);
  persist(state, [{ kind: 'evidence', evidence }], [], effects);
  effects.push({ type: 'evidence', evidence }, { type: 'relay', message: { kind: 'evidence', value: evidence } });
}

/** C6: against members of earlier epochs; the newest, as many as fit. */
export function keepPastEvidence({ pastEvidence }: ReplicaState, evidence: Evidence): void {
  pastEvidence.push(evidence);
  if (pastEvidence.length > PAST_EVIDENCE_MAX) pastEvidence.shift();
}

/** C6: what goes on into the next epoch, as records. */
export function allEvidence({ pastEvidence, evidence }: ReplicaState): { kind: 'evidence'; value: Evidence }[] {
  return [...pastEvidence, ...[...evidence.values()].flat()].map((value) => ({ kind: 'evidence', value }));
}

export function culpritOf(evidence: Evidence): number {
  return evidence.kind === 'vote' ? evidence.value.member : evidence.value.first.sender;
}

/** The view whose leader this proves faulty, if it is about leading (V2). */
function faultyViewOf(evidence: Evidence): number | undefined {
  if (evidence.kind !== 'vote') return undefined;
  const { kind, first } = evidence.value;
  return kind === 'prePrepare' || kind === 'newView' ? first.vote.view : undefined;
}

function sameSlot(a: Evidence, b: Evidence): boolean {
  return slotName(a) === slotName(b);
}

function slotName(evidence: Evidence): string {
  if (evidence.kind === 'checkpoint') return `checkpoint ${evidence.value.first.checkpoint.height}`;
  const { kind, first } = evidence.value;
  return `${kind} ${first.vote.view} ${first.vote.height}`;
}
