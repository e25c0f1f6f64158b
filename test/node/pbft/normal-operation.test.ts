import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { batchDigest } from '../../../ledger/block.ts';
import { toHex, utf8Encode } from '../../../ledger/bytes.ts';
import { sha256 } from '../../../ledger/hash.ts';
import type { Effect } from '../../../node/pbft/events.ts';
import type { Message } from '../../../node/pbft/messages.ts';
import { recordHeight } from '../../../node/pbft/records.ts';
import { Cluster } from '../../support/cluster.ts';
import {
  assertAgreement,
  deliverTo,
  heights,
  pass,
  proposed,
  settle,
  signed,
  signedKinds,
} from '../../support/cluster-steps.ts';

describe('normal operation (rules N, C)', () => {
  it('four validators execute the same batches and certify every block', () => {
    const cluster = new Cluster(4);
    cluster.order('a', 'b');
    cluster.order('c');
    cluster.deliver();
    assertAgreement(cluster, 2);
    for (const { state } of cluster.members) assert.equal(state.low, 2);
  });

  it('one validator alone orders (n = 1)', () => {
    const cluster = new Cluster(1);
    cluster.order('a');
    cluster.deliver();
    assert.equal(cluster.members[0]!.state.low, 1);
  });

  it('any order of messages gives the same chain (N6, C05, N02)', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), (order) => {
        const cluster = new Cluster(4, { window: 4 });
        for (const name of 'abcdefg') cluster.order(name);
        cluster.deliver((count) => order.next().value % count);
        settle(cluster);
        assertAgreement(cluster, 7);
      }),
      { numRuns: 20 },
    );
  });

  it('window 1 works', () => {
    const cluster = new Cluster(4, { window: 1 });
    for (const name of 'abc') cluster.order(name);
    cluster.deliver();
    assertAgreement(cluster, 3);
  });

  it('proposes at most window heights above the stable checkpoint', () => {
    const cluster = new Cluster(4, { window: 3 });
    for (const name of 'abcdef') cluster.order(name);
    const heights = cluster.wire.flatMap(({ message }) =>
      message.kind === 'prePrepare' ? [message.value.batch.height] : [],
    );
    assert.deepEqual([...new Set(heights)], [1, 2, 3]);
  });

  it('N3: a batch that is not full waits for the batch delay, once for each batch in flight', () => {
    const cluster = new Cluster(4);
    const { batchDelayMs } = cluster.members[0]!.state.config.parameters;
    const delays: number[] = [];
    for (const name of 'abcd') {
      cluster.pool.push([sha256(utf8Encode(name))]);
      cluster.feed(0, { type: 'pool', view: { orderable: 1, full: false } });
      const due = cluster.members[0]!.timers.get('batchDelay');
      if (due === undefined) continue;
      delays.push(due - cluster.clock.monotonic);
      cluster.advance(delays.at(-1)! - 1);
      assert.equal(cluster.members[0]!.state.proposed, delays.length, 'not before');
      cluster.advance(1);
    }
    assert.deepEqual(delays, [batchDelayMs, 2 * batchDelayMs, 3 * batchDelayMs]);
    assert.equal(cluster.members[0]!.state.proposed, 4);
    cluster.feed(0, { type: 'pool', view: { orderable: 1, full: true } });
    assert.equal(cluster.members[0]!.timers.get('batchDelay'), undefined, 'a full one waits for nothing');
  });

  it('one silent follower does not stop the others; two do', () => {
    const cluster = new Cluster(4);
    cluster.crash(3);
    cluster.order('a');
    cluster.deliver();
    assert.deepEqual(heights(cluster), [1, 1, 1, 0]);
    cluster.crash(2);
    cluster.order('b');
    cluster.deliver();
    assert.deepEqual(heights(cluster), [1, 1, 1, 0]);
  });

  it('a proposal and its vote are persisted before the message that rests on them (S1, R2)', () => {
    const cluster = new Cluster(4);
    cluster.order('a');
    cluster.deliver();
    const follower = persisted(cluster.members[1]!.effects);
    assert.deepEqual(follower, ['proposal 1 -> prepare', 'prepared 1 -> commit']);
    const leader = persisted(cluster.members[0]!.effects);
    assert.deepEqual(leader, ['proposal 1 -> prePrepare', 'prepared 1 -> commit']);
  });
});

