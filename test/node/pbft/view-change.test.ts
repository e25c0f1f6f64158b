import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { batchDigest, nullBatch } from '../../../ledger/block.ts';
import { faultsTolerated, quorum } from '../../../ledger/validators.ts';
import { carryOf } from '../../../node/pbft/carry.ts';
import { type PreparedCertificate, type ViewChange, viewChangeVote } from '../../../node/pbft/messages.ts';
import { onStable, onViewLeft } from '../../../node/pbft/view-timer.ts';
import { rememberVote } from '../../../node/pbft/witness.ts';
import { Cluster, executeBatch, genesisHead, type Sent } from '../../support/cluster.ts';
import { assertAgreement, deliverTo, heights, settle, signedKinds, until, views } from '../../support/cluster-steps.ts';
import { digestOf, Forge } from '../../support/forge.ts';

const FAST = { viewTimeoutMs: 500, heartbeatMs: 60_000, leaderTerm: 1_000 };

const isKind =
  (...kinds: readonly string[]) =>
  ({ message }: Sent): boolean =>
    kinds.includes(message.kind);
const batchAt = (height: number, name: string) => ({ height, timestamp: 1_000_000, transactions: [digestOf(name)] });

/** Of all members but the first. */
const othersAre = (cluster: Cluster, of: typeof heights, value: number): boolean =>
  of(cluster)
    .slice(1)
    .every((one) => one === value);

describe('what a view takes over (V7)', () => {
  /** Every subset of `size` of these. */
  function subsets<T>(from: readonly T[], size: number): T[][] {
    if (size === 0) return [[]];
    return from.flatMap((one, i) => subsets(from.slice(i + 1), size - 1).map((rest) => [one, ...rest]));
  }

  const certificate = (view: number, height: number, digest: Uint8Array): PreparedCertificate => {
    const vote = { epoch: 0, view, height, digest };
    return { vote, prePrepareSignature: digest, prepares: { signers: digest, signatures: [] } };
  };
  const viewChange = (sender: number, view: number, prepared: PreparedCertificate[]): ViewChange => {
    return {
      sender,
      signature: digestOf(''),
      body: { epoch: 0, view, stable: { kind: 'beginning', value: {} }, prepared },
    };
  };

  for (const n of [4, 7]) {
    it(`L24, R10: every quorum of VIEW-CHANGEs of ${n} carries what may be committed, whoever prepared it and whoever lies`, () => {
      const [f, q] = [faultsTolerated(n), quorum(n)];
      const members = Array.from({ length: n }, (_, i) => i);
      const [committed, earlier, single] = ['committed', 'earlier', 'single'].map(digestOf);
      const null1 = batchDigest(nullBatch(1));
      let checked = 0;
      for (const faulty of subsets(members, f)) {
        const correct = members.filter((member) => !faulty.includes(member));
        // A commit quorum has q-f correct members at least: they prepared it in view 1.
        for (const prepared of subsets(correct, q - f)) {
          const changes = members.map((member) => {
            // R10: who lies shows at height 1 only what view 0 prepared, or nothing.
            if (faulty.includes(member)) {
              return viewChange(member, 2, member % 2 === 0 ? [] : [certificate(0, 1, earlier!)]);
            }
            const [first] = correct;
            const own = prepared.includes(member)
              ? certificate(1, 1, committed!)
              : member === first
                ? certificate(0, 1, earlier!)
                : undefined;
            const second = member === first ? [certificate(1, 2, single!)] : [];
            return viewChange(member, 2, own === undefined ? second : [own, ...second]);
          });
          for (const chosen of subsets(changes, q)) {
            const [vote, next, ...more] = carryOf(0, 2, chosen, 0).votes;
            assert.deepEqual(vote!.digest, committed, `${chosen.map(({ sender }) => sender)} without ${faulty}`);
            // What one member prepared may be carried or not: another quorum has it or null, never a third.
            if (next !== undefined) assert.deepEqual(next.digest, single);
            assert.deepEqual(more, []);
            checked++;
          }
        }
      }
      assert.equal(checked, { 4: 4 * 3 * 4, 7: 21 * 10 * 21 }[n]);
      // Where nobody prepared anything, null is due from every quorum.
      const hole = members.map((member) => viewChange(member, 2, [certificate(1, 2, single!)]));
      for (const chosen of subsets(hole, q)) assert.deepEqual(carryOf(0, 2, chosen, 0).votes[0]!.digest, null1);
    });

    it(`L24: each of the NEW-VIEWs that ${n} members allow is accepted, and all carry what was committed`, () => {
      const forge = new Forge(new Cluster(n));
      const prepared = forge.prepared(forge.vote(0, 1, digestOf('committed')));
      const changes = forge.membersBut().map((member) => {
        return forge.viewChange(member, 1, { prepared: member < quorum(n) ? [prepared] : [] });
      });
      const choices = subsets(changes, quorum(n));
      assert.equal(choices.length, { 4: 4, 7: 21 }[n]);
      for (const chosen of choices) {
        const value = forge.newView(1, chosen);
        assert.equal(forge.judge({ kind: 'newView', value }), 'ok');
        assert.deepEqual(
          value.body.prePrepares.map(({ vote }) => vote.digest),
          [digestOf('committed')],
        );
      }
    });
  }
});

