import { equalBytes, toHex } from '../../ledger/bytes.ts';
import { type Certificate, type Checkpoint, checkpointCodec } from '../../ledger/checkpoint.ts';
import { sameEncoding } from '../../ledger/codec.ts';
import { multiSignature } from '../../ledger/validators.ts';
import type { Effect, Event, Head, Now } from './events.ts';
import { keepEvidence } from './evidence.ts';
import { forgetFuture } from './future.ts';
import { carriedOtherwise, halt } from './halt.ts';
import type { SignedCheckpoint } from './messages.ts';
import { persist } from './persist.ts';
import { stableRecord } from './records.ts';
import { type CheckpointVotes, inBuffer, type ReplicaState } from './state.ts';
import { onProgress, onStable } from './view-timer.ts';
import { tryExecute } from './voting.ts';
import { forgetWitnessed } from './witness.ts';

/** Windows above the executed height in which everything is kept, although it is stable. */
const NEAR_WINDOWS = 4;

type ExecutedEvent = Extract<Event, { type: 'executed' }>;

/** C1: a block is executed and durable here, so its CHECKPOINT may be signed. */
export function onExecuted(state: ReplicaState, event: ExecutedEvent, now: Now, effects: Effect[]): void {
  const { head, transactions, ordered } = event;
  if (head.height <= state.executed.height) return;
  state.executed = head;
  state.executedAt = now.monotonic;
  state.handedOver = Math.max(state.handedOver, head.height);
  if (ordered !== undefined && head.height > state.low) state.ordered.set(head.height, ordered);
  const contradiction = carriedOtherwise(state, head.height);
  if (contradiction !== undefined) return halt(state, contradiction, effects);
  if (head.nextEpoch !== state.config.epoch) endEpochAt(state, head.height);
  onProgress(state, transactions, ordered === undefined);
  const certificate = state.certificatesAhead.get(head.height);
  if (certificate !== undefined) compareWithCertificate(state, certificate, head, effects);
  if (state.mode === 'halted') return;
  keepCertificates(state, effects);
  dropBelow(state);
  judgeDistance(state);
  if (head.height > state.low) signCheckpoint(state, head, effects);
  if (ordered !== undefined) tryExecute(state, effects);
  tellEnd(state, effects);
}

/** E2: whatever has votes of this epoch above the block that ends it is void. */
function endEpochAt(state: ReplicaState, height: number): void {
  state.lastHeight = height;
  state.handedOver = Math.min(state.handedOver, height);
  const perHeight = [state.slots, state.checkpoints, state.certificatesAhead, state.governing];
  for (const of of perHeight) for (const known of of.keys()) if (known > height) of.delete(known);
}

/** E3: the epoch is over when its last block is executed here and known to be stable. */
function tellEnd(state: ReplicaState, effects: Effect[]): void {
  const { lastHeight, certified, stable } = state;
  if (state.mode === 'halted' || lastHeight === undefined || certified !== lastHeight || stable === undefined) return;
  effects.push({ type: 'epochEnded', certificate: stable });
}

/** Signs CHECKPOINTs of executed blocks that are not certified yet; also after a restart. */
function signCheckpoint(state: ReplicaState, head: Head, effects: Effect[]): void {
  const votes = ownCheckpoint(state, head);
  if (state.mode === 'active' && votes.own !== undefined) {
    persist(state, [], [{ kind: 'checkpoint', checkpoint: votes.own }], effects);
  }
  checkSplit(state, votes, effects);
}

/** What this member would sign for a block it has executed. */
export function ownCheckpoint(state: ReplicaState, head: Head): CheckpointVotes {
  const votes = votesAt(state, head.height);
  votes.own = checkpointOf(state, head);
  return votes;
}

