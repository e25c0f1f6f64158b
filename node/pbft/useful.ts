import { equalBytes } from '../../ledger/bytes.ts';
import { encode } from '../../ledger/codec.ts';
import { leaderIndex } from '../../ledger/validators.ts';
import { type Message, viewChangeCodec } from './messages.ts';
import type { ReplicaState } from './state.ts';
import { askersOf } from './view-timer.ts';

/** Cheap checks before any signature: what the core would drop anyway is not verified. */
export function isUseful(state: ReplicaState, message: Message): boolean {
  const { low, executed, config } = state;
  const above = low + 2 * config.parameters.window;
  switch (message.kind) {
    case 'prePrepare':
    case 'prepare': {
      const { view, height } = message.value.vote;
      return view >= state.view && height > low && height <= above;
    }
    case 'commit':
    case 'commitCertificate': {
      const { height } = message.value.vote;
      return height > Math.min(low, executed.height) && height <= above;
    }
    case 'checkpoint':
      return message.value.checkpoint.height > low && message.value.checkpoint.height <= above;
    case 'certificate':
      return message.value.checkpoint.height > low;
    case 'viewChange': {
      const { body, sender } = message.value;
      return body.view > state.view && body.view >= (state.viewChanges.get(sender)?.body.view ?? 0);
    }
    case 'newView':
      return isNewViewUseful(state, message.value.body.view, message.value.body.epoch);
    case 'status':
    case 'evidence':
      return true;
  }
}

/** V8: of a member that sent an invalid NEW-VIEW none is verified, unless f+1 members ask for its view. */
function isNewViewUseful(state: ReplicaState, view: number, epoch: number): boolean {
  if (view < state.view || view < state.asked || view === 0) return false;
  const leader = leaderIndex(epoch, view, state.peers.length);
  // A second one of the same view is evidence, once.
  if (view === state.view) return !provenTwice(state, leader, view);
  return !state.peers[leader]?.distrusted || askersOf(state, view) > state.faults;
}

function provenTwice(state: ReplicaState, leader: number, view: number): boolean {
  return (state.evidence.get(leader) ?? []).some(
    (one) => one.kind === 'vote' && one.value.kind === 'newView' && one.value.first.vote.view === view,
  );
}

/** The same bytes were verified when they came by themselves: a NEW-VIEW repeats them. */
export function isHeld(state: ReplicaState, viewChange: Uint8Array): boolean {
  for (const held of state.viewChanges.values()) {
    if (equalBytes(encode(viewChangeCodec, held), viewChange)) return true;
  }
  return false;
}
