import type { PeerView, WhyView } from '../api/ports.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { checkpointCodec } from '../ledger/checkpoint.ts';
import { encode } from '../ledger/codec.ts';
import { leaderIndex } from '../ledger/validators.ts';
import type { Now } from './pbft/events.ts';
import { chainNow, isConnected, leaderOf, type ReplicaState, type Slot } from './pbft/state.ts';

/** What the protocol stands still for, and whose part is here. */
interface Stand extends Pick<WhyView, 'waitingFor' | 'height' | 'view'> {
  readonly phrase: string;
  readonly need?: number;
  /** Members whose part is here. */
  readonly have?: readonly number[];
  /** Members whose part would help; all others where it is not given. */
  readonly wanted?: readonly number[];
}

/** What this node waits for at this moment, in one sentence for whoever is woken at night. `pending`: transactions in its pool. */
export function why(state: ReplicaState, peers: readonly PeerView[], pending: number, now: Now): WhyView {
  const { validators, self } = state.config;
  const stand = standOf(state, pending, now);
  const have = (stand.have ?? []).map((member) => validators[member]!.name);
  const wanted = stand.wanted ?? validators.map((_, member) => member);
  const missing = wanted
    .filter((member) => member !== self && !stand.have?.includes(member))
    .map((member) => ({ name: validators[member]!.name, why: absence(state, member, peers, now) }));
  const count = stand.need === undefined ? '' : `: have ${have.length} of ${stand.need}`;
  const from = have.length === 0 ? '' : ` (${have.join(', ')})`;
  const others = missing.map((one) => `; ${one.name} ${one.why}`).join('');
  return {
    sentence: `${stand.phrase}${count}${from}${others}`,
    waitingFor: stand.waitingFor,
    ...(stand.height !== undefined && { height: stand.height }),
    ...(stand.view !== undefined && { view: stand.view }),
    ...(stand.need !== undefined && { have: have.length, need: stand.need }),
    from: have,
    missing,
  };
}

function standOf(state: ReplicaState, pending: number, now: Now): Stand {
  const { mode, reason, executed, low, quorum } = state;
  if (mode === 'halted') return { waitingFor: 'operator', phrase: `Halted: ${reason}`, wanted: [] };
  if (mode === 'observing')
    return { waitingFor: 'nothing', phrase: `Has no vote: executed ${executed.height}, certified ${low}`, wanted: [] };
  if (mode === 'behind' || executed.height < low)
    return {
      waitingFor: 'blocks',
      phrase: `Fetching blocks: executed ${executed.height}, certified ${low}`,
      height: executed.height + 1,
      wanted: [],
    };
  const connected = [...state.peers.keys()].filter((member) => isConnected(state, member, now));
  if (connected.length < quorum)
    return { waitingFor: 'peers', phrase: 'Waiting for validators', have: connected, need: quorum };
  if (mode === 'starting' || mode === 'doubt') {
    const doubt = mode === 'doubt' ? 'In doubt about what it signed before, so it signs nothing' : 'Starting';
    const have = [...state.answered].sort(ascending);
    return { waitingFor: 'answers', phrase: `${doubt}: ${reason}`, have, need: quorum - 1 };
  }
  return state.asked > state.view ? viewStand(state) : heightStand(state, pending, now);
}

/** T8, V6: a view change under way. */
function viewStand(state: ReplicaState): Stand {
  const { asked: view, quorum } = state;
  const { epoch, validators } = state.config;
  const asking = [...state.viewChanges].filter(([, { body }]) => body.view >= view);
  const have = asking.map(([member]) => member).sort(ascending);
  const leader = leaderIndex(epoch, view, validators.length);
  if (have.length < quorum)
    return { waitingFor: 'view-change', phrase: `Waiting for VIEW-CHANGE to view ${view}`, view, have, need: quorum };
  const phrase = `Waiting for NEW-VIEW ${view} of its leader ${validators[leader]!.name}`;
  return { waitingFor: 'new-view', phrase, view, wanted: [leader] };
}

