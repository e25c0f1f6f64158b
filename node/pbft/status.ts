import { equalBytes, toHex } from '../../ledger/bytes.ts';
import { GUESTS_MAX } from '../../ledger/limits.ts';
import type { Effect, Now } from './events.ts';
import type { Message, Status, StatusBody } from './messages.ts';
import { CONNECTED_INTERVALS, type Peer, type ReplicaState, type Slot } from './state.ts';

/** Messages sent again to one member for one STATUS of it. */
const RESEND_MAX = 64;

/** R4: tells everybody what is held here and, by leaving it out, what lacks; passes on what others told. */
export function sendStatus(state: ReplicaState, now: Now, effects: Effect[]): void {
  const { mode } = state;
  // Nobody hears a STATUS of one that is no member.
  if (mode === 'observing') return;
  state.statusNumber = Math.max(state.statusNumber + 1, now.wall);
  effects.push({ type: 'persist', records: [], then: [{ kind: 'status', body: statusBody(state, mode, now) }] });
  effects.push({ type: 'startTimer', timer: 'status', delayMs: state.config.statusIntervalMs });
  relayStatuses(state, now, effects);
}

/** R4: the newest STATUS of every member goes to those without a channel to it. */
function relayStatuses(state: ReplicaState, now: Now, effects: Effect[]): void {
  for (const [to, { open, status }] of state.peers.entries()) {
    if (!open || to === state.config.self) continue;
    for (const [member, peer] of state.peers.entries()) {
      if (member === to || member === state.config.self || peer.status === undefined) continue;
      if (
        now.monotonic - peer.heardAt > CONNECTED_INTERVALS * state.config.statusIntervalMs ||
        has(status?.body.hears, member)
      )
        continue;
      effects.push({ type: 'send', to, message: { kind: 'status', value: peer.status } });
    }
  }
}

export function onChannel(state: ReplicaState, member: number, open: boolean, now: Now, effects: Effect[]): void {
  const peer = state.peers[member];
  if (peer === undefined) return;
  peer.open = open;
  if (!open) return;
  peer.unreachable = false;
  sendStatus(state, now, effects);
}

/** E5: who waits to become a member, and whether it can be heard. */
export function onGuest(state: ReplicaState, peerKey: Uint8Array, open: boolean): void {
  if (open) state.guests.set(toHex(peerKey), peerKey);
  else state.guests.delete(toHex(peerKey));
}

/** E5: whether q members, itself included, have a live channel to it by their newest STATUS. */
export function isHeard(state: ReplicaState, peerKey: Uint8Array, now: Now): boolean {
  const oldest = now.monotonic - CONNECTED_INTERVALS * state.config.statusIntervalMs;
  let count = state.guests.has(toHex(peerKey)) ? 1 : 0;
  for (const { status, heardAt } of state.peers)
    if (heardAt >= oldest && status?.body.guests.some((key) => equalBytes(key, peerKey))) count++;
  return count >= state.quorum;
}

/**
 * R4: sends a member what it lacks, when it made no progress since its last STATUS (else it is just on its way). Nothing
 * depends on one message arriving.
 */
export function onStatus(state: ReplicaState, message: Status, now: Now, effects: Effect[]): void {
  const { body, sender } = message;
  const peer = state.peers[sender];
  if (peer === undefined) return;
  if (sender === state.config.self) {
    // Our own of before a restart, passed on by others: the wall clock went back, and lower numbers are ignored.
    state.statusNumber = Math.max(state.statusNumber, body.number);
    return;
  }
  const before = peer.status?.body;
  if (before !== undefined && body.number <= before.number) {
    if (body.number < before.number)
      resend(state, sender, peer, [{ kind: 'status', value: peer.status! }], now, effects);
    return;
  }
  peer.status = message;
  peer.heardAt = now.monotonic;
  const waits = body.viewAsked > Math.max(body.view, state.view);
  peer.waitingSince = waits ? (peer.waitingSince ?? now.monotonic) : undefined;
  if (before === undefined || !moved(before, body)) resend(state, sender, peer, lacking(state, body), now, effects);
}

function moved(before: StatusBody, { executed, low, view, viewAsked }: StatusBody): boolean {
  return executed > before.executed || low > before.low || view > before.view || viewAsked > before.viewAsked;
}

/** R23: at most once in half an interval, however many STATUS a member sends. */
function resend(
  state: ReplicaState,
  to: number,
  peer: Peer,
  messages: Iterable<Message>,
  now: Now,
  effects: Effect[],
): void {
  if (!peer.open || now.monotonic - peer.resentAt < state.config.statusIntervalMs / 2) return;
  let room = RESEND_MAX;
  for (const message of messages) {
    if (room-- === 0) break;
    peer.resentAt = now.monotonic;
    effects.push({ type: 'send', to, message });
  }
}

