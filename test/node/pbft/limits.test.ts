import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { batchDigest } from '../../../ledger/block.ts';
import { signerIndexes } from '../../../ledger/validators.ts';
import type { Message, StatusBody, ViewChange } from '../../../node/pbft/messages.ts';
import { step } from '../../../node/pbft/replica.ts';
import { connectedCount } from '../../../node/pbft/state.ts';
import { isUseful } from '../../../node/pbft/useful.ts';
import type { Verified } from '../../../node/pbft/verify.ts';
import { Cluster } from '../../support/cluster.ts';
import { deliverTo, heights, pass, settle, signedKinds, until, views } from '../../support/cluster-steps.ts';
import { digestOf, Forge } from '../../support/forge.ts';

/** What one member, or f of them, can't make another do. */

const FAST = { viewTimeoutMs: 500, heartbeatMs: 60_000, leaderTerm: 1_000 };
const batchAt = (height: number, name: string) => ({ height, timestamp: 1_000_000, transactions: [digestOf(name)] });

/** A VIEW-CHANGE as if it had been verified: what the core does with many does not depend on signatures. */
function asking(sender: number, view: number): Verified<Message> {
  const body = { epoch: 0, view, stable: { kind: 'beginning' as const, value: {} }, prepared: [] };
  const value: ViewChange = { sender, body, signature: digestOf('signature') };
  return { kind: 'viewChange', value } as unknown as Verified<Message>;
}

describe('memory and work of one member (V12, R4)', () => {
  it('R12: 100,000 VIEW-CHANGEs of one member take one place, one journal record, and move nobody', () => {
    const cluster = new Cluster(4, FAST);
    cluster.deliver();
    const { state } = cluster.members[1]!;
    const before = process.memoryUsage().heapUsed;
    const top = Number.MAX_SAFE_INTEGER - 200_000;
    for (let i = 0; i < 100_000; i++) {
      const view = i < 50_000 ? 1 + i : top + i;
      const effects = step(state, { type: 'message', message: asking(3, view) }, cluster.now());
      assert(!effects.some(({ type }) => type === 'left'));
    }
    assert.deepEqual([state.viewChanges.size, state.view, state.asked], [1, 0, 0]);
    const records = step(state, { type: 'timer', timer: 'status' }, cluster.now()).flatMap((effect) =>
      effect.type === 'persist' ? effect.records : [],
    );
    assert(records.length <= 4, `${records.length} records for the journal`);
    const grown = process.memoryUsage().heapUsed - before;
    assert(grown < 64 * 1024 * 1024, `${grown} bytes`);
    // What is not above its highest is not even verified.
    assert(!isUseful(state, asking(3, 7)));
    cluster.order('a');
    cluster.deliver();
    assert.deepEqual(heights(cluster), [1, 1, 1, 1]);
  });

  it('R13: f members far ahead are not followed; f+1 are, to the (f+1)-th highest of their views', () => {
    for (const honest of [1, 3, 50]) {
      const cluster = new Cluster(7, FAST);
      cluster.deliver();
      for (const [sender, view] of [
        [5, 2_000_000],
        [6, 1_000_000],
      ] as const) {
        deliverTo(cluster, 1, asking(sender, view));
        step(cluster.members[1]!.state, { type: 'message', message: asking(sender, view) }, cluster.now());
      }
      const { state } = cluster.members[1]!;
      assert.deepEqual([state.view, state.asked], [0, 0], 'f are not followed');
      step(state, { type: 'message', message: asking(4, honest) }, cluster.now());
      assert.equal(state.asked, honest, 'the third highest of {2000000, 1000000, ...}');
    }
  });

  it('L07: 100,000 proposals beyond the window, up to the last height there is, leave nothing', () => {
    const cluster = new Cluster(4, FAST);
    cluster.deliver();
    const { state } = cluster.members[1]!;
    const far = [17, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER - 100_000];
    const signed = new Forge(cluster).proposal(0, batchAt(20, 'far'));
    assert(signed.kind === 'prePrepare');
    for (let i = 0; i < 25_000; i++) {
      for (const height of far) {
        const vote = { ...signed.value.vote, height: height + i };
        const message = { kind: 'prePrepare', value: { ...signed.value, vote } } as Message;
        assert(!isUseful(state, message), 'it is not verified');
        step(state, { type: 'message', message: message as Verified<Message> }, cluster.now());
      }
    }
    assert.deepEqual([state.slots.size, state.peers[0]!.future.messages.size], [0, 0]);
    assert(![...state.witnessed.values()].some(({ votes }) => votes.size > 0));
  });

  it('L08: nothing is voted for at a stable or executed height but what was executed', () => {
    const cluster = new Cluster(4, FAST);
    cluster.passes = ({ message }) => message.kind !== 'checkpoint';
    cluster.order('a');
    cluster.deliver();
    const { state } = cluster.members[1]!;
    assert.deepEqual([state.executed.height, state.low], [1, 0], 'executed, not stable');
    const forge = new Forge(cluster);
    const again = forge.proposal(0, batchAt(1, 'another'));
    assert(!signedKinds(deliverTo(cluster, 1, again)).includes('prepare'));
    cluster.passes = () => true;
    settle(cluster);
    assert.equal(state.low, 1, 'stable');
    for (const height of [0, 1]) {
      const message = forge.proposal(0, batchAt(height, 'another'));
      assert(!isUseful(state, message));
      assert(!signedKinds(deliverTo(cluster, 1, message)).includes('prepare'));
    }
    assert.equal(state.slots.get(1), undefined);
    assert.equal(state.executed.height, 1);
  });

  it('R20: a STATUS with a head that nobody can prove starts no catch-up and stops no voting', () => {
    const cluster = new Cluster(4, FAST);
    settle(cluster);
    const forge = new Forge(cluster);
    const { state } = cluster.members[1]!;
    const told = state.peers[3]!.status!.body;
    const tell = (change: Partial<StatusBody>) => {
      const body = { ...told, number: state.peers[3]!.status!.body.number + 1, ...change };
      return deliverTo(cluster, 1, forge.message(3, { kind: 'status', body }));
    };
    for (const height of [10 ** 12, 5, 0]) {
      const effects = tell({ executed: height, low: height });
      assert(!effects.some(({ type }) => type === 'startSync'), `${height}`);
    }
    deliverTo(cluster, 1, { kind: 'certificate', value: forge.certificate(forge.checkpoint(10 ** 12), [3]) });
    assert.deepEqual([state.mode, state.low, state.syncing], ['active', 0, false]);
    cluster.order('a');
    cluster.deliver();
    assert.deepEqual(heights(cluster), [1, 1, 1, 1]);
  });

  it('R23: however many STATUS a member sends, it is sent what it lacks once in half an interval', () => {
    const cluster = new Cluster(4, FAST);
    cluster.passes = ({ to }) => to !== 3;
    for (const name of 'abc') cluster.order(name);
    cluster.deliver();
    const forge = new Forge(cluster);
    const { state } = cluster.members[1]!;
    const lacks = state.peers[3]!.status!.body;
    const resent = (from: number, count: number): number => {
      let messages = 0;
      for (let i = 0; i < count; i++) {
        const body = { ...lacks, number: lacks.number + from + i };
        const effects = deliverTo(cluster, 1, forge.message(3, { kind: 'status', body }));
        messages += effects.filter(({ type }) => type === 'send').length;
      }
      return messages;
    };
    cluster.advance(1_000);
    const once = resent(10_000, 1);
    assert(once > 0 && once <= 64);
    assert.equal(resent(20_000, 1_000), 0, 'the rest of the half interval');
    cluster.clock.monotonic += 250;
    assert(resent(30_000, 1_000) <= 64);
  });
});

