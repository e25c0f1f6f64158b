import type { Message } from './messages.ts';
import { inBuffer, type ReplicaState } from './state.ts';

/**
 * V12: of each member, messages for the highest view above ours that it spoke of, one per kind and height up to
 * low + 2 x window. A member that names ever higher views only loses its own earlier ones.
 */
export function keepForLater(
  state: ReplicaState,
  sender: number,
  view: number,
  height: number,
  message: Message,
): void {
  const future = state.peers[sender]?.future;
  if (future === undefined || view < future.view || !inBuffer(state, height)) return;
  if (view > future.view) {
    future.view = view;
    future.messages.clear();
  }
  const key = `${message.kind} ${height}`;
  if (!future.messages.has(key)) future.messages.set(key, message);
}

/** C2: what is stable needs no votes in any view. */
export function forgetFuture(state: ReplicaState): void {
  for (const { future } of state.peers) {
    for (const [key, { kind, value }] of future.messages) {
      const height = kind === 'prePrepare' || kind === 'prepare' ? value.vote.height : 0;
      if (height <= state.low) future.messages.delete(key);
    }
  }
}
