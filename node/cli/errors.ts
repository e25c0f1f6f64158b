/** Exit codes of every command. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3, notVerified: 4 } as const;

/** What a person is told: what, why, what to do. Becomes one line on stderr and the exit code. */
export class CliError extends Error {
  readonly exit: number;
  readonly code: string;

  constructor(exit: number, code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exit = exit;
    this.code = code;
  }
}

/** What is printed of an error, and the exit code. */
export interface ShownError {
  readonly exit: number;
  readonly code: string | undefined;
  readonly detail: string;
  /** Of the client library: what may be done next. */
  readonly retry?: string;
  /** The transaction, if it is about one. */
  readonly id?: string;
}

/** Exit codes of the client library's errors that are no plain failure. */
const CLIENT_EXITS: Readonly<Record<string, number>> = {
  'invalid-args': EXIT.usage,
  unreachable: EXIT.unreachable,
  unknown: EXIT.notVerified,
  unproven: EXIT.notVerified,
  fork: EXIT.notVerified,
  'wrong-chain': EXIT.notVerified,
};

/** By its name, so that a command that does not need the client library does not load it. */
function isClientError(error: unknown): error is Error & Record<'code' | 'detail' | 'retry', string> & { id?: string } {
  return error instanceof Error && error.name === 'QuorateError';
}

export function shownError(error: unknown): ShownError {
  if (isClientError(error)) {
    const { code, detail, retry, id } = error;
    return { exit: CLIENT_EXITS[code] ?? EXIT.failed, code, detail, retry, ...(id !== undefined && { id }) };
  }
  const { message, code, retry } = error as { message?: string; code?: string; retry?: string };
  const exit = error instanceof CliError ? error.exit : EXIT.failed;
  return { exit, code, detail: message ?? String(error), ...(retry !== undefined && { retry }) };
}
