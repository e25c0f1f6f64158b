import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { circumstances, type Figures } from '../../bench/figures.ts';
import type { Row } from '../../bench/row.ts';
import { scoreboardText, scores } from '../../bench/scoreboard.ts';

const figures = (bench: string, rows: readonly Row[], quick = false): Figures => {
  return { [bench]: { rows: [...rows], options: { quick }, ...circumstances() } };
};
const ratio = (name: string, value: number | null): Row => ({ name, value, unit: 'ratio' });
const verdicts = (recorded: Figures): Record<string, string> => {
  const measured = scores(recorded).filter(({ value }) => value !== undefined);
  return Object.fromEntries(measured.map(({ label, verdict }) => [label, verdict]));
};

describe('the scoreboard', () => {
  it('compares with what must be reached and with the aim, in the direction that is better', () => {
    for (const [value, expected] of [
      [0.249, 'not reached'],
      [0.25, 'reached'],
      [0.399, 'reached'],
      [0.4, 'aim reached'],
    ] as const) {
      assert.deepEqual(verdicts(figures('throughput', [ratio('finalPerR1', value)])), { 'throughput ÷ R1': expected });
    }
    for (const [value, expected] of [
      [1.901, 'not reached'],
      [1.9, 'reached'],
      [1.3, 'aim reached'],
    ] as const) {
      const recorded = figures('throughput', [ratio('cpuPerVerification', value)]);
      assert.deepEqual(verdicts(recorded), { 'CPU ÷ four verifications': expected });
    }
    // Without an aim there is none to reach.
    const lag = figures('throughput', [{ name: 'loop lag p99', value: 3, unit: 'ms' }]);
    assert.deepEqual(verdicts(lag), { 'event loop lag at full load, p99': 'reached' });
  });

  it('takes the row of the same unit, and every size that a run chose', () => {
    const killed = figures('failover', [ratio('killed', 0.2), { name: 'killed', value: 9, unit: 'ms' }]);
    assert.deepEqual(verdicts(killed), { 'leader killed ÷ view timeout': 'reached' });
    const sizes = figures('catch-up', [
      ratio('10000 transactions: catch-up', 2),
      ratio('100000 transactions: catch-up', 4),
    ]);
    assert.deepEqual(verdicts(sizes), {
      'catch-up ÷ live, 10,000 transactions': 'not reached',
      'catch-up ÷ live, 100,000 transactions': 'reached',
    });
  });

  it('says what is not measured, and what a quick run measured', () => {
    const none = scores({});
    assert(none.length > 20 && none.every(({ verdict }) => verdict === 'not measured'));
    assert.equal(scoreboardText({}).split('\n').length, none.length + 1);
    const skipped = figures('window', [{ ...ratio('window', null), skipped: 'no time' }]);
    assert(scores(skipped).every(({ verdict }) => verdict === 'not measured'));
    const quick = scoreboardText(figures('window', [ratio('window', 0.5)], true));
    assert.match(quick, /^throughput at 50 ms ÷ at 0 ms +0\.5 +ratio +>= 0\.7 +>= 0\.95 +not reached \(quick run\)$/m);
  });
});
