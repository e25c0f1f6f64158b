import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { batchDigest } from '../../../ledger/block.ts';
import { concatBytes, utf8Encode } from '../../../ledger/bytes.ts';
import { type Certificate, checkpointSignBytes } from '../../../ledger/checkpoint.ts';
import { SIGN_KINDS, type SignKind, signBytes } from '../../../ledger/sign-bytes.ts';
import { multiSignature } from '../../../ledger/validators.ts';
import {
  type Evidence,
  type Message,
  type Shown,
  VOTE_KINDS,
  type VoteKind,
  voteBytes,
} from '../../../node/pbft/messages.ts';
import { isShownBy } from '../../../node/pbft/verify.ts';
import { chooseSignatures } from '../../../node/signatures.ts';
import { Cluster } from '../../support/cluster.ts';
import { digestOf, Forge } from '../../support/forge.ts';

const { verify } = chooseSignatures();
const cluster = new Cluster(4);
const forge = new Forge(cluster);
const KINDS = Object.keys(SIGN_KINDS) as SignKind[];
const VOTES = Object.keys(VOTE_KINDS) as VoteKind[];
const BATCH = { height: 1, timestamp: 1_000_000, transactions: [digestOf('a')] };
const VOTE = forge.vote(0, 1, batchDigest(BATCH));
const OTHER_CHAIN = digestOf('another genesis');

/** One right message of every kind, signed for the chain with this id. */
function everyMessage(genesisId = cluster.genesisId): readonly Message[] {
  const one = new Forge({ ...cluster, genesisId });
  const stable = one.certificate(one.checkpoint(3));
  const viewChanges = [0, 1, 2].map((member) => {
    return one.viewChange(member, 1, { stable, prepared: [one.prepared(one.vote(0, 4))] });
  });
  const commits = one.commits(VOTE, [0, 1, 2]);
  return [
    one.proposal(0, BATCH),
    one.message(2, { kind: 'prepare', vote: VOTE }),
    one.message(2, { kind: 'commit', vote: VOTE }),
    one.message(2, { kind: 'checkpoint', checkpoint: one.checkpoint(3) }),
    { kind: 'certificate', value: stable },
    { kind: 'commitCertificate', value: { vote: VOTE, commits, batch: BATCH } },
    { kind: 'viewChange', value: viewChanges[0]! },
    { kind: 'newView', value: one.newView(1, viewChanges) },
    { kind: 'evidence', value: evidence(one) },
  ];
}

function evidence(one: Forge, kind: VoteKind = 'prepare', member = 2): Extract<Evidence, { kind: 'vote' }> {
  const [first, second] = [one.vote(0, 1, digestOf('x')), one.vote(0, 1, digestOf('y'))].map((vote) => {
    return { vote, signature: one.sign(member, { kind, vote }) };
  });
  return { kind: 'vote', value: { kind, member, first: first!, second: second! } };
}

