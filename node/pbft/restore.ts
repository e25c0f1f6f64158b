import { equalBytes } from '../../ledger/bytes.ts';
import type { Certificate } from '../../ledger/checkpoint.ts';
import { leaderIndex } from '../../ledger/validators.ts';
import { carryOf } from './carry.ts';
import { judgeDistance, onCertificate, ownCheckpoint } from './checkpoints.ts';
import type { Effect, Head, Now, UncertifiedHead } from './events.ts';
import { keepEvidence, keepPastEvidence } from './evidence.ts';
import { epochOfMessage, type NewView, type Shown, type Unsigned, viewChangeVote } from './messages.ts';
import { persist } from './persist.ts';
import { type StoredRecord, stableRecord } from './records.ts';
import {
  beginningOf,
  createState,
  digestKey,
  isHalted,
  isLeader,
  type ReplicaConfig,
  type ReplicaState,
  type Slot,
  slotAt,
} from './state.ts';
import { sendStatus } from './status.ts';
import { enterView } from './view-change.ts';
import { tickMs } from './view-timer.ts';
import { tryExecute } from './voting.ts';
import { epochOfShown, forgetWitnessed, lackingOwn, rememberVote, restoreWitness } from './witness.ts';

/** What a validator finds on its own disk when it starts. */
export interface Restored {
  readonly head: Head;
  /** Newest certificate whose block is executed here. */
  readonly stable: Certificate | undefined;
  /** Journal records, oldest first; the bodies of proposals are held again. */
  readonly records: readonly StoredRecord[];
}

/** The state as it was when the last fsync returned: everything that may ever have left this validator is in it. */
export function restoreState(config: ReplicaConfig, restored: Restored, now: Now): ReplicaState {
  const state = createState(config, restored.head, restored.stable, now);
  for (const record of restored.records) restoreRecord(state, record);
  state.unwritten.clear();
  return state;
}

/** R2: votes rest on this low mark, although LevelDB may have an older one. */
function restoreStable(
  state: ReplicaState,
  { certificate, executed }: Extract<StoredRecord, { kind: 'stable' }>['value'],
): void {
  const { height, epoch } = certificate.checkpoint;
  if (epoch === state.config.epoch && height > (state.restoredStable?.checkpoint.height ?? 0))
    state.restoredStable = certificate;
  const { startedAt } = state;
  state.startedAt = { low: Math.max(startedAt.low, height), executed: Math.max(startedAt.executed, executed) };
}

function restoreRecord(state: ReplicaState, record: StoredRecord): void {
  switch (record.kind) {
    case 'proposal':
      return restoreProposal(state, record.value);
    case 'prepared':
      return restorePrepared(state, record.value);
    case 'viewChange':
      if (record.value.epoch !== state.config.epoch || record.value.view < state.asked) return;
      state.asked = record.value.view;
      state.asking = record.value;
      return rememberVote(state, 'viewChange', viewChangeVote(record.value));
    case 'newView':
      return restoreNewView(state, record.value);
    case 'evidence':
      if (epochOfMessage({ kind: 'evidence', value: record.value }) === state.config.epoch)
        keepEvidence(state, record.value, []);
      else keepPastEvidence(state, record.value);
      return;
    case 'witness':
      if (epochOfShown(record.value.shown) !== state.config.epoch) return;
      return restoreWitness(state, record.value.member, record.value.shown);
    case 'stable':
      return restoreStable(state, record.value);
    case 'entered':
      state.enteredEpoch = Math.max(state.enteredEpoch, record.value.epoch);
  }
}

function restoreNewView(state: ReplicaState, newView: NewView): void {
  const { epoch, view, viewChanges, prePrepares } = newView.body;
  if (epoch !== state.config.epoch || view <= state.view) return;
  const carry = carryOf(epoch, view, viewChanges, beginningOf(state));
  // The certificate of s is adopted when the replay is over.
  enterView(state, view, { ...carry, stable: undefined }, []);
  if (leaderIndex(epoch, view, state.peers.length) === state.config.self) {
    state.leading = { viewChanges, votes: carry.votes };
    for (const vote of carry.votes) rememberVote(state, 'prePrepare', vote);
    return;
  }
  state.newView = newView;
  for (const { vote, signature } of prePrepares) {
    const proposal = state.slots.get(vote.height)?.proposal;
    if (proposal !== undefined) proposal.signature = signature;
  }
}

function restoreProposal(
  state: ReplicaState,
  { vote, signature, batch }: Extract<StoredRecord, { kind: 'proposal' }>['value'],
): void {
  if (vote.epoch !== state.config.epoch || vote.height <= state.low) return;
  const slot = slotAt(state, vote.height);
  const key = digestKey(vote.digest);
  slot.batches.set(key, batch);
  slot.bodies.add(key);
  const led = leaderIndex(vote.epoch, vote.view, state.peers.length) === state.config.self;
  rememberVote(state, led ? 'prePrepare' : 'prepare', vote);
  if (vote.view !== state.view) return;
  const own = isLeader(state);
  const carried = vote.height <= state.carryTop;
  const known = slot.proposal;
  const kept = carried && known !== undefined ? known.signature : own ? undefined : signature;
  slot.proposal = { vote, batch, signature: kept, carried, phase: 'accepted' };
  if (own) state.proposed = Math.max(state.proposed, vote.height);
}

