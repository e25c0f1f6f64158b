import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Batch, nullBatch } from '../../../ledger/block.ts';
import { sha256 } from '../../../ledger/hash.ts';
import { carryOf } from '../../../node/pbft/carry.ts';
import type { ViewChange } from '../../../node/pbft/messages.ts';
import { persist } from '../../../node/pbft/persist.ts';
import { step } from '../../../node/pbft/replica.ts';
import { restoreState } from '../../../node/pbft/restore.ts';
import { isHeard } from '../../../node/pbft/status.ts';
import { Cluster, genesisHead, type Member, type Sent } from '../../support/cluster.ts';

const LAST = 2;
const ended = ({ effects }: Member): number => effects.filter(({ type }) => type === 'epochEnded').length;
const isCheckpoint = ({ message }: Sent): boolean =>
  message.kind === 'checkpoint' || message.kind === 'certificate' || message.kind === 'status';
const executed = (cluster: Cluster): readonly number[] => cluster.members.map(({ state }) => state.executed.height);

/** Four members; the batch at height 2 ends the epoch, and nobody knows before it is executed. */
function setUp(): Cluster {
  const cluster = new Cluster(4, { window: 8 });
  cluster.ends = ({ height }) => height === LAST;
  return cluster;
}

function pass(cluster: Cluster): void {
  for (let i = 0; i < 10; i++) {
    cluster.advance(200);
    cluster.deliver();
  }
}

describe('the end of an epoch (E2, E3)', () => {
  it('Q08: what is proposed, prepared or committed above the last height is void, and executed by nobody', () => {
    const cluster = setUp();
    const late: Sent[] = [];
    cluster.passes = (sent) => {
      const isLate = sent.message.kind === 'commit' && sent.message.value.vote.height === 1;
      if (isLate) late.push(sent);
      return !isLate;
    };
    for (const name of ['a', 'b', 'c', 'd', 'e']) cluster.order(name);
    cluster.deliver();
    assert.deepEqual(executed(cluster), [0, 0, 0, 0]);
    cluster.passes = () => true;
    cluster.wire.push(...late);
    cluster.deliver();
    assert.deepEqual(executed(cluster), [2, 2, 2, 2]);
    for (const { state } of cluster.members) {
      assert.equal(state.lastHeight, LAST);
      assert.deepEqual([...state.slots.keys()], []);
      assert.equal(state.handedOver, LAST);
    }
    const committed = cluster.members.flatMap(({ effects }) =>
      effects.flatMap((effect) => (effect.type === 'execute' ? [effect.batch.height] : [])),
    );
    assert(Math.max(...committed) > LAST, 'batches above it were committed, and given to an executor that knew better');
  });

  it('its last block is certified with the next epoch in it, and the epoch is over when that is stable here', () => {
    const cluster = setUp();
    cluster.order('a');
    cluster.deliver();
    cluster.passes = (sent) => !isCheckpoint(sent);
    cluster.order('b');
    cluster.deliver();
    assert.deepEqual(executed(cluster), [2, 2, 2, 2]);
    assert.deepEqual(cluster.members.map(ended), [0, 0, 0, 0], 'not stable yet');
    cluster.passes = () => true;
    pass(cluster);
    assert.deepEqual(cluster.members.map(ended), [1, 1, 1, 1]);
    for (const { state } of cluster.members) {
      const { epoch, nextEpoch, height } = state.stable!.checkpoint;
      assert.deepEqual([epoch, nextEpoch, height], [0, 1, LAST]);
    }
  });

  it('C12: whoever only gets the certificate of the last block votes for nothing above it, and catches up to it', () => {
    const cluster = setUp();
    cluster.passes = ({ to }) => to !== 3;
    for (const name of ['a', 'b', 'c']) cluster.order(name);
    cluster.deliver();
    assert.deepEqual(executed(cluster), [2, 2, 2, 0]);
    cluster.passes = ({ to, message }) => to !== 3 || message.kind === 'certificate' || message.kind === 'status';
    cluster.advance(600);
    cluster.deliver();
    const { state } = cluster.members[3]!;
    assert.equal(state.lastHeight, LAST);
    cluster.passes = () => true;
    pass(cluster);
    assert.deepEqual(executed(cluster), [2, 2, 2, 2]);
    assert.equal(ended(cluster.members[3]!), 1);
  });

  it('rule N12, trap: governance batch that fails: nothing is prepared above it until it is stable, then all is', () => {
    const cluster = setUp();
    cluster.governs = ({ height }) => height === LAST;
    cluster.ends = () => false;
    cluster.order('a');
    cluster.deliver();
    cluster.passes = (sent) => !isCheckpoint(sent);
    for (const name of ['b', 'c', 'd']) cluster.order(name);
    cluster.deliver();
    assert.deepEqual(executed(cluster), [2, 2, 2, 2]);
    for (const { state } of cluster.members) assert.equal(state.slots.get(3)?.proposal?.phase === 'accepted', false);
    cluster.passes = () => true;
    pass(cluster);
    assert.deepEqual(executed(cluster), [4, 4, 4, 4], 'it did not end the epoch, so the others follow');
  });
});