describe('what a signature is for (S6, N1)', () => {
  it('every message is accepted on its own chain', () => {
    for (const message of everyMessage()) assert.equal(forge.judge(message), 'ok', message.kind);
  });

  it('R07, R27: the same messages signed for another genesis are refused, and so are those of another epoch', () => {
    for (const message of everyMessage(OTHER_CHAIN)) assert.notEqual(forge.judge(message), 'ok', message.kind);
    for (const message of everyMessage()) {
      assert.notEqual(forge.judge(message, { genesisId: OTHER_CHAIN }), 'ok', message.kind);
      assert.notEqual(forge.judge(message, { epoch: 1 }), 'ok', message.kind);
    }
  });

  it('R07: the protocol version is under every signature', () => {
    const vote = { ...VOTE };
    const bytes = voteBytes(cluster.genesisId, 'prepare', vote);
    const version = utf8Encode('quorate/1');
    assert.deepEqual(bytes.subarray(0, version.length), version);
    const other = concatBytes(utf8Encode('quorate/2'), bytes.subarray(version.length));
    const signature = cluster.members[2]!.signer.sign(other);
    assert.match(forge.judge({ kind: 'prepare', value: { vote, sender: 2, signature } }), /^bad-signature/);
  });

  it('R08: a signature for one kind is none for any other, for all ordered pairs of kinds', () => {
    const { signer } = cluster.members[0]!;
    const body = utf8Encode('the same body');
    for (const kind of KINDS) {
      const signature = signer.sign(signBytes(kind, cluster.genesisId, body));
      for (const other of KINDS) {
        const isSame = verify(signature, signBytes(other, cluster.genesisId, body), signer.publicKey);
        assert.equal(isSame, kind === other, `${kind} as ${other}`);
      }
    }
  });

  it('R08: no vote counts as a vote of another kind, for all ordered pairs', () => {
    for (const kind of VOTES) {
      const signature = forge.sign(0, { kind, vote: VOTE });
      for (const other of VOTES) {
        const shown: Shown = { kind: 'vote', value: { kind: other, vote: VOTE, signature } };
        assert.equal(isShownBy(0, shown, forge.context), kind === other, `${kind} as ${other}`);
      }
    }
  });

  it('R08: PREPAREs are no commit certificate, COMMITs no prepared one, and votes no CHECKPOINT certificate', () => {
    const prepares = multiSignature(
      4,
      new Map([1, 2, 3].map((member) => [member, forge.sign(member, { kind: 'prepare', vote: VOTE })])),
    );
    const asCommits: Message = { kind: 'commitCertificate', value: { vote: VOTE, commits: prepares, batch: BATCH } };
    assert.match(forge.judge(asCommits), /^bad-signature/);
    const prepared = { ...forge.prepared(VOTE), prepares: forge.commits(VOTE, [1, 2]) };
    const asPrepared: Message = { kind: 'viewChange', value: forge.viewChange(2, 1, { prepared: [prepared] }) };
    assert.match(forge.judge(asPrepared), /^bad-certificate/);
    const stable = { ...forge.certificate(forge.checkpoint(1)), proof: forge.commits(VOTE, [0, 1, 2]) };
    assert.match(forge.judge({ kind: 'certificate', value: stable }), /^bad-signature/);
  });

  it('R06: a vote is refused under any name but that of its signer, and under the name of nobody', () => {
    const { value } = forge.message(2, { kind: 'commit', vote: VOTE }) as Extract<Message, { kind: 'commit' }>;
    for (const sender of [0, 1, 3]) {
      assert.match(forge.judge({ kind: 'commit', value: { ...value, sender } }), /^bad-signature/);
    }
    assert.match(forge.judge({ kind: 'commit', value: { ...value, sender: 4 } }), /^unknown-member/);
  });

  it('L09: a PRE-PREPARE is of the leader of its view, or of nobody', () => {
    for (let view = 0; view < 4; view++) {
      for (let member = 0; member < 4; member++) {
        const vote = forge.vote(view, 1, VOTE.digest);
        const judged = forge.judge(forge.message(member, { kind: 'prePrepare', vote, batch: BATCH }));
        assert.equal(judged === 'ok', member === view, `member ${member}, view ${view}: ${judged}`);
      }
    }
  });

  it('L04: a digest is of the batch that comes with it, and so is the height', () => {
    const vote = { ...VOTE, digest: digestOf('another batch') };
    assert.match(forge.judge(forge.message(0, { kind: 'prePrepare', vote, batch: BATCH })), /^wrong-digest/);
    const above = { ...VOTE, height: 2 };
    assert.match(forge.judge(forge.message(0, { kind: 'prePrepare', vote: above, batch: BATCH })), /^wrong-digest/);
  });
});

describe('certificates (N8, C2)', () => {
  it('R05: no commit certificate of fewer than q, of mixed views or digests, or over another batch', () => {
    const judge = (change: object): string => {
      const value = { vote: VOTE, commits: forge.commits(VOTE, [0, 1, 2]), batch: BATCH, ...change };
      return forge.judge({ kind: 'commitCertificate', value });
    };
    assert.equal(judge({}), 'ok');
    assert.match(judge({ commits: forge.commits(VOTE, [0, 1]) }), /2 of 4 members signed, 3 are needed/);
    const mixed = (other: typeof VOTE) => {
      const signatures = new Map(
        [VOTE, VOTE, other].map((vote, member) => [member, forge.sign(member, { kind: 'commit', vote })] as const),
      );
      return multiSignature(4, signatures);
    };
    assert.match(judge({ commits: mixed({ ...VOTE, view: 1 }) }), /member 2/);
    assert.match(judge({ commits: mixed({ ...VOTE, height: 2 }) }), /member 2/);
    assert.match(judge({ commits: mixed({ ...VOTE, digest: digestOf('y') }) }), /member 2/);
    assert.match(judge({ batch: { ...BATCH, timestamp: 7 } }), /^wrong-digest/);
    assert.match(judge({ vote: { ...VOTE, view: 1 } }), /^bad-signature/);
  });

  const stable = forge.certificate(forge.checkpoint(5));
  const twice = multiSignature(4, new Map([0, 1].map((i) => [i, stable.proof.signatures[i]!])));
  const forgeries: Readonly<Record<string, Certificate>> = {
    'q-1 signers': forge.certificate(stable.checkpoint, [0, 1]),
    'one signature for two signers': {
      ...stable,
      proof: { signers: Uint8Array.of(0b111), signatures: [...twice.signatures, twice.signatures[0]!] },
    },
    'more signers than signatures': { ...stable, proof: { ...stable.proof, signers: Uint8Array.of(0b1111) } },
    'a signer that is no member': { ...stable, proof: { ...stable.proof, signers: Uint8Array.of(0b10011) } },
    'another state root': { ...stable, checkpoint: { ...stable.checkpoint, stateRoot: digestOf('false') } },
    'another block': { ...stable, checkpoint: { ...stable.checkpoint, blockHash: digestOf('false') } },
    'another history': { ...stable, checkpoint: { ...stable.checkpoint, historyRoot: digestOf('false') } },
    'another height': { ...stable, checkpoint: { ...stable.checkpoint, height: 6 } },
    'another epoch': forge.certificate(forge.checkpoint(5, { epoch: 1 })),
    'another set': forge.certificate(forge.checkpoint(5, { validatorsHash: digestOf('set') })),
    'another chain': forge.certificate(stable.checkpoint, [0, 1, 2], OTHER_CHAIN),
    'signatures of one for all': {
      ...stable,
      proof: multiSignature(
        4,
        new Map([0, 1, 2].map((i) => [i, forge.sign(0, { kind: 'checkpoint', checkpoint: stable.checkpoint })])),
      ),
    },
  };
  for (const [what, certificate] of Object.entries(forgeries)) {
    it(`R15: a CHECKPOINT certificate with ${what} is refused and moves nothing`, () => {
      assert.notEqual(forge.judge({ kind: 'certificate', value: certificate }), 'ok');
      const victim = new Cluster(4);
      victim.deliverOne({ from: 3, to: 1, message: { kind: 'certificate', value: certificate } });
      assert.equal(victim.members[1]!.state.low, 0);
      // And not by the way of a VIEW-CHANGE or a NEW-VIEW either (R11).
      const viewChange = forge.viewChange(3, 1, { stable: certificate });
      victim.deliverOne({ from: 3, to: 1, message: { kind: 'viewChange', value: viewChange } });
      assert.deepEqual([victim.members[1]!.state.low, victim.members[1]!.state.viewChanges.size], [0, 0]);
    });
  }

  it('the certificate that they were made of is accepted and moves the low mark', () => {
    const victim = new Cluster(4);
    victim.deliverOne({ from: 3, to: 1, message: { kind: 'certificate', value: stable } });
    assert.equal(victim.members[1]!.state.low, 5);
  });
});