describe('votes (N1, N2)', () => {
  it('R03: the same PREPARE delivered many times counts once', () => {
    const { cluster, vote } = proposed();
    const prepare = signed(cluster, 2, { kind: 'prepare', vote });
    for (let i = 0; i < 5; i++) deliverTo(cluster, 1, prepare);
    assert.equal(cluster.members[1]!.state.slots.get(1)!.prepares.size, 1);
    assert.equal(cluster.members[1]!.state.slots.get(1)!.prepared, undefined);
  });

  it('R04: a PREPARE of the leader is not counted beside its PRE-PREPARE', () => {
    const { cluster, vote } = proposed();
    deliverTo(cluster, 1, signed(cluster, 0, { kind: 'prepare', vote }));
    deliverTo(cluster, 1, signed(cluster, 2, { kind: 'prepare', vote }));
    assert.equal(cluster.members[1]!.state.slots.get(1)!.prepares.size, 1);
  });

  it('R01: PREPAREs for a digest that was never proposed prepare nothing', () => {
    const { cluster, vote } = proposed();
    const other = { ...vote, digest: sha256(Uint8Array.of(9)) };
    for (const sender of [2, 3]) deliverTo(cluster, 1, signed(cluster, sender, { kind: 'prepare', vote: other }));
    assert.equal(cluster.members[1]!.state.slots.get(1)!.prepared, undefined);
  });

  it('R02: a second, different vote of a member is evidence and does not count', () => {
    const { cluster, vote } = proposed();
    const other = { ...vote, digest: sha256(Uint8Array.of(9)) };
    deliverTo(cluster, 1, signed(cluster, 2, { kind: 'commit', vote }));
    const effects = deliverTo(cluster, 1, signed(cluster, 2, { kind: 'commit', vote: other }));
    assert.equal(effects.find(({ type }) => type === 'evidence')?.type, 'evidence');
    assert.deepEqual(cluster.members[1]!.state.slots.get(1)!.commits.get(2)![0]!.vote, vote);
  });

  it('R05: COMMITs of a quorum execute, also without an own prepared certificate; fewer do not (N8)', () => {
    const { cluster, vote } = proposed();
    for (const sender of [0, 2]) deliverTo(cluster, 1, signed(cluster, sender, { kind: 'commit', vote }));
    assert.equal(cluster.members[1]!.state.executed.height, 0);
    deliverTo(cluster, 1, signed(cluster, 3, { kind: 'commit', vote }));
    assert.equal(cluster.members[1]!.state.executed.height, 1);
  });

  it('R06, R08: a vote under another name or of another kind is refused before the core', () => {
    const { cluster, vote } = proposed();
    const prepare = signed(cluster, 2, { kind: 'prepare', vote });
    assert(prepare.kind === 'prepare');
    deliverTo(cluster, 1, { kind: 'prepare', value: { ...prepare.value, sender: 3 } });
    deliverTo(cluster, 1, { kind: 'commit', value: prepare.value });
    const slot = cluster.members[1]!.state.slots.get(1)!;
    assert.deepEqual([slot.prepares.size, slot.commits.size], [0, 0]);
  });

  it('L01: of two PRE-PREPAREs for one height the first counts and both are evidence', () => {
    const { cluster } = proposed();
    const batch = { height: 1, timestamp: 1_000_000, transactions: [sha256(Uint8Array.of(7))] };
    const vote = { epoch: 0, view: 0, height: 1, digest: batchDigest(batch) };
    const effects = deliverTo(cluster, 1, signed(cluster, 0, { kind: 'prePrepare', vote, batch }));
    assert.equal(effects.filter(({ type }) => type === 'evidence').length, 1);
    assert.notEqual(toHex(cluster.members[1]!.state.slots.get(1)!.proposal!.vote.digest), toHex(vote.digest));
  });

  it('L04: a digest that is not of the batch is refused', () => {
    const cluster = new Cluster(4);
    cluster.wire.length = 0;
    const batch = { height: 1, timestamp: 1_000_000, transactions: [] };
    const vote = { epoch: 0, view: 0, height: 1, digest: sha256(Uint8Array.of(1)) };
    const effects = deliverTo(cluster, 1, signed(cluster, 0, { kind: 'prePrepare', vote, batch }));
    assert.equal(cluster.members[1]!.state.slots.size, 0);
    assert.deepEqual(signedKinds(effects), [], 'no PREPARE');
  });

  it('L07, L08, L09: heights outside the window, other views and other leaders leave no trace', () => {
    const cluster = new Cluster(4);
    cluster.order('a');
    cluster.deliver();
    const propose = (sender: number, height: number, view: number): void => {
      const batch = { height, timestamp: 1_000_000, transactions: [sha256(Uint8Array.of(7))] };
      const vote = { epoch: 0, view, height, digest: batchDigest(batch) };
      deliverTo(cluster, 1, signed(cluster, sender, { kind: 'prePrepare', vote, batch }));
    };
    for (const height of [0, 1, 18, 2 ** 32, Number.MAX_SAFE_INTEGER]) propose(0, height, 0);
    propose(1, 2, 0);
    propose(1, 2, 1);
    assert.equal(cluster.members[1]!.state.slots.size, 0);
  });
});

