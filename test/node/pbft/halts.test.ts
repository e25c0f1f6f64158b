import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { batchDigest } from '../../../ledger/block.ts';
import { sha256 } from '../../../ledger/hash.ts';
import { multiSignature } from '../../../ledger/validators.ts';
import type { Vote } from '../../../node/pbft/messages.ts';
import { Cluster } from '../../support/cluster.ts';
import { deliverTo, settle, signed } from '../../support/cluster-steps.ts';
import { Forge } from '../../support/forge.ts';

const ORDERED = { epoch: 0, digest: sha256(Uint8Array.of(1)), view: 0 };

/** Member 3 has the certificate of height 1, and no block; its machine then makes another state of it. */
function divergedAtOne() {
  const cluster = new Cluster(4);
  cluster.passes = ({ to, message: { kind } }) => to !== 3 || kind === 'checkpoint';
  cluster.order('a');
  cluster.deliver();
  const { state, disk } = cluster.members[3]!;
  assert.deepEqual([state.low, state.executed.height], [1, 0]);
  const head = { ...cluster.chain(0)[1]!, stateRoot: sha256(Uint8Array.of(9)) };
  disk.heads.push({ ...head, ordered: ORDERED });
  const effects = cluster.feed(3, { type: 'executed', head, transactions: 1, ordered: ORDERED });
  assert.equal(state.mode, 'halted');
  return { cluster, effects };
}

function votesOf(cluster: Cluster, kind: 'prepare' | 'commit', members: readonly number[], vote: Vote) {
  const signatures = members.map((member) => {
    const message = signed(cluster, member, { kind, vote });
    assert(message.kind === kind);
    return [member, message.value.signature] as const;
  });
  return multiSignature(4, new Map(signatures));
}

describe('a validator whose own state is wrong (C3, N11)', () => {
  it('does not keep the certificate that its block contradicts', () => {
    const { effects } = divergedAtOne();
    assert(!effects.some(({ type }) => type === 'keepCertificate'));
  });

  it('calls nothing final after a restart that it did not before', () => {
    const { cluster } = divergedAtOne();
    cluster.members[3]!.disk.doubt = 'halted';
    cluster.crash(3);
    cluster.restart(3);
    settle(cluster);
    assert.equal(cluster.members[3]!.state.certified, 0);
  });

  it('rule N11: halts when it executes what a later view carries otherwise, whichever came first', () => {
    const cluster = new Cluster(4);
    const forge = new Forge(cluster);
    const above = { height: 2, timestamp: 1_000_001, transactions: [new Uint8Array(32).fill(6)] };
    const prepared = { epoch: 0, view: 0, height: 2, digest: batchDigest(above) };
    const proposed = signed(cluster, 0, { kind: 'prePrepare', vote: prepared, batch: above });
    assert(proposed.kind === 'prePrepare');
    const prePrepareSignature = proposed.value.signature;
    const certificate = {
      vote: prepared,
      prePrepareSignature,
      prepares: votesOf(cluster, 'prepare', [1, 2], prepared),
    };
    // Height 1 is carried as null in view 1.
    const viewChanges = [0, 1, 2].map((member) => forge.viewChange(member, 1, { prepared: [certificate] }));
    deliverTo(cluster, 3, { kind: 'newView', value: forge.newView(1, viewChanges) });
    const { state } = cluster.members[3]!;
    assert.deepEqual([state.view, state.mode], [1, 'active']);
    const batch = { height: 1, timestamp: 1_000_000, transactions: [new Uint8Array(32).fill(5)] };
    const vote = { epoch: 0, view: 0, height: 1, digest: batchDigest(batch) };
    const commits = votesOf(cluster, 'commit', [0, 1, 2], vote);
    deliverTo(cluster, 3, { kind: 'commitCertificate', value: { vote, commits, batch } });
    assert.deepEqual([state.executed.height, state.mode], [1, 'halted']);
  });
});
