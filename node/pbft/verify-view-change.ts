import { equalBytes } from '../../ledger/bytes.ts';
import { verifyCertificate } from '../../ledger/checkpoint.ts';
import { leaderIndex, quorum, signerIndexes } from '../../ledger/validators.ts';
import { carryOf, stableOf } from './carry.ts';
import { badProposal, badQuorum, badVote, type MessageContext, type Reject } from './checks.ts';
import {
  type NewView,
  newViewVote,
  type PreparedCertificate,
  type ViewChange,
  viewChangeVote,
  voteBytes,
} from './messages.ts';

/** V4: its signature, its stable certificate and every prepared certificate in it. Form first, signatures last. */
export function viewChangeProblem(message: ViewChange, context: MessageContext): Reject | undefined {
  const { body, sender, signature } = message;
  if (body.view === 0) return malformed('a VIEW-CHANGE for view 0, where every epoch begins');
  const stable = stableOf(body);
  const base = stable?.checkpoint.height ?? context.beginning;
  let below = base;
  for (const { vote } of body.prepared) {
    const { height, view, epoch } = vote;
    if (epoch !== body.epoch) return malformed(`a prepared certificate of epoch ${epoch}`);
    if (view >= body.view) return malformed(`prepared in view ${view}, not below ${body.view}`);
    if (height <= below) return malformed(`a prepared certificate at height ${height} after ${below}`);
    if (height > base + context.window) return malformed(`prepared at height ${height}, stable is ${base}`);
    below = height;
  }
  if (context.isVerified?.(message) === true) return undefined;
  const outer = badVote('viewChange', sender, { vote: viewChangeVote(body), signature }, context);
  if (outer !== undefined) return outer;
  if (stable !== undefined) {
    const checked = verifyCertificate(stable, context, context.verify);
    if (!checked.ok) return { code: 'bad-certificate', detail: `stable checkpoint: ${checked.problem}` };
  }
  for (const certificate of body.prepared) {
    const problem = preparedProblem(certificate, context);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** N7: the leader's PRE-PREPARE and PREPAREs of q-1 distinct others, all for one (e,v,h,d). */
function preparedProblem({ vote, prePrepareSignature, prepares }: PreparedCertificate, context: MessageContext) {
  const n = context.validators.length;
  const leader = leaderIndex(vote.epoch, vote.view, n);
  const signers = signerIndexes(prepares.signers, n);
  // R04: the leader's PRE-PREPARE is its PREPARE; a second one would count it twice.
  const twice = typeof signers !== 'string' && signers.includes(leader);
  const problem = twice
    ? { code: 'bad-certificate' as const, detail: `a PREPARE of leader ${leader} is counted` }
    : (badProposal(vote, prePrepareSignature, context) ??
      badQuorum(prepares, voteBytes(context.genesisId, 'prepare', vote), quorum(n) - 1, context));
  if (problem === undefined) return undefined;
  return { code: 'bad-certificate', detail: `prepared at height ${vote.height}: ${problem.detail}` } as const;
}

/** V8: its signature first; whatever is wrong below a valid one is misconduct of the leader that signed it. */
export function newViewProblem({ body, signature }: NewView, context: MessageContext): Reject | undefined {
  const leader = leaderIndex(body.epoch, body.view, context.validators.length);
  const outer = badVote('newView', leader, { vote: newViewVote(body), signature }, context);
  if (outer !== undefined) return outer;
  const detail = contentProblem(body, context);
  return detail === undefined ? undefined : { code: 'misconduct', detail: `NEW-VIEW of view ${body.view}: ${detail}` };
}

function contentProblem(body: NewView['body'], context: MessageContext): string | undefined {
  const { epoch, view, viewChanges, prePrepares } = body;
  const needed = quorum(context.validators.length);
  if (view === 0) return 'view 0 needs none';
  if (viewChanges.length !== needed) return `${viewChanges.length} VIEW-CHANGEs, expected ${needed}`;
  let before = -1;
  for (const viewChange of viewChanges) {
    if (viewChange.sender <= before) return 'the VIEW-CHANGEs are not of distinct members in index order';
    before = viewChange.sender;
    if (viewChange.body.epoch !== epoch || viewChange.body.view !== view) {
      return `a VIEW-CHANGE for epoch ${viewChange.body.epoch}, view ${viewChange.body.view}`;
    }
    const problem = viewChangeProblem(viewChange, context);
    if (problem !== undefined) return `VIEW-CHANGE of member ${viewChange.sender}: ${problem.detail}`;
  }
  // V8: recomputed, and compared byte for byte.
  const { votes } = carryOf(epoch, view, viewChanges, context.beginning);
  if (votes.length !== prePrepares.length) return `${prePrepares.length} PRE-PREPAREs, the carry has ${votes.length}`;
  for (const [i, { vote, signature }] of prePrepares.entries()) {
    const expected = votes[i]!;
    const same = vote.epoch === epoch && vote.view === view && vote.height === expected.height;
    if (!same || !equalBytes(vote.digest, expected.digest)) {
      return `the PRE-PREPARE at height ${expected.height} is not what the carry has there`;
    }
    const problem = badProposal(vote, signature, context);
    if (problem !== undefined) return problem.detail;
  }
  return undefined;
}

function malformed(detail: string): Reject {
  return { code: 'malformed', detail };
}
