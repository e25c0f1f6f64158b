import type { Effect, Now } from './events.ts';
import type { Message, Status, StatusBody } from './messages.ts';
import type { ReplicaState, Slot } from './state.ts';

/** Messages sent again to one member for one STATUS of it. */
const RESEND_MAX = 64;

/** R4: tells everybody what is held here and, by leaving it out, what lacks. */
export function sendStatus(state: ReplicaState, now: Now, effects: Effect[]): void {
  state.statusNumber = Math.max(state.statusNumber + 1, now.wall);
  effects.push({ type: 'persist', records: [], then: [{ kind: 'status', body: statusBody(state) }] });
  effects.push({ type: 'startTimer', timer: 'status', delayMs: state.config.statusIntervalMs });
}

export function onChannel(state: ReplicaState, member: number, open: boolean, now: Now, effects: Effect[]): void {
  const peer = state.peers[member];
  if (peer === undefined) return;
  peer.open = open;
  if (open) sendStatus(state, now, effects);
}

/**
 * R4: sends a member what it lacks, when it made no progress since its last STATUS (else the votes are just on their
 * way). Nothing depends on one message arriving.
 */
export function onStatus(state: ReplicaState, message: Status, effects: Effect[]): void {
  const { body, sender } = message;
  const peer = state.peers[sender];
  if (peer === undefined || sender === state.config.self) return;
  const before = peer.status;
  if (before !== undefined && body.number <= before.number) return;
  peer.status = body;
  const moved = before !== undefined && (body.executed > before.executed || body.low > before.low);
  if (moved) return;
  let room = RESEND_MAX;
  for (const missing of lacking(state, body)) {
    if (room-- === 0) return;
    effects.push({ type: 'send', to: sender, message: missing });
  }
}

/** What `body` shows that its sender lacks: certificate first, then height by height. */
function* lacking(state: ReplicaState, body: StatusBody): Generator<Message> {
  if (state.stable !== undefined && (body.low < state.low || body.executed < state.low)) {
    yield { kind: 'certificate', value: state.stable };
  }
  const { window } = state.config.parameters;
  for (const slot of [...state.slots.values()].sort((a, b) => a.height - b.height)) {
    if (slot.height <= body.executed || slot.height > body.low + 2 * window) continue;
    yield* lackingVotes(state, slot, body);
  }
  for (const [height, { votes }] of state.checkpoints) {
    if (height <= body.low || height > body.low + 2 * window) continue;
    const held = body.held.find((one) => one.height === height)?.checkpoints;
    for (const [member, vote] of votes) {
      if (!has(held, member)) yield { kind: 'checkpoint', value: vote };
    }
  }
}

function* lackingVotes(state: ReplicaState, slot: Slot, body: StatusBody): Generator<Message> {
  const held = body.held.find((one) => one.height === slot.height);
  const { proposal, committed } = slot;
  if (proposal?.signature !== undefined && proposal.phase !== 'refused' && held?.prePrepare !== true) {
    yield { kind: 'prePrepare', value: { vote: proposal.vote, signature: proposal.signature, batch: proposal.batch } };
  }
  for (const [member, vote] of slot.prepares) if (!has(held?.prepares, member)) yield { kind: 'prepare', value: vote };
  if (committed?.batch !== undefined && count(held?.commits) < state.quorum) {
    const { vote, commits, batch } = committed;
    yield { kind: 'commitCertificate', value: { vote, commits, batch } };
  }
  for (const [member, vote] of slot.commits) if (!has(held?.commits, member)) yield { kind: 'commit', value: vote };
}

function statusBody(state: ReplicaState): StatusBody {
  const n = state.config.validators.length;
  const heights = new Set([...state.slots.keys(), ...state.checkpoints.keys()]);
  return {
    epoch: state.config.epoch,
    number: state.statusNumber,
    view: state.view,
    viewAsked: state.view,
    mode: state.mode,
    suspects: false,
    low: state.low,
    executed: state.executed.height,
    held: [...heights]
      .sort((a, b) => a - b)
      .slice(0, 2 * state.config.parameters.window)
      .map((height) => {
        const slot = state.slots.get(height);
        return {
          height,
          prePrepare: slot?.proposal?.signature !== undefined,
          prepares: bitmap(n, slot?.prepares.keys()),
          commits: bitmap(n, slot?.commits.keys()),
          checkpoints: bitmap(n, state.checkpoints.get(height)?.votes.keys()),
        };
      }),
    viewChanges: state.config.validators.map(() => 0),
    evidence: state.config.validators.map(() => 0),
  };
}

function bitmap(n: number, members: Iterable<number> = []): Uint8Array {
  const bits = new Uint8Array(Math.ceil(n / 8));
  for (const member of members) bits[member >> 3]! |= 1 << (member & 7);
  return bits;
}

function has(bits: Uint8Array | undefined, member: number): boolean {
  return bits !== undefined && ((bits[member >> 3]! >> (member & 7)) & 1) === 1;
}

function count(bits: Uint8Array | undefined): number {
  let members = 0;
  for (const byte of bits ?? []) for (let bit = byte; bit > 0; bit >>= 1) members += bit & 1;
  return members;
}
