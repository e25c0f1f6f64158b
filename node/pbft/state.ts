import type { Batch } from '../../ledger/block.ts';
import { equalBytes, toHex } from '../../ledger/bytes.ts';
import type { Certificate, Checkpoint } from '../../ledger/checkpoint.ts';
import type { Parameters } from '../../ledger/parameters.ts';
import {
  faultsTolerated,
  leaderIndex,
  type MultiSignature,
  quorum,
  type ValidatorSet,
  validatorsHash,
} from '../../ledger/validators.ts';
import type { Head, JournalRecord, Now, Ordered, PoolView, PoolWaiting } from './events.ts';
import type {
  Evidence,
  Message,
  Mode,
  NewView,
  PreparedCertificate,
  SignedCheckpoint,
  SignedVote,
  Status,
  ViewChange,
  ViewChangeBody,
  Vote,
} from './messages.ts';

import type { Witnessed } from './witness.ts';

export interface ReplicaConfig {
  readonly genesisId: Uint8Array;
  readonly epoch: number;
  /** The epoch's first height: the block below it is final for everybody in the epoch (E3). */
  readonly firstHeight: number;
  readonly validators: ValidatorSet;
  /** Index of this member in `validators`; undefined for a node that follows without a vote. */
  readonly self: number | undefined;
  readonly parameters: Parameters;
  readonly statusIntervalMs: number;
  /** How long a certificate may be ahead of execution before blocks are fetched from peers. */
  readonly catchUpDelayMs: number;
}

/** The proposal at a height in the current view. `held`: a first-hand check does not hold yet (N5). */
export interface Proposal {
  readonly vote: Vote;
  /** Undefined while a carried digest's content is not here (V9). */
  batch: Batch | undefined;
  /** The leader's signature; undefined while our own is on its way through the journal. */
  signature: Uint8Array | undefined;
  /** From a NEW-VIEW: accepted byte for byte, never judged by a clock. */
  readonly carried: boolean;
  phase: 'held' | 'bodies' | 'accepted' | 'refused';
}

export interface Committed {
  readonly vote: Vote;
  readonly commits: MultiSignature;
  /** Undefined while only the digest is known. */
  batch: Batch | undefined;
}

/** What is known about one height of the window. */
export interface Slot {
  readonly height: number;
  proposal: Proposal | undefined;
  /** First verified PREPARE of each member in the current view (N1). */
  readonly prepares: Map<number, SignedVote>;
  /** First verified COMMIT of each member in each view, at most COMMIT_VIEWS of the highest (N8: of any view). */
  readonly commits: Map<number, SignedVote[]>;
  /** V4: of the highest view. */
  prepared: PreparedCertificate | undefined;
  committed: Committed | undefined;
  /** V10: batches that we accepted in some view, by digest. */
  readonly batches: Map<string, Batch>;
  /** N12: digests of batches that may end the epoch. */
  readonly governs: Set<string>;
  /** Digests of batches whose bodies are all here and verified. */
  readonly bodies: Set<string>;
  /** Digests whose bodies, or whose batch, are asked for. */
  readonly bodiesAsked: Set<string>;
  readonly batchAsked: Set<string>;
}

/** COMMITs kept of one member at one height; a correct one has no use for more while views change. */
export const COMMIT_VIEWS = 2;

export interface CheckpointVotes {
  readonly votes: Map<number, SignedCheckpoint>;
  own: Checkpoint | undefined;
}

export interface Peer {
  status: Status | undefined;
  /** When `status` came, on the monotonic clock: directly or passed on by others. */
  heardAt: number;
  open: boolean;
  /** Channel lost and dialing refused. */
  unreachable: boolean;
  /** When it was sent what it lacks, on the monotonic clock (R23). */
  resentAt: number;
  /** Since when it has been waiting in a view above ours, on the monotonic clock (V1). */
  waitingSince: number | undefined;
  /** V1: the view that it made us suspect by waiting; at most once per member and term. */
  limbo: number | undefined;
  /** V8: it sent a NEW-VIEW that breaks the rules. */
  distrusted: boolean;
  /** V12: messages for the highest view above ours that it spoke of, one per kind and height. */
  readonly future: { view: number; readonly messages: Map<string, Message> };
}