describe('a leader whose NEW-VIEWs break the rules (V8)', () => {
  it('trap: invalid NEW-VIEWs sent back to back cost one verification, and the view after is entered', () => {
    const cluster = new Cluster(4, FAST);
    cluster.deliver();
    const forge = new Forge(cluster);
    const { state } = cluster.members[2]!;
    const changes = (view: number) => [0, 1, 3].map((member) => forge.viewChange(member, view));
    const lies = Array.from({ length: 20 }, (_, i) => 1 + 4 * i).map((view): Message => {
      return { kind: 'newView', value: forge.newView(view, changes(view), [forge.vote(view, 1)]) };
    });
    for (const message of lies) assert.match(forge.judge(message), /^misconduct/);
    let verified = 0;
    let proven = 0;
    for (const message of lies) {
      if (!isUseful(state, message)) continue;
      verified++;
      proven += deliverTo(cluster, 2, message).filter(({ type }) => type === 'relay').length;
    }
    assert.deepEqual([verified, proven], [1, 1]);
    assert(state.proven.size <= 4);
    // V8: with f+1 VIEW-CHANGEs for its view even this member is listened to again.
    const later = lies[2]!;
    for (const sender of [0, 3]) {
      assert(!isUseful(state, later));
      step(state, { type: 'message', message: asking(sender, 9) }, cluster.now());
    }
    assert(isUseful(state, later));
  });

  it('L23, L20: a view whose NEW-VIEW is invalid is left at once, and whoever gets it passed on leaves it too', () => {
    const cluster = new Cluster(4, FAST);
    cluster.deliver();
    const forge = new Forge(cluster);
    cluster.crash(1);
    // Handed to the leader of view 0, which does nothing.
    cluster.pool.push([digestOf('a')]);
    const value = forge.newView(
      1,
      [0, 2, 3].map((member) => forge.viewChange(member, 1)),
      [forge.vote(1, 1)],
    );
    deliverTo(cluster, 2, { kind: 'newView', value });
    const relayed = cluster.wire.filter(({ message }) => message.kind === 'newView').map(({ to }) => to);
    assert.deepEqual(relayed, [0, 1, 3]);
    until(cluster, () => [0, 2, 3].every((member) => views(cluster)[member] === 2), 'view 1 is passed over');
  });
});