/** What `body` shows that its sender lacks: the certificate, its way to our view, then height by height. */
function* lacking(state: ReplicaState, body: StatusBody): Generator<Message> {
  if (state.stable !== undefined && (body.low < state.low || body.executed < state.low)) {
    yield { kind: 'certificate', value: state.stable };
  }
  if (state.newView !== undefined && body.view < state.view && body.viewAsked <= state.view) {
    yield { kind: 'newView', value: state.newView };
  }
  for (const [member, viewChange] of ownFirst(state, state.viewChanges)) {
    const { view } = viewChange.body;
    if (view > body.view && view > (body.viewChanges[member] ?? 0)) yield { kind: 'viewChange', value: viewChange };
  }
  const { window } = state.config.parameters;
  const slots = [...state.slots.values()]
    .filter(({ height }) => height > body.executed && height <= body.low + 2 * window)
    .sort((a, b) => a.height - b.height);
  for (const slot of slots) yield* lackingVotes(state, slot, body);
  for (const [height, { votes }] of state.checkpoints) {
    if (height <= body.low || height > body.low + 2 * window) continue;
    const held = body.held.find((one) => one.height === height)?.checkpoints;
    for (const [member, vote] of ownFirst(state, votes)) {
      if (!has(held, member)) yield { kind: 'checkpoint', value: vote };
    }
  }
  for (const [member, kept] of state.evidence) {
    if (kept.length <= (body.evidence[member] ?? 0)) continue;
    for (const value of kept) yield { kind: 'evidence', value };
  }
  // Last: STATUS says nothing about them, so they are sent again each time.
  for (const slot of slots) yield* otherCommits(state, slot, body);
}

function* lackingVotes(state: ReplicaState, slot: Slot, body: StatusBody): Generator<Message> {
  const held = body.held.find((one) => one.height === slot.height);
  const { proposal, committed } = slot;
  // Votes of a view are of use to whoever is in it; a commit certificate to everybody.
  const sameView = body.view === state.view;
  if (sameView && proposal?.signature !== undefined && proposal.batch !== undefined && held?.prePrepare !== true) {
    const { vote, signature, batch } = proposal;
    yield { kind: 'prePrepare', value: { vote, signature, batch } };
  }
  if (sameView) {
    for (const [member, vote] of ownFirst(state, slot.prepares)) {
      if (!has(held?.prepares, member)) yield { kind: 'prepare', value: vote };
    }
  }
  if (committed?.batch !== undefined) {
    const { vote, commits, batch } = committed;
    yield { kind: 'commitCertificate', value: { vote, commits, batch } };
    return;
  }
  for (const [member, votes] of ownFirst(state, slot.commits)) {
    const vote = votes.find((one) => one.vote.view === body.view);
    if (vote !== undefined && !has(held?.commits, member)) yield { kind: 'commit', value: vote };
  }
}

/** N8: COMMITs of other views than the asker's may be the ones that it needs. */
function* otherCommits(state: ReplicaState, { commits, committed }: Slot, { view }: StatusBody): Generator<Message> {
  if (committed?.batch !== undefined) return;
  for (const [, votes] of ownFirst(state, commits)) {
    for (const value of votes) if (value.vote.view !== view) yield { kind: 'commit', value };
  }
}

/** R4: own messages first, then those of others. */
function* ownFirst<T>({ config }: ReplicaState, byMember: ReadonlyMap<number, T>): Generator<[number, T]> {
  const own = config.self === undefined ? undefined : byMember.get(config.self);
  if (own !== undefined) yield [config.self!, own];
  for (const entry of byMember) if (entry[0] !== config.self) yield entry;
}

function statusBody(state: ReplicaState, mode: StatusBody['mode'], now: Now): StatusBody {
  const n = state.config.validators.length;
  const heights = new Set([...state.slots.keys(), ...state.checkpoints.keys()]);
  return {
    epoch: state.config.epoch,
    number: state.statusNumber,
    view: state.view,
    viewAsked: state.asked,
    mode,
    suspects: state.timer.suspicion !== undefined,
    low: state.low,
    executed: state.executed.height,
    held: [...heights]
      .sort((a, b) => a - b)
      .slice(-2 * state.config.parameters.window)
      .map((height) => {
        const slot = state.slots.get(height);
        const { proposal } = slot ?? {};
        return {
          height,
          prePrepare: proposal?.signature !== undefined && proposal.batch !== undefined,
          prepares: bitmap(n, slot?.prepares.keys()),
          commits: bitmap(n, slot && committers(slot, state.view)),
          checkpoints: bitmap(n, state.checkpoints.get(height)?.votes.keys()),
        };
      }),
    hears: bitmap(n, heard(state, now)),
    guests: [...state.guests.values()].slice(0, GUESTS_MAX),
    viewChanges: state.config.validators.map((_, member) => state.viewChanges.get(member)?.body.view ?? 0),
    evidence: state.config.validators.map((_, member) => state.evidence.get(member)?.length ?? 0),
  };
}

function* committers({ commits }: Slot, view: number): Generator<number> {
  for (const [member, votes] of commits) if (votes.some(({ vote }) => vote.view === view)) yield member;
}

/**
 * A channel over which nothing comes is none: what others pass on takes its place (R4), early enough to come within the
 * three intervals that count as connected.
 */
function* heard({ peers, config }: ReplicaState, now: Now): Generator<number> {
  const oldest = now.monotonic - 1.5 * config.statusIntervalMs;
  for (const [member, { open, heardAt }] of peers.entries()) if (open && heardAt >= oldest) yield member;
}

function bitmap(n: number, members: Iterable<number> = []): Uint8Array {
  const bits = new Uint8Array(Math.ceil(n / 8));
  for (const member of members) bits[member >> 3]! |= 1 << (member & 7);
  return bits;
}

function has(bits: Uint8Array | undefined, member: number): boolean {
  return bits !== undefined && ((bits[member >> 3]! >> (member & 7)) & 1) === 1;
}