export function checkpointOf(state: ReplicaState, head: Head): Checkpoint {
  return {
    epoch: state.config.epoch,
    validatorsHash: state.validatorsHash,
    height: head.height,
    blockHash: head.blockHash,
    stateRoot: head.stateRoot,
    historyRoot: head.historyRoot,
    timestamp: head.timestamp,
    nextEpoch: head.nextEpoch,
    nextValidatorsHash: head.nextValidatorsHash,
  };
}

/** C2: q equal CHECKPOINTs of distinct members are the finality certificate. */
export function onCheckpoint(state: ReplicaState, message: SignedCheckpoint, effects: Effect[]): void {
  const { checkpoint, sender } = message;
  if (!inBuffer(state, checkpoint.height)) return;
  const votes = votesAt(state, checkpoint.height);
  const first = votes.votes.get(sender);
  if (first !== undefined) {
    if (!sameEncoding(checkpointCodec, first.checkpoint, checkpoint)) {
      keepEvidence(state, { kind: 'checkpoint', value: { first, second: message } }, effects);
    }
    return;
  }
  votes.votes.set(sender, message);
  const equal = new Map<number, Uint8Array>();
  for (const [member, vote] of votes.votes) {
    if (equal.size < state.quorum && sameEncoding(checkpointCodec, vote.checkpoint, checkpoint))
      equal.set(member, vote.signature);
  }
  if (equal.size < state.quorum) return checkSplit(state, votes, effects);
  const proof = multiSignature(state.config.validators.length, equal);
  onCertificate(state, { scheme: 'ed25519-list', checkpoint, proof }, effects);
}

/** C2: the low mark moves to a newer certificate, never back, also when the certificate is ahead of execution. */
export function onCertificate(state: ReplicaState, certificate: Certificate, effects: Effect[]): void {
  const { checkpoint } = certificate;
  if (checkpoint.height <= state.low) return;
  const own = state.checkpoints.get(checkpoint.height)?.own;
  if (own !== undefined && !sameEncoding(checkpointCodec, own, checkpoint)) {
    return halt(
      state,
      `own checkpoint at height ${own.height} differs from its certificate: ${difference(own, checkpoint)}`,
      effects,
    );
  }
  if (checkpoint.nextEpoch !== state.config.epoch) endEpochAt(state, checkpoint.height);
  state.low = checkpoint.height;
  if (own !== undefined) state.certified = checkpoint.height;
  state.stable = certificate;
  // R2: durable before any vote in the window that it opens.
  for (const record of stableRecord(state)) state.unwritten.set(record.kind, record);
  onStable(state);
  forgetFuture(state);
  state.certificatesAhead.set(checkpoint.height, certificate);
  effects.push({ type: 'stable', certificate });
  keepCertificates(state, effects);
  dropBelow(state);
  judgeDistance(state);
  awaitExecution(state, effects);
  tellEnd(state, effects);
}

/** Certificates may come faster than the delay passes: the timer that runs is left alone. */
function awaitExecution(state: ReplicaState, effects: Effect[]): void {
  if (state.low <= state.executed.height || state.catchUpAwaited || state.syncing) return;
  state.catchUpAwaited = true;
  effects.push({ type: 'startTimer', timer: 'catchUp', delayMs: state.config.catchUpDelayMs });
}

/** R7: fetches blocks when a certificate stayed ahead of execution, and nothing held locally leads there. */
export function tryCatchUp(state: ReplicaState, effects: Effect[]): void {
  state.catchUpAwaited = false;
  if (state.stable === undefined || state.low <= state.executed.height || state.syncing) return;
  if (state.handedOver > state.executed.height) return awaitExecution(state, effects);
  state.syncing = true;
  effects.push({ type: 'startSync', certificate: state.stable });
}

/** Blocks up to the certificate are executed, or no peer could deliver them yet. */
export function onSyncEnded(state: ReplicaState, effects: Effect[]): void {
  state.syncing = false;
  awaitExecution(state, effects);
  tryExecute(state, effects);
}

