import { blockHash } from '../../ledger/block.ts';
import { type Handoff, handoffCodec, handoffOf } from '../../ledger/bundle.ts';
import { toHex } from '../../ledger/bytes.ts';
import { encode, type Json } from '../../ledger/codec.ts';
import { type ForkEvidence, forkEvidenceCodec } from '../../ledger/fork.ts';
import { type Reply, replyCodec, replySignBytes, type SignedReply, signedReplyCodec } from '../../ledger/reply.ts';
import { validatorSetCodec } from '../../ledger/validators.ts';
import { type Chain, memberOf, register, smallChain } from '../support/chain.ts';

function trustOf({ genesis }: Chain): { readonly [name: string]: Json } {
  return { genesisId: toHex(genesis.id), epoch: 0, validators: validatorSetCodec.toJson(genesis.validators) };
}

export function handoffVectors(): Json {
  const chain = smallChain();
  const [grown, same, other] = [smallChain(), smallChain(), smallChain(4, 'other-chain')];
  grown.handOver([...grown.members, memberOf('node-4')]);
  same.handOver(same.members);
  other.handOver(other.members);
  const sound = grown.handoffs[0]!;
  const ending = (change: Parameters<Chain['certify']>[1]): Handoff => ({ ...sound, certificate: grown0(change) });
  const grown0 = (change: Parameters<Chain['certify']>[1]) =>
    chain.certify(5, {
      ...change,
      checkpoint: {
        nextEpoch: 1,
        nextValidatorsHash: sound.certificate.checkpoint.nextValidatorsHash,
        ...change?.checkpoint,
      },
    });
  const shown = (handoff: Handoff): string => toHex(encode(handoffCodec, handoff));
  const bad: Record<string, readonly [step: string, Handoff]> = {
    'signed by one too few': ['certificate', ending({ signers: [1, 3] })],
    'signed for another chain': ['certificate', other.handoffs[0]!],
    'a next epoch two further': ['certificate', ending({ checkpoint: { nextEpoch: 2 } })],
    'a certificate that ends no epoch': ['end', handoffOf(chain.certify(), chain.genesis.validators)],
    'another set than the certified one': ['set', { ...sound, next: chain.genesis.validators }],
    'the set in another order': ['set', { ...sound, next: sound.next.toReversed() }],
    'the set without its last member': ['set', { ...sound, next: sound.next.slice(0, -1) }],
  };
  return {
    about: 'Hand-offs judged by a trusted epoch and set. A bad case decodes and must be refused, first by `step`.',
    trust: trustOf(chain),
    good: [sound, same.handoffs[0]!].map((handoff) => ({ bytes: shown(handoff), json: handoffCodec.toJson(handoff) })),
    bad: Object.entries(bad).map(([name, [step, handoff]]) => ({ name, step, bytes: shown(handoff) })),
  };
}

export function replyVectors(): Json {
  const chain = smallChain(7);
  const other = smallChain(7, 'other-chain');
  const { header, transactions, receipts } = chain.blocks[1]!;
  const { id } = transactions[1]!;
  const final: Reply = {
    id,
    status: 'final',
    epoch: 0,
    height: 1,
    blockHash: blockHash(header),
    receipt: { kind: 'receipt', value: receipts[1]! },
  };
  const expired: Reply = {
    id,
    status: 'expired',
    epoch: 0,
    height: 0,
    blockHash: new Uint8Array(32),
    receipt: { kind: 'none', value: {} },
  };
  const by = (members: readonly number[], reply = final): SignedReply[] =>
    members.map((member) => chain.signReply(member, reply));
  const [, , third] = by([0, 1, 2]);
  const forged = { ...third!, signature: third!.signature.with(0, third!.signature[0]! ^ 1) };
  const good: Record<string, readonly [signers: readonly number[], replies: readonly SignedReply[]]> = {
    'f+1 the same': [[0, 3, 5], by([5, 0, 3])],
    'all the same': [[0, 1, 2, 3, 4, 5, 6], by([0, 1, 2, 3, 4, 5, 6])],
    'f+1 that it has expired': [[4, 5, 6], by([4, 5, 6], expired)],
    'a forged one beside enough': [
      [1, 2, 3],
      [forged, ...by([1, 2, 3])],
    ],
    'f that say another thing': [
      [2, 3, 4],
      [...by([0, 1], expired), ...by([2, 3, 4])],
    ],
  };
  const bad: Record<string, readonly SignedReply[]> = {
    none: [],
    'f the same': by([0, 1]),
    'one member twice': by([0, 1, 1]),
    'one forged': [...by([0, 1]), forged],
    'one under another index': [...by([0, 1]), { ...third!, sender: 3 }],
    'one of nobody': [...by([0, 1]), { ...third!, sender: 7 }],
    'one of another epoch': [...by([0, 1]), ...by([2], { ...final, epoch: 1 })],
    'one about another id': [...by([0, 1]), ...by([2], { ...final, id: transactions[0]!.id })],
    'one of another chain': [...by([0, 1]), other.signReply(2, final)],
    'one that differs': [...by([0, 1]), ...by([2], { ...final, status: 'committed' })],
    'two pairs': [...by([0, 1]), ...by([2, 3], expired)],
  };
  const shown = (replies: readonly SignedReply[]): string[] =>
    replies.map((reply) => toHex(encode(signedReplyCodec, reply)));
  return {
    about:
      'What validators of a trusted set say about `id`. Good: f+1 say `reply`, and `signers` are those. Bad: not enough.',
    trust: trustOf(chain),
    id: toHex(id),
    signBytes: toHex(replySignBytes(chain.genesis.id, final)),
    good: Object.entries(good).map(([name, [signers, replies]]) => ({
      name,
      replies: shown(replies),
      signers,
      reply: replyCodec.toJson(replies.find(({ sender }) => signers.includes(sender))!.reply),
    })),
    bad: Object.entries(bad).map(([name, replies]) => ({ name, step: 'enough', replies: shown(replies) })),
  };
}

