import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SHOWN_MAX } from '../../../node/limits.ts';
import type { Shown } from '../../../node/pbft/messages.ts';
import { recordHeight } from '../../../node/pbft/records.ts';
import { onShown } from '../../../node/pbft/restore.ts';
import { forgetWitnessed, restoreWitness, shownTo } from '../../../node/pbft/witness.ts';
import { Cluster, type Member } from '../../support/cluster.ts';
import { deliverTo } from '../../support/cluster-steps.ts';

/** Takes the disk of a member back to what it was, and starts it cut off from all but for what they hold of it. */
function rollBack(cluster: Cluster, member: Member, records: readonly Uint8Array[]): void {
  cluster.crash(member.index);
  member.disk.records = [...records];
  member.disk.doubt = undefined;
  cluster.passes = () => false;
  cluster.restart(member.index);
}

const shows = (cluster: Cluster, by: number, of: number, kind: string): boolean =>
  shownTo(cluster.members[by]!.state, of).some((one) => one.kind === 'vote' && one.value.kind === kind);

describe('own signatures that the disk does not know (R5, R6)', () => {
  it('a lost COMMIT of a height whose PREPARE is there', () => {
    const cluster = new Cluster(4);
    const member = cluster.members[1]!;
    cluster.passes = ({ message }) => message.kind !== 'prepare' && message.kind !== 'commit';
    cluster.order('a');
    cluster.deliver();
    const image = [...member.disk.records];
    cluster.passes = ({ to, message }) => message.kind !== 'checkpoint' && !(message.kind === 'commit' && to === 1);
    for (let i = 0; i < 30; i++) {
      cluster.advance(100);
      cluster.deliver();
    }
    assert(shows(cluster, 0, 1, 'commit'));
    rollBack(cluster, member, image);
    assert.equal(member.state.mode, 'doubt');
  });

  it('a lost NEW-VIEW while the VIEW-CHANGE for its view is there', () => {
    const cluster = new Cluster(4);
    const member = cluster.members[1]!;
    cluster.crash(0);
    cluster.pool.push([new Uint8Array(32).fill(7)]);
    let image: readonly Uint8Array[] = [];
    for (let i = 0; i < 60 && member.state.view === 0; i++) {
      cluster.advance(100);
      while (cluster.wire.length > 0 && member.state.view === 0) {
        image = [...member.disk.records];
        cluster.deliverOne(cluster.wire.shift()!);
      }
    }
    cluster.passes = ({ message }) => message.kind === 'newView';
    cluster.deliver();
    assert(shows(cluster, 2, 1, 'newView'));
    rollBack(cluster, member, image);
    assert.deepEqual([member.state.view, member.state.asked], [0, 1]);
    assert.equal(member.state.mode, 'doubt');
  });

  it('an own VIEW-CHANGE that this disk lacks, inside the NEW-VIEW that it is sent later', () => {
    const cluster = new Cluster(4);
    cluster.pool.push([new Uint8Array(32).fill(7)]);
    // It reaches only the leader of view 1; member 0 is silent.
    cluster.passes = ({ from, to, message: { kind } }) =>
      kind === 'status' ||
      (kind === 'newView' && to !== 3) ||
      (kind === 'viewChange' && from !== 0 && (from !== 3 || to === 1));
    const { state } = cluster.members[2]!;
    for (let i = 0; i < 200 && state.view === 0; i++) {
      cluster.advance(100);
      cluster.deliver();
    }
    assert(state.newView!.body.viewChanges.some(({ sender }) => sender === 3));
    cluster.wire.length = 0;
    // The leader can't be asked; the others were told of it by the NEW-VIEW.
    cluster.reaches = (from, to) => from !== 1 && to !== 1;
    rollBack(cluster, cluster.members[3]!, []);
    assert.equal(cluster.members[3]!.state.mode, 'doubt');
    // And if nobody had remembered it, the NEW-VIEW itself shows it.
    for (const { state } of cluster.members) state.witnessed.delete(3);
    rollBack(cluster, cluster.members[3]!, []);
    assert.equal(cluster.members[3]!.state.mode, 'active');
    cluster.passes = () => true;
    deliverTo(cluster, 3, { kind: 'newView', value: state.newView! });
    assert.equal(cluster.members[3]!.state.mode, 'doubt');
  });

  it('no false doubt: the record of a NEW-VIEW stays as long as what it carries is above the stable height', () => {
    const prePrepares = [1, 2].map((height) => {
      return { vote: { epoch: 0, view: 1, height, digest: new Uint8Array(32) }, signature: new Uint8Array(64) };
    });
    const newView = { body: { epoch: 0, view: 1, viewChanges: [], prePrepares }, signature: new Uint8Array(64) };
    assert.equal(recordHeight({ kind: 'newView', newView }), 2);
  });

  it('an answer that comes when enough have answered is still compared with what the disk had', () => {
    const cluster = new Cluster(4);
    const member = cluster.members[1]!;
    cluster.order('a');
    cluster.deliver();
    cluster.advance(500);
    cluster.deliver();
    assert.deepEqual([member.state.mode, member.state.low], ['active', 1]);
    // Before this start nothing was stable here, so height 1 may have been voted for by a process with another disk.
    const vote = { epoch: 0, view: 0, height: 1, digest: new Uint8Array(32) };
    const late: Shown = { kind: 'vote', value: { kind: 'prepare', vote, signature: new Uint8Array(64) } };
    onShown(member.state, 3, [late], []);
    assert.equal(member.state.mode, 'doubt');
  });

  it('R5: what a witness can tell in one answer has the highest CHECKPOINT, also after its own restart', () => {
    const { state } = new Cluster(4).members[0]!;
    for (let height = 1; height <= 1_200; height++) {
      const checkpoint = { epoch: 0, height } as never;
      restoreWitness(state, 1, { kind: 'checkpoint', value: { checkpoint, sender: 1, signature: new Uint8Array(64) } });
    }
    const [first] = shownTo(state, 1).slice(0, SHOWN_MAX);
    assert.equal(first?.kind === 'checkpoint' && first.value.checkpoint.height, 1_200);
    forgetWitnessed(state, 1_190);
    assert.equal(shownTo(state, 1).length, 10);
  });
});