/** R7, S8: signing goes on unless the newest certificate is more than a window above what is executed here. */
export function judgeDistance(state: ReplicaState): void {
  const isFar = state.low > state.executed.height + state.config.parameters.window;
  if (isFar && state.mode === 'active') {
    state.mode = 'behind';
    state.reason = `executed ${state.executed.height}, certified ${state.low}`;
  } else if (!isFar && state.mode === 'behind') {
    state.mode = 'active';
    state.reason = '';
  }
}

function votesAt(state: ReplicaState, height: number): CheckpointVotes {
  let votes = state.checkpoints.get(height);
  if (votes === undefined) {
    votes = { votes: new Map(), own: undefined };
    state.checkpoints.set(height, votes);
  }
  return votes;
}

/** C3: when so many members signed something else that our own checkpoint can't reach q, our state or theirs is wrong. */
function checkSplit(state: ReplicaState, votes: CheckpointVotes, effects: Effect[]): void {
  const { own } = votes;
  if (own === undefined) return;
  let different = 0;
  let other: Checkpoint | undefined;
  for (const vote of votes.votes.values()) {
    if (sameEncoding(checkpointCodec, vote.checkpoint, own)) continue;
    different++;
    other = vote.checkpoint;
  }
  if (other === undefined || state.config.validators.length - different >= state.quorum) return;
  halt(
    state,
    `${different} members signed another checkpoint at height ${own.height}: ${difference(own, other)}`,
    effects,
  );
}

function compareWithCertificate(state: ReplicaState, certificate: Certificate, head: Head, effects: Effect[]): void {
  const own = checkpointOf(state, head);
  if (sameEncoding(checkpointCodec, own, certificate.checkpoint)) {
    state.certified = head.height;
    return;
  }
  halt(
    state,
    `executed block ${head.height} differs from its certificate: ${difference(own, certificate.checkpoint)}`,
    effects,
  );
}

function difference(own: Checkpoint, other: Checkpoint): string {
  for (const field of ['blockHash', 'stateRoot', 'historyRoot'] as const) {
    if (!equalBytes(own[field], other[field]))
      return `${field} ${toHex(own[field])} here, ${toHex(other[field])} there`;
  }
  if (own.nextEpoch !== other.nextEpoch) return `next epoch ${own.nextEpoch} here, ${other.nextEpoch} there`;
  return `timestamp ${own.timestamp} here, ${other.timestamp} there, or another set`;
}

/** Certificates are stored with their executed block; those of blocks still to be executed wait here. */
function keepCertificates(state: ReplicaState, effects: Effect[]): void {
  for (const [height, certificate] of state.certificatesAhead) {
    if (height > state.executed.height) continue;
    state.certificatesAhead.delete(height);
    effects.push({ type: 'keepCertificate', certificate });
  }
}

/** C2: nothing at or below the low mark is needed once it is executed here. */
function dropBelow(state: ReplicaState): void {
  const { low, executed, handedOver, config, startedAt } = state;
  const done = Math.min(low, executed.height);
  // Whoever is far behind gets blocks by catch-up; slots and certificates up to the newest would only pile up.
  const near = Math.max(handedOver, executed.height + NEAR_WINDOWS * config.parameters.window);
  for (const height of state.slots.keys())
    if (height <= done || (height > near && height <= low)) state.slots.delete(height);
  for (const height of state.certificatesAhead.keys())
    if (height > near && height < low) state.certificatesAhead.delete(height);
  for (const height of state.checkpoints.keys()) if (height <= state.low) state.checkpoints.delete(height);
  for (const height of state.ordered.keys()) if (height <= state.low) state.ordered.delete(height);
  for (const height of state.governing) if (height <= state.low) state.governing.delete(height);
  // R6: what the others show is compared with all that the disk had, now or ever after.
  const first = startedAt.low + config.parameters.window;
  for (const height of state.ownVotes.keys()) if (height > first && height <= done) state.ownVotes.delete(height);
  forgetWitnessed(state, state.low);
}
