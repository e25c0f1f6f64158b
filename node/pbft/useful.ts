import { equalBytes } from '../../ledger/bytes.ts';
import { checkpointCodec } from '../../ledger/checkpoint.ts';
import { sameEncoding } from '../../ledger/codec.ts';
import { leaderIndex } from '../../ledger/validators.ts';
import { type Message, type NewView, newViewBodyCodec, type ViewChange, viewChangeCodec } from './messages.ts';
import { type ReplicaState, sameDigest } from './state.ts';
import { askersOf } from './view-timer.ts';

/** Cheap checks before any signature: what the core would drop anyway, and what is held already, is not verified. */
export function isUseful(state: ReplicaState, message: Message): boolean {
  const { low, executed, config } = state;
  const above = low + 2 * config.parameters.window;
  switch (message.kind) {
    case 'prePrepare': {
      const { vote } = message.value;
      const { view, height, digest } = vote;
      if (view < state.view || height <= low || height > above) return false;
      const held = view === state.view ? state.slots.get(height)?.proposal : undefined;
      return held?.signature === undefined || held.batch === undefined || !equalBytes(held.vote.digest, digest);
    }
    case 'prepare': {
      const { vote, sender } = message.value;
      if (vote.view < state.view || vote.height <= low || vote.height > above) return false;
      const held = vote.view === state.view ? state.slots.get(vote.height)?.prepares.get(sender) : undefined;
      return !sameDigest(held?.vote.digest, vote.digest);
    }
    case 'commit': {
      const { vote, sender } = message.value;
      if (vote.height <= Math.min(low, executed.height) || vote.height > above) return false;
      const held = state.slots.get(vote.height)?.commits.get(sender);
      return held?.some((one) => one.vote.view === vote.view && equalBytes(one.vote.digest, vote.digest)) !== true;
    }
    case 'commitCertificate': {
      const { height } = message.value.vote;
      return height > Math.min(low, executed.height) && height <= above;
    }
    case 'checkpoint': {
      const { checkpoint, sender } = message.value;
      if (checkpoint.height <= low || checkpoint.height > above) return false;
      const held = state.checkpoints.get(checkpoint.height)?.votes.get(sender);
      return held === undefined || !sameEncoding(checkpointCodec, held.checkpoint, checkpoint);
    }
    case 'certificate':
      return message.value.checkpoint.height > low;
    case 'viewChange': {
      const { body, sender } = message.value;
      const held = state.viewChanges.get(sender);
      if (body.view <= state.view || body.view < (held?.body.view ?? 0)) return false;
      return held === undefined || !sameEncoding(viewChangeCodec, held, message.value);
    }
    case 'newView':
      return isNewViewUseful(state, message.value);
    case 'status':
    case 'evidence':
      return true;
  }
}

/** V8: of a member that sent an invalid NEW-VIEW none is verified, unless f+1 members ask for its view. */
function isNewViewUseful(state: ReplicaState, { body }: NewView): boolean {
  const { view, epoch } = body;
  if (view < state.view || view < state.asked || view === 0) return false;
  const leader = leaderIndex(epoch, view, state.peers.length);
  // A second one of the same view is evidence, once.
  if (view === state.view) {
    const held = state.newView;
    return !(held && sameEncoding(newViewBodyCodec, held.body, body)) && !provenTwice(state, leader, view);
  }
  return !state.peers[leader]?.distrusted || askersOf(state, view) > state.faults;
}

function provenTwice(state: ReplicaState, leader: number, view: number): boolean {
  return (state.evidence.get(leader) ?? []).some(
    (one) => one.kind === 'vote' && one.value.kind === 'newView' && one.value.first.vote.view === view,
  );
}

/** The same was verified when it came by itself: a NEW-VIEW repeats it. */
export function isHeld(state: ReplicaState, viewChange: ViewChange): boolean {
  const held = state.viewChanges.get(viewChange.sender);
  return held !== undefined && sameEncoding(viewChangeCodec, held, viewChange);
}
