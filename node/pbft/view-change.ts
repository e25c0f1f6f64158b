import { batchDigest, nullBatch } from '../../ledger/block.ts';
import { equalBytes } from '../../ledger/bytes.ts';
import { leaderIndex } from '../../ledger/validators.ts';
import { type Carry, carryOf, stableOf } from './carry.ts';
import { onCertificate } from './checkpoints.ts';
import type { Effect, Now } from './events.ts';
import { compareVotes } from './evidence.ts';
import { carriedOtherwise, halt } from './halt.ts';
import {
  type NewView,
  newViewVote,
  type PreparedCertificate,
  type ViewChange,
  type ViewChangeBody,
  type Vote,
  viewChangeVote,
} from './messages.ts';
import { persist } from './persist.ts';
import { stopDelay } from './proposing.ts';
import { NO_SIGNATURE } from './records.ts';
import {
  batchOf,
  beginningOf,
  connectedCount,
  isHalted,
  leaderOf,
  type ReplicaState,
  slotAt,
  targetView,
} from './state.ts';
import { sendStatus } from './status.ts';
import { onViewLeft, restartViewTimer, suspicionOf } from './view-timer.ts';
import { tryPrepared } from './voting.ts';

/** V2: why a view is left without waiting. */
const PROVEN = 'its leader is proven faulty';

/** Tells a changed suspicion at once (V1), and leaves when enough members share it (V2). */
export function judgeView(state: ReplicaState, now: Now, effects: Effect[]): void {
  const suspicion = suspicionOf(state);
  const changed = (suspicion === undefined) !== (state.timer.suspicion === undefined);
  state.timer.suspicion = suspicion;
  if (changed) sendStatus(state, now, effects);
  const target = targetView(state);
  for (const view of state.proven) if (view < target) state.proven.delete(view);
  // V2: a leader that is proven faulty is left at once, without asking others.
  if (state.proven.has(target)) leave(state, PROVEN, now, effects);
  else tryLeave(state, now, effects);
  // V6: its leader may have had to wait until it was active again.
  if (state.asked > state.view) tryNewView(state, state.asked, effects);
}

/** V2: f+1 members suspect the view; the own suspicion counts as one and is not required. */
function tryLeave(state: ReplicaState, now: Now, effects: Effect[]): void {
  const suspects = suspecting(state);
  if (suspects.length <= state.faults) return;
  const own = state.timer.suspicion;
  const others = suspects.filter((member) => member !== state.config.self);
  leave(state, own ?? `suspected by members ${others.join(', ')}`, now, effects);
}

/** V2: whose newest STATUS in the view says so, or whose VIEW-CHANGE is above it. */
export function suspecting(state: ReplicaState): number[] {
  const view = targetView(state);
  const members: number[] = [];
  for (const [member, { status }] of state.peers.entries()) {
    const body = status?.body;
    const told = body?.suspects === true && Math.max(body.view, body.viewAsked) === view;
    const asked = (state.viewChanges.get(member)?.body.view ?? 0) > view;
    const suspects = member === state.config.self ? state.timer.suspicion !== undefined : told || asked;
    if (suspects) members.push(member);
  }
  return members;
}

function leave(state: ReplicaState, reason: string, now: Now, effects: Effect[]): void {
  // Leaving is always safe; this only keeps a member that is cut off from leaving alone.
  if (state.mode !== 'active' || connectedCount(state, now) < state.quorum) return;
  const left = targetView(state);
  const asked = Math.max(left + 1, nthHighestAsked(state));
  onViewLeft(state, reason === PROVEN);
  state.asked = asked;
  state.timer.suspicion = undefined;
  state.choosing = undefined;
  stopDelay(state, effects);
  state.asking = viewChangeBody(state, asked);
  effects.push({ type: 'left', view: left, asked, reason });
  persist(state, [{ kind: 'viewChange', body: state.asking }], [{ kind: 'viewChange', body: state.asking }], effects);
  sendStatus(state, now, effects);
}

/** V3: the (f+1)-th highest view that the others ask for: at least one of them is correct. */
function nthHighestAsked({ viewChanges, config, faults }: ReplicaState): number {
  const views: number[] = [];
  for (const [member, { body }] of viewChanges) if (member !== config.self) views.push(body.view);
  return views.sort((a, b) => b - a)[faults] ?? 0;
}

/** V4: the stable certificate, and for each height of the window the prepared certificate of the highest view. */
function viewChangeBody(state: ReplicaState, view: number): ViewChangeBody {
  const { low, stable, slots, config } = state;
  const prepared: PreparedCertificate[] = [];
  for (let height = low + 1; height <= low + config.parameters.window; height++) {
    const certificate = slots.get(height)?.prepared;
    if (certificate !== undefined) prepared.push(certificate);
  }
  return {
    epoch: config.epoch,
    view,
    stable: stable === undefined ? { kind: 'beginning', value: {} } : { kind: 'certificate', value: stable },
    prepared,
  };
}

/** V12: the highest of each member is kept. The leader of its view may now have q of them (V6). */
export function onViewChange(state: ReplicaState, message: ViewChange, effects: Effect[]): void {
  const { body, sender, signature } = message;
  const known = state.viewChanges.get(sender);
  if (known !== undefined && known.body.view >= body.view) {
    if (known.body.view > body.view) return;
    const first = { vote: viewChangeVote(known.body), signature: known.signature };
    return compareVotes(state, 'viewChange', sender, first, { vote: viewChangeVote(body), signature }, effects);
  }
  state.viewChanges.set(sender, message);
  const stable = stableOf(body);
  if (stable !== undefined) onCertificate(state, stable, effects);
  if (state.mode !== 'halted') tryNewView(state, body.view, effects);
}