describe('bounds and waiting', () => {
  it('X06: a catch-up that takes long piles up neither slots nor certificates', () => {
    const cluster = new Cluster(4);
    const { state } = cluster.members[3]!;
    state.syncing = true;
    for (let i = 0; i < 100; i++) {
      cluster.order(`a${i}`);
      cluster.deliver();
    }
    assert.deepEqual([state.mode, state.low], ['behind', 100]);
    assert(state.slots.size <= 6 * 8, `${state.slots.size} slots`);
    assert(state.certificatesAhead.size <= 4 * 8 + 1, `${state.certificatesAhead.size} certificates`);
  });

  it('V6: a leader that was behind when the q-th VIEW-CHANGE came begins its view when it is active again', () => {
    const cluster = new Cluster(4);
    const { state } = cluster.members[1]!;
    cluster.crash(0);
    cluster.pool.push([new Uint8Array(32).fill(7)]);
    cluster.passes = ({ message }) => message.kind !== 'viewChange';
    for (let i = 0; i < 30 && state.asked === 0; i++) {
      cluster.advance(100);
      cluster.deliver();
    }
    state.mode = 'behind';
    cluster.passes = () => true;
    for (let i = 0; i < 12; i++) {
      cluster.advance(100);
      cluster.deliver();
    }
    assert.deepEqual([state.view, state.asked, state.viewChanges.size], [0, 1, 3]);
    state.mode = 'active';
    cluster.advance(100);
    cluster.deliver();
    assert.equal(state.view, 1);
  });
});
