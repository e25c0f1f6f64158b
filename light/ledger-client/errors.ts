import type { Receipt } from '../../ledger/block.ts';
import { LightError } from '../client.ts';

/**
 * What may be done after an error. never: it ended, or can't be as it is. same, later, elsewhere: it may work yet, with the
 * same bytes, after a while, or at other nodes. A new transaction in place of one that is not `never` may be a second one.
 */
export type Retry = 'never' | 'same' | 'later' | 'elsewhere';

/**
 * rejected: executed, and its proven receipt says `failed`; it changed nothing. expired: f+1 validators signed that it never
 * executes. unknown: `validUntil` has passed, and no end could be proven. aborted: by the caller's signal; what was sent goes
 * on. invalid-args: arguments, keys or options that are not of their type; nothing was sent. signer: it failed, or what it
 * signed does not fit its public key; nothing was sent. wrong-chain: the nodes are of another chain. keystore: a key file that
 * can't be used, `detail` says why. pruned: events that no node keeps any more. refused: all nodes refused, without a code.
 * unreachable, unproven, stale, fork, genesis, store: as of the light client (`LightErrorCode`), whose error is the cause.
 */
export type ClientErrorCode =
  | 'rejected'
  | 'expired'
  | 'unknown'
  | 'aborted'
  | 'invalid-args'
  | 'signer'
  | 'wrong-chain'
  | 'keystore'
  | 'pruned'
  | 'refused'
  | LightError['code'];

export interface QuorateErrorOptions {
  readonly retry?: Retry;
  readonly id?: string;
  readonly cause?: unknown;
  readonly receipt?: Receipt;
  readonly proof?: Uint8Array;
}

/**
 * Everything that goes wrong in this library. `code` is a `ClientErrorCode`, or the code of the problem with which the nodes
 * refused a transaction (`not-permitted`, `bad-signature`, …; the API's reference lists them). Proven are `rejected` and
 * `expired`, and nothing else.
 */
export class QuorateError extends Error {
  override readonly name = 'QuorateError';
  readonly code: ClientErrorCode | (string & {});
  readonly retry: Retry;
  /** In words; also in `message`, behind the code. */
  readonly detail: string;
  /** The transaction, 0x hex, if it is about one. */
  readonly id: string | undefined;
  /** Of `rejected`: `receipt.code` is the application's reason. */
  readonly receipt: Receipt | undefined;
  /** Of `rejected`, if certified: the bundle's canonical bytes. Without, f+1 validators signed the receipt. */
  readonly proof: Uint8Array | undefined;

  constructor(code: ClientErrorCode | (string & {}), detail: string, options: QuorateErrorOptions = {}) {
    super(`${code}: ${detail}`, { cause: options.cause });
    this.code = code;
    this.detail = detail;
    this.retry = options.retry ?? RETRY[code] ?? 'later';
    this.id = options.id;
    this.receipt = options.receipt;
    this.proof = options.proof;
  }
}

const RETRY: Readonly<Record<string, Retry>> = {
  rejected: 'never',
  expired: 'never',
  unknown: 'same',
  aborted: 'same',
  'invalid-args': 'never',
  signer: 'never',
  'wrong-chain': 'never',
  keystore: 'never',
  pruned: 'elsewhere',
  refused: 'never',
  fork: 'never',
  genesis: 'never',
};

/** The light client's errors, and whatever else was thrown, as errors of this library. */
export function asQuorateError(error: unknown, id?: string): QuorateError {
  if (error instanceof QuorateError) return error;
  if (error instanceof LightError) return new QuorateError(error.code, error.message, { id, cause: error });
  const detail = error instanceof Error ? error.message : String(error);
  return new QuorateError('invalid-args', detail, { id, cause: error });
}
