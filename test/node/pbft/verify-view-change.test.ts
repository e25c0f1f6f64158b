import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { batchDigest, nullBatch } from '../../../ledger/block.ts';
import { multiSignature } from '../../../ledger/validators.ts';
import { carryOf } from '../../../node/pbft/carry.ts';
import type { PreparedCertificate, ViewChange, Vote } from '../../../node/pbft/messages.ts';
import { Cluster } from '../../support/cluster.ts';
import { digestOf, Forge } from '../../support/forge.ts';

const cluster = new Cluster(4);
const forge = new Forge(cluster);
const otherChain = new Forge({ ...cluster, genesisId: digestOf('another genesis') });
/** Prepared in view 0, asked for is view 1. */
const VOTE = forge.vote(0, 1);
const right = forge.prepared(VOTE);

function judge(prepared: readonly PreparedCertificate[], view = 1, change: Partial<ViewChange> = {}): string {
  return forge.judge({ kind: 'viewChange', value: { ...forge.viewChange(3, view, { prepared }), ...change } });
}

describe('VIEW-CHANGE (V4, V7: every nested certificate is verified)', () => {
  const signatures = (votes: readonly Vote[]) => {
    return multiSignature(
      4,
      new Map(votes.map((vote, i) => [i + 1, forge.sign(i + 1, { kind: 'prepare', vote })] as const)),
    );
  };
  const fabricated: Readonly<Record<string, readonly PreparedCertificate[]>> = {
    'f+1 votes': [forge.prepared(VOTE, [1])],
    'no votes': [forge.prepared(VOTE, [])],
    'votes of mixed views': [{ ...right, prepares: signatures([VOTE, { ...VOTE, view: 4 }]) }],
    'votes for mixed digests': [{ ...right, prepares: signatures([VOTE, { ...VOTE, digest: digestOf('y') }]) }],
    'votes at mixed heights': [{ ...right, prepares: signatures([VOTE, { ...VOTE, height: 2 }]) }],
    'one signer twice': [
      { ...right, prepares: { ...right.prepares, signatures: Array(2).fill(right.prepares.signatures[0]!) } },
    ],
    'more signers than signatures': [{ ...right, prepares: { ...right.prepares, signers: Uint8Array.of(0b1110) } }],
    'a signer that is no member': [{ ...right, prepares: { ...right.prepares, signers: Uint8Array.of(0b10010) } }],
    'a PRE-PREPARE of another than the leader': [
      { ...right, prePrepareSignature: forge.sign(1, { kind: 'prePrepare', vote: VOTE }) },
    ],
    "the leader's PREPARE counted (R04)": [forge.prepared(VOTE, [0, 1])],
    'COMMITs for PREPAREs': [{ ...right, prepares: forge.commits(VOTE, [1, 2]) }],
    'another digest than was signed': [{ ...right, vote: { ...VOTE, digest: digestOf('y') } }],
    'the view that is asked for': [forge.prepared(forge.vote(1, 1))],
    'a view above it': [forge.prepared(forge.vote(5, 1))],
    'another epoch': [{ ...right, vote: { ...VOTE, epoch: 1 } }],
    'another chain': [otherChain.prepared(VOTE)],
    'a height at the base': [forge.prepared(forge.vote(0, 0))],
    'a height beyond the window': [forge.prepared(forge.vote(0, 9))],
    'a height twice': [right, right],
    'heights that descend': [forge.prepared(forge.vote(0, 2)), right],
  };
  for (const [what, prepared] of Object.entries(fabricated)) {
    it(`R09: a prepared certificate with ${what} spoils the VIEW-CHANGE`, () => {
      assert.notEqual(judge(prepared), 'ok');
    });
  }

  it('R09: the certificate that they were made of is accepted, at every height of the window', () => {
    assert.equal(judge([right]), 'ok');
    assert.equal(judge([1, 2, 8].map((height) => forge.prepared(forge.vote(0, height)))), 'ok');
    assert.equal(judge([forge.prepared(forge.vote(4, 1))], 5), 'ok');
  });

  it('R04: a prepared certificate never counts the leader, in any view', () => {
    for (let view = 0; view < 4; view++) {
      const others = forge.followers(view);
      assert.equal(judge([forge.prepared(forge.vote(view, 1), others.slice(1))], 4), 'ok');
      const withLeader = [view, others[0]!].sort((a, b) => a - b);
      assert.match(judge([forge.prepared(forge.vote(view, 1), withLeader)], 4), /PREPARE of leader/);
    }
  });

  it('R11: an old stable checkpoint is accepted and lowers nothing, a forged one is refused', () => {
    const [old, newer] = [2, 5].map((height) => forge.certificate(forge.checkpoint(height)));
    const changes = [
      forge.viewChange(0, 1, { stable: old!, prepared: [forge.prepared(forge.vote(0, 6, digestOf('six')))] }),
      forge.viewChange(1, 1, { stable: newer! }),
      forge.viewChange(2, 1),
    ];
    for (const value of changes) assert.equal(forge.judge({ kind: 'viewChange', value }), 'ok');
    const carry = carryOf(0, 1, changes, 0);
    assert.equal(carry.base, 5);
    assert.deepEqual(carry.votes, [forge.vote(1, 6, digestOf('six'))]);
    const forged = [forge.certificate(forge.checkpoint(9), [0, 1]), otherChain.certificate(forge.checkpoint(9))];
    for (const stable of forged) {
      const value = forge.viewChange(2, 1, { stable });
      assert.match(forge.judge({ kind: 'viewChange', value }), /^bad-certificate: stable checkpoint/);
    }
  });

  it('R06, R12: of another sender, of a changed content, or for view 0 it is none', () => {
    assert.notEqual(judge([], 1, { sender: 2 }), 'ok');
    assert.notEqual(judge([], 1, { sender: 4 }), 'ok');
    assert.notEqual(judge([], 1, { body: forge.viewChange(3, 1, { prepared: [right] }).body }), 'ok');
    assert.match(judge([], 0), /^malformed/);
  });
});

