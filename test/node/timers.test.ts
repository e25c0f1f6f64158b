import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import fc from 'fast-check';
import { defaultParameters, parametersProblem } from '../../ledger/parameters.ts';
import type { TimerName } from '../../node/pbft/events.ts';
import { onViewLeft } from '../../node/pbft/view-timer.ts';
import type { Scheduler } from '../../node/ports.ts';
import { onceOnly, processScheduler } from '../../node/scheduler.ts';
import { Cluster } from '../support/cluster.ts';

const LONGEST_MS = 2 ** 31 - 1;
const TIMERS: readonly TimerName[] = ['heartbeat', 'batchDelay', 'status', 'catchUp', 'held', 'tick'];

describe('timers of a process', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
  afterEach(() => mock.timers.reset());

  it('T05: a delay above 2^31 - 1 ms does not fire at once, and a negative one does', () => {
    const fired: number[] = [];
    for (const delayMs of [2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY, -5]) {
      processScheduler.setTimer(delayMs, () => fired.push(delayMs));
    }
    mock.timers.tick(1);
    assert.deepEqual(fired, [-5]);
    mock.timers.tick(LONGEST_MS);
    assert.equal(fired.length, 5);
  });

  it('T04: one that was stopped does not fire', () => {
    const stop = processScheduler.setTimer(10, assert.fail);
    stop();
    stop();
    mock.timers.tick(20);
  });

  it('T04: each runs once and never after it was stopped, whatever the timers below do', () => {
    const armed: (() => void)[] = [];
    const misfiring: Scheduler = {
      setTimer(_, run) {
        armed.push(run);
        return () => {};
      },
      soon: (run) => run(),
    };
    let runs = 0;
    onceOnly(misfiring).setTimer(1, () => runs++);
    armed[0]!();
    armed[0]!();
    assert.equal(runs, 1);
    const stop = onceOnly(misfiring).setTimer(1, assert.fail);
    stop();
    armed[1]!();
  });
});

describe('timers of the protocol', () => {
  it('T05: at the longest parameters no timer is longer than 31 bits hold', () => {
    const longest = {
      ...defaultParameters,
      heartbeatMs: 86_400_000,
      viewTimeoutMs: 3_600_000,
      inclusionTimeoutMs: 86_400_000,
      batchDelayMs: 60_000,
      maxBehindMs: 30 * 86_400_000,
    };
    assert.equal(parametersProblem(longest), undefined);
    const cluster = new Cluster(4, longest);
    for (const name of 'abc') {
      cluster.order(name);
      cluster.deliver();
      cluster.advance(longest.heartbeatMs + 1);
      cluster.deliver();
    }
    const delays = cluster.members.flatMap(({ effects }) =>
      effects.flatMap((effect) => (effect.type === 'startTimer' ? [effect.delayMs] : [])),
    );
    assert(Math.max(...delays) > 60_000 && Math.max(...delays) <= LONGEST_MS, `${Math.max(...delays)} ms`);
  });

  it('T05: however many views fail, the view timeout ends at its cap', () => {
    for (const viewTimeoutMs of [50, 2_000, 3_600_000]) {
      const { state } = new Cluster(4, { viewTimeoutMs }).members[0]!;
      for (let failed = 0; failed < 500; failed++) onViewLeft(state, false);
      assert.equal(state.timer.timeoutMs, Math.max(600_000, 8 * viewTimeoutMs));
    }
  });

  it('T04: the core takes any timer at any moment, twice and when none was asked for', () => {
    const firing = fc.record({
      member: fc.nat(3),
      timer: fc.constantFrom(...TIMERS),
      times: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(firing, { maxLength: 60 }), fc.infiniteStream(fc.nat()), (firings, order) => {
        const cluster = new Cluster(4, { window: 4 });
        const fire = (member: number, timer: TimerName): void => {
          const waiting = { handed: false, overdue: false };
          cluster.feed(member, timer === 'tick' ? { type: 'tick', waiting } : { type: 'timer', timer });
        };
        for (const [i, { member, timer, times }] of firings.entries()) {
          if (i % 12 === 0) cluster.order(`${i}`);
          for (let time = 0; time < times; time++) fire(member, timer);
          const next = cluster.wire.splice(0, order.next().value % (cluster.wire.length + 1));
          for (const sent of next) cluster.deliverOne(sent);
        }
        cluster.deliver();
        for (let i = 0; i < 40; i++) {
          cluster.advance(250);
          cluster.deliver();
        }
        const [first, ...others] = cluster.members.map(({ state }) => state);
        assert(first!.executed.height >= Math.ceil(firings.length / 12));
        for (const other of others) assert.deepEqual(other.executed, first!.executed);
        assert(cluster.members.every(({ state }) => state.view === 0 && state.evidence.size === 0));
      }),
      { numRuns: 40 },
    );
  });
});
