import type { ReadGenesis } from '../genesis/genesis.ts';
import { blockHash, encodedReceipt, type Header } from '../ledger/block.ts';
import { type Bundle, bundleCodec, type StateFact, type TransactionFact } from '../ledger/bundle.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { type Certificate, type Checkpoint, verifyCertificate } from '../ledger/checkpoint.ts';
import { tryDecode } from '../ledger/codec.ts';
import { sha256 } from '../ledger/hash.ts';
import { type ListProof, listRootFromProof } from '../ledger/list-tree.ts';
import type { VerifyRecovery } from '../ledger/recovery-rule.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import { decodeStateProof, rootFromStateProof, statePath } from '../ledger/state-proof.ts';
import { decodeTransaction, signedMessage } from '../ledger/transaction.ts';
import { quorum } from '../ledger/validators.ts';
import { followHandoffs } from './handoffs.ts';
import { type Facts, type Report, type StepName, Steps } from './report.ts';

export interface PlanOptions {
  /** Refuse a certificate whose block time is more than `maxAgeMs` before `nowMs`. */
  readonly freshness?: { readonly nowMs: number; readonly maxAgeMs: number };
  /** What was asked for: a sound proof of something else fails at the step `question`. */
  readonly question?: Question;
  /** R10: hashes (0x hex) of recoveries that the reader was told of, and accepts. */
  readonly acceptRecovery?: readonly string[];
}

export type Question =
  | { readonly kind: 'transaction'; readonly id: Uint8Array }
  | { readonly kind: 'block'; readonly height: number }
  | { readonly kind: 'state'; readonly table: string; readonly key: Uint8Array };

export interface VerifyOptions extends PlanOptions {
  /** The rule S5 over some engine. */
  readonly verify: VerifySignature;
}

/** With what judges recoveries, if the proof has one (R10). */
export interface ReadOptions extends VerifyOptions {
  readonly judge: VerifyRecovery | undefined;
}

const COMMON: readonly StepName[] = ['genesis', 'format', 'chain', 'epochs', 'certificate'];
const STEPS = {
  transaction: [...COMMON, 'block', 'transaction', 'signature', 'receipt'],
  block: [...COMMON, 'block'],
  state: [...COMMON, 'state'],
} as const satisfies Record<string, readonly StepName[]>;

/**
 * Checks a proof that `readBundle` has read, or says why it could not, with a genesis file that `readGenesis` has read, or
 * says why it refused it.
 */
export function verifyRead(bundle: Bundle | string, read: ReadGenesis, options: ReadOptions): Report {
  const report = verifyFact(bundle, read, options);
  const { question } = options;
  if (question === undefined) return report;
  const { steps, facts } = report;
  if (facts === undefined)
    return { ...report, steps: [...steps, { name: 'question', status: 'not-reached', detail: '' }] };
  const problem = otherAnswer(question, facts);
  const detail = problem ?? 'it is what was asked for';
  const step = { name: 'question', status: problem === undefined ? 'passed' : 'failed', detail } as const;
  return { ok: problem === undefined, steps: [...steps, step], facts: problem === undefined ? facts : undefined };
}

/** V13, Q12: a sound proof, but of another thing than was asked for. */
function otherAnswer(question: Question, { transaction, block, state }: Facts): string | undefined {
  switch (question.kind) {
    case 'transaction':
      if (transaction !== undefined && equalBytes(transaction.id, question.id)) return undefined;
      return `it does not tell of transaction ${toHex(question.id)}`;
    case 'block':
      return block?.height === question.height ? undefined : `it does not tell of block ${question.height}`;
    case 'state':
      if (state?.table === question.table && equalBytes(state.key, question.key)) return undefined;
      return `it does not tell of ${question.table} ${toHex(question.key)}`;
  }
}

