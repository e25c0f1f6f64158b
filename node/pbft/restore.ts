import { equalBytes } from '../../ledger/bytes.ts';
import type { Certificate } from '../../ledger/checkpoint.ts';
import { leaderIndex } from '../../ledger/validators.ts';
import { carryOf } from './carry.ts';
import { onCertificate, signCheckpoint } from './checkpoints.ts';
import type { Effect, Head, Now, UncertifiedHead } from './events.ts';
import { keepEvidence } from './evidence.ts';
import type { NewView, Unsigned } from './messages.ts';
import { persist } from './persist.ts';
import type { StoredRecord } from './records.ts';
import {
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
  return state;
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
      return;
    case 'newView':
      return restoreNewView(state, record.value);
    case 'evidence':
      return keepEvidence(state, record.value, []);
  }
}

function restoreNewView(state: ReplicaState, newView: NewView): void {
  const { epoch, view, viewChanges, prePrepares } = newView.body;
  if (epoch !== state.config.epoch || view <= state.view) return;
  const carry = carryOf(epoch, view, viewChanges);
  // The certificate of s is adopted when the replay is over.
  enterView(state, view, { ...carry, stable: undefined }, []);
  if (leaderIndex(epoch, view, state.peers.length) === state.config.self) {
    state.leading = { viewChanges, votes: carry.votes };
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
  slot.batches.set(digestKey(vote.digest), batch);
  if (slot.prepared === undefined || slot.prepared.vote.view < vote.view) slot.prepared = certificate;
  if (vote.view !== state.view) return;
  const signature = certificate.prePrepareSignature;
  slot.proposal ??= { vote, batch, signature, carried: vote.height <= state.carryTop, phase: 'held' };
  if (!equalBytes(slot.proposal.vote.digest, vote.digest)) return;
  slot.proposal.batch ??= batch;
  slot.proposal.signature ??= signature;
}

/** The replay is over: whatever was signed before is signed and sent again, the same content (N2), and voting begins. */
export function onStarted(
  state: ReplicaState,
  uncertified: readonly UncertifiedHead[],
  now: Now,
  effects: Effect[],
): void {
  for (const { height, ordered } of uncertified) {
    if (ordered !== undefined && height > state.low) state.ordered.set(height, ordered);
  }
  if (state.mode === 'starting') {
    state.mode = 'active';
    state.reason = '';
    persist(state, [], signedBefore(state), effects);
    for (const head of uncertified) if (head.height > state.low) signCheckpoint(state, head, effects);
  }
  const viewChanges = state.newView?.body.viewChanges ?? state.leading?.viewChanges;
  const stable = viewChanges && carryOf(state.config.epoch, state.view, viewChanges).stable;
  if (stable !== undefined && !isHalted(state)) onCertificate(state, stable, effects);
  state.timer.tickedAt = now.monotonic;
  effects.push({ type: 'entered', view: state.view, leader: leaderIndexOf(state) });
  for (const { proposal } of state.slots.values()) {
    if (proposal?.phase === 'accepted' && proposal.batch !== undefined) {
      effects.push({ type: 'accepted', batch: proposal.batch });
    }
  }
  tryExecute(state, effects);
  effects.push({ type: 'startTimer', timer: 'tick', delayMs: tickMs(state) });
  sendStatus(state, now, effects);
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
  for (const slot of state.slots.values()) then.push(...votesBefore(state, slot));
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
