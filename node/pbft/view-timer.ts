import type { Now } from './events.ts';
import { chainNow, connectedCount, leaderOf, type ReplicaState, targetView } from './state.ts';

/** T5: no cap grows beyond this. */
const CAP_MAX_MS = 600_000;
/** T5: the cap in view timeouts, until it had to grow. */
const CAP_FACTOR = 8;
/** V1: how long, in view timeouts, a member waits in a higher view before we suspect ours for its sake. */
const LIMBO_TIMEOUTS = 10;

/** How often the view timer is looked at: a twentieth of its shortest time. */
export function tickMs(state: ReplicaState): number {
  return Math.max(5, Math.floor(state.config.parameters.viewTimeoutMs / 20));
}

/**
 * T2: the timer runs while there is a reason and no progress; it is paused, never reset, while this member executes, is
 * caught up, or is cut off from a quorum. A stall of the event loop counts as two ticks at most.
 */
export function runViewTimer(state: ReplicaState, now: Now): void {
  const { timer } = state;
  const elapsed = Math.min(now.monotonic - timer.tickedAt, 2 * tickMs(state));
  timer.tickedAt = now.monotonic;
  const executing = state.handedOver > state.executed.height && !state.syncing;
  const paused = executing || timer.caughtUp || connectedCount(state, now) < state.quorum;
  timer.caughtUp = false;
  // T8 while waiting for a new view, T3 in one.
  const runs = state.asked > state.view ? askersOf(state, state.asked) >= state.quorum : hasReason(state, now);
  if (runs && !paused) timer.waited += elapsed;
  if (timer.waited >= timer.timeoutMs) timer.silent = true;
  for (const peer of state.peers) {
    const { waitingSince } = peer;
    if (waitingSince === undefined || now.monotonic - waitingSince < LIMBO_TIMEOUTS * timer.timeoutMs) continue;
    peer.limbo = state.view;
    peer.waitingSince = undefined;
  }
}

/** T3: without a reason nobody waits for the leader. */
function hasReason(state: ReplicaState, now: Now): boolean {
  if (state.waiting.handed) return true;
  if (chainNow(state, now) >= state.executed.timestamp + state.config.parameters.heartbeatMs) return true;
  for (const { height, proposal } of state.slots.values()) {
    if (height > state.executed.height && proposal?.phase === 'accepted') return true;
  }
  return false;
}

/** T8: members known to ask for `view` or a higher one. */
export function askersOf(state: ReplicaState, view: number): number {
  let count = 0;
  for (const { body } of state.viewChanges.values()) if (body.view >= view) count++;
  return count;
}

/**
 * T2: a newly executed transaction is progress, and a heartbeat is for whoever has nothing that this leader should
 * order. While waiting for a new view nothing but entering it is.
 */
export function onProgress(state: ReplicaState, transactions: number, caughtUp: boolean): void {
  const { timer } = state;
  if (caughtUp) timer.caughtUp = true;
  if (state.asked > state.view || (transactions === 0 && state.waiting.handed)) return;
  timer.waited = 0;
  timer.silent = false;
}

/** T5: each stable checkpoint in the view halves the timeout, down to its base. */
export function onStable({ timer, config }: ReplicaState): void {
  const base = config.parameters.viewTimeoutMs;
  timer.stableInView = true;
  timer.atCap = 0;
  timer.timeoutMs = Math.max(base, timer.timeoutMs / 2);
  if (timer.timeoutMs <= CAP_FACTOR * base) timer.capMs = CAP_FACTOR * base;
}

/**
 * T5: a view that is left without a new stable checkpoint has failed, unless its leader's term is over, or its leader is
 * `proven` faulty: that says nothing about how long the network takes.
 */
export function onViewLeft(state: ReplicaState, proven: boolean): void {
  const { timer, config, faults } = state;
  if (!timer.stableInView && !proven && !isTermOver(state)) {
    if (timer.timeoutMs >= timer.capMs && ++timer.atCap > faults) {
      timer.atCap = 0;
      timer.capMs = Math.min(2 * timer.capMs, Math.max(CAP_MAX_MS, CAP_FACTOR * config.parameters.viewTimeoutMs));
    }
    timer.timeoutMs = Math.min(2 * timer.timeoutMs, timer.capMs);
  }
  restartViewTimer(timer);
}

export function restartViewTimer(timer: ReplicaState['timer']): void {
  timer.waited = 0;
  timer.silent = false;
  timer.stableInView = false;
}

/** V1: a planned hand-over is due in the view that we are in. */
function isTermOver({ asked, view, executed, carryTop, config }: ReplicaState): boolean {
  return asked <= view && executed.height >= carryTop + config.parameters.leaderTerm;
}

/** V1: why the view (or the one asked for) is suspected now; undefined when it is not, so it can be withdrawn. */
export function suspicionOf(state: ReplicaState): string | undefined {
  const { timer, config, waiting } = state;
  if (state.mode !== 'active') return undefined;
  if (state.asked > state.view) return timer.silent ? `no NEW-VIEW of view ${state.asked}` : undefined;
  if (isTermOver(state)) return 'the term is over';
  if (timer.silent) return 'silence';
  if (waiting.overdue) return 'a transaction is left out';
  const leader = leaderOf(state);
  if (leader !== config.self && state.peers[leader]?.unreachable) return 'the leader is unreachable';
  const waits = state.peers.findIndex(({ limbo }) => limbo === targetView(state));
  return waits < 0 ? undefined : `member ${waits} waits in a higher view`;
}