describe('a leader that is left (V1 to V9)', () => {
  it('L06: nothing above a gap executes; when the timer ends, the next view fills the gap with null', () => {
    const cluster = new Cluster(4, FAST);
    cluster.passes = ({ message }) => !(message.kind === 'prePrepare' && message.value.batch.height === 1);
    cluster.order('a');
    cluster.order('b');
    cluster.deliver();
    assert.deepEqual(heights(cluster), [0, 0, 0, 0]);
    assert.notEqual(cluster.members[2]!.state.slots.get(2)!.committed, undefined, 'above the gap all is committed');
    cluster.crash(0);
    until(cluster, () => othersAre(cluster, heights, 2), 'the gap is filled');
    assert.deepEqual(views(cluster).slice(1), [1, 1, 1]);
    const filled = executeBatch(genesisHead(cluster.genesisId, cluster.validators), nullBatch(1));
    assert.deepEqual(cluster.chain(2)[1]!.blockHash, filled.blockHash);
  });

  it('L09: proposals for later views are kept within bounds, and the next honest leader orders at once', () => {
    const cluster = new Cluster(4, FAST);
    cluster.deliver();
    const forge = new Forge(cluster);
    const victim = cluster.members[3]!.state;
    // Member 2 leads views 2, 6, 10, ...
    for (let view = 2; view < 400; view += 4) {
      for (let height = 0; height <= 40; height++) {
        deliverTo(cluster, 3, forge.proposal(view, batchAt(height, 'early')));
      }
      assert(victim.peers[2]!.future.messages.size <= 2 * cluster.parameters.window);
    }
    assert.equal(victim.slots.size, 0);
    cluster.crash(0);
    cluster.order('a');
    until(cluster, () => views(cluster)[3] === 1, 'the next view');
    const { monotonic } = cluster.clock;
    cluster.order();
    cluster.deliver();
    assert.deepEqual([...heights(cluster).slice(1), cluster.clock.monotonic], [1, 1, 1, monotonic]);
  });

  it('L09: of an old view nothing counts any more, and what was kept for passed views is gone', () => {
    const cluster = new Cluster(4, FAST);
    const forge = new Forge(cluster);
    cluster.deliver();
    deliverTo(cluster, 3, forge.proposal(1, batchAt(1, 'early')));
    assert.equal(cluster.members[3]!.state.peers[1]!.future.messages.size, 1);
    const changes = [0, 1, 2].map((member) => forge.viewChange(member, 2));
    deliverTo(cluster, 3, { kind: 'newView', value: forge.newView(2, changes) });
    assert.equal(cluster.members[3]!.state.view, 2);
    assert.equal(cluster.members[3]!.state.peers[1]!.future.messages.size, 0);
    const effects = [0, 1].map((view) => deliverTo(cluster, 3, forge.proposal(view, batchAt(1, 'old'))));
    assert.deepEqual(effects.flatMap(signedKinds), []);
    assert.equal(cluster.members[3]!.state.slots.get(1)?.proposal, undefined);
  });

  it('L25: a NEW-VIEW that its leader keeps from one member reaches it through another', () => {
    const cluster = new Cluster(4, FAST);
    cluster.deliver();
    cluster.crash(0);
    const from = new Set<number>();
    cluster.passes = (sent) => {
      const kept = sent.message.kind === 'newView' && sent.to === 3;
      if (kept) from.add(sent.from);
      return !(kept && sent.from === 1);
    };
    cluster.order('a');
    until(cluster, () => heights(cluster)[3] === 1, 'the member that was left out executes');
    assert.deepEqual([views(cluster)[3], from.has(1), from.has(2)], [1, true, true]);
  });

  it('L26: of two NEW-VIEWs for one view each member follows its first; both are evidence, and nothing forks', () => {
    const cluster = new Cluster(4, FAST);
    cluster.passes = ({ message, to }) => message.kind !== 'commit' && !(message.kind === 'prepare' && to !== 2);
    cluster.order('a');
    cluster.deliver();
    const own = cluster.members[2]!.state.slots.get(1)!.prepared!;
    cluster.wire.length = 0;
    cluster.passes = () => true;
    cluster.crash(1);
    const forge = new Forge(cluster);
    const [zero, three] = [0, 3].map((member) => forge.viewChange(member, 1));
    const two = forge.viewChange(2, 1, { prepared: [own] });
    const one = forge.viewChange(1, 1);
    // As if they had asked for the view themselves.
    for (const { body, sender } of [zero!, two, three!]) {
      const { state } = cluster.members[sender]!;
      state.asked = 1;
      rememberVote(state, 'viewChange', viewChangeVote(body));
    }
    const withIt = forge.newView(1, [zero!, one, two]);
    const without = forge.newView(1, [zero!, one, three!]);
    for (const value of [withIt, without]) assert.equal(forge.judge({ kind: 'newView', value }), 'ok');
    deliverTo(cluster, 2, { kind: 'newView', value: withIt });
    deliverTo(cluster, 3, { kind: 'newView', value: without });
    deliverTo(cluster, 0, { kind: 'newView', value: without });
    assert.deepEqual(cluster.members[2]!.state.newView, withIt);
    const effects = deliverTo(cluster, 2, { kind: 'newView', value: without });
    assert.equal(effects.filter(({ type }) => type === 'evidence').length, 1);
    assert.deepEqual(cluster.members[2]!.state.newView, withIt, 'the first stays');
    const [evidence] = cluster.members[2]!.state.evidence.get(1)!;
    assert.equal(forge.judge({ kind: 'evidence', value: evidence! }), 'ok', 'anybody can check it');
    until(cluster, () => [0, 2, 3].every((member) => views(cluster)[member]! >= 2), 'the leader is left');
    cluster.order('b');
    until(cluster, () => [0, 2, 3].every((member) => heights(cluster)[member]! >= 1), 'the others go on');
    const blocks = [0, 2, 3].map((member) => cluster.chain(member)[1]!.blockHash);
    assert.deepEqual(blocks[0], blocks[1]);
    assert.deepEqual(blocks[0], blocks[2]);
  });

  it('L30: content found invalid late is given up with its view, and the next leader orders at that height', () => {
    const cluster = new Cluster(4, FAST);
    cluster.bodiesProblem = ({ transactions }) =>
      transactions.length > 1 ? 'a transaction that no correct member would order' : undefined;
    cluster.order('a', 'b');
    cluster.deliver();
    const slot = cluster.members[2]!.state.slots.get(1)!;
    assert.deepEqual([slot.proposal!.phase, slot.batches.size, slot.bodies.size], ['refused', 0, 0]);
    cluster.crash(0);
    cluster.order('c');
    until(cluster, () => othersAre(cluster, heights, 1), 'the next leader orders');
    assert(othersAre(cluster, views, 1));
  });

  it('trap: carried batch older than every bound is accepted as it is, and has its own time', () => {
    const cluster = new Cluster(4, FAST);
    cluster.passes = ({ message }) => message.kind !== 'commit';
    cluster.order('a');
    cluster.deliver();
    const { batch } = cluster.members[2]!.state.slots.get(1)!.proposal!;
    for (const { index } of cluster.members) cluster.crash(index);
    cluster.wire.length = 0;
    // What view 0 has prepared it does not commit.
    cluster.passes = ({ message }) => message.kind !== 'commit' || message.value.vote.view > 0;
    const outage = 40 * 86_400_000;
    assert(outage > cluster.parameters.maxBehindMs && outage > cluster.parameters.maxLifetimeMs);
    cluster.clock.wall += outage;
    cluster.clock.monotonic += outage;
    for (const index of [1, 2, 3]) cluster.restart(index);
    // And a heartbeat follows, which is due long since.
    until(cluster, () => othersAre(cluster, heights, 2), 'it is carried');
    assert(othersAre(cluster, views, 1));
    const expected = executeBatch(genesisHead(cluster.genesisId, cluster.validators), batch!);
    for (const member of [1, 2, 3]) {
      assert.deepEqual(cluster.chain(member)[1]!.blockHash, expected.blockHash);
      assert.equal(cluster.chain(member)[1]!.timestamp, batch!.timestamp, 'not stamped again');
    }
    cluster.order('b');
    until(cluster, () => othersAre(cluster, heights, 3), 'and the chain goes on');
  });

  it('trap: validator alone in having executed h, then a view change: the others execute the same', () => {
    const cluster = new Cluster(4, FAST);
    cluster.passes = ({ message, to }) =>
      message.kind !== 'checkpoint' && (message.kind !== 'commit' || to === 3) && message.kind !== 'commitCertificate';
    cluster.order('a');
    cluster.deliver();
    assert.deepEqual(heights(cluster), [0, 0, 0, 1]);
    // It is gone now, and the view of the leader that ordered it too.
    const cut = (sent: Sent): boolean => sent.from !== 3 && sent.to !== 3;
    cluster.passes = (sent) => cut(sent) && !isKind('commit', 'checkpoint', 'commitCertificate')(sent);
    until(
      cluster,
      () =>
        views(cluster)
          .slice(0, 3)
          .every((view) => view === 1),
      'the others change the view',
    );
    assert.deepEqual(heights(cluster), [0, 0, 0, 1]);
    cluster.passes = cut;
    settle(cluster);
    assert.deepEqual(heights(cluster), [1, 1, 1, 1]);
    cluster.passes = () => true;
    settle(cluster);
    assertAgreement(cluster, 1);
    assert(cluster.members.every(({ state }) => state.mode === 'active' && state.low === 1));
  });

  it('trap: a delayed NEW-VIEW of a lower view after executing on a higher one is entered, voted for nowhere, and halts nobody', () => {
    const member = (carriedIn: number): { cluster: Cluster; kinds: readonly string[] } => {
      const cluster = new Cluster(4, FAST);
      cluster.deliver();
      const forge = new Forge(cluster);
      const batch = batchAt(1, 'executed');
      const vote = forge.vote(2, 1, batchDigest(batch));
      const commits = forge.commits(vote, [0, 1, 2]);
      deliverTo(cluster, 3, { kind: 'commitCertificate', value: { vote, commits, batch } });
      assert.equal(heights(cluster)[3], 1);
      const prepared = forge.prepared(forge.vote(0, 1, digestOf('another')));
      const changes = [0, 1, 2].map((one) =>
        forge.viewChange(one, carriedIn, { prepared: one === 0 ? [prepared] : [] }),
      );
      const effects = deliverTo(cluster, 3, { kind: 'newView', value: forge.newView(carriedIn, changes) });
      return { cluster, kinds: signedKinds(effects) };
    };
    for (const lower of [1, 2]) {
      const { cluster, kinds } = member(lower);
      const { mode, view } = cluster.members[3]!.state;
      assert.deepEqual([mode, view], ['active', lower]);
      assert(!kinds.includes('prepare') && !kinds.includes('commit'), 'what it executed is not voted against');
    }
    // In a higher view than that of the commit certificate it proves more than f faults (rule N11).
    assert.equal(member(4).cluster.members[3]!.state.mode, 'halted');
  });

  it('trap: a laggard inside the window after the others dropped their commit certificates', () => {
    const cluster = new Cluster(4, FAST);
    cluster.passes = ({ from, to }) => from !== 3 && to !== 3;
    for (const name of 'abc') cluster.order(name);
    cluster.deliver();
    assert.deepEqual(heights(cluster), [3, 3, 3, 0]);
    assert(3 < cluster.parameters.window);
    for (const { state } of cluster.members.slice(0, 3)) assert.deepEqual([state.low, state.slots.size], [3, 0]);
    cluster.wire.length = 0;
    cluster.passes = () => true;
    settle(cluster);
    assertAgreement(cluster, 3);
    assert.equal(cluster.members[3]!.state.mode, 'active');
  });
});

