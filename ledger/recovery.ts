import { blockHash } from './block.ts';
import type { Handoff } from './bundle.ts';
import { equalBytes, toHex, utf8Encode } from './bytes.ts';
import { type Certificate, type Checkpoint, checkpointCodec, type Trust, verifyCertificate } from './checkpoint.ts';
import { type Codec, decode, encode, sameEncoding, tryDecode } from './codec.ts';
import { sha256 } from './hash.ts';
import { bindCount } from './list-tree.ts';
import { CURRENT, EXPELLED, ORGANISATIONS, organisationCodec, SUMMARY, summaryCodec } from './modules/rows.ts';
import { isReadableName } from './name.ts';
import { type Recovery, type RecoveryBody, recoveryBodyCodec, recoveryCodec, recoveryHash } from './recovery-form.ts';
import type { EpochRecovery, RecoveryRule, RecoverySigners, RecoveryTrust } from './recovery-rule.ts';
import { signBytes } from './sign-bytes.ts';
import type { VerifySignature } from './signature.ts';
import { decodeStateProof, rootFromStateProof, statePath } from './state-proof.ts';
import { type ValidatorSet, validatorsHash } from './validators.ts';

/** The bytes that an administrator signs. */
export function recoveryMessage(genesisId: Uint8Array, body: RecoveryBody): Uint8Array {
  return signBytes('recovery', genesisId, encode(recoveryBodyCodec, body));
}

/** What stands in it for people must not move their terminals' cursors. */
export function reasonProblem({ reason }: RecoveryBody): string | undefined {
  return isReadableName(reason)
    ? undefined
    : 'its reason is not of visible characters with single spaces between words';
}

/** R10: the end of the epoch of `trust` by a recovery, or what is wrong with that. */
export function verifyRecovery(
  { certificate, next, recovery: encoded }: Handoff,
  trust: RecoveryTrust,
  rule: Omit<RecoveryRule, 'judge'>,
  verify: VerifySignature,
): EpochRecovery | string {
  const decoded = tryDecode(recoveryCodec, encoded);
  if (!decoded.ok) return `the recovery: ${decoded.problem}`;
  const recovery = decoded.value;
  const { body, basis } = recovery;
  const { checkpoint, reason } = body;
  const hash = recoveryHash(body);
  const name = `the recovery ${toHex(hash)}`;
  if (rule.percent === 0) return `${name}: none is allowed here, as the genesis file says`;
  const unreadable = reasonProblem(body);
  if (unreadable !== undefined) return `${name}: ${unreadable}`;
  // Before anything that costs: whoever brings it can have added signatures without end.
  if (!rule.accepted.includes(toHex(hash))) return `${name} (${reason}) was not accepted here`;
  if (!sameEncoding(checkpointCodec, checkpoint, certificate.checkpoint)) return `${name}: of another block`;
  if (certificate.proof.signatures.length > 0) return `${name}: its certificate has signatures`;
  const problem = basisProblem(basis, trust, verify) ?? blockProblem(checkpoint, basis.checkpoint, next, trust);
  if (problem !== undefined) return `${name}: ${problem}`;
  const signers = recoverySigners(recovery, trust.genesisId, verify);
  if (typeof signers === 'string') return `${name}: ${signers}`;
  const { organisations: signed, of } = signers;
  const needed = organisationsNeeded(of, rule);
  if (signed.length < needed) return `${name}: signed by ${signed.length} of ${of} organisations, needed are ${needed}`;
  return toldOf(body);
}

/** Of hand-offs that were verified. */
export function recoveriesOf(handoffs: readonly Handoff[]): readonly EpochRecovery[] {
  return handoffs.flatMap(({ recovery }) => {
    if (recovery.length === 0) return [];
    return [toldOf(decode(recoveryCodec, recovery).body)];
  });
}

function toldOf(body: RecoveryBody): EpochRecovery {
  const { checkpoint, reason } = body;
  const { epoch, height } = checkpoint;
  const hash = recoveryHash(body);
  const text = `EPOCH ${epoch} WAS ENDED BY A RECOVERY (${reason}), accepted here: ${toHex(hash)}`;
  return { epoch, height, hash, reason, text };
}

/** How many organisations must sign, of all that there are. */
export function organisationsNeeded(of: number, { percent }: Pick<RecoveryRule, 'percent'>): number {
  return Math.ceil((percent * of) / 100);
}

/**
 * Whose administrators have signed, as many of them as act for their organisation by the rows of the last certified block; or
 * what is wrong. Whether that block is certified, it does not say.
 */
