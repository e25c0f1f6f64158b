import type { Effect } from './events.ts';
import type { ReplicaState } from './state.ts';

/** Promise 6: halt rather than diverge. */
export function halt(state: ReplicaState, reason: string, effects: Effect[]): void {
  state.mode = 'halted';
  state.reason = reason;
  effects.push({ type: 'halt', reason });
}