describe('heartbeats and clocks (N5, T1, T4)', () => {
  it('an idle chain orders an empty batch when the heartbeat is due, and not before', () => {
    const cluster = new Cluster(4, { heartbeatMs: 10_000 });
    cluster.deliver();
    for (let i = 0; i < 8; i++) pass(cluster, 1_000);
    assert.deepEqual(heights(cluster), [0, 0, 0, 0]);
    for (let i = 0; i < 3; i++) pass(cluster, 1_000);
    assert.deepEqual(heights(cluster), [1, 1, 1, 1]);
  });

  it('a pool that can give nothing does not keep the leader busy, nor from its heartbeat', () => {
    const cluster = new Cluster(4, { heartbeatMs: 10_000 });
    cluster.deliver();
    cluster.unorderable = 3;
    const before = cluster.members[0]!.effects.length;
    cluster.order();
    const asked = cluster.members[0]!.effects.slice(before).filter(({ type }) => type === 'chooseBatch');
    assert(asked.length <= 2, `asked ${asked.length} times`);
    for (let i = 0; i < 12; i++) pass(cluster, 1_000);
    assert.deepEqual(heights(cluster), [1, 1, 1, 1]);
  });

  it('L13: an empty batch before its time is held, then accepted', () => {
    const cluster = new Cluster(4, { heartbeatMs: 10_000 });
    cluster.deliver();
    const batch = { height: 1, timestamp: 1_000_000, transactions: [] };
    const vote = { epoch: 0, view: 0, height: 1, digest: batchDigest(batch) };
    deliverTo(cluster, 1, signed(cluster, 0, { kind: 'prePrepare', vote, batch }));
    assert.equal(cluster.members[1]!.state.slots.get(1)!.proposal!.phase, 'held');
  });

  it('L19: a timestamp too far ahead waits for our clock; one too old is refused', () => {
    const { maxAheadMs, maxBehindMs } = new Cluster(1).parameters;
    for (const [offset, before, after] of [
      [maxAheadMs + 500, 'held', 'accepted'],
      [-maxBehindMs - 1_000, 'refused', 'refused'],
    ] as const) {
      const cluster = new Cluster(4);
      cluster.deliver();
      const batch = { height: 1, timestamp: cluster.clock.wall + offset, transactions: [sha256(Uint8Array.of(7))] };
      const vote = { epoch: 0, view: 0, height: 1, digest: batchDigest(batch) };
      deliverTo(cluster, 1, signed(cluster, 0, { kind: 'prePrepare', vote, batch }));
      assert.equal(cluster.members[1]!.state.slots.get(1)!.proposal!.phase, before);
      pass(cluster, 600);
      assert.equal(cluster.members[1]!.state.slots.get(1)?.proposal?.phase ?? 'accepted', after);
    }
  });

  it('T01: chain time goes on when the wall clock falls back', () => {
    const cluster = new Cluster(4);
    cluster.order('a');
    cluster.deliver();
    cluster.clock.wall -= 365 * 86_400_000;
    cluster.order('b');
    cluster.deliver();
    assertAgreement(cluster, 2);
  });
});

describe('what a leader may choose', () => {
  it('L18: any order inside a batch is accepted, and the block records it', () => {
    const names = ['a', 'b', 'c'].map((name) => sha256(new TextEncoder().encode(name)));
    const hashes = [names, names.toReversed()].map((transactions) => {
      const cluster = new Cluster(4);
      cluster.deliver();
      cluster.pool.push(transactions);
      cluster.order();
      cluster.deliver();
      assertAgreement(cluster, 1);
      assert(cluster.members.every(({ state }) => state.view === 0 && state.timer.suspicion === undefined));
      return toHex(cluster.chain(1)[1]!.blockHash);
    });
    assert.notEqual(hashes[0], hashes[1], 'the order is in the block');
  });

  it('trap: a leader pushing chain time gets no further than maxAhead before the clocks of the others (T4)', () => {
    const cluster = new Cluster(4);
    cluster.deliver();
    const { maxAheadMs } = cluster.parameters;
    let pushed = cluster.clock.wall;
    for (let height = 1; height <= 30; height++) {
      // Each block as far ahead of the one before as it may be of a clock.
      pushed += maxAheadMs;
      const batch = { height, timestamp: pushed, transactions: [sha256(Uint8Array.of(height))] };
      const vote = { epoch: 0, view: 0, height, digest: batchDigest(batch) };
      for (const to of [1, 2, 3]) deliverTo(cluster, to, signed(cluster, 0, { kind: 'prePrepare', vote, batch }));
      for (const kind of ['prepare', 'commit'] as const) {
        for (const to of [1, 2, 3]) deliverTo(cluster, to, signed(cluster, 0, { kind, vote }));
      }
      pass(cluster, 100);
      for (const { state } of cluster.members.slice(1)) {
        assert(state.executed.timestamp <= cluster.clock.wall + maxAheadMs, `height ${state.executed.height}`);
      }
    }
    const [, follower] = cluster.members;
    assert(follower!.state.executed.height >= 1, 'the first was within the bound');
    assert.equal(follower!.state.slots.get(follower!.state.executed.height + 1)?.proposal?.phase, 'held');
  });
});

