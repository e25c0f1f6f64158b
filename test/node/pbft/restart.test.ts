import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { batchDigest } from '../../../ledger/block.ts';
import { sha256 } from '../../../ledger/hash.ts';
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

describe('loss and restart (R4, R2)', () => {
  it('N04: lost messages are sent again after a STATUS that shows no progress', () => {
    const cluster = new Cluster(4);
    cluster.deliver();
    cluster.order('a');
    cluster.wire.length = 0;
    settle(cluster);
    assertAgreement(cluster, 1);
  });

  it('N03: everything delivered twice changes nothing', () => {
    const cluster = new Cluster(4);
    for (const name of 'abc') cluster.order(name);
    cluster.passes = (sent) => {
      cluster.passes = () => true;
      cluster.deliverOne(sent);
      return true;
    };
    while (cluster.wire.length > 0) {
      const sent = cluster.wire.shift()!;
      cluster.deliverOne(sent);
      cluster.deliverOne(sent);
    }
    assertAgreement(cluster, 3);
  });

  it('N13: all crash after any number of deliveries, restart from disk, and agree on everything that was executed', () => {
    for (let cut = 0; cut < 60; cut += 3) {
      const cluster = new Cluster(4);
      for (const name of 'abc') cluster.order(name);
      for (let i = 0; i < cut && cluster.wire.length > 0; i++) cluster.deliverOne(cluster.wire.shift()!);
      const before = cluster.members.map(({ disk }) => [...disk.heads]);
      for (const { index } of cluster.members) cluster.crash(index);
      cluster.wire.length = 0;
      for (const { index } of cluster.members) cluster.restart(index);
      settle(cluster);
      for (const [index, heads] of before.entries()) {
        for (const head of heads) assert.deepEqual(cluster.chain(index)[head.height], head, `cut ${cut}`);
      }
      // What was proposed before the cut is in some journal or nowhere; the leader's own is always carried on.
      assertAgreement(cluster, cluster.members[0]!.state.executed.height);
      cluster.order('d');
      settle(cluster);
      assertAgreement(cluster, cluster.members[0]!.state.executed.height);
    }
  });

  it('a validator that sent COMMIT keeps its certificate across a restart and sends the same votes again (N2)', () => {
    const cluster = new Cluster(4);
    cluster.passes = ({ message }) => message.kind !== 'commit';
    cluster.order('a');
    cluster.deliver();
    cluster.crash(1);
    cluster.restart(1);
    assert.notEqual(cluster.members[1]!.state.slots.get(1)!.prepared, undefined);
    cluster.passes = () => true;
    settle(cluster);
    assertAgreement(cluster, 1);
  });

  it('a follower that was down catches up and votes again', () => {
    const cluster = new Cluster(4, { window: 2 });
    cluster.crash(2);
    for (const name of 'abcdefgh') cluster.order(name);
    settle(cluster);
    assert.deepEqual(heights(cluster), [8, 8, 0, 8]);
    cluster.restart(2);
    settle(cluster);
    assertAgreement(cluster, 8);
    cluster.crash(3);
    cluster.order('i');
    settle(cluster);
    assert.deepEqual(heights(cluster), [9, 9, 9, 8]);
  });

  it('rule N11: what is executed is never voted against, also when neither certificate nor journal record is left of it', () => {
    const cluster = new Cluster(4);
    cluster.passes = ({ to, message }) => to !== 1 || message.kind !== 'checkpoint';
    cluster.order('a');
    cluster.deliver();
    const member = cluster.members[1]!;
    assert.deepEqual([member.state.executed.height, member.state.low], [1, 0]);
    member.disk.records.length = 0;
    cluster.passes = () => false;
    cluster.crash(1);
    cluster.restart(1);
    cluster.wire.length = 0;
    cluster.passes = () => true;
    member.effects.length = 0;
    const batch = { height: 1, timestamp: 1_000_000, transactions: [sha256(Uint8Array.of(7))] };
    const vote = { epoch: 0, view: 0, height: 1, digest: batchDigest(batch) };
    deliverTo(cluster, 1, signed(cluster, 0, { kind: 'prePrepare', vote, batch }));
    for (const sender of [2, 3]) deliverTo(cluster, 1, signed(cluster, sender, { kind: 'prepare', vote }));
    const kinds = signedKinds(member.effects);
    assert.deepEqual(
      kinds.filter((kind) => kind === 'prepare' || kind === 'commit'),
      [],
    );
  });

  for (const shownFirst of [true, false]) {
    const when = shownFirst ? 'before anything new is ordered' : 'afterwards';
    it(`trap: the same suffix lost by all members, a client holding the certificate, which is shown ${when}`, () => {
      const cluster = new Cluster(4);
      cluster.order('a');
      cluster.deliver();
      const backup = cluster.members.map(({ disk }) => ({ heads: [...disk.heads], certificate: disk.certificate }));
      cluster.order('b');
      cluster.deliver();
      assertAgreement(cluster, 2);
      const { stable } = cluster.members[0]!.state;
      const block = cluster.chain(0)[2]!.blockHash;
      for (const { index, disk } of cluster.members) {
        cluster.crash(index);
        Object.assign(disk, { records: [], ...backup[index] });
      }
      cluster.wire.length = 0;
      for (const { index } of cluster.members) cluster.restart(index);
      const show = () => {
        for (const { index } of cluster.members) deliverTo(cluster, index, { kind: 'certificate', value: stable! });
      };
      if (shownFirst) show();
      cluster.order('c');
      settle(cluster);
      if (!shownFirst) {
        // Nobody can know what all have lost; a second block 2 is there, and the certificate proves it.
        assert.deepEqual(heights(cluster), [2, 2, 2, 2]);
        for (const { index, state } of cluster.members) {
          assert.notDeepEqual(cluster.chain(index)[2]!.blockHash, block);
          // Whatever a member has made stable it does not judge again; what is above is refused by all.
          assert.equal(state.low, 2);
        }
        return;
      }
      for (const { index, state } of cluster.members) {
        assert.equal(state.executed.height, 1, 'no other block 2 is made');
        assert.equal(state.low, 2);
        assert(cluster.chain(index).length === 2);
      }
    });
  }

  it('S8: a validator in doubt signs nothing but STATUS, and follows', () => {
    const cluster = new Cluster(4);
    cluster.feed(3, { type: 'doubt', reason: 'the journal has a hole' });
    cluster.members[3]!.effects.length = 0;
    cluster.order('a');
    settle(cluster);
    const kinds = signedKinds(cluster.members[3]!.effects);
    assert.deepEqual([...new Set(kinds)], ['status']);
    assert.equal(cluster.members[3]!.state.executed.height, 1);
  });
});