describe('timeouts (T5)', () => {
  it('C10: the timeout doubles with each failed view up to its cap, and shrinks back with every stable checkpoint', () => {
    const { state } = new Cluster(4, FAST).members[0]!;
    const { timer } = state;
    const after = (change: (to: typeof state) => void): number => {
      change(state);
      return timer.timeoutMs;
    };
    assert.deepEqual(
      [1, 2, 3, 4].map(() => after((one) => onViewLeft(one, false))),
      [1_000, 2_000, 4_000, 4_000],
    );
    assert.equal(timer.capMs, 4_000);
    assert.deepEqual(
      [1, 2, 3, 4].map(() => after(onStable)),
      [2_000, 1_000, 500, 500],
    );
    // A view with a stable checkpoint has not failed: storms and calms in turn don't add up.
    for (let i = 0; i < 50; i++) {
      onStable(state);
      onViewLeft(state, false);
    }
    assert.equal(timer.timeoutMs, 500);
    // Only f+1 failures in a row at the cap raise it, and never above ten minutes.
    for (let i = 0; i < 100; i++) onViewLeft(state, false);
    assert.equal(timer.timeoutMs, 600_000);
    for (let i = 0; i < 20; i++) onStable(state);
    assert.deepEqual([timer.timeoutMs, timer.capMs], [500, 4_000]);
  });
});
