import { batchDigest } from '../../ledger/block.ts';
import { equalBytes } from '../../ledger/bytes.ts';
import { checkpointSignBytes, type Trust, verifyCertificate } from '../../ledger/checkpoint.ts';
import type { VerifySignature } from '../../ledger/signature.ts';
import { checkMultiSignature, leaderIndex, quorum, type ValidatorSet } from '../../ledger/validators.ts';
import { bodyBytes, type Message, type Status, statusBodyCodec, type Vote, voteBytes } from './messages.ts';

declare const verified: unique symbol;

/** S3: only `verifyMessage` makes one, so nothing unverified can reach `step`. */
export type Verified<T> = T & { readonly [verified]: true };

export interface Reject {
  readonly code: 'unknown-member' | 'wrong-epoch' | 'bad-signature' | 'wrong-digest' | 'malformed';
  readonly detail: string;
}

/** The epoch a message is judged by. */
export type MessageContext = Trust & { readonly verify: VerifySignature };

export type Judged =
  | { readonly ok: true; readonly message: Verified<Message> }
  | { readonly ok: false; readonly reject: Reject };

/**
 * N1, S3: the one place where a message becomes trusted: its member, epoch, digest and every signature. Arriving on
 * someone's channel is not being from them, so the channel is not looked at.
 */
export function verifyMessage(message: Message, context: MessageContext): Judged {
  const reject = problemOf(message, context);
  return reject === undefined ? { ok: true, message: message as Verified<Message> } : { ok: false, reject };
}

function problemOf(message: Message, context: MessageContext): Reject | undefined {
  switch (message.kind) {
    case 'prePrepare': {
      const { vote, signature, batch } = message.value;
      const leader = leaderIndex(vote.epoch, vote.view, context.validators.length);
      return (
        wrongEpoch(vote.epoch, context) ??
        wrongDigest(vote, batch) ??
        badSignature(leader, signature, voteBytes(context.genesisId, 'prePrepare', vote), context)
      );
    }
    case 'prepare':
    case 'commit': {
      const { vote, sender, signature } = message.value;
      return (
        wrongEpoch(vote.epoch, context) ??
        badSignature(sender, signature, voteBytes(context.genesisId, message.kind, vote), context)
      );
    }
    case 'checkpoint': {
      const { checkpoint, sender, signature } = message.value;
      return (
        wrongEpoch(checkpoint.epoch, context) ??
        badSignature(sender, signature, checkpointSignBytes(context.genesisId, checkpoint), context)
      );
    }
    case 'status':
      return wrongEpoch(message.value.body.epoch, context) ?? statusProblem(message.value, context);
    case 'certificate': {
      const checked = verifyCertificate(message.value, context, context.verify);
      return checked.ok ? undefined : { code: 'bad-signature', detail: checked.problem };
    }
    case 'commitCertificate': {
      const { vote, commits, batch } = message.value;
      return (
        wrongEpoch(vote.epoch, context) ??
        wrongDigest(vote, batch) ??
        badQuorum(commits, voteBytes(context.genesisId, 'commit', vote), context)
      );
    }
    case 'viewChange':
    case 'newView':
      return { code: 'malformed', detail: `${message.kind} is not part of protocol version 1` };
  }
}

function statusProblem(status: Status, context: MessageContext): Reject | undefined {
  const n = context.validators.length;
  const { body, sender, signature } = status;
  if (body.viewChanges.length !== n || body.evidence.length !== n) {
    return { code: 'malformed', detail: `STATUS speaks of ${body.viewChanges.length} members, expected ${n}` };
  }
  const bytes = Math.ceil(n / 8);
  for (const held of body.held) {
    if ([held.prepares, held.commits, held.checkpoints].some((bitmap) => bitmap.length !== bytes)) {
      return { code: 'malformed', detail: `STATUS has a bitmap that is not ${bytes} bytes long` };
    }
  }
  return badSignature(sender, signature, bodyBytes(context.genesisId, 'status', statusBodyCodec, body), context);
}

function wrongEpoch(epoch: number, context: MessageContext): Reject | undefined {
  if (epoch === context.epoch) return undefined;
  return { code: 'wrong-epoch', detail: `message of epoch ${epoch}, expected ${context.epoch}` };
}

function wrongDigest(vote: Vote, batch: Parameters<typeof batchDigest>[0]): Reject | undefined {
  if (batch.height !== vote.height) {
    return { code: 'wrong-digest', detail: `batch of height ${batch.height} under a vote for height ${vote.height}` };
  }
  if (equalBytes(batchDigest(batch), vote.digest)) return undefined;
  return { code: 'wrong-digest', detail: `the batch at height ${vote.height} does not have the digest voted for` };
}

function badSignature(
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

function badQuorum(
  proof: Parameters<typeof checkMultiSignature>[0],
  message: Uint8Array,
  { validators, verify }: { readonly validators: ValidatorSet; readonly verify: VerifySignature },
): Reject | undefined {
  const signers = checkMultiSignature(proof, message, validators, quorum(validators.length), verify);
  return typeof signers === 'string' ? { code: 'bad-signature', detail: signers } : undefined;
}
