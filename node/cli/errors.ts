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
