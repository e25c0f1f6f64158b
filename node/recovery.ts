import type { Genesis } from '../genesis/genesis.ts';
import { handoffCodec } from '../ledger/bundle.ts';
import { toHex } from '../ledger/bytes.ts';
import { certificateCodec, type Trust } from '../ledger/checkpoint.ts';
import { encode, type Json, tryFromJson } from '../ledger/codec.ts';
import { reasonProblem, verifyRecovery } from '../ledger/recovery.ts';
import { asHandoff, type RecoveryFile, recoveryFileCodec, recoveryHash } from '../ledger/recovery-form.ts';
import type { RecoveryTrust } from '../ledger/recovery-rule.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import { followHandoffs } from '../light/handoffs.ts';
import type { Log } from '../p2p/index.ts';
import type { LedgerPort, OpenedLedger } from './ports.ts';

/** A recovery that can't be used as it is. */
export class RecoveryError extends Error {
  readonly code = 'RECOVERY';
}

/** What `quorate recover` has written. Throws RecoveryError. */
export function readRecovery(text: string, name: string): RecoveryFile {
  let json: Json;
  try {
    json = JSON.parse(text) as Json;
  } catch (cause) {
    throw new RecoveryError(`${name}: not JSON: ${(cause as Error).message}`, { cause });
  }
  const read = tryFromJson(recoveryFileCodec, json);
  const problem = read.ok ? reasonProblem(read.value.recovery.body) : read.problem;
  if (!read.ok || problem !== undefined) throw new RecoveryError(`${name}: ${problem}`);
  return read.value;
}

export function printRecovery(file: RecoveryFile): string {
  return `${JSON.stringify(recoveryFileCodec.toJson(file), undefined, 2)}\n`;
}

/** With the organisations that have signed, and no others: what the chain keeps of it. */
export function signedOnly({ recovery, ...rest }: RecoveryFile): RecoveryFile {
  const approvals = recovery.approvals.filter(({ signatures }) => signatures.length > 0);
  return { ...rest, recovery: { ...recovery, approvals } };
}

export interface RecoveryContext {
  readonly genesis: Genesis;
  readonly accepted: readonly string[];
  readonly verify: VerifySignature;
  readonly log: Log;
}

/**
 * R10: puts the block of a recovery on top of the last certified block, if that is the newest one here; whoever is further behind
 * follows later, from peers. Throws RecoveryError if it is not accepted, or if blocks above the certified one are here.
 */
export async function applyRecovery(
  ledger: LedgerPort,
  opened: OpenedLedger,
  file: RecoveryFile,
  { genesis, accepted, verify, log }: RecoveryContext,
): Promise<OpenedLedger> {
  const handoff = asHandoff(signedOnly(file));
  const { body, basis } = file.recovery;
  const { epoch, height } = body.checkpoint;
  const { current, previous } = opened.membership;
  const hash = toHex(recoveryHash(body));
  if (current.number > epoch) {
    log.info({ recovery: hash, epoch: current.number }, 'the recovery has been taken before');
    return opened;
  }
  if (opened.head.height < height - 1) {
    log.info({ recovery: hash, height: opened.head.height }, 'the recovery begins further on: this node follows first');
    return opened;
  }
  const trustOf = ({ number, validators }: typeof current): Trust => ({
    genesisId: genesis.id,
    epoch: number,
    validators,
  });
  const trust: RecoveryTrust = { ...trustOf(current), previous: previous && trustOf(previous) };
  const rule = { percent: genesis.recovery, accepted, judge: verifyRecovery };
  const followed = followHandoffs([handoff], trust, verify, rule);
  if (typeof followed === 'string') throw new RecoveryError(followed);
  if (opened.head.height > height - 1) {
    throw new RecoveryError(
      `block ${opened.head.height} is executed here, and the recovery goes on from block ${height - 1}, the last certified one: move the directory ledger of this node's data aside and start again, so that it follows from the others`,
    );
  }
  if (toHex(opened.head.blockHash) !== toHex(basis.checkpoint.blockHash))
    throw new RecoveryError(`block ${height - 1} is another one here`);
  // It may have been certified without this node's knowing.
  await ledger.storeCertificate(encode(certificateCodec, basis));
  const recovered = await ledger.recover(encode(handoffCodec, handoff), opened.mark);
  log.warn({ recovery: hash, reason: body.reason, epoch: epoch + 1 }, 'the epoch was ended by a recovery');
  return { ...recovered, recentIds: opened.recentIds };
}