describe('the beginning of an epoch (E3, V4, R6)', () => {
  const cluster = new Cluster(4);
  const { config } = cluster.members[0]!.state;
  const head = { ...genesisHead(cluster.genesisId, cluster.validators), height: 9, nextEpoch: 3 };
  const later = { ...config, epoch: 3, firstHeight: 10 };

  it('starts at view 0 with an empty log, and its low mark is the last height of the epoch before', () => {
    const state = restoreState(later, { head, stable: undefined, records: [] }, cluster.now());
    assert.deepEqual([state.view, state.asked, state.low, state.slots.size], [0, 0, 9, 0]);
    assert.equal(state.lastHeight, undefined);
    assert.equal(state.mode, 'starting', 'R6: the members of this epoch are asked first');
  });

  it('a carry without any certificate of the epoch fills from its first height on', () => {
    const prepared = { vote: { epoch: 3, view: 0, height: 11, digest: sha256(Uint8Array.of(1)) } };
    const asks = (sender: number, certificates: readonly unknown[]): ViewChange =>
      ({
        sender,
        body: { epoch: 3, view: 1, stable: { kind: 'beginning', value: {} }, prepared: certificates },
      }) as ViewChange;
    const carry = carryOf(3, 1, [asks(0, []), asks(1, [prepared]), asks(2, [])], 9);
    assert.deepEqual(
      carry.votes.map(({ height }) => height),
      [10, 11],
    );
    assert.equal(carry.base, 9);
  });

  it('records of another epoch are nothing in this one, and its own evidence goes on', () => {
    const batch: Batch = nullBatch(10);
    const vote = { epoch: 2, view: 4, height: 10, digest: sha256(Uint8Array.of(2)) };
    const signed = { vote, signature: new Uint8Array(64) };
    const second = { ...signed, vote: { ...vote, digest: sha256(Uint8Array.of(3)) } };
    const state = restoreState(
      later,
      {
        head,
        stable: undefined,
        records: [
          { kind: 'proposal', value: { ...signed, batch, bodies: new Uint8Array(0) } },
          { kind: 'viewChange', value: { epoch: 2, view: 5, stable: { kind: 'beginning', value: {} }, prepared: [] } },
          { kind: 'witness', value: { member: 1, shown: { kind: 'vote', value: { kind: 'prepare', ...signed } } } },
          { kind: 'evidence', value: { kind: 'vote', value: { kind: 'prepare', member: 1, first: signed, second } } },
        ],
      },
      cluster.now(),
    );
    assert.deepEqual([state.asked, state.slots.size, state.witnessed.size, state.evidence.size], [0, 0, 0, 0]);
    assert.equal(state.pastEvidence.length, 1);
  });

  it('S1, E3: the first group of the journal in an epoch names it, whatever led there', () => {
    const state = restoreState(later, { head, stable: undefined, records: [] }, cluster.now());
    const effects = step(state, { type: 'started', uncertified: [] }, cluster.now());
    for (const from of [1, 2]) effects.push(...step(state, { type: 'shown', from, shown: [] }, cluster.now()));
    assert.equal(state.mode, 'active');
    const body = { epoch: 3, view: 1, stable: { kind: 'beginning', value: {} } as const, prepared: [] };
    persist(state, [{ kind: 'viewChange', body }], [], effects);
    const groups = effects.flatMap((effect) =>
      effect.type === 'persist' && effect.records[0] ? [effect.records] : [],
    );
    assert.deepEqual(groups, [
      [
        { kind: 'viewChange', body },
        { kind: 'entered', epoch: 3 },
      ],
    ]);
  });

  it('Q15: a journal that entered a later epoch than the ledger has is doubt', () => {
    const records = [{ kind: 'entered', value: { epoch: 4 } }] as const;
    const state = restoreState(later, { head, stable: undefined, records }, cluster.now());
    step(state, { type: 'started', uncertified: [] }, cluster.now());
    assert.equal(state.mode, 'doubt');
    assert.match(state.reason, /in epoch 3, it had entered epoch 4/);
  });

  it('a node that the set does not name signs nothing, and writes nothing', () => {
    const state = restoreState({ ...later, self: undefined }, { head, stable: undefined, records: [] }, cluster.now());
    const effects = step(state, { type: 'started', uncertified: [] }, cluster.now());
    assert.equal(state.mode, 'observing');
    for (const timer of ['status', 'heartbeat', 'catchUp'] as const)
      effects.push(...step(state, { type: 'timer', timer }, cluster.now()));
    effects.push(...step(state, { type: 'tick', waiting: { handed: true, overdue: true } }, cluster.now()));
    assert.deepEqual(
      effects.filter(({ type }) => type === 'persist' || type === 'left'),
      [],
    );
  });
});

describe('who is to be added (E5)', () => {
  it('counts as heard when q members, itself included, say in STATUS that they have a channel to it', () => {
    const cluster = new Cluster(4);
    const peerKey = sha256(Uint8Array.of(77));
    const heardBy = (member: number, open: boolean): void => {
      cluster.feed(member, { type: 'guest', peerKey, open });
      cluster.advance(600);
      cluster.deliver();
    };
    const isHeardBy0 = (): boolean => isHeard(cluster.members[0]!.state, peerKey, cluster.now());
    heardBy(0, true);
    heardBy(1, true);
    assert.equal(isHeardBy0(), false, 'two of four');
    heardBy(2, true);
    assert.equal(isHeardBy0(), true);
    heardBy(1, false);
    assert.equal(isHeardBy0(), false);
  });
});
