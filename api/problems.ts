import type { RefusalCode, Retry } from './ports.ts';

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  readonly retry: Retry;
}

/** Every error the API answers, by its stable code. */
export const PROBLEMS = {
  malformed: { status: 400, title: 'The request is malformed', retry: 'never' },
  'bad-signature': { status: 400, title: 'The signature is not valid', retry: 'never' },
  'unknown-action': { status: 400, title: 'No such module or action', retry: 'never' },
  'invalid-args': { status: 400, title: 'The arguments are not valid', retry: 'never' },
  'not-permitted': { status: 403, title: 'The sender may not do this', retry: 'never' },
  'not-found': { status: 404, title: 'There is nothing here', retry: 'never' },
  'method-not-allowed': { status: 405, title: 'The method is not allowed here', retry: 'never' },
  'not-final': { status: 409, title: 'Not final yet', retry: 'later' },
  'too-large': { status: 413, title: 'Too large', retry: 'never' },
  'unsupported-media-type': { status: 415, title: 'The media type is not supported', retry: 'never' },
  expired: { status: 422, title: 'The transaction has expired', retry: 'never' },
  'expiry-too-far': { status: 422, title: 'The expiry is too far ahead', retry: 'later' },
  overloaded: { status: 429, title: 'Too much is waiting', retry: 'same' },
  syncing: { status: 503, title: 'This node is catching up', retry: 'elsewhere' },
  'no-quorum': { status: 503, title: 'This node sees no quorum', retry: 'elsewhere' },
  halted: { status: 503, title: 'This node has halted', retry: 'elsewhere' },
  draining: { status: 503, title: 'This node is shutting down', retry: 'elsewhere' },
  internal: { status: 500, title: 'This node failed', retry: 'elsewhere' },
} as const satisfies Record<RefusalCode | string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;

export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ProblemCode;
  readonly retry: Retry;
}

/** Thrown by handlers for the caller's fault or the node's state; becomes application/problem+json. */
export class Problem extends Error {
  readonly code: ProblemCode;
  /** Seconds. */
  readonly retryAfter: number | undefined;

  constructor(code: ProblemCode, detail: string, retryAfter?: number) {
    super(detail);
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

export function problemBody(code: ProblemCode, detail: string): ProblemBody {
  const { status, title, retry } = PROBLEMS[code];
  return { type: `urn:quorate:problem:${code}`, title, status, detail, code, retry };
}