describe('checkpoints (C2, C3)', () => {
  it('trap: certificate ahead of execution on the fast path moves the low mark, not the executor, and blocks are fetched', () => {
    const cluster = new Cluster(4);
    cluster.passes = ({ to, message }) => to !== 3 || message.kind === 'checkpoint' || message.kind === 'status';
    for (const name of 'ab') cluster.order(name);
    cluster.deliver();
    const { state } = cluster.members[3]!;
    assert.deepEqual([state.low, state.executed.height], [2, 0]);
    pass(cluster, 200);
    assertAgreement(cluster, 2);
  });

  it('late PREPAREs of a height that is stable already, but not executed here, ask for no COMMIT (C2)', () => {
    const cluster = new Cluster(4);
    const late: Message[] = [];
    cluster.passes = ({ to, message }) => {
      if (to === 3 && message.kind === 'prepare') late.push(message);
      return to !== 3 || message.kind === 'checkpoint' || message.kind === 'prePrepare';
    };
    cluster.order('a');
    cluster.deliver();
    assert.deepEqual([cluster.members[3]!.state.low, cluster.members[3]!.state.executed.height], [1, 0]);
    cluster.passes = () => true;
    for (const message of late) deliverTo(cluster, 3, message);
    settle(cluster);
    assertAgreement(cluster, 1);
  });

  it('a member that fell behind votes again as soon as it is near, whether blocks were fetched or came late (R7)', () => {
    const cluster = new Cluster(4, { window: 1 });
    const late: Message[] = [];
    cluster.passes = ({ to, message }) => {
      if (to === 3 && message.kind === 'commit') late.push(message);
      return to !== 3 || message.kind === 'checkpoint' || message.kind === 'prePrepare';
    };
    for (const name of 'abc') cluster.order(name);
    cluster.deliver();
    const { state } = cluster.members[3]!;
    assert.deepEqual([state.low, state.executed.height, state.mode], [3, 0, 'behind']);
    cluster.passes = () => true;
    for (const message of late) deliverTo(cluster, 3, message);
    assert.deepEqual([state.executed.height, state.mode], [3, 'active']);
    cluster.crash(2);
    cluster.order('d');
    cluster.deliver();
    assert.deepEqual(heights(cluster), [4, 4, 3, 4]);
  });

  it('R16: a node whose own checkpoint differs from a certificate halts', () => {
    const cluster = new Cluster(4);
    const wrong = { ...cluster.members[3]!.disk.heads[0]!, stateRoot: sha256(Uint8Array.of(5)) };
    cluster.members[3]!.disk.heads[0] = wrong;
    cluster.order('a');
    cluster.deliver();
    assert.equal(cluster.members[3]!.state.mode, 'halted');
    assert.match(cluster.members[3]!.state.reason, /stateRoot/);
    assert.deepEqual(heights(cluster).slice(0, 3), [1, 1, 1]);
  });

  it('trap: 2:2 state roots halt everybody (C3)', () => {
    const cluster = new Cluster(4);
    for (const index of [2, 3]) {
      const { disk } = cluster.members[index]!;
      disk.heads[0] = { ...disk.heads[0]!, stateRoot: sha256(Uint8Array.of(5)) };
    }
    cluster.order('a');
    cluster.deliver();
    for (const { state } of cluster.members) assert.equal(state.mode, 'halted');
  });
});

function persisted(effects: readonly Effect[]): string[] {
  return effects.flatMap((effect) =>
    effect.type === 'persist'
      ? effect.records
          .filter(({ kind }) => kind !== 'witness')
          .map((record, i) => {
            return `${record.kind} ${recordHeight(record)} -> ${effect.then[i]?.kind}`;
          })
      : [],
  );
}