function verifyFact(bundle: Bundle | string, read: ReadGenesis, options: ReadOptions): Report {
  const steps = new Steps(COMMON);
  if (!read.ok) return steps.failed('genesis', read.problem);
  const { genesis } = read;
  steps.passed('genesis', `chain ${genesis.chain}, ${genesis.validators.length} validators, id ${toHex(genesis.id)}`);

  if (typeof bundle === 'string') return steps.failed('format', bundle);
  const { fact } = bundle;
  steps.expect(STEPS[fact.kind]);
  steps.passed('format', `a proof about ${fact.kind === 'state' ? 'a row of the state' : `a ${fact.kind}`}`);
  if (!equalBytes(bundle.genesisId, genesis.id)) {
    return steps.failed(
      'chain',
      `the proof is of chain ${toHex(bundle.genesisId)}, the genesis file is ${toHex(genesis.id)}`,
    );
  }
  steps.passed('chain', 'the proof is of the chain of this genesis file');

  const origin = { genesisId: genesis.id, epoch: 0, validators: genesis.validators };
  const rule = { percent: genesis.recovery, accepted: options.acceptRecovery ?? [], judge: options.judge };
  const trust = followHandoffs(bundle.handoffs, origin, options.verify, rule);
  if (typeof trust === 'string') return steps.failed('epochs', trust);
  const recovered = trust.recoveries.map(({ text }) => `; ${text}`).join('');
  steps.passed(
    'epochs',
    trust.epoch === 0 ? 'the set of genesis signs' : `${trust.epoch} hand-offs from genesis${recovered}`,
  );

  const { certificate } = bundle;
  const checked = verifyCertificate(certificate, trust, options.verify);
  if (!checked.ok) return steps.failed('certificate', checked.problem);
  const stale = ageProblem(certificate, options);
  if (stale !== undefined) return steps.failed('certificate', stale);
  const { checkpoint } = certificate;
  const signedBy = checked.signers.map((index) => trust.validators[index]!.name);
  const n = trust.validators.length;
  steps.passed(
    'certificate',
    `height ${checkpoint.height}, ${signedBy.length} of ${n} signed (${quorum(n)} needed): ${signedBy.join(', ')}`,
  );

  const facts: Facts = {
    chain: genesis.chain,
    genesisId: genesis.id,
    signedBy,
    validators: n,
    certified: { height: checkpoint.height, time: checkpoint.timestamp, epoch: checkpoint.epoch },
    recoveries: trust.recoveries,
  };
  if (fact.kind === 'state') return verifyState(steps, fact.value, checkpoint, facts);
  const { header, historyProof } = fact.value;
  const problem = blockProblem(header, historyProof, checkpoint);
  if (problem !== undefined) return steps.failed('block', problem);
  steps.passed('block', `block ${header.height} is in the certified history`);
  const block = { height: header.height, time: header.timestamp, hash: blockHash(header), header };
  return fact.kind === 'block'
    ? steps.complete({ ...facts, block })
    : verifyTransaction(steps, fact.value, { ...facts, block }, options.verify);
}

/** A bundle from its canonical bytes, or what is wrong with them. */
export function decodeBundle(proof: Uint8Array): Bundle | string {
  const decoded = tryDecode(bundleCodec, proof);
  return decoded.ok ? decoded.value : decoded.problem;
}

/** V17: age is judged by the certified block time, and only when asked for. */
function ageProblem({ checkpoint }: Certificate, { freshness }: VerifyOptions): string | undefined {
  if (freshness === undefined) return undefined;
  const age = freshness.nowMs - checkpoint.timestamp;
  // So that what is no number is never fresh.
  return age <= freshness.maxAgeMs ? undefined : `the certificate is ${age} ms old, at most ${freshness.maxAgeMs}`;
}

/** The header's hash stands at its height in the certified history. */
function blockProblem(
  header: Header,
  historyProof: readonly Uint8Array[],
  { height, historyRoot }: Checkpoint,
): string | undefined {
  if (header.height > height) return `block ${header.height} is above the certified height ${height}`;
  const place = { count: height + 1, index: header.height, content: blockHash(header), siblings: historyProof };
  return leadsTo(historyRoot, place) ? undefined : `block ${header.height} is not in the certified history`;
}

function leadsTo(root: Uint8Array, proof: ListProof): boolean {
  const found = listRootFromProof(proof);
  return found !== undefined && equalBytes(found, root);
}

function verifyTransaction(steps: Steps, fact: TransactionFact, facts: Facts, verify: VerifySignature): Report {
  const { header, index, receipt } = fact;
  const { height, count } = header;
  const decoded = decodeTransaction(facts.genesisId, fact.transaction);
  if (!decoded.ok) return steps.failed('transaction', decoded.problem);
  const { id, body, signature } = decoded.value;
  const { sender, calls } = body;
  if (!leadsTo(header.transactionsRoot, { count, index, content: id, siblings: fact.transactionProof })) {
    return steps.failed('transaction', `transaction ${toHex(id)} is not number ${index} of block ${height}`);
  }
  steps.passed('transaction', `${toHex(id)} is number ${index} of ${count} in block ${height}`);

  // The id does not cover the signature, so the chain alone does not show that these signature bytes are good.
  if (!verify(signature, signedMessage(facts.genesisId, fact.transaction), sender)) {
    return steps.failed('signature', `not signed by ${toHex(sender)}`);
  }
  steps.passed('signature', `signed by ${toHex(sender)}`);

  if (!equalBytes(receipt.id, id)) return steps.failed('receipt', `the receipt is of ${toHex(receipt.id)}`);
  if (!leadsTo(header.receiptsRoot, { count, index, content: encodedReceipt(receipt), siblings: fact.receiptProof })) {
    return steps.failed('receipt', `the receipt is not number ${index} of block ${height}`);
  }
  steps.passed(
    'receipt',
    receipt.status === 'ok' ? 'ok: it took effect' : `failed (${receipt.code}): it changed nothing`,
  );
  return steps.complete({ ...facts, transaction: { id, sender, calls, receipt } });
}

function verifyState(steps: Steps, fact: StateFact, { height, stateRoot }: Checkpoint, facts: Facts): Report {
  const { table, key, value } = fact;
  const proof = decodeStateProof(fact.proof);
  const present = value.kind === 'present' ? value.value : undefined;
  const valueHash = present && sha256(present);
  const root = proof && rootFromStateProof(statePath(table, key), valueHash, proof);
  if (root === undefined || !equalBytes(root, stateRoot)) {
    return steps.failed('state', `the proof does not lead to the state root at height ${height}`);
  }
  steps.passed('state', `${table} ${present ? 'has this row' : 'has no such row'} at height ${height}`);
  return steps.complete({ ...facts, state: { table, key, value: present } });
}
