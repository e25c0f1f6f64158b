import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ASK_FIRST_MS, REQUEST_TIMEOUT_MS, UNANSWERED_MS } from '../../node/limits.ts';
import { Sources } from '../../node/sources.ts';

const BODY = new Uint8Array(1);

/** Members 1 to 3; those in `silent` never answer, and waiting for them takes its time. */
function sourcesWith(silent: ReadonlySet<number>) {
  const clock = { now: 0 };
  const waited: number[] = [];
  const sources = new Sources({
    candidates: () => [1, 2, 3],
    now: () => clock.now,
    async request(member, _, timeoutMs) {
      if (!silent.has(member)) return BODY;
      waited.push(timeoutMs);
      clock.now += timeoutMs;
      throw new Error('no answer');
    },
  });
  return { sources, clock, waited };
}

describe('whom a catch-up asks (R7, R21)', () => {
  it('each turn begins with another member, whatever they claim', () => {
    const { sources } = sourcesWith(new Set());
    assert.deepEqual(
      [0, 1, 2, 3].map((turn) => sources.inTurn(0, turn)[0]),
      [1, 2, 3, 1],
    );
  });

  it('N05, R21: a member that does not answer costs a second, and then comes last for a while', async () => {
    const { sources, clock, waited } = sourcesWith(new Set([2]));
    await assert.rejects(sources.ask(2, BODY));
    assert.deepEqual(waited, [ASK_FIRST_MS]);
    for (let turn = 0; turn < 6; turn++) assert.equal(sources.inTurn(0, turn).at(-1), 2);
    clock.now += UNANSWERED_MS;
    assert.deepEqual(sources.inTurn(0, 1), [2, 3, 1]);
  });

  it('what takes a member longer to make may be waited for longer', async () => {
    const { sources, waited } = sourcesWith(new Set([2]));
    await assert.rejects(sources.ask(2, BODY, REQUEST_TIMEOUT_MS));
    assert.deepEqual(waited, [REQUEST_TIMEOUT_MS]);
    assert.deepEqual(sources.inTurn(0, 1), [2, 3, 1], 'and it does not come last for that');
  });

  it('where nobody answers in time, longer is waited, up to the limit', async () => {
    const { sources, waited } = sourcesWith(new Set([1, 2, 3]));
    for (let turn = 0; turn < 5; turn++) {
      for (const member of sources.inTurn(0, turn)) await sources.ask(member, BODY).catch(() => undefined);
    }
    assert.equal(waited[0], ASK_FIRST_MS);
    assert.equal(waited.at(-1), REQUEST_TIMEOUT_MS);
    assert.deepEqual(
      waited,
      waited.toSorted((a, b) => a - b),
    );
  });
});