function restorePrepared(
  state: ReplicaState,
  { certificate, batch }: Extract<StoredRecord, { kind: 'prepared' }>['value'],
): void {
  const { vote } = certificate;
  if (vote.epoch !== state.config.epoch || vote.height <= state.low) return;
  const slot = slotAt(state, vote.height);
  rememberVote(state, 'commit', vote);
  slot.batches.set(digestKey(vote.digest), batch);
  if (slot.prepared === undefined || slot.prepared.vote.view < vote.view) slot.prepared = certificate;
  if (vote.view !== state.view) return;
  const signature = certificate.prePrepareSignature;
  slot.proposal ??= { vote, batch, signature, carried: vote.height <= state.carryTop, phase: 'held' };
  if (!equalBytes(slot.proposal.vote.digest, vote.digest)) return;
  slot.proposal.batch ??= batch;
  slot.proposal.signature ??= signature;
}

/** The replay is over: this member follows and serves, and asks the others what they have seen of it (R6). */
export function onStarted(
  state: ReplicaState,
  uncertified: readonly UncertifiedHead[],
  now: Now,
  effects: Effect[],
): void {
  if (state.executed.height < state.startedAt.executed) {
    // R1: each block is synced before the journal names it.
    const { executed } = state.startedAt;
    enterDoubt(state, `the ledger ends at height ${state.executed.height}, it had executed ${executed}`, effects);
  }
  if (state.enteredEpoch > state.config.epoch) {
    const { epoch } = state.config;
    enterDoubt(state, `the ledger is in epoch ${epoch}, it had entered epoch ${state.enteredEpoch}`, effects);
  }
  for (const { ordered, ...head } of uncertified) {
    if (head.height <= state.low) continue;
    if (ordered !== undefined) state.ordered.set(head.height, ordered);
    ownCheckpoint(state, head);
  }
  if (state.mode === 'starting') state.reason = 'asking the others what they have seen of this validator';
  const viewChanges = state.newView?.body.viewChanges ?? state.leading?.viewChanges;
  const stable = viewChanges && carryOf(state.config.epoch, state.view, viewChanges, beginningOf(state)).stable;
  if (state.restoredStable !== undefined) onCertificate(state, state.restoredStable, effects);
  state.restoredStable = undefined;
  if (stable !== undefined && !isHalted(state)) onCertificate(state, stable, effects);
  // What LevelDB has may be lost in a power cut, and votes will rest on it.
  for (const record of stableRecord(state)) state.unwritten.set(record.kind, record);
  // E3, R10: whatever led here, the journal names the epoch before any vote in it.
  const { epoch } = state.config;
  if (epoch > 0) state.unwritten.set('entered', { kind: 'entered', epoch });
  forgetWitnessed(state, state.low);
  state.timer.tickedAt = now.monotonic;
  effects.push({ type: 'entered', view: state.view, leader: leaderIndexOf(state) });
  for (const { proposal } of state.slots.values()) {
    if (proposal?.phase === 'accepted' && proposal.batch !== undefined) {
      effects.push({ type: 'accepted', batch: proposal.batch });
    }
  }
  tryExecute(state, effects);
  effects.push({ type: 'startTimer', timer: 'tick', delayMs: tickMs(state) });
  beginVoting(state, effects);
  sendStatus(state, now, effects);
}

/** R6: what a member holds of our signatures. One that this disk lacks means that it is not what it was. */
export function onShown(state: ReplicaState, from: number, shown: readonly Shown[], effects: Effect[]): void {
  for (const one of shown) {
    const lacking = lackingOwn(state, one);
    if (lacking !== undefined) return enterDoubt(state, `member ${from} shows ${lacking}`, effects);
  }
  state.answered.add(from);
  beginVoting(state, effects);
}

/** R6, S8: signs nothing any more. */
export function enterDoubt(state: ReplicaState, reason: string, effects: Effect[]): void {
  if (state.mode === 'doubt' || state.mode === 'observing') return;
  state.mode = 'doubt';
  state.reason = reason;
  effects.push({ type: 'doubt', reason });
}

/** R6: q-1 others have answered. Whatever was signed before is signed and sent again, the same content (N2). */
function beginVoting(state: ReplicaState, effects: Effect[]): void {
  if (state.mode !== 'starting' || state.answered.size < state.quorum - 1) return;
  state.mode = 'active';
  state.reason = '';
  persist(state, [], signedBefore(state), effects);
  for (const [height, { own }] of state.checkpoints) {
    if (own !== undefined && height > state.low) persist(state, [], [{ kind: 'checkpoint', checkpoint: own }], effects);
  }
  judgeDistance(state);
}

function leaderIndexOf({ config, view }: ReplicaState): number {
  return leaderIndex(config.epoch, view, config.validators.length);
}

/** V5: votes of the current view, unless a higher one was asked for; then only that. */
function signedBefore(state: ReplicaState): Unsigned[] {
  const { asking, leading, view, asked, config } = state;
  if (asked > view) return asking === undefined ? [] : [{ kind: 'viewChange', body: asking }];
  const then: Unsigned[] = [];
  if (leading !== undefined) then.push({ kind: 'newView', epoch: config.epoch, view, ...leading });
  for (const slot of state.slots.values()) if (slot.height > state.low) then.push(...votesBefore(state, slot));
  return then;
}

function* votesBefore(state: ReplicaState, { proposal, prepared }: Slot): Generator<Unsigned> {
  if (proposal?.phase === 'accepted' && proposal.batch !== undefined) {
    const { vote, batch, carried } = proposal;
    if (!isLeader(state)) yield { kind: 'prepare', vote };
    else if (!carried) yield { kind: 'prePrepare', vote, batch };
  }
  if (prepared?.vote.view === state.view) yield { kind: 'commit', vote: prepared.vote };
}
