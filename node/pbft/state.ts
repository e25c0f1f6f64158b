import type { Batch } from '../../ledger/block.ts';
import { equalBytes } from '../../ledger/bytes.ts';
import type { Certificate, Checkpoint } from '../../ledger/checkpoint.ts';
import type { Parameters } from '../../ledger/parameters.ts';
import {
  leaderIndex,
  type MultiSignature,
  quorum,
  type ValidatorSet,
  validatorsHash,
} from '../../ledger/validators.ts';
import type { Head, Now, PoolView } from './events.ts';
import type { Mode, PreparedCertificate, SignedCheckpoint, SignedVote, StatusBody, Vote } from './messages.ts';

export interface ReplicaConfig {
  readonly genesisId: Uint8Array;
  readonly epoch: number;
  readonly validators: ValidatorSet;
  /** Index of this member in `validators`. */
  readonly self: number;
  readonly parameters: Parameters;
  readonly statusIntervalMs: number;
  /** How long a certificate may be ahead of execution before blocks are fetched from peers. */
  readonly catchUpDelayMs: number;
}

/** The proposal at a height in the current view. `held`: a first-hand check does not hold yet (N5). */
export interface Proposal {
  readonly vote: Vote;
  readonly batch: Batch;
  /** The leader's signature; undefined while our own is on its way through the journal. */
  signature: Uint8Array | undefined;
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
  /** First verified vote of each member in the current view (N1). */
  readonly prepares: Map<number, SignedVote>;
  readonly commits: Map<number, SignedVote>;
  prepared: PreparedCertificate | undefined;
  committed: Committed | undefined;
  /** Digest of the batch whose bodies are all here and verified. */
  bodiesOf: Uint8Array | undefined;
  /** Digest of the batch whose bodies are asked for. */
  bodiesAsked: Uint8Array | undefined;
}

export interface CheckpointVotes {
  readonly votes: Map<number, SignedCheckpoint>;
  own: Checkpoint | undefined;
}

export interface Peer {
  status: StatusBody | undefined;
  open: boolean;
}

/** Everything a replica knows; touched by `step` only. */
export interface ReplicaState {
  readonly config: ReplicaConfig;
  readonly validatorsHash: Uint8Array;
  readonly quorum: number;
  mode: Mode;
  reason: string;
  readonly view: number;
  /** Height of the newest stable checkpoint. */
  low: number;
  stable: Certificate | undefined;
  executed: Head;
  /** When `executed` was executed here, on the monotonic clock. */
  executedAt: number;
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
  /** Height for which a batch was asked of the pool. */
  choosing: number | undefined;
  /** The batch delay has passed since the pool had something while others were in flight. */
  delayPassed: boolean;
  delayRunning: boolean;
  /** Block time at which the running heartbeat timer ends. */
  heartbeatDue: number | undefined;
  syncing: boolean;
  statusNumber: number;
}

export function createState(
  config: ReplicaConfig,
  head: Head,
  stable: Certificate | undefined,
  now: Now,
): ReplicaState {
  return {
    config,
    validatorsHash: validatorsHash(config.validators),
    quorum: quorum(config.validators.length),
    mode: 'starting',
    reason: 'replaying the journal',
    view: 0,
    low: stable?.checkpoint.height ?? 0,
    stable,
    executed: head,
    executedAt: now.monotonic,
    handedOver: head.height,
    slots: new Map(),
    checkpoints: new Map(),
    certificatesAhead: new Map(),
    peers: config.validators.map(() => ({ status: undefined, open: false })),
    proposed: head.height,
    pool: { orderable: 0, full: false },
    choosing: undefined,
    delayPassed: false,
    delayRunning: false,
    heartbeatDue: undefined,
    syncing: false,
    statusNumber: 0,
  };
}

export function leaderOf(state: ReplicaState): number {
  return leaderIndex(state.config.epoch, state.view, state.config.validators.length);
}

export function isLeader(state: ReplicaState): boolean {
  return leaderOf(state) === state.config.self;
}

/** S8: votes are signed only by an active member. */
export function mayVote(state: ReplicaState): boolean {
  return state.mode === 'active';
}

/** Votes are given inside (low, low + window]. */
export function inWindow(state: ReplicaState, height: number): boolean {
  return height > state.low && height <= state.low + state.config.parameters.window;
}

/** V12: messages are kept up to low + 2 x window, because the next PRE-PREPARE often precedes the q-th CHECKPOINT. */
export function inBuffer(state: ReplicaState, height: number): boolean {
  return height > state.low && height <= state.low + 2 * state.config.parameters.window;
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
      bodiesOf: undefined,
      bodiesAsked: undefined,
    };
    state.slots.set(height, slot);
  }
  return slot;
}

/** T1: the chain's time in ms. It never goes back, and runs on when the wall clock is behind. */
export function chainNow(state: ReplicaState, now: Now): number {
  return Math.max(now.wall, state.executed.timestamp + 1 + Math.floor(now.monotonic - state.executedAt));
}

/** Heights proposed or accepted above the executed one. */
export function inFlight(state: ReplicaState, below = Number.POSITIVE_INFINITY): number {
  let count = 0;
  for (const slot of state.slots.values()) {
    if (slot.height > state.executed.height && slot.height < below && slot.proposal !== undefined) count++;
  }
  return count;
}

export function sameDigest(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && equalBytes(a, b);
}