describe('evidence (C6)', () => {
  it('R26: two contents of one slot by one member of this chain and epoch, and nothing else', () => {
    const right = evidence(forge);
    const { value } = right;
    const judge = (change: Partial<typeof value>): string => {
      return forge.judge({ kind: 'evidence', value: { kind: 'vote', value: { ...value, ...change } } });
    };
    assert.equal(judge({}), 'ok');
    const of = (vote: typeof VOTE, member = 2) => {
      return { vote, signature: forge.sign(member, { kind: 'prepare', vote }) };
    };
    const replayed = evidence(new Forge({ ...cluster, genesisId: OTHER_CHAIN })).value;
    const cases: Readonly<Record<string, Partial<typeof value>>> = {
      'signatures of another chain': replayed,
      'the second of another chain': { second: replayed.second },
      'twice the same': { second: value.first },
      'another view': { second: of(forge.vote(1, 1, digestOf('y'))) },
      'another height': { second: of(forge.vote(0, 2, digestOf('y'))) },
      'another epoch': { second: of({ ...forge.vote(0, 1, digestOf('y')), epoch: 1 }) },
      'another kind': { kind: 'commit' },
      'another member': { member: 3 },
      'two members': { second: of(forge.vote(0, 1, digestOf('y')), 3) },
      nobody: { member: 9 },
    };
    for (const [what, change] of Object.entries(cases)) assert.notEqual(judge(change), 'ok', what);
    // Proposals and NEW-VIEWs are of the leader: a follower can't be framed by its own PREPAREs for a view it leads.
    assert.match(forge.judge({ kind: 'evidence', value: evidence(forge, 'prePrepare', 2) }), /^malformed/);
    assert.equal(forge.judge({ kind: 'evidence', value: evidence(forge, 'prePrepare', 0) }), 'ok');
  });

  it('R26: two CHECKPOINTs are evidence only of one member and height, and of this chain', () => {
    const signed = (height: number, root: string, member = 2, one = forge) => {
      const checkpoint = forge.checkpoint(height, { stateRoot: digestOf(root) });
      return { checkpoint, sender: member, signature: one.sign(member, { kind: 'checkpoint', checkpoint }) };
    };
    const first = signed(3, 'a');
    const judge = (second: typeof first): string => {
      return forge.judge({ kind: 'evidence', value: { kind: 'checkpoint', value: { first, second } } });
    };
    assert.equal(judge(signed(3, 'b')), 'ok');
    assert.notEqual(judge(signed(4, 'b')), 'ok');
    assert.notEqual(judge(signed(3, 'b', 3)), 'ok');
    assert.notEqual(judge(first), 'ok');
    assert.notEqual(judge(signed(3, 'b', 2, new Forge({ ...cluster, genesisId: OTHER_CHAIN }))), 'ok');
    assert.equal(
      verify(first.signature, checkpointSignBytes(cluster.genesisId, first.checkpoint), cluster.validators[2]!.key),
      true,
    );
  });
});