/** V6: the leader of `view` begins it with q VIEW-CHANGEs. */
function tryNewView(state: ReplicaState, view: number, effects: Effect[]): void {
  const { epoch, self, validators } = state.config;
  if (state.mode !== 'active' || leaderIndex(epoch, view, validators.length) !== self) return;
  if (view <= state.view || view < state.asked) return;
  const viewChanges = [...state.viewChanges.values()]
    .filter(({ body }) => body.view === view)
    .sort((a, b) => a.sender - b.sender)
    .slice(0, state.quorum);
  if (viewChanges.length < state.quorum) return;
  const carry = carryOf(epoch, view, viewChanges, beginningOf(state));
  const { votes } = carry;
  enterView(state, view, carry, effects);
  if (isHalted(state)) return;
  state.leading = { viewChanges, votes };
  const unsigned = votes.map((vote) => ({ vote, signature: NO_SIGNATURE }));
  const newView = { body: { epoch, view, viewChanges, prePrepares: unsigned }, signature: NO_SIGNATURE };
  persist(state, [{ kind: 'newView', newView }], [{ kind: 'newView', epoch, view, viewChanges, votes }], effects);
}

/** V8: verified and recomputed in verify.ts. A valid one suffices to enter, but none below a VIEW-CHANGE already sent. */
export function onNewView(state: ReplicaState, message: NewView, effects: Effect[]): void {
  const { epoch, view, viewChanges, prePrepares } = message.body;
  if (view === state.view && view > 0) return onSameView(state, message, effects);
  if (view <= state.view || view < state.asked) return;
  const carry = carryOf(epoch, view, viewChanges, beginningOf(state));
  enterView(state, view, carry, effects);
  if (isHalted(state)) return;
  state.newView = message;
  for (const { vote, signature } of prePrepares) setSignature(state, vote, signature);
  // R2: durable before anything in this view; the journal keeps the order.
  persist(state, [{ kind: 'newView', newView: message }], [], effects);
}

/** Our own coming back signed, or a second one of the same view: the first counts (N2). */
function onSameView(state: ReplicaState, message: NewView, effects: Effect[]): void {
  if (state.newView === undefined && state.leading !== undefined && leaderOf(state) === state.config.self) {
    state.newView = message;
    for (const { vote, signature } of message.body.prePrepares) {
      setSignature(state, vote, signature);
      const slot = state.slots.get(vote.height);
      if (slot !== undefined) tryPrepared(state, slot, effects);
    }
    return;
  }
  if (state.newView === undefined) return;
  const { body, signature } = state.newView;
  const second = { vote: newViewVote(message.body), signature: message.signature };
  compareVotes(state, 'newView', leaderOf(state), { vote: newViewVote(body), signature }, second, effects);
}

function setSignature(state: ReplicaState, { height, digest }: Vote, signature: Uint8Array): void {
  const proposal = state.slots.get(height)?.proposal;
  if (proposal !== undefined && equalBytes(proposal.vote.digest, digest)) proposal.signature ??= signature;
}

/** V9: heights up to M take only the carried digest. Also used when the journal is replayed. */
export function enterView(state: ReplicaState, view: number, carry: Carry, effects: Effect[]): void {
  state.view = view;
  state.asked = Math.max(state.asked, view);
  state.newView = undefined;
  state.leading = undefined;
  state.carryBase = carry.base;
  state.carryTop = carry.base + carry.votes.length;
  state.proposed = state.carryTop;
  state.choosing = undefined;
  // T3, T7: what the pool said of the last leader says nothing of this one; the next tick asks it again.
  state.waiting = { handed: false, overdue: false };
  stopDelay(state, effects);
  restartViewTimer(state.timer);
  state.timer.suspicion = undefined;
  state.governing.clear();
  for (const slot of state.slots.values()) {
    slot.proposal = undefined;
    slot.prepares.clear();
  }
  for (const vote of carry.votes) propose(state, vote, effects);
  effects.push({ type: 'entered', view, leader: leaderOf(state) });
  // V10: if s is ahead, its certificate is adopted and the blocks are fetched (R7).
  if (carry.stable !== undefined && state.mode !== 'halted') onCertificate(state, carry.stable, effects);
  for (const peer of state.peers) takeFuture(state, peer, view);
}

function propose(state: ReplicaState, vote: Vote, effects: Effect[]): void {
  const { height, digest } = vote;
  if (height <= state.low) return;
  const slot = slotAt(state, height);
  const empty = nullBatch(height);
  const batch = batchOf(slot, digest) ?? (equalBytes(digest, batchDigest(empty)) ? empty : undefined);
  slot.proposal = { vote, batch, signature: undefined, carried: true, phase: 'held' };
  const contradiction = carriedOtherwise(state, height);
  if (contradiction !== undefined) halt(state, contradiction, effects);
}

/** V12: what came too early for this view is handled in the same step; what is below it now is of no use. */
function takeFuture(state: ReplicaState, { future }: ReplicaState['peers'][number], view: number): void {
  if (future.view > view) return;
  if (future.view === view) state.replay.push(...future.messages.values());
  future.messages.clear();
}
