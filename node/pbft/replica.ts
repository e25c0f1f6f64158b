import { leaderIndex } from '../../ledger/validators.ts';
import { acceptProposals, onBatch, onBodies, onPrePrepare } from './accepting.ts';
import { onCertificate, onCheckpoint, onExecuted, onSyncEnded, tryCatchUp } from './checkpoints.ts';
import type { Effect, Event, Now } from './events.ts';
import { keepEvidence } from './evidence.ts';
import { keepForLater } from './future.ts';
import { halt } from './halt.ts';
import type { Message } from './messages.ts';
import { writeWitnessed } from './persist.ts';
import { onBatchReady, onTimer, propose } from './proposing.ts';
import { enterDoubt, onShown, onStarted } from './restore.ts';
import { isHalted, type ReplicaState, targetView } from './state.ts';
import { onChannel, onGuest, onStatus, sendStatus } from './status.ts';
import { judgeView, onNewView, onViewChange } from './view-change.ts';
import { runViewTimer, tickMs } from './view-timer.ts';
import { onCommit, onCommitCertificate, onPrepare } from './voting.ts';
import { lackingOwn, ownIn, witness } from './witness.ts';

/**
 * The protocol core: one event in, effects out. It touches only `state`; it has no clock, no randomness and no I/O, so
 * the same events in the same order always give the same effects.
 */
export function step(state: ReplicaState, event: Event, now: Now): Effect[] {
  const effects: Effect[] = [];
  if (isHalted(state)) {
    // It tells that it is halted, and nothing else any more.
    if (event.type === 'timer' && event.timer === 'status') sendStatus(state, now, effects);
    return effects;
  }
  handle(state, event, now, effects);
  while (state.replay.length > 0) onMessage(state, state.replay.shift()!, now, effects);
  if (isHalted(state)) return effects;
  if (state.proven.size > 0) judgeView(state, now, effects);
  // Whatever happened may have made room in the window, ended a wait or changed a first-hand check (N5).
  acceptProposals(state, now, effects);
  propose(state, now, effects);
  return effects;
}

function handle(state: ReplicaState, event: Event, now: Now, effects: Effect[]): void {
  switch (event.type) {
    case 'started':
      return onStarted(state, event.uncertified, now, effects);
    case 'message':
      return onReceived(state, event.message, now, effects);
    case 'signed':
      return onMessage(state, event.message, now, effects);
    case 'shown':
      return onShown(state, event.from, event.shown, effects);
    case 'timer':
      if (event.timer === 'status') {
        writeWitnessed(state, effects);
        return sendStatus(state, now, effects);
      }
      if (event.timer === 'catchUp') return tryCatchUp(state, effects);
      return onTimer(state, event.timer);
    case 'tick':
      state.waiting = event.waiting;
      effects.push({ type: 'startTimer', timer: 'tick', delayMs: tickMs(state) });
      runViewTimer(state, now);
      return judgeView(state, now, effects);
    case 'pool':
      state.pool = event.view;
      return;
    case 'batchReady':
      return onBatchReady(state, event.height, event.batch, event.pool, event.governs, effects);
    case 'bodies':
      return onBodies(state, event.height, event.digest, event.problem, event.governs, effects);
    case 'batch':
      return onBatch(state, event.digest, event.batch, effects);
    case 'executed':
      onExecuted(state, event, now, effects);
      if (!isHalted(state)) judgeView(state, now, effects);
      return;
    case 'piece':
      state.timer.caughtUp = true;
      return;
    case 'syncEnded':
      return onSyncEnded(state, effects);
    case 'channel':
      onChannel(state, event.member, event.open, now, effects);
      return judgeView(state, now, effects);
    case 'guest':
      return onGuest(state, event.peerKey, event.open);
    case 'unreachable': {
      const peer = state.peers[event.member];
      if (peer !== undefined && !peer.open) peer.unreachable = true;
      return judgeView(state, now, effects);
    }
    case 'misconduct':
      return onMisconduct(state, event.message, event.detail, effects);
    case 'doubt':
      return enterDoubt(state, event.reason, effects);
    case 'diverged':
      return halt(state, event.reason, effects);
  }
}

/** R5, R6: a message from outside is remembered for its signer; one of ours must be one that we know. */
function onReceived(state: ReplicaState, message: Message, now: Now, effects: Effect[]): void {
  const own = ownIn(state, message);
  const lacking = own && lackingOwn(state, own);
  if (lacking !== undefined) return enterDoubt(state, `another process signs with this key: ${lacking}`, effects);
  if (message.kind === 'newView') {
    // It shows the VIEW-CHANGEs of q members, which may have reached nobody else.
    for (const value of message.value.body.viewChanges) {
      onReceivedInside(state, { kind: 'viewChange', value }, effects);
      if (state.mode === 'doubt') return;
    }
  }
  if (own === undefined) witness(state, message);
  onMessage(state, message, now, effects);
}

function onReceivedInside(state: ReplicaState, message: Message, effects: Effect[]): void {
  const own = ownIn(state, message);
  if (own === undefined) return witness(state, message);
  const lacking = lackingOwn(state, own);
  if (lacking !== undefined) enterDoubt(state, `a NEW-VIEW shows ${lacking}`, effects);
}

function onMessage(state: ReplicaState, message: Message, now: Now, effects: Effect[]): void {
  switch (message.kind) {
    case 'prePrepare': {
      const { view, height, epoch } = message.value.vote;
      if (view <= state.view) return onPrePrepare(state, message.value, effects);
      return keepForLater(state, leaderIndex(epoch, view, state.peers.length), view, height, message);
    }
    case 'prepare': {
      const { vote, sender } = message.value;
      if (vote.view <= state.view) return onPrepare(state, message.value, effects);
      return keepForLater(state, sender, vote.view, vote.height, message);
    }
    case 'commit':
      return onCommit(state, message.value, effects);
    case 'checkpoint':
      return onCheckpoint(state, message.value, effects);
    case 'certificate':
      return onCertificate(state, message.value, effects);
    case 'commitCertificate':
      return onCommitCertificate(state, message.value, effects);
    case 'viewChange':
      onViewChange(state, message.value, effects);
      if (!isHalted(state)) judgeView(state, now, effects);
      return;
    case 'newView':
      return onNewView(state, message.value, effects);
    case 'status':
      onStatus(state, message.value, now, effects);
      return judgeView(state, now, effects);
    case 'evidence':
      return keepEvidence(state, message.value, effects);
  }
}

/** V8: a NEW-VIEW that its leader signed and that breaks the rules. Whoever gets it passed on sees it too (V2). */
function onMisconduct(
  state: ReplicaState,
  message: Extract<Event, { type: 'misconduct' }>['message'],
  detail: string,
  effects: Effect[],
): void {
  const { epoch, view } = message.value.body;
  const leader = state.peers[leaderIndex(epoch, view, state.peers.length)];
  if (leader === undefined || view < targetView(state) || state.proven.has(view)) return;
  leader.distrusted = true;
  // One later view of it may be proven by this way; the flag keeps the others from being verified (useful.ts).
  state.proven.add(view);
  effects.push({ type: 'refused', what: `view ${view}`, reason: detail }, { type: 'relay', message });
}
