import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { equalBytes, fromHex } from '../../ledger/bytes.ts';
import { checkpointCodec } from '../../ledger/checkpoint.ts';
import { decode, encode, list, sameEncoding } from '../../ledger/codec.ts';
import { type ForkEvidence, forkEvidenceCodec } from '../../ledger/fork.ts';
import { checkReplies, type SignedReply, signedReplyCodec } from '../../ledger/reply.ts';
import { validatorSetCodec } from '../../ledger/validators.ts';
import { verifyForkEvidence } from '../../light/index.ts';
import { mutate } from './mutate.ts';
import { changed, type Parts, type Target } from './verifiers.ts';

// biome-ignore lint/suspicious/noExplicitAny: the files are checked by what the tests do with them.
const pinned = (name: string): any => JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8'));

/** Fork evidence: accepted is only what sets two checkpoints against each other that the keys of the tests have signed. */
export function forkTarget({ verify, metered }: Pick<Parts, 'verify' | 'metered'>): Target {
  const { genesis, good } = pinned('forks.json') as { genesis: string; good: { bytes: string }[] };
  const sound = good.map(({ bytes }) => decode(forkEvidenceCodec, fromHex(bytes)!));
  const signed = sound.flatMap(({ first, second }) => [first.checkpoint, second.checkpoint]);
  const isSigned = (one: ForkEvidence['first']): boolean =>
    signed.some((known) => sameEncoding(checkpointCodec, known, one.checkpoint));
  const ends = ['format', 'chain', 'epochs', 'first', 'second', 'conflict', 'original', 'same statement'];
  return {
    name: 'verifyForkEvidence',
    ends,
    run(random) {
      const base = sound[random(sound.length)]!;
      const other = sound[random(sound.length)]!;
      const input = random(30) === 0 ? base : changed(base, other, random, forkEvidenceCodec);
      let bytes = encode(forkEvidenceCodec, input);
      if (random(4) === 0) bytes = mutate(bytes, encode(forkEvidenceCodec, other), random);
      const weight = { size: bytes.length + genesis.length, signatures: signaturesIn(input) + 20 };
      const report = metered(weight, () => verifyForkEvidence(bytes, genesis, { verify }));
      if (!report.ok) {
        assert.equal(report.culprits, undefined);
        return report.steps.find(({ status }) => status === 'failed')!.name;
      }
      const { first, second } = decode(forkEvidenceCodec, bytes);
      assert(isSigned(first) && isSigned(second), 'evidence of what nobody signed');
      assert(!sameEncoding(checkpointCodec, first.checkpoint, second.checkpoint), 'the same twice is no fork');
      assert(report.culprits!.length > 0);
      return sound.some((one) => equalBytes(encode(forkEvidenceCodec, one), bytes)) ? 'original' : 'same statement';
    },
  };
}

function signaturesIn({ handoffs, first, second }: ForkEvidence): number {
  const certificates = [first, second, ...handoffs.map(({ certificate }) => certificate)];
  return certificates.reduce((sum, { proof }) => sum + proof.signatures.length, 0);
}

const repliesCodec = list(signedReplyCodec, 64);

/** Signed replies: the answer is that of the largest group of those that a member really gave, recounted here. */
export function repliesTarget({ verify, metered }: Pick<Parts, 'verify' | 'metered'>): Target {
  const { trust: json, id: idText, good } = pinned('replies.json');
  const id = fromHex(idText)!;
  const trust = {
    genesisId: fromHex(json.genesisId)!,
    epoch: 0,
    validators: validatorSetCodec.fromJson(json.validators),
  };
  const given: SignedReply[] = (good as { name: string; replies: string[] }[])
    .filter(({ name }) => name === 'all the same' || name.includes('expired'))
    .flatMap(({ replies }) => replies.map((one) => decode(signedReplyCodec, fromHex(one)!)));
  const isGiven = (reply: SignedReply): boolean => given.some((one) => sameEncoding(signedReplyCodec, one, reply));
  return {
    name: 'checkReplies',
    ends: ['not enough', 'enough'],
    run(random) {
      const some = Array.from({ length: 1 + random(8) }, () => given[random(given.length)]!);
      const input = random(3) === 0 ? some : changed(some, given, random, repliesCodec);
      const weight = { size: encode(repliesCodec, input).length, signatures: input.length };
      const checked = metered(weight, () => checkReplies(input, id, trust, verify));
      const groups = new Map<string, Set<number>>();
      for (const one of input.filter(isGiven)) {
        const members = groups.get(one.reply.status) ?? new Set<number>();
        groups.set(one.reply.status, members.add(one.sender));
      }
      const most = Math.max(0, ...[...groups.values()].map(({ size }) => size));
      assert.equal(checked.ok, most >= 3, `${most} of 7 say the same`);
      if (!checked.ok) return 'not enough';
      assert.deepEqual(checked.signers, [...groups.get(checked.reply.status)!].sort());
      return 'enough';
    },
  };
}
