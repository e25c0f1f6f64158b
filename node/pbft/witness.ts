import { equalBytes } from '../../ledger/bytes.ts';
import { type Checkpoint, checkpointCodec } from '../../ledger/checkpoint.ts';
import { sameEncoding } from '../../ledger/codec.ts';
import { leaderIndex } from '../../ledger/validators.ts';
import type { JournalRecord } from './events.ts';
import {
  type Message,
  newViewVote,
  type Shown,
  type SignedCheckpoint,
  type Unsigned,
  type Vote,
  type VoteKind,
  viewChangeVote,
} from './messages.ts';
import { inBuffer, type ReplicaState } from './state.ts';

/** R5: what one member was seen to sign: of each kind the messages of the highest view, there every height above low. */
export interface Witnessed {
  readonly votes: Map<VoteKind, { readonly view: number; readonly byHeight: Map<number, SignedBy> }>;
  readonly checkpoints: Map<number, SignedCheckpoint>;
}

interface SignedBy {
  readonly vote: Vote;
  readonly signature: Uint8Array;
}

/** R5: remembers a verified message for its signer, who may lose its disk. */
export function witness(state: ReplicaState, message: Message): void {
  switch (message.kind) {
    case 'prePrepare': {
      const { vote, signature } = message.value;
      return witnessVote(state, 'prePrepare', leaderOfVote(state, vote), { vote, signature });
    }
    case 'prepare':
    case 'commit': {
      const { vote, sender, signature } = message.value;
      return witnessVote(state, message.kind, sender, { vote, signature });
    }
    case 'viewChange': {
      const { body, sender, signature } = message.value;
      return witnessVote(state, 'viewChange', sender, { vote: viewChangeVote(body), signature });
    }
    case 'newView': {
      const { body, signature } = message.value;
      const vote = newViewVote(body);
      const leader = leaderOfVote(state, vote);
      witnessVote(state, 'newView', leader, { vote, signature });
      for (const one of body.prePrepares) witnessVote(state, 'prePrepare', leader, one);
      return;
    }
    case 'checkpoint': {
      const { checkpoint, sender } = message.value;
      if (!inBuffer(state, checkpoint.height)) return;
      const { checkpoints } = witnessedOf(state, sender);
      if (checkpoints.has(checkpoint.height)) return;
      checkpoints.set(checkpoint.height, message.value);
      writeLater(state, sender, `checkpoint ${checkpoint.height}`, { kind: 'checkpoint', value: message.value });
      return;
    }
    default:
      return;
  }
}

function witnessVote(state: ReplicaState, kind: VoteKind, member: number, signed: SignedBy): void {
  const { height } = signed.vote;
  if (height === 0 || inBuffer(state, height)) keepVote(state, kind, member, signed);
}

function keepVote(state: ReplicaState, kind: VoteKind, member: number, signed: SignedBy): void {
  const { vote, signature } = signed;
  if (member === state.config.self) return;
  const { votes } = witnessedOf(state, member);
  let known = votes.get(kind);
  if (known !== undefined && known.view > vote.view) return;
  if (known === undefined || known.view < vote.view) {
    known = { view: vote.view, byHeight: new Map() };
    votes.set(kind, known);
  }
  if (known.byHeight.has(vote.height)) return;
  known.byHeight.set(vote.height, signed);
  writeLater(state, member, `${kind} ${vote.height}`, { kind: 'vote', value: { kind, vote, signature } });
}

/** One place for each member, kind and height: whoever names ever higher views fills neither memory nor journal (R12). */
function writeLater(state: ReplicaState, member: number, place: string, shown: Shown): void {
  state.unwritten.set(`${member} ${place}`, { kind: 'witness', member, shown });
}

/** A record of the journal, when it is replayed. */
export function restoreWitness(state: ReplicaState, member: number, shown: Shown): void {
  if (shown.kind === 'checkpoint') {
    witnessedOf(state, member).checkpoints.set(shown.value.checkpoint.height, shown.value);
  } else {
    const { kind, vote, signature } = shown.value;
    keepVote(state, kind, member, { vote, signature });
  }
}

/** R5: the signed messages of `member`, for itself after a restart; the highest first, if not all can be told. */
export function shownTo(state: ReplicaState, member: number): Shown[] {
  const witnessed = state.witnessed.get(member);
  if (witnessed === undefined) return [];
  const shown: Shown[] = [];
  for (const [kind, { byHeight }] of witnessed.votes) {
    for (const { vote, signature } of byHeight.values()) shown.push({ kind: 'vote', value: { kind, vote, signature } });
  }
  for (const value of witnessed.checkpoints.values()) shown.push({ kind: 'checkpoint', value });
  return shown.sort((a, b) => heightOf(b) - heightOf(a));
}

export function epochOfShown(shown: Shown): number {
  return shown.kind === 'vote' ? shown.value.vote.epoch : shown.value.checkpoint.epoch;
}

function heightOf(shown: Shown): number {
  return shown.kind === 'vote' ? shown.value.vote.height : shown.value.checkpoint.height;
}

/**
 * C2: votes at and below a stable height are of no use, but the highest of each kind is kept: it shows a member that its
 * disk is older than what it signed.
 */
export function forgetWitnessed(state: ReplicaState, height: number): void {
  for (const { votes, checkpoints } of state.witnessed.values()) {
    for (const { byHeight } of votes.values()) keepHighest(byHeight, height);
    keepHighest(checkpoints, height);
  }
  for (const [place, record] of state.unwritten) if (isForgotten(state, record)) state.unwritten.delete(place);
}

