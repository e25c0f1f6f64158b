import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PeerView, WhyView } from '../../api/ports.ts';
import type { Message } from '../../node/pbft/messages.ts';
import { why } from '../../node/why.ts';
import { Cluster } from '../support/cluster.ts';
import { pass, settle, until } from '../support/cluster-steps.ts';

const peers = (but: Partial<PeerView> & { index?: number } = {}): PeerView[] =>
  [0, 1, 2, 3].map((index) => ({
    index,
    name: `v${index}`,
    connected: true,
    addresses: [],
    bytesSent: 0,
    bytesReceived: 0,
    ...(but.index === index && but),
  }));

function ask(cluster: Cluster, member: number, pending = 0, seen = peers()): WhyView {
  return why(cluster.members[member]!.state, seen, pending, cluster.now());
}

/** Everything arrives but these kinds. */
function without(...kinds: readonly Message['kind'][]): Cluster {
  const cluster = new Cluster(4);
  settle(cluster);
  cluster.passes = ({ message: { kind } }) => !kinds.includes(kind);
  return cluster;
}

describe('why a node waits', () => {
  it('for nothing, on an idle chain', () => {
    const cluster = new Cluster(4);
    settle(cluster);
    const { waitingFor, sentence, missing } = ask(cluster, 1);
    assert.equal(waitingFor, 'nothing');
    assert.match(sentence, /^Idle: nothing is pending, the next empty block is due in \d+ ms$/);
    assert.deepEqual(missing, []);
  });

  it('for the leader, by name, once something is pending', () => {
    const cluster = without('prePrepare');
    cluster.order('a');
    cluster.deliver();
    const { sentence, waitingFor, height, missing } = ask(cluster, 1, 1);
    assert.equal(waitingFor, 'pre-prepare');
    assert.equal(height, 1);
    assert.match(sentence, /^Waiting for PRE-PREPARE at height 1 of leader v0, pending transactions: 1; v0 /);
    assert.deepEqual(
      missing.map(({ name }) => name),
      ['v0'],
    );
  });

  it('for votes: how many of how many, whose are here, and what is known of the others', () => {
    const cluster = without();
    // What v1 has more of, it would send.
    cluster.passes = ({ message: { kind }, to, from }) =>
      from !== 3 && to !== 3 && (to !== 0 || from === 1 || kind === 'prepare') && (to === 0 || kind !== 'commit');
    cluster.order('a');
    cluster.deliver();
    const refused = { index: 3, connected: false, reason: 'is on genesis 0x9a' };
    const { sentence, have, need, from } = ask(cluster, 0, 1, peers(refused));
    assert.equal(
      sentence,
      'Waiting for COMMIT at height 1: have 2 of 3 (v0, v1); v2 is at height 0, and has not sent it; v3 is not connected: is on genesis 0x9a',
    );
    assert.deepEqual([have, need, from], [2, 3, ['v0', 'v1']]);
    cluster.advance(2_000);
    assert.match(
      ask(cluster, 0, 1).sentence,
      /^Waiting for validators: have 1 of 3 \(v0\); v1 silent for 2 s; v2 silent for 2 s;/,
    );
  });

  it('for PREPARE and CHECKPOINT likewise; the proposal is the part of the leader', () => {
    const preparing = without('prepare');
    preparing.order('a');
    preparing.deliver();
    assert.match(ask(preparing, 1, 1).sentence, /^Waiting for PREPARE at height 1: have 2 of 3 \(v0, v1\); v2 /);
    const executed = without('checkpoint', 'certificate');
    executed.order('a');
    executed.deliver();
    const { sentence, waitingFor } = ask(executed, 2);
    assert.equal(waitingFor, 'checkpoint');
    assert.match(sentence, /^Waiting for CHECKPOINT at height 1: have 1 of 3 \(v2\); v0 /);
  });

  it('for a view change, and then for the NEW-VIEW of its leader', () => {
    const cluster = without('prePrepare', 'newView');
    cluster.order('a');
    until(cluster, () => ask(cluster, 2, 1).waitingFor === 'new-view', 'a quorum has asked');
    const { sentence, view } = ask(cluster, 2, 1);
    assert.equal(view, 1);
    assert.match(sentence, /^Waiting for NEW-VIEW 1 of its leader v1; v1 /);
    const alone = without('prePrepare', 'viewChange');
    alone.order('a');
    until(alone, () => ask(alone, 2, 1).waitingFor === 'view-change', 'it has asked');
    assert.match(ask(alone, 2, 1).sentence, /^Waiting for VIEW-CHANGE to view 1: have 1 of 3 \(v2\); v0 /);
  });

  it('for validators: who is silent, and since when', () => {
    const cluster = new Cluster(4);
    settle(cluster);
    cluster.passes = () => false;
    for (let i = 0; i < 41; i++) pass(cluster, 1_000);
    const { sentence, waitingFor } = ask(cluster, 0);
    assert.equal(waitingFor, 'peers');
    assert.match(sentence, /^Waiting for validators: have 1 of 3 \(v0\); v1 silent for 4[123] s; v2 silent/);
  });

  it('for what a proposal lacks', () => {
    const cluster = without('prepare');
    cluster.order('a');
    cluster.deliver();
    const proposal = cluster.members[1]!.state.slots.get(1)!.proposal!;
    proposal.phase = 'held';
    assert.match(ask(cluster, 1, 1).sentence, /^The proposal of v0 at height 1 can't be accepted yet: [^;]*$/);
    proposal.phase = 'bodies';
    assert.equal(ask(cluster, 1, 1).sentence, 'Waiting for transactions that v0 proposes at height 1');
    proposal.phase = 'refused';
    assert.match(
      ask(cluster, 1).sentence,
      /^Waiting for PRE-PREPARE at height 1 of leader v0, whose last one was refused,/,
    );
  });

  it('says what it fetches, doubts, and why it halted', () => {
    const cluster = new Cluster(4);
    settle(cluster);
    const { state } = cluster.members[2]!;
    state.low = 12;
    assert.match(ask(cluster, 2).sentence, /^Fetching blocks: executed 0, certified 12$/);
    state.low = 0;
    state.mode = 'doubt';
    state.reason = 'the journal is gone';
    assert.match(ask(cluster, 2).sentence, /^In doubt .*: the journal is gone: have \d of 2/);
    state.mode = 'halted';
    assert.equal(ask(cluster, 2).sentence, 'Halted: the journal is gone');
  });
});
