import { type Genesis, readGenesis } from '../genesis/genesis.ts';
import type { Handoff } from '../ledger/bundle.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { type Certificate, checkpointCodec, verifyCertificate } from '../ledger/checkpoint.ts';
import { encode, type Json, tryDecode, tryFromJson } from '../ledger/codec.ts';
import { type ForkEvidence, forkEvidenceCodec } from '../ledger/fork.ts';
import { listRootFromProof } from '../ledger/list-tree.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import type { Validator } from '../ledger/validators.ts';
import { followHandoffs } from './handoffs.ts';
import { isPrint } from './print.ts';
import { type Step, type StepName, Steps } from './report.ts';

/** The result of looking at fork evidence. `culprits` only when every step passed. */
export interface ForkReport {
  readonly ok: boolean;
  readonly steps: readonly Step[];
  /** Validators that are proven to have signed both; more than f. */
  readonly culprits: readonly Validator[] | undefined;
}

const STEPS: readonly StepName[] = ['genesis', 'format', 'chain', 'epochs', 'first', 'second', 'conflict'];

/**
 * V19: whether two certificates can't both be of the chain of this genesis file, and who signed both. Never throws for bad
 * input. `evidence`: encoded bytes, or the JSON form as text or parsed.
 */
export function verifyForkEvidence(
  evidence: Uint8Array | string | Json,
  genesis: string | Genesis,
  { verify }: { readonly verify: VerifySignature },
): ForkReport {
  const steps = new Steps(STEPS);
  const fail = (name: StepName, detail: string): ForkReport => {
    const { steps: made } = steps.failed(name, detail);
    return { ok: false, steps: made, culprits: undefined };
  };
  const read = typeof genesis === 'string' ? readGenesis(genesis, verify) : { ok: true as const, genesis };
  if (!read.ok) return fail('genesis', read.problem);
  const { id: genesisId, validators } = read.genesis;
  steps.passed('genesis', `chain ${read.genesis.chain}, id ${toHex(genesisId)}`);
  const decoded = readEvidence(evidence);
  if (typeof decoded === 'string') return fail('format', decoded);
  steps.passed('format', 'two certificates and how they contradict each other');
  if (!equalBytes(decoded.genesisId, genesisId)) return fail('chain', `of chain ${toHex(decoded.genesisId)}`);
  steps.passed('chain', 'of the chain of this genesis file');
  const trust = followHandoffs(decoded.handoffs, { genesisId, epoch: 0, validators }, verify);
  if (typeof trust === 'string') return fail('epochs', trust);
  steps.passed('epochs', `the set of epoch ${trust.epoch} signed`);
  const signers: number[][] = [];
  for (const name of ['first', 'second'] as const) {
    const checked = verifyCertificate(decoded[name], trust, verify);
    if (!checked.ok) return fail(name, checked.problem);
    signers.push([...checked.signers]);
    steps.passed(name, `height ${decoded[name].checkpoint.height}, ${checked.signers.length} signatures`);
  }
  const problem = conflictProblem(decoded);
  if (problem !== undefined) return fail('conflict', problem);
  const both = signers[0]!.filter((index) => signers[1]!.includes(index));
  const culprits = both.map((index) => trust.validators[index]!);
  steps.passed('conflict', `signed by the same: ${culprits.map(({ name }) => name).join(', ')}`);
  return { ok: true, steps: steps.done, culprits };
}

function readEvidence(evidence: Uint8Array | string | Json): ForkEvidence | string {
  try {
    const read =
      evidence instanceof Uint8Array
        ? tryDecode(forkEvidenceCodec, evidence)
        : tryFromJson(forkEvidenceCodec, typeof evidence === 'string' ? (JSON.parse(evidence) as Json) : evidence);
    if (!read.ok) return read.problem;
    return typeof evidence !== 'string' || isPrint(evidence, forkEvidenceCodec.toJson(read.value))
      ? read.value
      : 'the text is not the JSON print of the evidence: it was changed somewhere';
  } catch (error) {
    return `not JSON: ${error instanceof Error ? error.message : 'it can not be read'}`;
  }
}

function conflictProblem({ first, second, conflict }: ForkEvidence): string | undefined {
  const [low, high] = [first.checkpoint, second.checkpoint];
  switch (conflict.kind) {
    case 'sameHeight':
      if (low.height !== high.height) return `heights ${low.height} and ${high.height} differ`;
      return sameCheckpoint(first, second) ? 'both certify the same' : undefined;
    case 'afterEnd':
      if (low.nextEpoch === low.epoch) return `height ${low.height} ends no epoch`;
      return high.height > low.height ? undefined : `height ${high.height} is not above the end ${low.height}`;
    case 'otherHistory': {
      const { blockHash, historyProof } = conflict.value;
      if (high.height <= low.height) return `height ${high.height} is not above ${low.height}`;
      if (equalBytes(blockHash, low.blockHash)) return 'it is the same block';
      const place = { count: high.height + 1, index: low.height, content: blockHash, siblings: historyProof };
      const root = listRootFromProof(place);
      if (root !== undefined && equalBytes(root, high.historyRoot)) return undefined;
      return `the block is not in the history of height ${high.height}`;
    }
  }
}

export function sameCheckpoint(a: Certificate, b: Certificate): boolean {
  return equalBytes(encode(checkpointCodec, a.checkpoint), encode(checkpointCodec, b.checkpoint));
}

/** A verified way from genesis to a certificate. */
export interface View {
  readonly handoffs: readonly Handoff[];
  /** Of the epoch that the hand-offs lead to; undefined while none of it is known. */
  readonly certificate: Certificate | undefined;
}

/** The last certificate on a way. */
export function newestOf({ handoffs, certificate }: View): Certificate | undefined {
  return certificate ?? handoffs.at(-1)?.certificate;
}

/**
 * What shows that two verified ways are not of one chain, as far as certificates alone can: two ends of one epoch, two
 * checkpoints of one height, or one of an epoch above its end.
 */
export function findFork(genesisId: Uint8Array, a: View, b: View): ForkEvidence | undefined {
  const epochs = Math.max(a.handoffs.length, b.handoffs.length);
  for (let epoch = 0; epoch <= epochs; epoch++) {
    const [one, other] = [lastOf(a, epoch), lastOf(b, epoch)];
    if (one === undefined || other === undefined) return undefined;
    if (sameCheckpoint(one, other)) continue;
    const [first, second] = one.checkpoint.height <= other.checkpoint.height ? [one, other] : [other, one];
    const kind = conflictOf(first, second);
    if (kind === undefined) return undefined;
    const handoffs = a.handoffs.slice(0, epoch);
    return { format: 'quorate-fork-1', genesisId, handoffs, first, second, conflict: { kind, value: {} } };
  }
  return undefined;
}

/** The last certificate of an epoch that a view knows. */
export function lastOf({ handoffs, certificate }: View, epoch: number): Certificate | undefined {
  return epoch < handoffs.length ? handoffs[epoch]!.certificate : epoch === handoffs.length ? certificate : undefined;
}

function conflictOf(first: Certificate, second: Certificate): 'sameHeight' | 'afterEnd' | undefined {
  if (first.checkpoint.height === second.checkpoint.height) return 'sameHeight';
  return first.checkpoint.nextEpoch !== first.checkpoint.epoch ? 'afterEnd' : undefined;
}
