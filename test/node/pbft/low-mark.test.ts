import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toHex } from '../../../ledger/bytes.ts';
import { decodeRecord, recordHeight } from '../../../node/pbft/records.ts';
import { Cluster, type Sent } from '../../support/cluster.ts';

/**
 * What a validator sent COMMIT for must be in its VIEW-CHANGE, whatever its disk lost that was not durable. A low mark
 * that goes back in a restart leaves prepared certificates above the window, where no VIEW-CHANGE can show them.
 */

const VIEW_KINDS = ['status', 'viewChange', 'newView'];
/** COMMITs of view 0 are late. */
const isLate = ({ message }: Sent): boolean =>
  (message.kind === 'commit' || message.kind === 'commitCertificate') && message.value.vote.view === 0;

/** Time passes until the condition holds. */
function passUntil(cluster: Cluster, done: () => boolean, what: string): void {
  for (let i = 0; i < 400; i++) {
    cluster.advance(100);
    cluster.deliver();
    if (done()) return;
  }
  assert.fail(`never: ${what}`);
}

function blocksAt(cluster: Cluster, height: number): readonly string[] {
  const hashes = new Set<string>();
  for (const { index } of cluster.members) {
    const head = cluster.chain(index)[height];
    if (head !== undefined) hashes.add(toHex(head.blockHash));
  }
  return [...hashes];
}

const executed = (cluster: Cluster): readonly number[] => cluster.members.map(({ state }) => state.executed.height);
const lows = (cluster: Cluster): readonly number[] => cluster.members.map(({ state }) => state.low);