describe('NEW-VIEW (V6, V7, V8)', () => {
  /** Height 1 was prepared in view 0, then something else in view 1; at 2 nothing was, at 3 again. */
  const low = forge.prepared(forge.vote(0, 1, digestOf('lower')));
  const high = forge.prepared(forge.vote(1, 1, digestOf('higher')));
  const third = forge.prepared(forge.vote(1, 3, digestOf('third')));
  const changes = [
    forge.viewChange(0, 2, { prepared: [low] }),
    forge.viewChange(1, 2, { prepared: [high, third] }),
    forge.viewChange(3, 2),
  ];
  const carry = carryOf(0, 2, changes, 0).votes;
  const judgeNew = (viewChanges: readonly ViewChange[], votes: readonly Vote[] = carry): string =>
    forge.judge({ kind: 'newView', value: forge.newView(2, viewChanges, votes) });
  const replaced = (at: number, digest: Uint8Array): Vote[] => carry.with(at, { ...carry[at]!, digest }).slice();

  it('is accepted with the carry of its VIEW-CHANGEs, null where nothing was prepared', () => {
    const nothing = batchDigest(nullBatch(2));
    assert.deepEqual(
      carry.map(({ digest }) => digest),
      [digestOf('higher'), nothing, digestOf('third')],
    );
    assert.equal(judgeNew(changes), 'ok');
  });

  it('L20: one that drops what was prepared, at the end or for null, is misconduct', () => {
    assert.match(judgeNew(changes, carry.slice(0, 2)), /^misconduct.*2 PRE-PREPAREs, the carry has 3/);
    assert.match(judgeNew(changes, []), /^misconduct/);
    assert.match(judgeNew(changes, replaced(0, batchDigest(nullBatch(1)))), /^misconduct.*height 1/);
    assert.match(judgeNew(changes, replaced(2, batchDigest(nullBatch(3)))), /^misconduct.*height 3/);
  });

  it('L21: one with what was prepared in the lower view is misconduct', () => {
    assert.match(judgeNew(changes, replaced(0, digestOf('lower'))), /^misconduct.*height 1/);
  });

  it('L22: one with a fresh batch where null is due, or with heights above the carry, is misconduct', () => {
    assert.match(judgeNew(changes, replaced(1, digestOf('fresh'))), /^misconduct.*height 2/);
    assert.match(judgeNew(changes, [...carry, forge.vote(2, 4)]), /^misconduct.*4 PRE-PREPAREs/);
    assert.match(judgeNew(changes, carry.toReversed()), /^misconduct/);
    assert.match(judgeNew(changes, carry.with(0, { ...carry[0]!, view: 1 })), /^misconduct/);
    // A carry in which nothing is due stays empty.
    const empty = [0, 1, 3].map((member) => forge.viewChange(member, 2));
    assert.equal(judgeNew(empty, []), 'ok');
    assert.match(judgeNew(empty, [forge.vote(2, 1)]), /^misconduct/);
  });

  const stranger = new Forge(new Cluster(7));
  const sets: Readonly<Record<string, readonly ViewChange[]>> = {
    'one VIEW-CHANGE twice': [changes[0]!, changes[0]!, changes[1]!],
    'q-1 VIEW-CHANGEs': changes.slice(0, 2),
    'more than q': [...changes.slice(0, 2), forge.viewChange(2, 2), changes[2]!],
    'another order': changes.toReversed(),
    'one for a lower view': changes.with(2, forge.viewChange(3, 1)),
    'one for a higher view': changes.with(2, forge.viewChange(3, 3)),
    'one with a forged signature': changes.with(2, { ...changes[2]!, signature: changes[0]!.signature }),
    'one under the name of another': changes.with(2, { ...forge.viewChange(0, 2), sender: 3 }),
    'one of no member': changes.with(2, stranger.viewChange(6, 2)),
    'one of another chain': changes.with(2, otherChain.viewChange(3, 2)),
    'one with a fabricated certificate': changes.with(
      2,
      forge.viewChange(3, 2, { prepared: [forge.prepared(VOTE, [1])] }),
    ),
    nothing: [],
  };
  for (const [what, viewChanges] of Object.entries(sets)) {
    it(`L23: one on ${what} is misconduct of its leader`, () => {
      assert.match(judgeNew(viewChanges, carryOf(0, 2, viewChanges, 0).votes), /^misconduct/);
    });
  }

  it('L23: one that its leader did not sign is nobody’s', () => {
    const value = forge.newView(2, changes);
    const forged = { ...value, signature: forge.newView(6, changes).signature };
    assert.match(forge.judge({ kind: 'newView', value: forged }), /^bad-signature/);
    const first = value.body.prePrepares[0]!;
    const unsigned = { ...first, signature: value.body.prePrepares[1]!.signature };
    const body = { ...value.body, prePrepares: value.body.prePrepares.with(0, unsigned).slice() };
    assert.match(forge.judge({ kind: 'newView', value: { ...value, body } }), /^bad-signature/);
  });
});