/** The lowest height that is not final. */
function heightStand(state: ReplicaState, pending: number, now: Now): Stand {
  const { executed, low, quorum, view } = state;
  const { validators, parameters } = state.config;
  if (executed.height > low) {
    const height = low + 1;
    const have = checkpointers(state, height);
    return {
      waitingFor: 'checkpoint',
      phrase: `Waiting for CHECKPOINT at height ${height}`,
      height,
      have,
      need: quorum,
    };
  }
  const height = executed.height + 1;
  const slot = state.slots.get(height);
  if (slot?.committed !== undefined)
    return {
      waitingFor: 'bodies',
      phrase: `Waiting for transactions of block ${height}, which is committed`,
      height,
      wanted: [],
    };
  const proposal = slot?.proposal;
  const leader = leaderOf(state);
  const { name } = validators[leader]!;
  if (slot === undefined || proposal === undefined || proposal.phase === 'refused') {
    const due = executed.timestamp + parameters.heartbeatMs - chainNow(state, now);
    const refused = proposal === undefined ? '' : ', whose last one was refused';
    if (pending === 0 && due > 0 && refused === '') {
      const phrase = `Idle: nothing is pending, the next empty block is due in ${due} ms`;
      return { waitingFor: 'nothing', phrase, wanted: [] };
    }
    const phrase = `Waiting for PRE-PREPARE at height ${height} of leader ${name}${refused}, pending transactions: ${pending}`;
    return { waitingFor: 'pre-prepare', phrase, height, view, wanted: leader === state.config.self ? [] : [leader] };
  }
  if (proposal.phase === 'held')
    return {
      waitingFor: 'held',
      phrase: `The proposal of ${name} at height ${height} can't be accepted yet: it is ahead of the clock here, or a block below may end the epoch`,
      height,
      wanted: [],
    };
  if (proposal.phase === 'bodies')
    return {
      waitingFor: 'bodies',
      phrase: `Waiting for transactions that ${name} proposes at height ${height}`,
      height,
      wanted: [],
    };
  return voteStand(state, slot, proposal.vote.digest);
}

function voteStand(state: ReplicaState, slot: Slot, digest: Uint8Array): Stand {
  const { quorum: need, view } = state;
  const { height } = slot;
  if (slot.prepared?.vote.view === view) {
    const have = [...slot.commits]
      .filter(([, ofMember]) => ofMember.some(({ vote }) => vote.view === view && equalBytes(vote.digest, digest)))
      .map(([member]) => member)
      .sort(ascending);
    return { waitingFor: 'commit', phrase: `Waiting for COMMIT at height ${height}`, height, view, have, need };
  }
  // N7: the proposal is the leader's part.
  const have = [...slot.prepares].filter(([, { vote }]) => equalBytes(vote.digest, digest)).map(([member]) => member);
  const all = [...new Set([leaderOf(state), ...have])].sort(ascending);
  return { waitingFor: 'prepare', phrase: `Waiting for PREPARE at height ${height}`, height, view, have: all, need };
}

/** Whoever says what most say: of a split nobody knows who is right. */
function checkpointers(state: ReplicaState, height: number): readonly number[] {
  const byContent = new Map<string, number[]>();
  for (const [member, { checkpoint }] of state.checkpoints.get(height)?.votes ?? []) {
    const content = toHex(encode(checkpointCodec, checkpoint));
    byContent.set(content, [...(byContent.get(content) ?? []), member]);
  }
  const [most = []] = [...byContent.values()].sort((a, b) => b.length - a.length);
  return most.sort(ascending);
}

function absence(state: ReplicaState, member: number, peers: readonly PeerView[], now: Now): string {
  const { heardAt, status } = state.peers[member]!;
  const peer = peers.find(({ index }) => index === member);
  if (peer?.connected === false) return `is not connected${peer.reason === undefined ? '' : `: ${peer.reason}`}`;
  if (status === undefined) return 'has not spoken yet';
  if (!isConnected(state, member, now)) return `silent for ${Math.round((now.monotonic - heardAt) / 1_000)} s`;
  const { mode, view, executed } = status.body;
  if (mode !== 'active') return `is ${mode}`;
  if (view !== state.view) return `is in view ${view}`;
  return `is at height ${executed}, and has not sent it`;
}

function ascending(a: number, b: number): number {
  return a - b;
}