describe('the low mark that votes rest on is durable with them (R2, V4, V10)', () => {
  for (const window of [1, 8]) {
    it(`D02, trap: validator alone in having executed h, then a view change: three lose power, nobody is faulty, window ${window}`, () => {
      const cluster = new Cluster(4, { window });
      const held: Sent[] = [];
      for (let i = 0; i < window; i++) cluster.order(`a${i}`);
      cluster.passes = (sent) => {
        if (sent.message.kind === 'checkpoint') held.push(sent);
        return sent.message.kind !== 'checkpoint';
      };
      cluster.deliver();
      assert.deepEqual(executed(cluster), [window, window, window, window]);
      // The certificate of height 1 comes only now; LevelDB has it unsynced, since no block is written after it.
      cluster.passes = () => true;
      for (const sent of held) {
        if (sent.message.kind === 'checkpoint' && sent.message.value.checkpoint.height === 1) cluster.wire.push(sent);
      }
      cluster.deliver();
      assert.deepEqual(lows(cluster), [1, 1, 1, 1]);
      const next = window + 1;
      cluster.order('b');
      cluster.passes = ({ to, message }) => message.kind !== 'commit' || to === 3;
      cluster.deliver();
      assert.deepEqual(executed(cluster), [window, window, window, next]);
      for (const i of [0, 1, 2]) {
        assert(cluster.members[i]!.state.slots.get(next)!.prepared !== undefined, 'COMMIT is sent');
        cluster.crash(i);
        cluster.members[i]!.disk.certificate = undefined;
      }
      cluster.wire.length = 0;
      cluster.passes = ({ from, to, message }) => from !== 3 && to !== 3 && VIEW_KINDS.includes(message.kind);
      for (const i of [0, 1, 2]) cluster.restart(i);
      cluster.pool.push([new Uint8Array(32).fill(7)]);
      const three = cluster.members.slice(0, 3);
      passUntil(cluster, () => three.every(({ state }) => state.view > 0), 'a new view');
      cluster.passes = (sent) => sent.from !== 3 && sent.to !== 3 && !isLate(sent);
      passUntil(
        cluster,
        () => {
          cluster.order();
          return three.every(({ state }) => state.executed.height >= next);
        },
        'execution',
      );
      assert.equal(blocksAt(cluster, next).length, 1, `fork at height ${next}`);
    });
  }

  it('a certificate ahead of execution, then kill -9, and one member that omits its certificate', () => {
    const cluster = new Cluster(4, { window: 1 });
    const [leader, killed, alone, liar] = [0, 1, 2, 3] as const;
    cluster.order('a');
    cluster.passes = ({ to, message }) => !(to === killed && message.kind === 'commit');
    cluster.deliver();
    const { state } = cluster.members[killed]!;
    assert.deepEqual([state.executed.height, state.low, state.mode], [0, 1, 'active']);
    cluster.order('b');
    cluster.passes = ({ to, message: { kind } }) =>
      !(kind === 'commit' && to !== alone) && !(kind === 'prepare' && to === leader) && kind !== 'status';
    cluster.deliver();
    assert.deepEqual(executed(cluster), [1, 0, 2, 1]);
    cluster.members[liar]!.state.slots.delete(2);
    cluster.crash(killed);
    cluster.wire.length = 0;
    cluster.passes = ({ from, to, message }) => from !== alone && to !== alone && VIEW_KINDS.includes(message.kind);
    cluster.restart(killed);
    cluster.pool.push([new Uint8Array(32).fill(7)]);
    const others = [leader, killed, liar].map((i) => cluster.members[i]!);
    passUntil(cluster, () => others.every((one) => one.state.view > 0), 'a new view');
    cluster.passes = (sent) => sent.from !== alone && sent.to !== alone && !isLate(sent);
    passUntil(
      cluster,
      () => {
        cluster.order();
        return [leader, killed].every((i) => cluster.members[i]!.state.executed.height >= 2);
      },
      'execution',
    );
    assert.equal(blocksAt(cluster, 2).length, 1, 'fork at height 2');
  });

  for (const [what, killed, liar] of [
    ['another member leads the next view', 3, 1],
    ['the killed member leads the next view', 1, 3],
  ] as const) {
    it(`a journal that is pruned under a certificate ahead of execution halts nobody: ${what}`, () => {
      const cluster = new Cluster(4);
      const correct = cluster.members.filter(({ index }) => index !== liar);
      cluster.order('a');
      cluster.order('b');
      // Member 0 prepares nothing; the killed one gets COMMITs of height 1 only, and alone the certificate of height 2.
      cluster.passes = ({ to, message: { kind, value } }) => {
        if (kind === 'prepare') return to !== 0;
        if (kind === 'commit') return to !== killed || value.vote.height === 1;
        if (kind === 'checkpoint') return to === killed && value.checkpoint.height === 2;
        return kind !== 'status';
      };
      cluster.deliver();
      const { disk, state } = cluster.members[killed]!;
      assert.deepEqual([state.executed.height, state.low], [1, 2]);
      // The low mark becomes durable with the next STATUS; only then may height 1 be pruned.
      cluster.passes = () => false;
      cluster.feed(killed, { type: 'timer', timer: 'status' });
      const kept = disk.records.filter((bytes) => (heightIn(bytes) ?? 2) > 1);
      assert.equal(disk.records.length - kept.length, 2);
      disk.records = kept;
      cluster.crash(killed);
      cluster.wire.length = 0;
      // The faulty one shows nothing of what it prepared.
      cluster.members[liar]!.state.slots.clear();
      cluster.members[liar]!.state.ordered.clear();
      const silenced = cluster.members.find(({ index }) => ![0, killed, liar].includes(index))!.index;
      cluster.passes = ({ from, message: { kind } }) =>
        VIEW_KINDS.includes(kind) && (kind !== 'viewChange' || from !== silenced);
      cluster.restart(killed);
      passUntil(cluster, () => correct.every((one) => one.state.view > 0), 'a new view');
      for (const one of correct) assert.equal(one.state.mode, 'active', one.state.reason);
    });
  }

  it('R1: a ledger that ends below what the journal says it had executed is doubt', () => {
    const cluster = new Cluster(4);
    for (const name of 'abc') cluster.order(name);
    cluster.deliver();
    cluster.advance(500);
    cluster.deliver();
    const { disk, state } = cluster.members[2]!;
    assert.deepEqual([state.executed.height, state.low], [3, 3]);
    cluster.crash(2);
    disk.heads.length = 2;
    disk.certificate = undefined;
    cluster.passes = () => false;
    cluster.restart(2);
    const { mode, reason } = cluster.members[2]!.state;
    assert.equal(mode, 'doubt');
    assert.match(reason, /ends at height 1, it had executed/);
  });
});

function heightIn(bytes: Uint8Array): number | undefined {
  const record = decodeRecord(bytes);
  if (record.kind === 'proposal') return recordHeight({ ...record.value, kind: 'proposal' });
  return record.kind === 'prepared' ? recordHeight({ ...record.value, kind: 'prepared' }) : undefined;
}