export function forkVectors(): Json {
  const [a, b] = [parted(0), parted(1)];
  const other = smallChain(4, 'other-chain');
  const genesisId = a.genesis.id;
  const [low, high] = [a.certify(6), b.certify(7)];
  const base = { format: 'quorate-fork-1', genesisId, handoffs: [], first: low } as const;
  const hashOf = (chain: Chain): Uint8Array => blockHash(chain.blocks[6]!.header);
  const history = (blockHash: Uint8Array, historyProof: Uint8Array[]): ForkEvidence['conflict'] => ({
    kind: 'otherHistory',
    value: { blockHash, historyProof },
  });
  const same = { kind: 'sameHeight', value: {} } as const;
  const end = { kind: 'afterEnd', value: {} } as const;
  const sameHeight: ForkEvidence = { ...base, second: b.certify(6, { signers: [1, 2, 3] }), conflict: same };
  const otherHistory: ForkEvidence = { ...base, second: high, conflict: history(hashOf(b), b.historyProof(6, 7)) };
  const ended = smallChain();
  ended.append(register(ended, 'way 0'));
  ended.handOver(ended.members);
  const afterEnd: ForkEvidence = { ...base, first: ended.handoffs[0]!.certificate, second: high, conflict: end };
  const later = laterFork();
  const bad: Record<string, readonly [step: string, ForkEvidence]> = {
    'of another chain': ['chain', { ...sameHeight, genesisId: other.genesis.id }],
    'a hand-off that is none': ['epochs', { ...sameHeight, handoffs: [handoffOf(low, a.genesis.validators)] }],
    'hand-offs that lack': ['first', { ...later, handoffs: [] }],
    'a first one with too few signatures': ['first', { ...sameHeight, first: a.certify(6, { signers: [0, 1] }) }],
    'a first one for another chain': ['first', { ...sameHeight, first: a.certify(6, { genesisId: other.genesis.id }) }],
    'a second one with too few signatures': ['second', { ...sameHeight, second: b.certify(6, { signers: [2, 3] }) }],
    'a second one of another epoch': [
      'second',
      { ...sameHeight, second: b.certify(6, { checkpoint: { epoch: 1, nextEpoch: 1 } }) },
    ],
    'the same checkpoint, signed by others': [
      'conflict',
      { ...sameHeight, second: a.certify(6, { signers: [1, 2, 3] }) },
    ],
    'other heights': ['conflict', { ...sameHeight, second: high }],
    'an end that is none': ['conflict', { ...afterEnd, first: low }],
    'one at the end itself': ['conflict', { ...afterEnd, second: b.certify(6) }],
    'one below': ['conflict', { ...otherHistory, first: high, second: low }],
    'the same block': ['conflict', { ...otherHistory, first: b.certify(6) }],
    'a block that is not there': [
      'conflict',
      { ...otherHistory, conflict: history(other.genesis.id, b.historyProof(6, 7)) },
    ],
    'a proof of another height': ['conflict', { ...otherHistory, conflict: history(hashOf(b), b.historyProof(5, 7)) }],
  };
  const shown = (evidence: ForkEvidence): string => toHex(encode(forkEvidenceCodec, evidence));
  return {
    about: 'Fork evidence for this genesis file. A bad case must fail, first at `step`.',
    genesis: a.genesis.text,
    good: Object.entries({ sameHeight, otherHistory, afterEnd, 'of a later epoch': later }).map(([name, evidence]) => ({
      name,
      bytes: shown(evidence),
      json: forkEvidenceCodec.toJson(evidence),
      culprits: name === 'sameHeight' ? ['node-1', 'node-2'] : ['node-0', 'node-1', 'node-2'],
    })),
    bad: Object.entries(bad).map(([name, [step, evidence]]) => ({ name, step, bytes: shown(evidence) })),
  };
}

/** The small chain with two blocks more, that differ by `way`. */
function parted(way: number): Chain {
  const chain = smallChain();
  chain.append(register(chain, `way ${way}`));
  chain.append();
  return chain;
}

/** The chain changes its set, and then parts. */
function laterFork(): ForkEvidence {
  const [first, second] = [0, 1].map((way) => {
    const chain = smallChain();
    chain.handOver([...chain.members, memberOf('node-4')]);
    chain.append(register(chain, `way ${way}`));
    return { chain, certificate: chain.certify(6, { signers: way === 0 ? [0, 1, 2, 4] : [0, 1, 2, 3] }) };
  });
  return {
    format: 'quorate-fork-1',
    genesisId: first!.chain.genesis.id,
    handoffs: first!.chain.handoffs.slice(),
    first: first!.certificate,
    second: second!.certificate,
    conflict: { kind: 'sameHeight', value: {} },
  };
}
