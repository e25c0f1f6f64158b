import { type Genesis, readGenesis } from '../genesis/genesis.ts';
import { blockHash, encodedReceipt, type Header } from '../ledger/block.ts';
import { type Bundle, bundleCodec, type StateFact, type TransactionFact } from '../ledger/bundle.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { type Certificate, type Trust, verifyCertificate } from '../ledger/checkpoint.ts';
import { type Json, tryDecode, tryFromJson } from '../ledger/codec.ts';
import { sha256 } from '../ledger/hash.ts';
import { listRootFromProof } from '../ledger/list-tree.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import { decodeStateProof, rootFromStateProof, statePath } from '../ledger/state-proof.ts';
import { decodeTransaction, signedMessage } from '../ledger/transaction.ts';
import { quorum, validatorsHash } from '../ledger/validators.ts';
import { type Facts, type Report, type StepName, Steps } from './report.ts';

export interface PlanOptions {
  /** Refuse a certificate whose block time is more than `maxAgeMs` before `nowMs`. */
  readonly freshness?: { readonly nowMs: number; readonly maxAgeMs: number };
}

export interface VerifyOptions extends PlanOptions {
  /** The rule S5 over some engine. */
  readonly verify: VerifySignature;
}

/** A signature that the verification rests on. */
export interface SignatureCheck {
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** A verification in two phases, for engines that answer later. */
export interface BundlePlan {
  /** Everything to check by the rule S5, in order; fewer when an earlier step has failed already. */
  readonly checks: readonly SignatureCheck[];
  /** The report, given one verdict for each of `checks`; a missing one counts as not valid. */
  finish(verdicts: readonly boolean[]): Report;
}

const COMMON: readonly StepName[] = ['genesis', 'format', 'chain', 'epochs', 'certificate'];
const STEPS = {
  transaction: [...COMMON, 'block', 'transaction', 'signature', 'receipt'],
  block: [...COMMON, 'block'],
  state: [...COMMON, 'state'],
} as const satisfies Record<string, readonly StepName[]>;

/**
 * Checks a proof with nothing but the genesis file: encoded bytes, or the JSON form as text or parsed. `genesis` is the
 * file's text, or what `readGenesis` made of it, which saves time when many proofs are checked. Never throws for bad input;
 * the report names the step that failed. It says what is proven: whether that answers the question asked (this id, this
 * table and key) is for the caller to compare with `facts`.
 */
export function verifyBundle(
  proof: Uint8Array | string | Json,
  genesis: string | Genesis,
  options: VerifyOptions,
): Report {
  return verifyRead(readBundle(proof), genesis, options);
}

/** `verifyBundle` without an engine: what has to be checked, and the report once the verdicts are known. */
export function planBundle(
  proof: Uint8Array | string | Json,
  genesis: string | Genesis,
  options: PlanOptions = {},
): BundlePlan {
  // Read once and copied: what the caller does with the proof in between must not come under these verdicts.
  const read = readBundle(proof instanceof Uint8Array ? proof.slice() : proof);
  const checks: SignatureCheck[] = [];
  const collect: VerifySignature = (signature, message, publicKey) => {
    checks.push({ signature, message, publicKey });
    return true;
  };
  verifyRead(read, genesis, { ...options, verify: collect });
  return {
    checks,
    finish(verdicts) {
      let next = 0;
      // Both walks ask in the same order up to the first signature that is not valid, where the second one ends.
      return verifyRead(read, genesis, { ...options, verify: () => verdicts[next++] === true });
    },
  };
}

function verifyRead(bundle: Bundle | string, trusted: string | Genesis, options: VerifyOptions): Report {
  const steps = new Steps(STEPS.transaction);
  const read =
    typeof trusted === 'string' ? readGenesis(trusted, options.verify) : { ok: true as const, genesis: trusted };
  if (!read.ok) return steps.failed('genesis', read.problem);
  const { genesis } = read;
  steps.passed('genesis', `chain ${genesis.chain}, ${genesis.validators.length} validators, id ${toHex(genesis.id)}`);

  if (typeof bundle === 'string') return steps.failed('format', bundle);
  const names = STEPS[bundle.fact.kind];
  steps.passed(
    'format',
    `a proof about ${bundle.fact.kind === 'state' ? 'a row of the state' : `a ${bundle.fact.kind}`}`,
  );
  if (!equalBytes(bundle.genesisId, genesis.id)) {
    return steps.failed(
      'chain',
      `the proof is of chain ${toHex(bundle.genesisId)}, the genesis file is ${toHex(genesis.id)}`,
      names,
    );
  }
  steps.passed('chain', 'the proof is of the chain of this genesis file');

  const trust = followHandoffs(bundle, genesis, options.verify);
  if (typeof trust === 'string') return steps.failed('epochs', trust, names);
  steps.passed('epochs', trust.epoch === 0 ? 'the set of genesis signs' : `${trust.epoch} hand-offs from genesis`);

  const { certificate } = bundle;
  const checked = verifyCertificate(certificate, trust, options.verify);
  if (!checked.ok) return steps.failed('certificate', checked.problem, names);
  const stale = ageProblem(certificate, options);
  if (stale !== undefined) return steps.failed('certificate', stale, names);
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
  };
  switch (bundle.fact.kind) {
    case 'block':
      return verifyBlock(steps, names, bundle, bundle.fact.value.header, bundle.fact.value.historyProof, facts);
    case 'transaction':
      return verifyTransaction(steps, names, bundle, bundle.fact.value, facts, genesis.id, options.verify);
    case 'state':
      return verifyState(steps, names, bundle, bundle.fact.value, facts);
  }
}

