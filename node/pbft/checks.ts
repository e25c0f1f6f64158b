import type { Trust } from '../../ledger/checkpoint.ts';
import type { VerifySignature } from '../../ledger/signature.ts';
import { checkMultiSignature, leaderIndex, type MultiSignature, type ValidatorSet } from '../../ledger/validators.ts';
import { type ViewChange, type Vote, type VoteKind, voteBytes } from './messages.ts';

export interface Reject {
  readonly code:
    | 'unknown-member'
    | 'wrong-epoch'
    | 'bad-signature'
    | 'wrong-digest'
    | 'malformed'
    | 'bad-certificate'
    /** V8: signed by its sender, and against the rules: proof that the sender is faulty. */
    | 'misconduct';
  readonly detail: string;
}

/** The epoch a message is judged by. */
export interface MessageContext extends Trust {
  readonly verify: VerifySignature;
  /** Height below the epoch's first block. */
  readonly beginning: number;
  /** Heights above a stable checkpoint that certificates may be about. */
  readonly window: number;
  /** Whether this very VIEW-CHANGE was verified before: NEW-VIEWs repeat what came already. */
  readonly isVerified?: (viewChange: ViewChange) => boolean;
}

export function wrongEpoch(epoch: number, context: MessageContext): Reject | undefined {
  if (epoch === context.epoch) return undefined;
  return { code: 'wrong-epoch', detail: `message of epoch ${epoch}, expected ${context.epoch}` };
}

/** A PRE-PREPARE is signed by the leader of its view and by nobody else. */
export function badProposal(vote: Vote, signature: Uint8Array, context: MessageContext): Reject | undefined {
  const leader = leaderIndex(vote.epoch, vote.view, context.validators.length);
  return badVote('prePrepare', leader, { vote, signature }, context);
}

export function badVote(
  kind: VoteKind,
  sender: number,
  { vote, signature }: { readonly vote: Vote; readonly signature: Uint8Array },
  context: MessageContext,
): Reject | undefined {
  return badSignature(sender, signature, voteBytes(context.genesisId, kind, vote), context);
}

export function badSignature(
  sender: number,
  signature: Uint8Array,
  message: Uint8Array,
  { validators, verify }: { readonly validators: ValidatorSet; readonly verify: VerifySignature },
): Reject | undefined {
  const member = validators[sender];
  if (member === undefined) return { code: 'unknown-member', detail: `member ${sender} of ${validators.length}` };
  if (verify(signature, message, member.key)) return undefined;
  return { code: 'bad-signature', detail: `not signed by member ${sender} (${member.name})` };
}

export function badQuorum(
  proof: MultiSignature,
  message: Uint8Array,
  needed: number,
  { validators, verify }: { readonly validators: ValidatorSet; readonly verify: VerifySignature },
): Reject | undefined {
  const signers = checkMultiSignature(proof, message, validators, needed, verify);
  return typeof signers === 'string' ? { code: 'bad-signature', detail: signers } : undefined;
}
