import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { handoffCodec } from '../../ledger/bundle.ts';
import { fromHex, toHex } from '../../ledger/bytes.ts';
import type { Trust } from '../../ledger/checkpoint.ts';
import { decode, encode, type Json } from '../../ledger/codec.ts';
import { forkEvidenceCodec } from '../../ledger/fork.ts';
import { checkReplies, replyCodec, replySignBytes, signedReplyCodec } from '../../ledger/reply.ts';
import { validatorSetCodec } from '../../ledger/validators.ts';
import { followHandoffs, verifyForkEvidence } from '../../light/index.ts';
import { rememberingVerify } from '../support/chain.ts';

// biome-ignore lint/suspicious/noExplicitAny: the files are checked by what the tests do with them.
type Any = any;

const pinned = (name: string): Any => JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8'));
const verify = rememberingVerify();
const trustOf = ({ genesisId, epoch, validators }: Any): Trust => ({
  genesisId: fromHex(genesisId)!,
  epoch,
  validators: validatorSetCodec.fromJson(validators as Json),
});

/** The rules of docs/formats.md by what is said when they do not hold. */
const HANDOFF_STEPS: Readonly<Record<string, RegExp>> = {
  certificate: /^hand-off from epoch 0: /,
  end: /ends no epoch$/,
  set: /not the one that was certified$/,
};

test('hand-offs: the next set, and refusals at the rule that does not hold', () => {
  const { trust: json, good, bad } = pinned('handoffs.json');
  const trust = trustOf(json);
  for (const { bytes, json } of good) {
    const handoff = decode(handoffCodec, fromHex(bytes)!);
    assert.deepEqual(handoffCodec.toJson(handoff), json);
    const followed = followHandoffs([handoff], trust, verify);
    assert.deepEqual(followed, { ...trust, epoch: 1, validators: handoff.next, previous: trust, recoveries: [] });
  }
  assert(bad.length > 0);
  for (const { name, step, bytes } of bad) {
    const problem = followHandoffs([decode(handoffCodec, fromHex(bytes)!)], trust, verify);
    assert.match(String(problem), HANDOFF_STEPS[step]!, name);
  }
});

test('replies: what f+1 say, or that it is not enough', () => {
  const { trust: json, id, signBytes, good, bad } = pinned('replies.json');
  const trust = trustOf(json);
  const check = (replies: string[]) =>
    checkReplies(
      replies.map((one) => decode(signedReplyCodec, fromHex(one)!)),
      fromHex(id)!,
      trust,
      verify,
    );
  for (const { name, replies, signers, reply } of good) {
    const checked = check(replies);
    assert(checked.ok, name);
    assert.deepEqual([checked.signers, replyCodec.toJson(checked.reply)], [signers, reply], name);
  }
  assert.equal(toHex(replySignBytes(trust.genesisId, replyCodec.fromJson(good[0].reply as Json))), signBytes);
  assert(bad.length > 0);
  for (const { name, replies } of bad) assert.equal(check(replies).ok, false, name);
});

describe('fork evidence', () => {
  const { genesis, good, bad } = pinned('forks.json');
  for (const { name, bytes, json, culprits } of good) {
    test(`names the culprits, in bytes and in JSON: ${name}`, () => {
      assert.equal(toHex(encode(forkEvidenceCodec, forkEvidenceCodec.fromJson(json as Json))), bytes);
      for (const form of [fromHex(bytes)!, JSON.stringify(json)]) {
        const report = verifyForkEvidence(form, genesis, { verify });
        assert.deepEqual(
          report.culprits?.map((one) => one.name),
          culprits,
        );
      }
    });
  }
  for (const { name, step, bytes } of bad) {
    test(`fails at ${step}: ${name}`, () => {
      const { ok, steps } = verifyForkEvidence(fromHex(bytes)!, genesis, { verify });
      assert.equal(ok, false);
      assert.equal(steps.find(({ status }) => status === 'failed')?.name, step);
    });
  }
});
