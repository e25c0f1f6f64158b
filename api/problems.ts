import type { RefusalCode, Retry } from './ports.ts';

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  readonly retry: Retry;
  /** Seconds for Retry-After unless the case knows better. */
  readonly retryAfter?: number;
  /** For the reference: when it happens. Parts in backticks are names. */
  readonly description: string;
  /** What to do. */
  readonly remedy: string;
  /** A `detail` of such an answer. */
  readonly example: string;
}

/** Every error the API answers, by its stable code. */
export const PROBLEMS = {
  malformed: {
    status: 400,
    title: 'The request is malformed',
    retry: 'never',
    description:
      'The path, a parameter, the JSON or the canonical bytes are not of the documented form; `detail` says where.',
    remedy: 'Compare the request with /docs or /openapi.json at the place that `detail` names.',
    example: 'query: unknown parameter "limt"',
  },
  'bad-signature': {
    status: 400,
    title: 'The signature is not valid',
    retry: 'never',
    description:
      'The signature does not fit sender, body and chain. Also what was signed for another genesis id ends here.',
    remedy:
      'Sign the bytes that `/v1/transactions/encode` calls `signBytes`, with the key that `sender` names, for the genesis id in /v1/chain.',
    example: 'the signature is not valid for this sender, body and chain',
  },
  'unknown-action': {
    status: 400,
    title: 'No such module or action',
    retry: 'never',
    description: 'A call names a module or an action that the application of this chain does not have.',
    remedy:
      'Correct the name that `detail` shows. This node may also run an earlier version of the application than you expect.',
    example: 'no action records.registr',
  },
  'invalid-args': {
    status: 400,
    title: 'The arguments are not valid',
    retry: 'never',
    description: 'The arguments of a call are not of the type of its action.',
    remedy:
      'Correct the argument that `detail` names. `/v1/transactions/encode` checks arguments without submitting anything.',
    example: 'records.register: digest: expected 32 bytes, got 31',
  },
  'not-permitted': {
    status: 403,
    title: 'The sender may not do this',
    retry: 'elsewhere',
    description:
      'By the newest state that this node has executed: the sender has no active account, or administers no organisation and an action is for those who do. A node that is a moment behind does not know a new account yet.',
    remedy:
      'If the account was enrolled a moment ago, send the same bytes to another node or again. Else have an administrator of the organisation enrol it or grant the role.',
    example: 'the sender is neither an active account nor an administrator',
  },
  'not-found': {
    status: 404,
    title: 'There is nothing here',
    retry: 'never',
    description: 'No such path, block, certificate, table or transaction at this node.',
    remedy:
      'Check the path against /, and the name or id. A block or transaction that is new may not be here yet: ask with `minHeight`, or with `?wait=` where the route has it.',
    example: 'no block 812; the newest here is 811',
  },
  'not-ready': {
    status: 409,
    title: 'This node can not become a validator now',
    retry: 'later',
    description: 'It is one already, has no consensus key, or is still catching up; `detail` says which.',
    remedy: 'Read `detail`. A node that catches up is ready once /readyz says so.',
    example: 'this node is a validator already',
  },
  'method-not-allowed': {
    status: 405,
    title: 'The method is not allowed here',
    retry: 'never',
    description: 'The path exists with other methods; `Allow` lists them.',
    remedy: 'Use a method that `Allow` lists.',
    example: '"PUT" is not allowed here',
  },
  'request-timeout': {
    status: 408,
    title: 'The request took too long to arrive',
    retry: 'same',
    description: 'Headers or body were not complete in time. The connection is closed.',
    remedy: 'Send it again, on a connection that is fast enough, or in smaller batches.',
    example: 'the request was not complete in time',
  },
  'not-final': {
    status: 409,
    title: 'Not final yet',
    retry: 'later',
    retryAfter: 1,
    description:
      'There is no proof before a certificate covers the fact. `?wait=final` on the transaction waits for it.',
    remedy:
      'Wait for finality, about a second, and ask again. If that takes long, /v1/consensus/why says what the node waits for.',
    example: 'transaction 0x3f… is committed',
  },
  pruned: {
    status: 410,
    title: 'This node does not keep it any more',
    retry: 'elsewhere',
    description:
      'State as of an old height, or a certificate of it, is kept by archives only (`[ledger] archive = true`). Ask another node.',
    remedy: 'Ask an archive, or for a height that is still kept.',
    example: 'the state as of height 12 is not kept here; an archive keeps it',
  },
  'too-large': {
    status: 413,
    title: 'Too large',
    retry: 'never',
    description: 'The body or a transaction in it is longer than what is accepted.',
    remedy:
      'Split a batch. How long one transaction may be says `transactionBytesMax` at `/v1/state/governance.parameters/current`.',
    example: 'a body of 5000000 bytes, at most 4194304',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'The media type is not supported',
    retry: 'never',
    description:
      'The body must be application/json or application/octet-stream, as the route says, and not compressed.',
    remedy: 'Set Content-Type to one that the route takes, and send no Content-Encoding.',
    example: 'expected application/octet-stream or application/json',
  },
  expired: {
    status: 422,
    title: 'The transaction has expired',
    retry: 'never',
    description: 'Certified time is past `validUntil`: these bytes can never execute. Sign a new transaction.',
    remedy: 'Sign a new transaction with a later `validUntil`. The old one has not executed and never will.',
    example: 'validUntil 1700000000000 is 90000 ms before chain time 1700000090000',
  },
  'too-late': {
    status: 422,
    title: 'It is too late to take the transaction',
    retry: 'later',
    description:
      "`validUntil` is before this node's chain time, so it does not take the transaction. If any node took it before, it may still execute: send it again, or ask /v1/transactions/status with the same bytes, until the answer is `expired`. Only then sign a new one.",
    remedy: 'Do not sign a new transaction yet, or both may execute.',
    example: 'validUntil 1700000000000 is 500 ms before chain time 1700000000500',
  },
  'expiry-too-far': {
    status: 422,
    title: 'The expiry is too far ahead',
    retry: 'later',
    description: '`validUntil` is more than `maxLifetimeMs` after chain time; both stand in /v1/chain.',
    remedy: 'Choose `validUntil` from the header Quorate-Time of an answer, not from a clock of your own.',
    example: 'validUntil is 7200000 ms after chain time 1700000000000, at most 3600000',
  },
  overloaded: {
    status: 429,
    title: 'Too much is waiting',
    retry: 'same',
    retryAfter: 1,
    description:
      'As many transactions wait at this node as it has seen executed in the last seconds, or as its pool holds. Send the same bytes again after `Retry-After`. A batch that is refused as a whole was not looked at.',
    remedy: 'Slow down, or spread transactions over the nodes.',
    example: '3000 transactions of clients wait at this node, of which 850 a second are executed',
  },
  'too-many-pending': {
    status: 429,
    title: 'Too many transactions of this account are pending',
    retry: 'same',
    retryAfter: 1,
    description:
      'This node has admitted as many transactions of the account as its roles allow (`governance.limits`) that are neither executed nor expired; `detail` has both numbers. Other accounts are served. Send the same bytes again after `Retry-After`.',
    remedy:
      'Wait for some of your transactions with `?wait=committed` before you send more. The organisations decide about the limit.',
    example: '10000 transactions of this account are pending, at most 10000',
  },
  'too-fast': {
    status: 429,
    title: 'This account sends too fast',
    retry: 'same',
    retryAfter: 1,
    description:
      'This node has admitted as many transactions of the account in a second, or at once, as its roles allow (`governance.limits`); `detail` has the numbers. What is refused counts for nothing. Send the same bytes again after `Retry-After`.',
    remedy: 'Send at the rate that the limit allows. The organisations decide about it.',
    example: 'more than 100 a second, after 200 at once',
  },
  'headers-too-large': {
    status: 431,
    title: 'The headers are too large',
    retry: 'never',
    description: 'The path and headers together are too long, or there are too many headers.',
    remedy: 'Send fewer or shorter headers; cookies are of no use here.',
    example: '120 headers, at most 100',
  },
  internal: {
    status: 500,
    title: 'This node failed',
    retry: 'elsewhere',
    description: 'A fault of the node, which its log explains. Another node answers; the same bytes twice do no harm.',
    remedy: 'Ask another node, and tell the operator of this one the time of the request.',
    example: 'the node has logged why',
  },
  busy: {
    status: 503,
    title: 'This node has too many requests in work',
    retry: 'same',
    retryAfter: 1,
    description: 'Too many requests, waits or bytes of bodies are open at once. Nothing was submitted.',
    remedy: 'Wait as long as `Retry-After` says, then send the same. Prefer few long waits to many short polls.',
    example: '40000 waits are open at this node, at most 40000',
  },
  behind: {
    status: 503,
    title: 'This node is not at that height yet',
    retry: 'elsewhere',
    retryAfter: 1,
    description:
      'The read asked for `minHeight`, and the node had not executed that height (for final state: had no certificate of it) within `timeoutMs`; `detail` has all heights. One that is too far above is answered at once.',
    remedy:
      'Ask a node that is further, like the one whose height it is, or wait longer with `timeoutMs`. If this one stays behind, /v1/consensus/why says what it waits for.',
    example: 'expected height 812; executed here is 809, final 808',
  },
  syncing: {
    status: 503,
    title: 'This node is catching up',
    retry: 'elsewhere',
    retryAfter: 1,
    description:
      'The node starts or is behind its peers and admits nothing until it is up to date; `detail` says what it waits for, as /v1/consensus/why does.',
    remedy: 'Use another node meanwhile. /readyz says when this one is up to date.',
    example: 'mode behind: executed 300, certified 812',
  },
  'no-quorum': {
    status: 503,
    title: 'This node sees no quorum',
    retry: 'elsewhere',
    retryAfter: 1,
    description:
      'Too few validators are connected to this node to order anything; `detail` says who lacks, as /v1/consensus/why does.',
    remedy:
      'Try another node: it may see more. If none does, the network stands still until enough validators are back; nothing is lost meanwhile.',
    example: '2 of 3 validators needed are connected',
  },
  draining: {
    status: 503,
    title: 'This node is shutting down',
    retry: 'elsewhere',
    retryAfter: 5,
    description: 'The node admits nothing more because it is about to stop.',
    remedy: 'Send the same bytes to another node.',
    example: 'the node is about to stop',
  },
  halted: {
    status: 503,
    title: 'This node has halted',
    retry: 'elsewhere',
    retryAfter: 60,
    description: 'The node found its own state wrong and has stopped voting. It needs its operator.',
    remedy: 'Use another node, and tell the operator: docs/operations.md says what to do.',
    example: 'own checkpoint of height 812 differs from the certified one',
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

/** What a retry class says, for people. */
export const RETRIES: Readonly<Record<Retry, string>> = {
  never: 'The same request can not succeed. Something in it has to change first.',
  same: 'Send the same request again, after as many seconds as Retry-After says. Nothing happens twice by that.',
  later: 'The same request can succeed at a later time.',
  elsewhere: 'Another node may answer the same request now, or this one later.',
};

/** A path at the node that answered: its page is of the same version, and needs no other network (RFC 9457). */
export function problemPath(code: ProblemCode): string {
  return `/problems/${code}`;
}

export function problemBody(code: ProblemCode, detail: string): ProblemBody {
  const { status, title, retry } = PROBLEMS[code];
  return { type: problemPath(code), title, status, detail, code, retry };
}
