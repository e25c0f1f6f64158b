import type { RefusalCode, Retry } from './ports.ts';

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  readonly retry: Retry;
  /** Seconds for Retry-After unless the case knows better. */
  readonly retryAfter?: number;
  /** For the reference: when it happens and what to do. */
  readonly description: string;
}

/** Every error the API answers, by its stable code. */
export const PROBLEMS = {
  malformed: {
    status: 400,
    title: 'The request is malformed',
    retry: 'never',
    description:
      'The path, a parameter, the JSON or the canonical bytes are not of the documented form; `detail` says where.',
  },
  'bad-signature': {
    status: 400,
    title: 'The signature is not valid',
    retry: 'never',
    description:
      'The signature does not fit sender, body and chain. Also what was signed for another genesis id ends here.',
  },
  'unknown-action': {
    status: 400,
    title: 'No such module or action',
    retry: 'never',
    description: 'A call names a module or an action that the application of this chain does not have.',
  },
  'invalid-args': {
    status: 400,
    title: 'The arguments are not valid',
    retry: 'never',
    description: 'The arguments of a call are not of the type of its action.',
  },
  'not-permitted': {
    status: 403,
    title: 'The sender may not do this',
    retry: 'elsewhere',
    description:
      'By the newest state that this node has executed: the sender has no active account, or administers no organisation and an action is for those who do. A node that is a moment behind does not know a new account yet.',
  },
  'not-found': {
    status: 404,
    title: 'There is nothing here',
    retry: 'never',
    description: 'No such path, block, certificate, table or transaction at this node.',
  },
  'not-ready': {
    status: 409,
    title: 'This node can not become a validator now',
    retry: 'later',
    description: 'It is one already, has no consensus key, or is still catching up; `detail` says which.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'The method is not allowed here',
    retry: 'never',
    description: 'The path exists with other methods; `Allow` lists them.',
  },
  'request-timeout': {
    status: 408,
    title: 'The request took too long to arrive',
    retry: 'same',
    description: 'Headers or body were not complete in time. The connection is closed.',
  },
  'not-final': {
    status: 409,
    title: 'Not final yet',
    retry: 'later',
    retryAfter: 1,
    description:
      'There is no proof before a certificate covers the fact. `?wait=final` on the transaction waits for it.',
  },
  pruned: {
    status: 410,
    title: 'This node does not keep it any more',
    retry: 'elsewhere',
    description:
      'State as of an old height, or a certificate of it, is kept by archives only (`[ledger] archive = true`). Ask another node.',
  },
  'too-large': {
    status: 413,
    title: 'Too large',
    retry: 'never',
    description: 'The body or a transaction in it is longer than what is accepted.',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'The media type is not supported',
    retry: 'never',
    description:
      'The body must be application/json or application/octet-stream, as the route says, and not compressed.',
  },
  expired: {
    status: 422,
    title: 'The transaction has expired',
    retry: 'never',
    description: 'Certified time is past `validUntil`: these bytes can never execute. Sign a new transaction.',
  },
  'too-late': {
    status: 422,
    title: 'It is too late to take the transaction',
    retry: 'later',
    description:
      "`validUntil` is before this node's chain time, so it does not take the transaction. If any node took it before, it may still execute: send it again, or ask /v1/transactions/status with the same bytes, until the answer is `expired`. Only then sign a new one.",
  },
  'expiry-too-far': {
    status: 422,
    title: 'The expiry is too far ahead',
    retry: 'later',
    description: '`validUntil` is more than `maxLifetimeMs` after chain time; both stand in /v1/chain.',
  },
  overloaded: {
    status: 429,
    title: 'Too much is waiting',
    retry: 'same',
    retryAfter: 1,
    description: 'The pool of this node is full. Send the same bytes again after `Retry-After`.',
  },
  'too-many-pending': {
    status: 429,
    title: 'Too many transactions of this account are pending',
    retry: 'same',
    retryAfter: 1,
    description:
      'This node has admitted as many transactions of the account as its roles allow (`governance.limits`) that are neither executed nor expired; `detail` has both numbers. Other accounts are served. Send the same bytes again after `Retry-After`.',
  },
  'too-fast': {
    status: 429,
    title: 'This account sends too fast',
    retry: 'same',
    retryAfter: 1,
    description:
      'This node has admitted as many transactions of the account in a second, or at once, as its roles allow (`governance.limits`); `detail` has the numbers. What is refused counts for nothing. Send the same bytes again after `Retry-After`.',
  },
  'headers-too-large': {
    status: 431,
    title: 'The headers are too large',
    retry: 'never',
    description: 'The path and headers together are too long, or there are too many headers.',
  },
  internal: {
    status: 500,
    title: 'This node failed',
    retry: 'elsewhere',
    description: 'A fault of the node, which its log explains. Another node answers; the same bytes twice do no harm.',
  },
  busy: {
    status: 503,
    title: 'This node has too many requests in work',
    retry: 'same',
    retryAfter: 1,
    description: 'Too many requests, waits or bytes of bodies are open at once. Nothing was submitted.',
  },
  behind: {
    status: 503,
    title: 'This node is not at that height yet',
    retry: 'elsewhere',
    retryAfter: 1,
    description:
      'The read asked for `minHeight`, and the node had not executed that height (for final state: had no certificate of it) within `timeoutMs`; `detail` has all heights. One that is too far above is answered at once.',
  },
  syncing: {
    status: 503,
    title: 'This node is catching up',
    retry: 'elsewhere',
    retryAfter: 1,
    description:
      'The node starts or is behind its peers and admits nothing until it is up to date; `detail` says what it waits for, as /v1/consensus/why does.',
  },
  'no-quorum': {
    status: 503,
    title: 'This node sees no quorum',
    retry: 'elsewhere',
    retryAfter: 1,
    description:
      'Too few validators are connected to this node to order anything; `detail` says who lacks, as /v1/consensus/why does.',
  },
  draining: {
    status: 503,
    title: 'This node is shutting down',
    retry: 'elsewhere',
    retryAfter: 5,
    description: 'The node admits nothing more because it is about to stop.',
  },
  halted: {
    status: 503,
    title: 'This node has halted',
    retry: 'elsewhere',
    retryAfter: 60,
    description: 'The node found its own state wrong and has stopped voting. It needs its operator.',
  },
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
    const kind: ProblemKind = PROBLEMS[code];
    this.retryAfter = retryAfter ?? kind.retryAfter;
  }
}

export function problemBody(code: ProblemCode, detail: string): ProblemBody {
  const { status, title, retry } = PROBLEMS[code];
  return { type: `urn:quorate:problem:${code}`, title, status, detail, code, retry };
}