/** Everything a replica knows; touched by `step` only. */
export interface ReplicaState {
  readonly config: ReplicaConfig;
  readonly validatorsHash: Uint8Array;
  readonly quorum: number;
  readonly faults: number;
  mode: Mode;
  reason: string;
  /** The view entered last. */
  view: number;
  /** The highest view a VIEW-CHANGE of ours asks for; above `view` while waiting for its NEW-VIEW. */
  asked: number;
  /** Content of our newest VIEW-CHANGE: resent unchanged (V4). */
  asking: ViewChangeBody | undefined;
  /** V11: of the current view; undefined in view 0, and while our own is on its way through the journal. */
  newView: NewView | undefined;
  /** Content of our own NEW-VIEW of the current view. */
  leading: Leading | undefined;
  /** s and M of the current view's carry (V7). */
  carryBase: number;
  carryTop: number;
  /** V12: newest of each member. */
  readonly viewChanges: Map<number, ViewChange>;
  /** Height of the newest stable checkpoint. */
  low: number;
  stable: Certificate | undefined;
  /** C3: the newest certificate that was compared with the block executed here; what is below is final here. */
  certified: number;
  /** The newest certificate of the journal, until it is adopted. */
  restoredStable: Certificate | undefined;
  executed: Head;
  /** E2: the block that ends the epoch, once it is known: whatever has votes of this epoch above it is void. */
  lastHeight: number | undefined;
  /** N12: heights of accepted batches of this view that may end the epoch. */
  readonly governing: Set<number>;
  /** E5: peer keys, in hex, of those without a vote that have a channel to us. */
  readonly guests: Map<string, Uint8Array>;
  /** When `executed` was executed here, on the monotonic clock. */
  executedAt: number;
  /** N11: how the heights in (low, executed] were ordered. */
  readonly ordered: Map<number, Ordered>;
  /** Highest height given to the executor. */
  handedOver: number;
  readonly slots: Map<number, Slot>;
  readonly checkpoints: Map<number, CheckpointVotes>;
  /** Certificates of blocks that are not executed here yet, by height. */
  readonly certificatesAhead: Map<number, Certificate>;
  readonly peers: readonly Peer[];
  /** Highest height proposed by this member as leader of the view. */
  proposed: number;
  pool: PoolView;
  waiting: PoolWaiting;
  /** Height for which a batch was asked of the pool. */
  choosing: number | undefined;
  /** The batch delay has passed since the pool had something while others were in flight. */
  delayPassed: boolean;
  delayRunning: boolean;
  /** Block time at which the running heartbeat timer ends. */
  heartbeatDue: number | undefined;
  syncing: boolean;
  /** The timer runs after which blocks are fetched. */
  catchUpAwaited: boolean;
  statusNumber: number;
  readonly timer: ViewTimer;
  /** C6: by member. */
  readonly evidence: Map<number, Evidence[]>;
  /** Of earlier epochs, oldest first. */
  readonly pastEvidence: Evidence[];
  /** R5: what the others were seen to sign. */
  readonly witnessed: Map<number, Witnessed>;
  /** R5: records that go into the journal with the next group, by member, kind and height. */
  readonly unwritten: Map<string, JournalRecord>;
  /** R6: digests of our own votes above the stable, executed height, by height (0: VIEW-CHANGE), kind and view. */
  readonly ownVotes: Map<number, Map<string, Uint8Array>>;
  /** R6: what the disk had: what was signed before is above `low` and within the window. */
  startedAt: { readonly low: number; readonly executed: number };
  /** E3: the newest epoch that the journal says was entered. */
  enteredEpoch: number;
  /** R6: members that have shown what they hold of us since we started. */
  readonly answered: Set<number>;
  /** V2: views, not below ours, whose leader is proven faulty. */
  readonly proven: Set<number>;
  /** V12: buffered messages of a view that was just entered, to be handled in this step. */
  readonly replay: Message[];
}

