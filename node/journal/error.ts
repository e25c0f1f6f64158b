/**
 * `JOURNAL_DIRECTORY`: the directory can't be used. `JOURNAL_FOREIGN`: it belongs to another chain or validator.
 * `JOURNAL_IN_DOUBT`: it can't be trusted, so nothing may be appended. `JOURNAL_FAILED`: a write or fsync failed.
 */
export type JournalErrorCode =
  | 'JOURNAL_DIRECTORY'
  | 'JOURNAL_FOREIGN'
  | 'JOURNAL_IN_DOUBT'
  | 'JOURNAL_FAILED'
  | 'JOURNAL_CLOSED';

export class JournalError extends Error {
  override readonly name = 'JournalError';
  readonly code: JournalErrorCode;

  constructor(code: JournalErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
