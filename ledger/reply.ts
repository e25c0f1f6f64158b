import { receiptCodec } from './block.ts';
import { equalBytes } from './bytes.ts';
import type { Trust } from './checkpoint.ts';
import { bytes32, bytes64, type CodecType, encode, oneOf, struct, u16, u64, union } from './codec.ts';
import { signBytes } from './sign-bytes.ts';
import type { VerifySignature } from './signature.ts';
import { faultsTolerated } from './validators.ts';

/**
 * C5: what a validator signs about a transaction when it is asked to. Correct validators that give the same answer sign the
 * same bytes: nothing in it depends on when it was asked, but for the epoch.
 */
export const replyCodec = struct({
  id: bytes32,
  /**
   * committed: ordered by a quorum, and executed by the signer. final, rejected: under a certificate, with a receipt that says
   * ok or failed. expired: it has not executed and never will (C4).
   */
  status: oneOf({ committed: 1, final: 2, rejected: 3, expired: 4 }),
  /** The signer's epoch. */
  epoch: u64,
  /** Block in which it executed; 0 and zeros when expired. */
  height: u64,
  blockHash: bytes32,
  receipt: union({ none: [0, struct({})], receipt: [1, receiptCodec] }),
});
export type Reply = CodecType<typeof replyCodec>;

export const signedReplyCodec = struct({ reply: replyCodec, sender: u16, signature: bytes64 });
export type SignedReply = CodecType<typeof signedReplyCodec>;

export function replySignBytes(genesisId: Uint8Array, reply: Reply): Uint8Array {
  return signBytes('reply', genesisId, encode(replyCodec, reply));
}

/** What enough members say, or why it is not enough. `signers` are indexes of the trusted set. */
export type CheckedReplies =
  | { readonly ok: true; readonly reply: Reply; readonly signers: readonly number[] }
  | { readonly ok: false; readonly problem: string };

/**
 * C5: what f+1 distinct members of the trusted set say about `id` in the same words: one of them is correct. `trust` must be
 * of now, known by a fresh certificate: f+1 of an old set prove nothing. Replies about other ids or of other epochs, with
 * bad signatures or by nobody, are left out, and a member counts once.
 */
export function checkReplies(
  replies: readonly SignedReply[],
  id: Uint8Array,
  trust: Trust,
  verify: VerifySignature,
): CheckedReplies {
  const needed = faultsTolerated(trust.validators.length) + 1;
  const groups: { readonly reply: Reply; readonly bytes: Uint8Array; readonly signers: Set<number> }[] = [];
  for (const { reply, sender, signature } of replies) {
    const member = trust.validators[sender];
    if (member === undefined || reply.epoch !== trust.epoch || !equalBytes(reply.id, id)) continue;
    const bytes = replySignBytes(trust.genesisId, reply);
    if (!verify(signature, bytes, member.key)) continue;
    let group = groups.find((one) => equalBytes(one.bytes, bytes));
    if (group === undefined) {
      group = { reply, bytes, signers: new Set() };
      groups.push(group);
    }
    group.signers.add(sender);
  }
  const largest = groups.toSorted((a, b) => b.signers.size - a.signers.size)[0];
  if (largest !== undefined && largest.signers.size >= needed) {
    return { ok: true, reply: largest.reply, signers: [...largest.signers].toSorted((a, b) => a - b) };
  }
  return {
    ok: false,
    problem: `${largest?.signers.size ?? 0} of ${trust.validators.length} validators say the same, ${needed} are needed`,
  };
}
