import type { TransactionStatus } from '../api/ports.ts';
import { blockHash, headerCodec } from '../ledger/block.ts';
import { decode } from '../ledger/codec.ts';
import type { Reply, SignedReply } from '../ledger/reply.ts';
import { hasHalted } from './pbft/halt.ts';
import type { ReplicaState } from './pbft/state.ts';
import type { LedgerPort } from './ports.ts';
import type { Validator } from './validator.ts';

const NO_BLOCK = { height: 0, blockHash: new Uint8Array(32), receipt: { kind: 'none', value: {} } } as const;

/**
 * C4: a transaction that has not executed and whose validUntil certified time has passed, here executed: it never will. The
 * certified time is read first: what executes later is above it. Undefined: it executed, still may, or nobody can tell here.
 */
export async function isExpired(
  state: () => ReplicaState,
  ledger: LedgerPort,
  id: Uint8Array,
  validUntil: number,
): Promise<boolean> {
  const { low, executed, stable } = state();
  if (stable === undefined || low > executed.height || stable.checkpoint.timestamp <= validUntil) return false;
  return (await ledger.query('hasExecuted', { id, validUntil })) === false;
}

/** C5: the status under this validator's signature; undefined where there is nothing to sign, or it is not to be trusted. */
export async function signedReply(
  validator: Validator,
  ledger: LedgerPort,
  { id, status, block, receipt }: TransactionStatus,
): Promise<SignedReply | undefined> {
  // C3: a validator that found its own state wrong vouches for nothing.
  if (hasHalted(validator.state) || status === 'pending' || status === 'unknown') return undefined;
  const { epoch } = validator.state.config;
  if (block === undefined || receipt === undefined) return validator.signReply({ id, status, epoch, ...NO_BLOCK });
  const [found] = await ledger.query('headers', { from: block.height, limit: 1, descending: false });
  // It may have halted while the ledger was asked.
  if (found === undefined || hasHalted(validator.state)) return undefined;
  const reply: Reply = {
    id,
    status,
    epoch,
    height: block.height,
    blockHash: blockHash(decode(headerCodec, found.header)),
    receipt: { kind: 'receipt', value: receipt },
  };
  return validator.signReply(reply);
}
