import { genesisCodec } from '../../genesis/file.ts';
import { batchCodec, eventCodec, headerCodec, receiptCodec } from '../../ledger/block.ts';
import {
  blockFactCodec,
  bundleCodec,
  handoffCodec,
  stateFactCodec,
  transactionFactCodec,
  updatesCodec,
} from '../../ledger/bundle.ts';
import { certificateCodec, checkpointCodec } from '../../ledger/checkpoint.ts';
import type { Codec } from '../../ledger/codec.ts';
import { layoutOf } from '../../ledger/describe.ts';
import { forkEvidenceCodec } from '../../ledger/fork.ts';
import { approvalCodec, changeCodec, proposalCodec } from '../../ledger/modules/changes.ts';
import {
  governanceApprovalCodec,
  governanceChangeCodec,
  governanceProposalCodec,
} from '../../ledger/modules/governance-change.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { parametersCodec } from '../../ledger/parameters.ts';
import { readyCodec, signedReadyCodec } from '../../ledger/ready.ts';
import { recoveryBodyCodec, recoveryCodec } from '../../ledger/recovery-form.ts';
import { replyCodec, signedReplyCodec } from '../../ledger/reply.ts';
import { stateProofCodec } from '../../ledger/state-proof.ts';
import { callCodec, transactionBodyCodec } from '../../ledger/transaction.ts';
import { multiSignatureCodec, validatorCodec, validatorSetCodec } from '../../ledger/validators.ts';
import {
  commitCertificateCodec,
  evidenceCodec,
  messageCodec,
  newViewCodec,
  prePrepareCodec,
  preparedCertificateCodec,
  shownCodec,
  signedCheckpointCodec,
  signedVoteCodec,
  statusCodec,
  viewChangeCodec,
  voteCodec,
} from '../../node/pbft/messages.ts';
import {
  batchAnswerCodec,
  blockIdsAnswerCodec,
  blocksAnswerCodec,
  certificateAnswerCodec,
  requestCodec,
  rowsAnswerCodec,
  shownAnswerCodec,
  snapshotAnswerCodec,
  snapshotCodec,
} from '../../node/wire.ts';
import { helloCodec } from '../../p2p/hello.ts';
import { peerRecordCodec } from '../../p2p/records.ts';

/** Names of docs/formats.md; a later one may use those before it. */
const NAMED: readonly (readonly [string, Codec<unknown>])[] = [
  ['Call', callCodec],
  ['TransactionBody', transactionBodyCodec],
  ['Batch', batchCodec],
  ['Header', headerCodec],
  ['Event', eventCodec],
  ['Receipt', receiptCodec],
  ['Validator', validatorCodec],
  ['ValidatorSet', validatorSetCodec],
  ['MultiSignature', multiSignatureCodec],
  ['Checkpoint', checkpointCodec],
  ['Certificate', certificateCodec],
  ['StateProof', stateProofCodec],
  ['TransactionFact', transactionFactCodec],
  ['BlockFact', blockFactCodec],
  ['StateFact', stateFactCodec],
  ['Handoff', handoffCodec],
  ['Updates', updatesCodec],
  ['RecoveryBody', recoveryBodyCodec],
  ['Recovery', recoveryCodec],
  ['Bundle', bundleCodec],
  ['Reply', replyCodec],
  ['SignedReply', signedReplyCodec],
  ['ForkEvidence', forkEvidenceCodec],
  ['Parameters', parametersCodec],
  ['GenesisFile', genesisCodec],
  ['Vote', voteCodec],
  ['PrePrepare', prePrepareCodec],
  ['SignedVote', signedVoteCodec],
  ['SignedCheckpoint', signedCheckpointCodec],
  ['PreparedCertificate', preparedCertificateCodec],
  ['CommitCertificate', commitCertificateCodec],
  ['ViewChange', viewChangeCodec],
  ['NewView', newViewCodec],
  ['Status', statusCodec],
  ['Evidence', evidenceCodec],
  ['Message', messageCodec],
  ['Hello', helloCodec],
  ['PeerRecord', peerRecordCodec],
  ['Request', requestCodec],
  ['Shown', shownCodec],
  ['ShownAnswer', shownAnswerCodec],
  ['CertificateAnswer', certificateAnswerCodec],
  ['BatchAnswer', batchAnswerCodec],
  ['BlocksAnswer', blocksAnswerCodec],
  ['Snapshot', snapshotCodec],
  ['SnapshotAnswer', snapshotAnswerCodec],
  ['RowsAnswer', rowsAnswerCodec],
  ['BlockIdsAnswer', blockIdsAnswerCodec],
  ['Change', changeCodec],
  ['Proposal', proposalCodec],
  ['Approval', approvalCodec],
  ['Ready', readyCodec],
  ['SignedReady', signedReadyCodec],
  ['GovernanceChange', governanceChangeCodec],
  ['GovernanceProposal', governanceProposalCodec],
  ['GovernanceApproval', governanceApprovalCodec],
];

/** `Name = layout` of every structure that docs/formats.md must show, one field a line. */
export function printedLayouts(): ReadonlyMap<string, string> {
  const printed = new Map<string, string>();
  const known: (readonly [string, string])[] = [];
  const print = (name: string, layout: string): void => {
    // The longest first: a set of validators contains a validator.
    const short = known.reduceRight((text, [other, otherLayout]) => text.replaceAll(otherLayout, other), layout);
    printed.set(name, `${name} = ${spread(short)}`);
  };
  for (const [name, codec] of NAMED) {
    const layout = layoutOf(codec);
    print(name, layout);
    known.push([name, layout]);
  }
  for (const { name, tables, events, actions } of quorateApplication.modules) {
    for (const table of tables) print(table.name, layoutOf(table.value));
    for (const [event, codec] of Object.entries(events)) print(`event ${name}.${event}`, layoutOf(codec));
    for (const [action, { args }] of Object.entries(actions))
      print(`${name}.${action}`, layoutOf(args as Codec<unknown>));
  }
  return printed;
}

function spread(layout: string): string {
  let text = '';
  let depth = 0;
  for (let at = 0; at < layout.length; at++) {
    const char = layout[at]!;
    if (layout.startsWith('{  }', at)) {
      text += '{}';
      at += 3;
    } else if (char === '{') {
      depth++;
      text += `{\n${'  '.repeat(depth)}`;
      at++;
    } else if (layout.startsWith(' }', at)) {
      depth--;
      text += `\n${'  '.repeat(depth)}}`;
      at++;
    } else if (char === ',' && depth > 0 && /^, [A-Za-z]+: /.test(layout.slice(at))) {
      text += `\n${'  '.repeat(depth)}`;
      at++;
    } else text += char;
  }
  return text;
}
