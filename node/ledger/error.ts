export type LedgerErrorCode =
  | 'DIVERGED'
  | 'BAD_BLOCK'
  | 'OTHER_CHAIN'
  | 'OTHER_VALIDATOR'
  | 'OTHER_FORMAT'
  | 'STATE_DAMAGED'
  | 'NOT_CERTIFIED'
  | 'BAD_INPUT';

/**
 * `DIVERGED`: executing a certified block gave something else. `BAD_BLOCK`: a peer's block does not fit its header. `NOT_CERTIFIED`: a
 * recovery goes on from a certified block only (R10). The others: the directory is not this validator's, or damaged.
 */
export class LedgerError extends Error {
  readonly code: LedgerErrorCode;

  constructor(code: LedgerErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