describe('more than f Byzantine members', () => {
  for (const n of [4, 7, 10]) {
    it(`C09: f+1 of ${n} make a fork, and the two commit certificates name f+1 culprits that anybody can convict`, () => {
      const cluster = new Cluster(n, FAST);
      cluster.deliver();
      cluster.wire.length = 0;
      const forge = new Forge(cluster);
      const f = cluster.members[0]!.state.faults;
      // The leader among them: it proposes one batch to one half of the correct ones, another to the other half.
      const faulty = Array.from({ length: f + 1 }, (_, i) => i);
      const correct = forge.membersBut(...faulty);
      const halves = [correct.filter((_, i) => i % 2 === 0), correct.filter((_, i) => i % 2 === 1)];
      const votes = halves.map((half, i) => {
        const batch = batchAt(1, `side ${i}`);
        const vote = forge.vote(0, 1, batchDigest(batch));
        for (const member of half) deliverTo(cluster, member, forge.proposal(0, batch));
        cluster.passes = ({ from, to }) => half.includes(from) && half.includes(to);
        cluster.deliver();
        cluster.passes = () => true;
        for (const kind of ['prepare', 'commit'] as const) {
          for (const member of half) {
            for (const one of faulty) deliverTo(cluster, member, forge.message(one, { kind, vote }));
          }
          cluster.passes = ({ from, to }) => half.includes(from) && half.includes(to);
          cluster.deliver();
          cluster.passes = () => true;
        }
        return vote;
      });
      const certificates = halves.flatMap(([witness]) => {
        const committed = cluster.members[witness!]!.state.slots.get(1)?.committed;
        return committed === undefined ? [] : [committed];
      });
      assert.equal(certificates.length, 2, 'both sides have a commit certificate');
      for (const half of halves) for (const member of half) assert.equal(heights(cluster)[member], 1);
      assert.notDeepEqual(cluster.chain(halves[0]![0]!)[1]!.blockHash, cluster.chain(halves[1]![0]!)[1]!.blockHash);
      // Accountability: whoever signed both is faulty, and there are f+1 of them at least.
      const [first, second] = certificates.map(({ commits }) => signerIndexes(commits.signers, n));
      assert(Array.isArray(first) && Array.isArray(second));
      const culprits = first.filter((member) => second.includes(member));
      assert(culprits.length >= f + 1, `${culprits}`);
      for (const member of culprits) {
        assert(faulty.includes(member), `member ${member} is correct`);
        const [a, b] = certificates.map(({ vote, commits }) => {
          const at = (signerIndexes(commits.signers, n) as number[]).indexOf(member);
          return { vote, signature: commits.signatures[at]! };
        });
        const evidence = { kind: 'vote', value: { kind: 'commit', member, first: a!, second: b! } } as const;
        assert.equal(forge.judge({ kind: 'evidence', value: evidence }), 'ok');
      }
      assert.deepEqual(
        certificates.map(({ vote }) => vote.digest),
        votes.map(({ digest }) => digest),
      );
      // Whoever hears of the other certificate halts instead of going on with one side.
      const [{ vote, commits, batch }] = certificates.slice(1) as [(typeof certificates)[number]];
      const victim = halves[0]![0]!;
      deliverTo(cluster, victim, { kind: 'commitCertificate', value: { vote, commits, batch: batch! } });
      const { mode, reason } = cluster.members[victim]!.state;
      assert.equal(mode, 'halted');
      assert.match(reason, /is committed at height 1 in view 0, but/);
    });
  }
});

describe('a channel over which nothing comes (R4)', () => {
  it('trap: one link blocked and the leader dead: whoever hears nothing of a member says so, and is passed on what it tells', () => {
    const cluster = new Cluster(4, FAST);
    settle(cluster);
    cluster.passes = ({ from, to }) => !(from === 1 && to === 2);
    const { state } = cluster.members[2]!;
    assert(state.peers[1]!.open, 'the channel is not known to be lost');
    settle(cluster);
    settle(cluster);
    let lost = 0;
    for (let i = 0; i < 40; i++) {
      pass(cluster, 100);
      if (connectedCount(state, cluster.now()) < 4) lost++;
    }
    assert(lost < 5, `without it for ${lost} of 40 looks`);
  });
});