describe('snapshots (R7, R8)', () => {
  it('the head jumps to the snapshot: what is at or below it goes, records above it stay, and voting goes on', () => {
    const cluster = new Cluster(4, { window: 4 });
    cluster.jumps = true;
    cluster.passes = ({ to }) => to !== 3;
    for (let i = 0; i < 11; i++) {
      cluster.order(`${i}`);
      cluster.deliver();
    }
    const { state } = cluster.members[3]!;
    assert.equal(state.executed.height, 0);
    // The next proposal reaches it before it catches up: inside the buffer of the new low mark.
    cluster.passes = () => true;
    pass(cluster, 300);
    cluster.order('next');
    settle(cluster);
    assert.deepEqual(heights(cluster), [12, 12, 12, 12]);
    const own = cluster.chain(3).map(({ height }) => height);
    assert(own.length < 12 && !own.includes(5), `it executed ${own}`);
    assert.equal(state.mode, 'active');
    assert.deepEqual([state.low, state.handedOver, state.slots.size, state.ordered.size], [12, 12, 0, 0]);
    assert.equal(state.certificatesAhead.size, 0);
    cluster.crash(3);
    cluster.restart(3);
    settle(cluster);
    for (const name of ['x', 'y']) cluster.order(name);
    settle(cluster);
    assert.deepEqual(heights(cluster), [14, 14, 14, 14]);
  });

  it('T2: the view timer is paused while pieces keep coming, and not reset', () => {
    const cluster = new Cluster(4);
    cluster.deliver();
    const { state } = cluster.members[1]!;
    const tick = (piece: boolean): number => {
      cluster.clock.monotonic += 50;
      if (piece) cluster.feed(1, { type: 'piece' });
      cluster.feed(1, { type: 'tick', waiting: { handed: true, overdue: false } });
      return state.timer.waited;
    };
    tick(false);
    const waited = tick(false);
    assert(waited > 0);
    assert.equal(tick(true), waited);
    assert(tick(false) > waited);
  });

  it('a slot above the snapshot is not touched by it (R7)', () => {
    const { cluster } = proposed();
    const member = cluster.members[1]!;
    const { state } = member;
    cluster.order('b');
    const sent = cluster.wire.find(
      ({ message, to }) => message.kind === 'prePrepare' && to === 1 && message.value.vote.height === 2,
    )!;
    cluster.deliverOne(sent);
    const slot = state.slots.get(2);
    assert(slot !== undefined);
    state.ordered.set(2, { epoch: 0, digest: sha256(Uint8Array.of(2)), view: 0 });
    const head = { ...state.executed, height: 1 };
    state.low = 1;
    cluster.feed(1, { type: 'executed', head, transactions: 1, ordered: undefined });
    assert.equal(state.slots.get(2), slot);
    assert.equal(state.slots.get(1), undefined);
    assert.deepEqual([...state.ordered.keys()], [2]);
  });
});