/** T2 to T8: the view timer and what it decided. Times in ms. */
export interface ViewTimer {
  /** When it was looked at last, on the monotonic clock. */
  tickedAt: number;
  /** How long there has been a reason and no progress, pauses left out. */
  waited: number;
  timeoutMs: number;
  capMs: number;
  /** Failed views in a row whose timeout was the cap (T5). */
  atCap: number;
  /** A checkpoint became stable since the view was entered or asked for. */
  stableInView: boolean;
  /** A block of a catch-up was executed since the last look (T2). */
  caughtUp: boolean;
  /** T6, T8: `waited` reached the timeout. */
  silent: boolean;
  /** V1: why the current view (or the one asked for) is suspected, as last told in STATUS. */
  suspicion: string | undefined;
}

export interface Leading {
  readonly viewChanges: readonly ViewChange[];
  readonly votes: readonly Vote[];
}

export function createState(
  config: ReplicaConfig,
  head: Head,
  stable: Certificate | undefined,
  now: Now,
): ReplicaState {
  const own = stable?.checkpoint.epoch === config.epoch ? stable : undefined;
  const low = own?.checkpoint.height ?? config.firstHeight - 1;
  return {
    config,
    validatorsHash: validatorsHash(config.validators),
    quorum: quorum(config.validators.length),
    faults: faultsTolerated(config.validators.length),
    mode: config.self === undefined ? 'observing' : 'starting',
    reason: config.self === undefined ? 'no member of the validator set' : 'replaying the journal',
    view: 0,
    asked: 0,
    asking: undefined,
    newView: undefined,
    leading: undefined,
    carryBase: 0,
    carryTop: 0,
    viewChanges: new Map(),
    low,
    stable: own,
    certified: low,
    restoredStable: undefined,
    executed: head,
    lastHeight: head.nextEpoch === config.epoch ? undefined : head.height,
    governing: new Set(),
    guests: new Map(),
    executedAt: now.monotonic,
    ordered: new Map(),
    handedOver: head.height,
    slots: new Map(),
    checkpoints: new Map(),
    certificatesAhead: new Map(),
    peers: config.validators.map(newPeer),
    proposed: head.height,
    pool: { orderable: 0, full: false },
    waiting: { handed: false, overdue: false },
    choosing: undefined,
    delayPassed: false,
    delayRunning: false,
    heartbeatDue: undefined,
    syncing: false,
    catchUpAwaited: false,
    statusNumber: 0,
    timer: {
      tickedAt: now.monotonic,
      waited: 0,
      timeoutMs: config.parameters.viewTimeoutMs,
      capMs: 8 * config.parameters.viewTimeoutMs,
      atCap: 0,
      stableInView: false,
      caughtUp: false,
      silent: false,
      suspicion: undefined,
    },
    evidence: new Map(),
    pastEvidence: [],
    witnessed: new Map(),
    unwritten: new Map(),
    ownVotes: new Map(),
    startedAt: { low, executed: head.height },
    enteredEpoch: config.epoch,
    answered: new Set(),
    proven: new Set(),
    replay: [],
  };
}

function newPeer(): Peer {
  return {
    status: undefined,
    heardAt: Number.NEGATIVE_INFINITY,
    open: false,
    unreachable: false,
    resentAt: Number.NEGATIVE_INFINITY,
    waitingSince: undefined,
    limbo: undefined,
    distrusted: false,
    future: { view: 0, messages: new Map() },
  };
}

/** The height below the epoch's first block: stable for everybody in the epoch (E3), so it needs no certificate (V4). */
export function beginningOf({ config }: ReplicaState): number {
  return config.firstHeight - 1;
}

export function leaderOf(state: ReplicaState): number {
  return leaderIndex(state.config.epoch, state.view, state.config.validators.length);
}

export function isLeader(state: ReplicaState): boolean {
  return leaderOf(state) === state.config.self;
}

/** Promise 6: it found its own state wrong. */
export function isHalted(state: ReplicaState): boolean {
  return state.mode === 'halted';
}