export function recoverySigners(
  { body, basis, summary: total, approvals }: Recovery,
  genesisId: Uint8Array,
  verify: VerifySignature,
): RecoverySigners | string {
  const { stateRoot } = basis.checkpoint;
  const count = provenValue(SUMMARY, CURRENT, summaryCodec, total, stateRoot);
  if (count === undefined) return 'how many organisations there are is not proven';
  const message = recoveryMessage(genesisId, body);
  const seen = new Set<string>();
  const signed: string[] = [];
  for (const { organisation, row, notExpelled, signatures } of approvals) {
    const found = provenValue(ORGANISATIONS, organisation, organisationCodec, row, stateRoot);
    if (found === undefined || !leadsTo(stateRoot, EXPELLED, organisation, undefined, notExpelled))
      return `organisation ${organisation} is not proven to be one`;
    if (seen.has(organisation)) return `organisation ${organisation} stands twice`;
    seen.add(organisation);
    const by = new Set<string>();
    for (const { administrator, signature } of signatures) {
      if (by.has(toHex(administrator))) return `${toHex(administrator)} signs twice`;
      if (!found.administrators.some((key) => equalBytes(key, administrator)))
        return `${toHex(administrator)} is no administrator of ${organisation}`;
      if (!verify(signature, message, administrator)) return `the signature of ${toHex(administrator)} is not valid`;
      by.add(toHex(administrator));
    }
    if (by.size >= found.threshold) signed.push(organisation);
  }
  return { organisations: signed, of: count.organisations };
}

/** The last certified block is of the epoch, or the end of the one before. */
function basisProblem(basis: Certificate, trust: RecoveryTrust, verify: VerifySignature): string | undefined {
  const { epoch, nextEpoch, height } = basis.checkpoint;
  if (basis.scheme === 'recovery') return 'it rests on another recovery';
  if (nextEpoch !== trust.epoch) return `block ${height} is not followed by one of epoch ${trust.epoch}`;
  const signing = epoch === trust.epoch ? trust : trust.previous;
  if (signing === undefined) return `nothing is known of epoch ${epoch}`;
  const checked = verifyCertificate(basis, signing, verify);
  return checked.ok ? undefined : checked.problem;
}

/** One empty block on top, and the end of the epoch. Roots are compared by whoever executes it. */
function blockProblem(
  checkpoint: Checkpoint,
  basis: Checkpoint,
  next: ValidatorSet,
  { epoch, validators }: Trust,
): string | undefined {
  const { height, timestamp } = checkpoint;
  if (checkpoint.epoch !== epoch || checkpoint.nextEpoch !== epoch + 1) return `it does not end epoch ${epoch}`;
  if (!equalBytes(checkpoint.validatorsHash, validatorsHash(validators))) return 'it ends the epoch of another set';
  if (!equalBytes(checkpoint.nextValidatorsHash, validatorsHash(next))) return 'it names another next set';
  if (height !== basis.height + 1) return `block ${height} does not follow the certified block ${basis.height}`;
  if (timestamp <= basis.timestamp) return `block ${height} is not later than the one below`;
  const hash = blockHash(recoveryHeader(basis, timestamp));
  return equalBytes(hash, checkpoint.blockHash) ? undefined : `block ${height} is not the empty one`;
}

/** Root of a list of nothing. */
const EMPTY_LIST = bindCount(0, new Uint8Array(32));

/** The header of the block, which has no transactions. */
export function recoveryHeader(below: Pick<Checkpoint, 'height' | 'blockHash'>, timestamp: number) {
  return {
    height: below.height + 1,
    parent: below.blockHash,
    timestamp,
    transactionsRoot: EMPTY_LIST,
    receiptsRoot: EMPTY_LIST,
    count: 0,
  };
}

/** Tables whose key is one text. */
function provenValue<V>(
  table: string,
  key: string,
  codec: Codec<V>,
  { value, proof }: Recovery['summary'],
  root: Uint8Array,
): V | undefined {
  if (!leadsTo(root, table, key, value, proof)) return undefined;
  const decoded = tryDecode(codec, value);
  return decoded.ok ? decoded.value : undefined;
}

function leadsTo(
  root: Uint8Array,
  table: string,
  key: string,
  value: Uint8Array | undefined,
  encoded: Recovery['summary']['proof'],
): boolean {
  const proof = decodeStateProof(encoded);
  if (proof === undefined) return false;
  const found = rootFromStateProof(statePath(table, utf8Encode(key)), value && sha256(value), proof);
  return found !== undefined && equalBytes(found, root);
}
