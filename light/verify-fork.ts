import type { Genesis } from '../genesis/genesis.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { verifyCertificate } from '../ledger/checkpoint.ts';
import type { Json } from '../ledger/codec.ts';
import { type ForkEvidence, forkEvidenceCodec } from '../ledger/fork.ts';
import { listRootFromProof } from '../ledger/list-tree.ts';
import { verifyRecovery } from '../ledger/recovery.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import type { Validator } from '../ledger/validators.ts';
import { sameCheckpoint } from './fork.ts';
import { followHandoffs } from './handoffs.ts';
import { readAs } from './read.ts';
import { type Step, type StepName, Steps } from './report.ts';
import { genesisOf } from './texts.ts';

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
  {
    verify,
    acceptRecovery = [],
  }: {
    readonly verify: VerifySignature;
    /** R10: hashes (0x hex) of recoveries that the reader accepts. */
    readonly acceptRecovery?: readonly string[];
  },
): ForkReport {
  const steps = new Steps(STEPS);
  const fail = (name: StepName, detail: string): ForkReport => {
    const { steps: made } = steps.failed(name, detail);
    return { ok: false, steps: made, culprits: undefined };
  };
  const read = genesisOf(genesis, verify);
  if (!read.ok) return fail('genesis', read.problem);
  const { id: genesisId, validators, recovery: percent } = read.genesis;
  steps.passed('genesis', `chain ${read.genesis.chain}, id ${toHex(genesisId)}`);
  const decoded = readAs(forkEvidenceCodec, evidence, 'evidence');
  if (typeof decoded === 'string') return fail('format', decoded);
  steps.passed('format', 'two certificates and how they contradict each other');
  if (!equalBytes(decoded.genesisId, genesisId)) return fail('chain', `of chain ${toHex(decoded.genesisId)}`);
  steps.passed('chain', 'of the chain of this genesis file');
  const rule = { percent, accepted: acceptRecovery, judge: verifyRecovery };
  const trust = followHandoffs(decoded.handoffs, { genesisId, epoch: 0, validators }, verify, rule);
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