/** S8: votes are signed only by an active member. V5: and none below a view that it asked for. */
export function mayVote(state: ReplicaState): boolean {
  return state.mode === 'active' && state.asked <= state.view;
}

/** N11: at an executed height only for what was executed. */
export function maySupport({ executed, ordered }: ReplicaState, { height, digest }: Vote): boolean {
  return height > executed.height || sameDigest(ordered.get(height)?.digest, digest);
}

/** The higher of the view entered and the view asked for: what suspicion is about. */
export function targetView(state: ReplicaState): number {
  return Math.max(state.view, state.asked);
}

/** R4: how old the newest STATUS of a connected member may be, in intervals. */
export const CONNECTED_INTERVALS = 3;

export function connectedCount(state: ReplicaState, now: Now): number {
  let count = 0;
  for (const member of state.peers.keys()) if (isConnected(state, member, now)) count++;
  return count;
}

/** R4: its newest STATUS, direct or passed on, came within three intervals; itself always. */
export function isConnected({ config, peers }: ReplicaState, member: number, now: Now): boolean {
  const oldest = now.monotonic - CONNECTED_INTERVALS * config.statusIntervalMs;
  return member === config.self || peers[member]!.heardAt >= oldest;
}

/** Votes are given inside (low, low + window], and not above the block that ends the epoch (E2). */
export function inWindow(state: ReplicaState, height: number): boolean {
  return height > state.low && height <= Math.min(state.low + state.config.parameters.window, endOf(state));
}

/** V12: messages are kept up to low + 2 x window, because the next PRE-PREPARE often precedes the q-th CHECKPOINT. */
export function inBuffer(state: ReplicaState, height: number): boolean {
  return height > state.low && height <= Math.min(state.low + 2 * state.config.parameters.window, endOf(state));
}

function endOf({ lastHeight }: ReplicaState): number {
  return lastHeight ?? Number.POSITIVE_INFINITY;
}

export function slotAt(state: ReplicaState, height: number): Slot {
  let slot = state.slots.get(height);
  if (slot === undefined) {
    slot = {
      height,
      proposal: undefined,
      prepares: new Map(),
      commits: new Map(),
      prepared: undefined,
      committed: undefined,
      batches: new Map(),
      governs: new Set(),
      bodies: new Set(),
      bodiesAsked: new Set(),
      batchAsked: new Set(),
    };
    state.slots.set(height, slot);
  }
  return slot;
}

/** T1: the chain's time in ms. It never goes back, and runs on when the wall clock is behind. */
export function chainNow(state: ReplicaState, now: Now): number {
  return Math.max(now.wall, state.executed.timestamp + 1 + Math.floor(now.monotonic - state.executedAt));
}

/** N12: a batch below may end the epoch; what is above it would be void, so it waits until that is known. */
export function awaitsGovernance({ governing }: ReplicaState, height: number): boolean {
  for (const governed of governing) if (governed < height) return true;
  return false;
}

/** Heights proposed or accepted above the executed one. */
export function inFlight(state: ReplicaState, below = Number.POSITIVE_INFINITY): number {
  let count = 0;
  for (const slot of state.slots.values()) {
    if (slot.height > state.executed.height && slot.height < below && slot.proposal !== undefined) count++;
  }
  return count;
}

/** A digest as a map key. */
export function digestKey(digest: Uint8Array): string {
  return toHex(digest);
}

/** The batch with this digest, if we hold it at this height. */
export function batchOf(slot: Slot, digest: Uint8Array): Batch | undefined {
  const { proposal, committed } = slot;
  if (proposal !== undefined && equalBytes(proposal.vote.digest, digest) && proposal.batch !== undefined)
    return proposal.batch;
  if (committed !== undefined && equalBytes(committed.vote.digest, digest) && committed.batch !== undefined)
    return committed.batch;
  return slot.batches.get(digestKey(digest));
}

export function heldBatch(state: ReplicaState, height: number, digest: Uint8Array): Batch | undefined {
  const slot = state.slots.get(height);
  return slot && batchOf(slot, digest);
}

export function sameDigest(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && equalBytes(a, b);
}
