import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GuestAllowance, MEMBER_ALLOWANCE } from '../../p2p/allowance.ts';
import {
  FRAME_BYTES_MAX,
  GUEST_ANSWER_BYTES_BURST,
  GUEST_ANSWER_BYTES_PER_SECOND,
  GUEST_BYTES_BURST,
  GUEST_BYTES_PER_SECOND,
  GUEST_FRAME_PRICE,
  GUEST_PAUSE_FIRST_MS,
  GUEST_PAUSE_MAX_MS,
  GUEST_REQUEST_BYTES_MAX,
  GUEST_REQUESTS_BURST,
  GUEST_REQUESTS_IN_MAX,
  GUEST_REQUESTS_PER_SECOND,
  REFUSALS_LOG_MS,
  REFUSALS_LOGGED_MAX,
  REQUESTS_IN_MAX,
} from '../../p2p/limits.ts';
import { peerIdOf } from '../../p2p/peer-id.ts';
import { Refusals } from '../../p2p/refusals.ts';
import { identity, quietLog } from '../support/networks.ts';

function guest() {
  const seen = { now: 0, awaited: 0, cut: [] as string[] };
  const allowance = new GuestAllowance(
    () => seen.awaited,
    (reason) => seen.cut.push(reason),
    () => seen.now,
  );
  return { seen, allowance };
}

describe('what a guest may', () => {
  it('send: a burst at once, then a rate; one byte more cuts it off', () => {
    const { seen, allowance } = guest();
    allowance.charge(GUEST_BYTES_BURST);
    assert.deepEqual(seen.cut, []);
    seen.now += 1_000;
    allowance.charge(GUEST_BYTES_PER_SECOND);
    assert.deepEqual(seen.cut, []);
    allowance.charge(1);
    assert.equal(seen.cut.length, 1);
  });

  it('save: no more than the burst, however long it was quiet', () => {
    const { seen, allowance } = guest();
    seen.now += 1e9;
    allowance.charge(GUEST_BYTES_BURST);
    assert.deepEqual(seen.cut, []);
    allowance.charge(1);
    assert.equal(seen.cut.length, 1);
  });

  it('do when it was cut off: nothing for a while, each time for twice as long, up to a most', () => {
    const { seen, allowance } = guest();
    const pauses: number[] = [];
    for (let round = 0; round < 10; round++) {
      assert.equal(allowance.refusal, undefined);
      allowance.charge(2 * GUEST_BYTES_BURST);
      // What was on its way counts, but is no second offence.
      allowance.charge(1);
      assert.equal(seen.cut.length, round + 1);
      const start = seen.now;
      while (allowance.refusal !== undefined) seen.now += 1_000;
      pauses.push(seen.now - start);
      seen.now += 60_000;
    }
    const doubled = Array.from({ length: 10 }, (_, round) =>
      Math.min(GUEST_PAUSE_FIRST_MS * 2 ** round, GUEST_PAUSE_MAX_MS),
    );
    assert.deepEqual(pauses, doubled);
    assert.match(seen.cut[1]!, /refused for 20 s/);
  });

  it('answer us: a frame of the largest size for each question that waits, and no more', () => {
    const { seen, allowance } = guest();
    allowance.charge(GUEST_BYTES_BURST);
    seen.awaited = 2;
    allowance.charge(2 * FRAME_BYTES_MAX);
    assert.deepEqual(seen.cut, []);
    allowance.received(FRAME_BYTES_MAX);
    allowance.received(FRAME_BYTES_MAX);
    seen.awaited = 0;
    allowance.charge(0);
    assert.deepEqual(seen.cut, [], 'an answer that was asked for is paid back');
    allowance.charge(1);
    assert.equal(seen.cut.length, 1);
  });

  it('say: all but frames, whose payload is dropped; each costs something, and a long question is against the rules', () => {
    const { seen, allowance } = guest();
    assert.equal(allowance.wants('frame', FRAME_BYTES_MAX), false);
    for (const type of ['hello', 'request', 'response', 'refusal', 'record'] as const) {
      assert.equal(allowance.wants(type, 100), true);
    }
    assert.equal(allowance.wants('request', GUEST_REQUEST_BYTES_MAX), true);
    assert.throws(() => allowance.wants('request', GUEST_REQUEST_BYTES_MAX + 1), RangeError);
    for (let frames = 7; frames < GUEST_BYTES_BURST / GUEST_FRAME_PRICE; frames++) allowance.wants('frame', 0);
    assert.deepEqual(seen.cut, []);
    allowance.wants('frame', 0);
    assert.equal(seen.cut.length, 1);
  });

  it('ask: a burst of questions, then a rate, and never many at a time', () => {
    const { seen, allowance } = guest();
    assert.equal(allowance.takesRequest(GUEST_REQUESTS_IN_MAX), false);
    for (let asked = 0; asked < GUEST_REQUESTS_BURST; asked++) assert(allowance.takesRequest(0));
    assert.equal(allowance.takesRequest(0), false);
    seen.now += 1_000;
    for (let asked = 0; asked < GUEST_REQUESTS_PER_SECOND; asked++) assert(allowance.takesRequest(0));
    assert.equal(allowance.takesRequest(0), false);
    assert.deepEqual(seen.cut, []);
  });

  it('be told: a burst of bytes; whoever was told more is refused until it is paid off', () => {
    const { seen, allowance } = guest();
    allowance.answered(GUEST_ANSWER_BYTES_BURST - 1);
    assert(allowance.takesRequest(0));
    allowance.answered(GUEST_ANSWER_BYTES_PER_SECOND);
    assert.equal(allowance.takesRequest(0), false);
    seen.now += 1_001;
    assert(allowance.takesRequest(0));
  });
});

describe('what a member may', () => {
  it('send anything, and ask so much at a time', () => {
    assert(MEMBER_ALLOWANCE.wants('frame', FRAME_BYTES_MAX));
    assert(MEMBER_ALLOWANCE.takesRequest(REQUESTS_IN_MAX - 1));
    assert(!MEMBER_ALLOWANCE.takesRequest(REQUESTS_IN_MAX));
  });
});

describe('refusals in the log', () => {
  it('name each peer once a minute, and not more than a person can look at', () => {
    const lines: object[] = [];
    let now = 0;
    const log = { ...quietLog, warn: (fields: object) => void lines.push(fields) };
    const refusals = new Refusals(log, () => now);
    const ids = Array.from({ length: REFUSALS_LOGGED_MAX + 5 }, (_, number) => peerIdOf(identity(number).info.peerKey));
    const noteAll = (): void => {
      for (const [i, id] of ids.entries()) refusals.note(id, `reason ${i}`);
    };
    refusals.note(ids[0]!, 'reason 0');
    refusals.note(ids[0]!, 'reason 0');
    assert.equal(lines.length, 1);
    noteAll();
    noteAll();
    assert.equal(lines.length, REFUSALS_LOGGED_MAX);
    assert.deepEqual(lines[1], { peer: ids[1]!.toString(), reason: 'reason 1' });
    now += REFUSALS_LOG_MS;
    noteAll();
    assert.equal(lines.length, 2 * REFUSALS_LOGGED_MAX);
  });
});