/** A bundle from any of its forms, or what is wrong with it. */
export function readBundle(proof: Uint8Array | string | Json): Bundle | string {
  if (proof instanceof Uint8Array) {
    const decoded = tryDecode(bundleCodec, proof);
    return decoded.ok ? decoded.value : decoded.problem;
  }
  try {
    const decoded = tryFromJson(bundleCodec, typeof proof === 'string' ? (JSON.parse(proof) as Json) : proof);
    if (!decoded.ok) return decoded.problem;
    return typeof proof !== 'string' || isPrint(proof, decoded.value)
      ? decoded.value
      : 'the text is not the JSON print of the proof: it was changed somewhere';
  } catch (error) {
    // JSON.parse; or an object that no JSON gives, which may throw anything when it is read.
    return `not JSON: ${error instanceof Error ? error.message : 'it can not be read'}`;
  }
}

/**
 * One proof has two texts, on one line or indented by two spaces: a changed byte anywhere is seen, also one that JSON would
 * overlook, like a key that occurs twice.
 */
function isPrint(text: string, bundle: Bundle): boolean {
  const json = bundleCodec.toJson(bundle);
  const body = text.endsWith('\n') ? text.slice(0, -1) : text;
  return body === JSON.stringify(json) || body === JSON.stringify(json, undefined, 2);
}

/** V03: from genesis, epoch by epoch, each hand-off certified by the set before it; never a set that the proof brings. */
function followHandoffs(bundle: Bundle, genesis: Genesis, verify: VerifySignature): Trust | string {
  let trust: Trust = { genesisId: genesis.id, epoch: 0, validators: genesis.validators };
  for (const { certificate, next } of bundle.handoffs) {
    const checked = verifyCertificate(certificate, trust, verify);
    if (!checked.ok) return `hand-off from epoch ${trust.epoch}: ${checked.problem}`;
    const { checkpoint } = certificate;
    if (checkpoint.nextEpoch !== trust.epoch + 1) return `the certificate of height ${checkpoint.height} ends no epoch`;
    if (!equalBytes(checkpoint.nextValidatorsHash, validatorsHash(next))) {
      return `the set of epoch ${checkpoint.nextEpoch} is not the one that was certified`;
    }
    trust = { ...trust, epoch: checkpoint.nextEpoch, validators: next };
  }
  return trust;
}

/** V17: age is judged by the certified block time, and only when asked for. */
function ageProblem({ checkpoint }: Certificate, { freshness }: VerifyOptions): string | undefined {
  if (freshness === undefined) return undefined;
  const age = freshness.nowMs - checkpoint.timestamp;
  return age > freshness.maxAgeMs ? `the certificate is ${age} ms old, at most ${freshness.maxAgeMs}` : undefined;
}

