import { acceptProposals, onBodies, onPrePrepare } from './accepting.ts';
import { halt, onCertificate, onCheckpoint, onExecuted, onSyncEnded, tryCatchUp } from './checkpoints.ts';
import type { Effect, Event, Now } from './events.ts';
import type { Message } from './messages.ts';
import { onBatchReady, onTimer, propose } from './proposing.ts';
import { onStarted } from './restore.ts';
import type { ReplicaState } from './state.ts';
import { onChannel, onStatus, sendStatus } from './status.ts';
import { onCommit, onCommitCertificate, onPrepare } from './voting.ts';

/**
 * The protocol core: one event in, effects out. It touches only `state`; it has no clock, no randomness and no I/O, so
 * the same events in the same order always give the same effects.
 */
export function step(state: ReplicaState, event: Event, now: Now): Effect[] {
  const effects: Effect[] = [];
  if (state.mode === 'halted') return effects;
  handle(state, event, now, effects);
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
      return onMessage(state, event.message, effects);
    case 'signed':
      return onMessage(state, event.message, effects);
    case 'timer':
      if (event.timer === 'status') return sendStatus(state, now, effects);
      if (event.timer === 'catchUp') return tryCatchUp(state, effects);
      return onTimer(state, event.timer);
    case 'pool':
      state.pool = event.view;
      return;
    case 'batchReady':
      return onBatchReady(state, event.height, event.batch, event.pool, effects);
    case 'bodies':
      return onBodies(state, event.height, event.digest, event.problem, effects);
    case 'executed':
      return onExecuted(state, event.head, event.synced, now, effects);
    case 'syncEnded':
      return onSyncEnded(state, effects);
    case 'channel':
      return onChannel(state, event.member, event.open, now, effects);
    case 'doubt':
      state.mode = 'doubt';
      state.reason = event.reason;
      return;
    case 'diverged':
      return halt(state, event.reason, effects);
  }
}

function onMessage(state: ReplicaState, message: Message, effects: Effect[]): void {
  switch (message.kind) {
    case 'prePrepare':
      return onPrePrepare(state, message.value, effects);
    case 'prepare':
      return onPrepare(state, message.value, effects);
    case 'commit':
      return onCommit(state, message.value, effects);
    case 'checkpoint':
      return onCheckpoint(state, message.value, effects);
    case 'certificate':
      return onCertificate(state, message.value, effects);
    case 'commitCertificate':
      return onCommitCertificate(state, message.value, effects);
    case 'status':
      return onStatus(state, message.value, effects);
    case 'viewChange':
    case 'newView':
      // Not part of protocol version 1: verifyMessage refuses both.
      return;
  }
}
