import type { Application } from '../ledger/application.ts';
import type { Parameters } from '../ledger/parameters.ts';
import type { Transaction } from '../ledger/transaction.ts';

/** A verified transaction, and what of it is asked again and again. */
export interface PoolEntry {
  readonly id: Uint8Array;
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly validUntil: number;
  /** Index of the member that admitted it from a client; NO_MEMBER if that is none now. */
  readonly origin: number;
  /** T9: the account (`idKey` of its id) of whose pending transactions it is one, if a client gave it to this node. */
  readonly account: string | undefined;
  /** N12: it may end the epoch. */
  readonly governs: boolean;
  /** E5: peer keys of those that it would make members. */
  readonly candidates: readonly Uint8Array[];
}

/** An origin that is no member: this node, while it has no vote, or a member that was removed. */
export const NO_MEMBER = -1;

/** `key` is the `idKey` of its id, which whoever makes an entry has asked for already. */
export function poolEntry(
  { id, bytes, body }: Transaction,
  key: string,
  origin: number,
  application: Application,
  account?: string,
): PoolEntry {
  return {
    id,
    key,
    bytes,
    validUntil: body.validUntil,
    origin,
    account,
    governs: application.endsEpoch(body),
    candidates: application.candidates(body),
  };
}

/** N4: why these bytes can never execute in an epoch with these parameters, whatever the state is; undefined if they can. */
export function staticProblem(
  { bytes, body }: Transaction,
  application: Application,
  parameters: Parameters,
): { readonly code: 'unknown-action' | 'invalid-args' | 'too-large'; readonly detail: string } | undefined {
  const most = parameters.transactionBytesMax;
  if (bytes.length > most)
    return { code: 'too-large', detail: `transaction of ${bytes.length} bytes, at most ${most}` };
  return application.staticProblem(body, parameters);
}