/** The header's hash stands at its height in the certified history. */
function blockProblem(
  header: Header,
  historyProof: readonly Uint8Array[],
  { checkpoint }: Certificate,
): string | undefined {
  if (header.height > checkpoint.height)
    return `block ${header.height} is above the certified height ${checkpoint.height}`;
  const place = {
    count: checkpoint.height + 1,
    index: header.height,
    content: blockHash(header),
    siblings: historyProof,
  };
  const root = listRootFromProof(place);
  if (root !== undefined && equalBytes(root, checkpoint.historyRoot)) return undefined;
  return `block ${header.height} is not in the certified history`;
}

function blockFacts(header: Header): NonNullable<Facts['block']> {
  return { height: header.height, time: header.timestamp, hash: blockHash(header), header };
}

function verifyBlock(
  steps: Steps,
  names: readonly StepName[],
  { certificate }: Bundle,
  header: Header,
  historyProof: readonly Uint8Array[],
  facts: Facts,
): Report {
  const problem = blockProblem(header, historyProof, certificate);
  if (problem !== undefined) return steps.failed('block', problem, names);
  steps.passed('block', `block ${header.height} is in the certified history`);
  return steps.complete({ ...facts, block: blockFacts(header) });
}

function verifyTransaction(
  steps: Steps,
  names: readonly StepName[],
  { certificate }: Bundle,
  fact: TransactionFact,
  facts: Facts,
  genesisId: Uint8Array,
  verify: VerifySignature,
): Report {
  const { header, historyProof, index, receipt } = fact;
  const problem = blockProblem(header, historyProof, certificate);
  if (problem !== undefined) return steps.failed('block', problem, names);
  steps.passed('block', `block ${header.height} is in the certified history`);

  const decoded = decodeTransaction(genesisId, fact.transaction);
  if (!decoded.ok) return steps.failed('transaction', decoded.problem, names);
  const { id, body, signature } = decoded.value;
  const inBlock = (content: Uint8Array, siblings: readonly Uint8Array[], root: Uint8Array): boolean => {
    const found = listRootFromProof({ count: header.count, index, content, siblings });
    return found !== undefined && equalBytes(found, root);
  };
  if (!inBlock(id, fact.transactionProof, header.transactionsRoot)) {
    return steps.failed(
      'transaction',
      `transaction ${toHex(id)} is not number ${index} of block ${header.height}`,
      names,
    );
  }
  steps.passed('transaction', `${toHex(id)} is number ${index} of ${header.count} in block ${header.height}`);

  // The id does not cover the signature, so the chain alone does not show that these signature bytes are good.
  if (!verify(signature, signedMessage(genesisId, fact.transaction), body.sender)) {
    return steps.failed('signature', `not signed by ${toHex(body.sender)}`, names);
  }
  steps.passed('signature', `signed by ${toHex(body.sender)}`);

  if (!equalBytes(receipt.id, id)) return steps.failed('receipt', `the receipt is of ${toHex(receipt.id)}`, names);
  if (!inBlock(encodedReceipt(receipt), fact.receiptProof, header.receiptsRoot)) {
    return steps.failed('receipt', `the receipt is not number ${index} of block ${header.height}`, names);
  }
  steps.passed(
    'receipt',
    receipt.status === 'ok' ? 'ok: it took effect' : `failed (${receipt.code}): it changed nothing`,
  );
  return steps.complete({
    ...facts,
    block: blockFacts(header),
    transaction: { id, sender: body.sender, calls: body.calls, receipt },
  });
}

function verifyState(
  steps: Steps,
  names: readonly StepName[],
  { certificate }: Bundle,
  fact: StateFact,
  facts: Facts,
): Report {
  const { table, key, value } = fact;
  const proof = decodeStateProof(fact.proof);
  const present = value.kind === 'present' ? value.value : undefined;
  const valueHash = present === undefined ? undefined : sha256(present);
  const root = proof && rootFromStateProof(statePath(table, key), valueHash, proof);
  const { checkpoint } = certificate;
  if (root === undefined || !equalBytes(root, checkpoint.stateRoot)) {
    return steps.failed('state', `the proof does not lead to the state root at height ${checkpoint.height}`, names);
  }
  steps.passed(
    'state',
    `${table} ${present === undefined ? 'has no such row' : 'has this row'} at height ${checkpoint.height}`,
  );
  return steps.complete({ ...facts, state: { table, key, value: present } });
}
