import { batchDigest } from '../../ledger/block.ts';
import { equalBytes } from '../../ledger/bytes.ts';
import { checkpointCodec, checkpointSignBytes, verifyCertificate } from '../../ledger/checkpoint.ts';
import { sameEncoding } from '../../ledger/codec.ts';
import { leaderIndex, quorum } from '../../ledger/validators.ts';
import {
  badProposal,
  badQuorum,
  badSignature,
  badVote,
  type MessageContext,
  type Reject,
  wrongEpoch,
} from './checks.ts';
import {
  bodyBytes,
  type Evidence,
  type Message,
  type Shown,
  type SignedCheckpoint,
  type Status,
  statusBodyCodec,
  type Vote,
  voteBytes,
} from './messages.ts';
import { newViewProblem, viewChangeProblem } from './verify-view-change.ts';

export type { MessageContext } from './checks.ts';

declare const verified: unique symbol;

/** S3: only `verifyMessage` makes one, so nothing unverified can reach `step`. */
export type Verified<T> = T & { readonly [verified]: true };

export type Judged =
  | { readonly ok: true; readonly message: Verified<Message> }
  | { readonly ok: false; readonly reject: Reject };

/**
 * N1, S3: the one place where a message becomes trusted: its member, epoch, digest and every signature, also those of
 * certificates inside certificates. Arriving on someone's channel is not being from them, so the channel is not looked at.
 */
export function verifyMessage(message: Message, context: MessageContext): Judged {
  const reject = problemOf(message, context);
  return reject === undefined ? { ok: true, message: message as Verified<Message> } : { ok: false, reject };
}

function problemOf(message: Message, context: MessageContext): Reject | undefined {
  switch (message.kind) {
    case 'prePrepare': {
      const { vote, signature, batch } = message.value;
      return wrongEpoch(vote.epoch, context) ?? wrongDigest(vote, batch) ?? badProposal(vote, signature, context);
    }
    case 'prepare':
    case 'commit': {
      const { vote, sender, signature } = message.value;
      return wrongEpoch(vote.epoch, context) ?? badVote(message.kind, sender, { vote, signature }, context);
    }
    case 'checkpoint':
      return checkpointProblem(message.value, context);
    case 'viewChange':
      return wrongEpoch(message.value.body.epoch, context) ?? viewChangeProblem(message.value, context);
    case 'newView':
      return wrongEpoch(message.value.body.epoch, context) ?? newViewProblem(message.value, context);
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
        badQuorum(commits, voteBytes(context.genesisId, 'commit', vote), quorum(context.validators.length), context)
      );
    }
    case 'evidence':
      return evidenceProblem(message.value, context);
  }
}

/** R6: whether member `self` signed it in this epoch; anybody may claim that. */
export function isShownBy(self: number, shown: Shown, context: MessageContext): boolean {
  if (shown.kind === 'checkpoint') {
    return shown.value.sender === self && checkpointProblem(shown.value, context) === undefined;
  }
  const { kind, vote } = shown.value;
  return (wrongEpoch(vote.epoch, context) ?? badVote(kind, self, shown.value, context)) === undefined;
}

/** C6, R26: both contents are of this chain and epoch, of one slot, different, and signed by the same member. */
function evidenceProblem(evidence: Evidence, context: MessageContext): Reject | undefined {
  if (evidence.kind === 'checkpoint') {
    const { first, second } = evidence.value;
    const sameSlot = first.sender === second.sender && first.checkpoint.height === second.checkpoint.height;
    if (!sameSlot || sameEncoding(checkpointCodec, first.checkpoint, second.checkpoint)) return NO_EVIDENCE;
    return checkpointProblem(first, context) ?? checkpointProblem(second, context);
  }
  const { kind, member, first, second } = evidence.value;
  const { epoch, view, height, digest } = first.vote;
  const sameSlot = second.vote.epoch === epoch && second.vote.view === view && second.vote.height === height;
  if (!sameSlot || equalBytes(digest, second.vote.digest)) return NO_EVIDENCE;
  if (kind === 'prePrepare' || kind === 'newView') {
    const leader = leaderIndex(epoch, view, context.validators.length);
    if (member !== leader) return { code: 'malformed', detail: `${kind} of member ${member}, the leader is ${leader}` };
  }
  return wrongEpoch(epoch, context) ?? badVote(kind, member, first, context) ?? badVote(kind, member, second, context);
}

const NO_EVIDENCE: Reject = { code: 'malformed', detail: 'no evidence: not two contents of one slot' };

function checkpointProblem({ checkpoint, sender, signature }: SignedCheckpoint, context: MessageContext) {
  return (
    wrongEpoch(checkpoint.epoch, context) ??
    badSignature(sender, signature, checkpointSignBytes(context.genesisId, checkpoint), context)
  );
}

function statusProblem(status: Status, context: MessageContext): Reject | undefined {
  const n = context.validators.length;
  const { body, sender, signature } = status;
  if (body.viewChanges.length !== n || body.evidence.length !== n) {
    return { code: 'malformed', detail: `STATUS speaks of ${body.viewChanges.length} members, expected ${n}` };
  }
  const bytes = Math.ceil(n / 8);
  const bitmaps = body.held.flatMap(({ prepares, commits, checkpoints }) => [prepares, commits, checkpoints]);
  if ([body.hears, ...bitmaps].some((bitmap) => bitmap.length !== bytes)) {
    return { code: 'malformed', detail: `STATUS has a bitmap that is not ${bytes} bytes long` };
  }
  return badSignature(sender, signature, bodyBytes(context.genesisId, 'status', statusBodyCodec, body), context);
}

function wrongDigest(vote: Vote, batch: Parameters<typeof batchDigest>[0]): Reject | undefined {
  if (batch.height !== vote.height) {
    return { code: 'wrong-digest', detail: `batch of height ${batch.height} under a vote for height ${vote.height}` };
  }
  if (equalBytes(batchDigest(batch), vote.digest)) return undefined;
  return { code: 'wrong-digest', detail: `the batch at height ${vote.height} does not have the digest voted for` };
}