function isForgotten({ witnessed }: ReplicaState, record: JournalRecord): boolean {
  if (record.kind !== 'witness') return false;
  const { member, shown } = record;
  const of = witnessed.get(member);
  if (shown.kind === 'checkpoint') return of?.checkpoints.get(shown.value.checkpoint.height) !== shown.value;
  const { kind, vote, signature } = shown.value;
  return of?.votes.get(kind)?.byHeight.get(vote.height)?.signature !== signature;
}

function keepHighest(byHeight: Map<number, unknown>, height: number): void {
  if (byHeight.size < 2) return;
  const highest = Math.max(...byHeight.keys());
  for (const known of byHeight.keys()) if (known <= height && known !== highest) byHeight.delete(known);
}

function witnessedOf(state: ReplicaState, member: number): Witnessed {
  let witnessed = state.witnessed.get(member);
  if (witnessed === undefined) {
    witnessed = { votes: new Map(), checkpoints: new Map() };
    state.witnessed.set(member, witnessed);
  }
  return witnessed;
}

function leaderOfVote({ peers }: ReplicaState, { epoch, view }: Vote): number {
  return leaderIndex(epoch, view, peers.length);
}

/** R6: what we sign is remembered by its place, so that a signature of ours that we did not make can be told. */
export function rememberOwn(state: ReplicaState, unsigned: Unsigned): void {
  switch (unsigned.kind) {
    case 'prePrepare':
    case 'prepare':
    case 'commit':
      return rememberVote(state, unsigned.kind, unsigned.vote);
    case 'viewChange':
      return rememberVote(state, 'viewChange', viewChangeVote(unsigned.body));
    case 'newView':
      for (const vote of unsigned.votes) rememberVote(state, 'prePrepare', vote);
      return;
    case 'checkpoint':
    case 'status':
      return;
  }
}

export function rememberVote(state: ReplicaState, kind: VoteKind, vote: Vote): void {
  let atHeight = state.ownVotes.get(vote.height);
  if (atHeight === undefined) {
    atHeight = new Map();
    state.ownVotes.set(vote.height, atHeight);
  }
  atHeight.set(`${kind} ${vote.view}`, vote.digest);
}

/**
 * R6: why a verified signature of our own key is one that our disk does not know: it was rolled back, or another process
 * has the key. Undefined if all is well.
 */
export function lackingOwn(state: ReplicaState, shown: Shown): string | undefined {
  if (shown.kind === 'checkpoint') return lackingCheckpoint(state, shown.value.checkpoint);
  const { kind, vote } = shown.value;
  const { view, height, digest } = vote;
  const name = `${kind} of view ${view}, height ${height}`;
  if (kind === 'viewChange') {
    const known = state.ownVotes.get(0)?.get(`viewChange ${view}`);
    if (known !== undefined && !equalBytes(known, digest)) return `another ${name} than ours`;
    return view > Math.max(state.asked, state.view) ? `a ${name} that is not in the journal` : undefined;
  }
  if (kind === 'newView') {
    // Whoever begins a view has entered it before.
    const { newView } = state;
    const own = view === state.view ? newView && newViewVote(newView.body) : undefined;
    if (own !== undefined && !equalBytes(own.digest, digest)) return `another ${name} than ours`;
    return view > state.view ? `a ${name} that is not in the journal` : undefined;
  }
  // What became stable since the start excuses nothing that can have been signed before it.
  const { low } = state.startedAt;
  const wasSignable = height > low && height <= low + state.config.parameters.window;
  if (height <= state.low && !wasSignable) return undefined;
  const known = state.ownVotes.get(height)?.get(`${kind} ${view}`);
  if (known !== undefined) return equalBytes(known, digest) ? undefined : `another ${name} than ours`;
  return `a ${name} that is not in the journal`;
}

function lackingCheckpoint(state: ReplicaState, { height, ...rest }: Checkpoint): string | undefined {
  const executed = state.mode === 'starting' ? state.startedAt.executed : state.executed.height;
  if (height > executed) return `a CHECKPOINT of height ${height}, executed is ${executed}`;
  if (height <= state.low) return undefined;
  const own = state.checkpoints.get(height)?.own;
  if (own === undefined || sameEncoding(checkpointCodec, own, { height, ...rest })) return undefined;
  return `another CHECKPOINT of height ${height} than ours`;
}

/** A message of ours that came from outside, as it would be shown; undefined for what is not ours or not counted. */
export function ownIn(state: ReplicaState, message: Message): Shown | undefined {
  const { self } = state.config;
  switch (message.kind) {
    case 'prePrepare': {
      const { vote, signature } = message.value;
      if (leaderOfVote(state, vote) !== self) return undefined;
      return { kind: 'vote', value: { kind: 'prePrepare', vote, signature } };
    }
    case 'prepare':
    case 'commit': {
      const { vote, sender, signature } = message.value;
      return sender === self ? { kind: 'vote', value: { kind: message.kind, vote, signature } } : undefined;
    }
    case 'viewChange': {
      const { body, sender, signature } = message.value;
      if (sender !== self) return undefined;
      return { kind: 'vote', value: { kind: 'viewChange', vote: viewChangeVote(body), signature } };
    }
    case 'newView': {
      const { body, signature } = message.value;
      const vote = newViewVote(body);
      if (leaderOfVote(state, vote) !== self) return undefined;
      return { kind: 'vote', value: { kind: 'newView', vote, signature } };
    }
    case 'checkpoint':
      return message.value.sender === self ? { kind: 'checkpoint', value: message.value } : undefined;
    default:
      return undefined;
  }
}
