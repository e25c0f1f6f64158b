import { z } from 'zod';
import { bundleCodec } from '../../ledger/bundle.ts';
import { fromHex, toHex } from '../../ledger/bytes.ts';
import { decode, type Json } from '../../ledger/codec.ts';
import { signedReplyCodec } from '../../ledger/reply.ts';
import { decodeTransaction, unpackTransactions } from '../../ledger/transaction.ts';
import { BATCH_MAX, BODY_BYTES_MAX, SINGLE_BODY_BYTES_MAX, WAIT_DEFAULT_MS, WAIT_MAX_MS } from '../limits.ts';
import { minHeight, minHeightQuery, reachHeight } from '../min-height.ts';
import type { NodePort, SubmitOutcome, TransactionOutcome, TransactionStatus, Wait } from '../ports.ts';
import { PROBLEMS, Problem, type ProblemCode, problemBody } from '../problems.ts';
import { type ApiContext, integer, none, type RouteRequest, route } from '../route.ts';
import { batchResults, bundle, hexBytes, named, transactionStatus } from '../schemas.ts';
import { parseStrictJson } from '../strict-json.ts';
import { statusJson } from '../views.ts';
import { withWhatItWaitsFor } from '../waits.ts';

const waitQuery = z.strictObject({
  wait: z
    .enum(['none', 'committed', 'final'])
    .default('none')
    .meta({ description: 'Answer when this is reached or the time is over; then 202 with what is known' }),
  timeoutMs: integer(0, WAIT_MAX_MS).default(WAIT_DEFAULT_MS).meta({ description: 'Longest wait in ms' }),
});
type WaitQuery = z.output<typeof waitQuery>;

const signedQuery = z.enum(['true', 'false']).default('false').meta({
  description: 'With `reply`: the same under the signature of this validator, for f+1 equal ones (C5)',
});

const idParams = z.strictObject({
  id: z
    .string()
    .regex(/^0x[0-9a-f]{64}$/, 'expected a transaction id: 0x and 64 hex digits in lower case')
    .meta({ description: 'Transaction id, 32 bytes' }),
});

/** What a node can refuse of what is submitted. */
const REFUSALS: readonly ProblemCode[] = [
  'bad-signature',
  'unknown-action',
  'invalid-args',
  'not-permitted',
  'expired',
  'too-late',
  'expiry-too-far',
  'overloaded',
  'too-many-pending',
  'too-fast',
  'syncing',
  'no-quorum',
  'draining',
  'halted',
];

export const singleBody = named('TransactionBytes', z.strictObject({ transaction: hexBytes }));
const batchBody = named('TransactionsBytes', z.strictObject({ transactions: z.array(hexBytes).min(1).max(BATCH_MAX) }));

export const submitRoute = route({
  method: 'POST',
  path: '/v1/transactions',
  name: 'submitTransaction',
  summary: 'Submits one signed transaction; the same bytes twice are never an error',
  consistency: 'stated',
  consistencyNote: '`status` says how far it is',
  params: none,
  query: waitQuery,
  body: { bytesMax: SINGLE_BODY_BYTES_MAX, json: singleBody, bytes: 'Canonical bytes of a signed transaction' },
  answers: {
    200: {
      description: 'What was waited for is reached, or the transaction was known already',
      json: transactionStatus,
      bytes: 'With `wait=final`, where it is final or rejected: canonical bytes of the proof bundle',
    },
    202: { description: 'Accepted; Location tells where to ask again', json: transactionStatus },
  },
  problems: REFUSALS,
  async handle(context, request) {
    const { node, application } = context;
    const bytes = isBytes(request) ? request.body : parse(singleBody, request.body).transaction;
    return waiting(context, 1, request.query, async () => {
      const [outcome] = await submit(context, [bytes]);
      if (outcome === undefined) throw new Error('the node gave no outcome');
      if (outcome.kind === 'refused') throw new Problem(outcome.code, outcome.detail, outcome.retryAfter);
      const { id } = outcome;
      const { wait } = request.query;
      const headers = { location: `/v1/transactions/${toHex(id)}` };
      const wantsProof = request.wantsBytes && wait === 'final';
      const proof = wantsProof ? await proofWhenFinal(node, id, request) : undefined;
      if (proof !== undefined) return { status: 200, body: proof, headers };
      const status = await node.transaction(id, wait, wantsProof ? 0 : request.query.timeoutMs, request.signal);
      const done = isReached(status, wait) || (outcome.kind === 'known' && wait === 'none');
      return { status: done ? 200 : 202, body: statusJson(status, node.info.genesisId, application), headers };
    });
  },
});

export const submitBatchRoute = route({
  method: 'POST',
  path: '/v1/transactions/batch',
  name: 'submitTransactions',
  summary: `Submits up to ${BATCH_MAX} signed transactions; one result each, in order`,
  consistency: 'stated',
  consistencyNote: '`status` of each result says how far it is',
  params: none,
  query: waitQuery,
  body: {
    bytesMax: BODY_BYTES_MAX,
    json: batchBody,
    bytes: 'Transactions one after the other, each behind its length in 4 bytes big-endian',
  },
  answers: {
    200: { description: 'What was waited for is reached for each, or it was known or refused', json: batchResults },
    202: { description: 'At least one is still on its way', json: batchResults },
  },
  problems: ['overloaded'],
  async handle(context, request) {
    const { node } = context;
    const { wait } = request.query;
    // Ten times as much as can be done must not cost ten times as much.
    const overload = node.overload();
    if (overload !== undefined) throw new Problem('overloaded', overload.detail, overload.retryAfter);
    const transactions = isBytes(request) ? unpack(request.body) : parse(batchBody, request.body).transactions;
    return waiting(context, transactions.length, request.query, async () => {
      const outcomes = await submit(context, transactions);
      const statuses = wait === 'none' ? [] : await reached(node, outcomes, { ...request.query, wait }, request.signal);
      const pending = outcomes.some(({ kind }, i) => {
        const status = statuses[i];
        return status === undefined ? kind === 'accepted' : !isReached(status, wait);
      });
      const retryAfter = Math.max(0, ...outcomes.map((one) => (one.kind === 'refused' ? (one.retryAfter ?? 0) : 0)));
      return {
        status: pending ? 202 : 200,
        body: { results: explained(outcomes, node).map((outcome, i) => resultJson(outcome, statuses[i])) },
        ...(retryAfter > 0 && { headers: { 'retry-after': String(retryAfter) } }),
      };
    });
  },
});

export const transactionRoute = route({
  method: 'GET',
  path: '/v1/transactions/:id',
  name: 'getTransaction',
  summary: 'What became of a transaction',
  consistency: 'stated',
  consistencyNote: '`final`, `rejected` and `expired` are final, `committed` is committed, `pending` is of this node',
  params: idParams,
  query: waitQuery.extend({ signed: signedQuery, minHeight }),
  answers: {
    200: { description: 'It is decided, or what was waited for is reached', json: transactionStatus },
    202: { description: 'Not yet', json: transactionStatus },
  },
  problems: ['not-found', 'halted', 'behind'],
  cacheable: true,
  async handle(context, request) {
    const { node } = context;
    const { query, params, signal } = request;
    const begun = performance.now();
    await reachHeight(context, query, 'committed', signal);
    const timeoutMs = Math.max(0, query.timeoutMs - (performance.now() - begun));
    return waiting(context, 1, { ...query, timeoutMs }, async () => {
      const status = await node.transaction(fromHex(params.id)!, query.wait, timeoutMs, signal);
      if (status.status === 'unknown') throw unknown(status.id);
      return {
        status: isReached(status, request.query.wait) ? 200 : 202,
        body: await statusBody(context, status, request.query.signed),
        // The epoch in a reply is that of now.
        immutable: request.query.signed === 'false' && (status.status === 'final' || status.status === 'rejected'),
      };
    });
  },
});

export const statusOfBytesRoute = route({
  method: 'POST',
  path: '/v1/transactions/status',
  name: 'getStatusOfBytes',
  summary: 'What became of these bytes, or that they can never execute: also where they were never submitted',
  consistency: 'stated',
  consistencyNote: 'As for the transaction by its id',
  params: none,
  query: z.strictObject({ signed: signedQuery }),
  body: { bytesMax: SINGLE_BODY_BYTES_MAX, json: singleBody, bytes: 'Canonical bytes of a signed transaction' },
  answers: { 200: { description: 'Nothing is submitted; what is known', json: transactionStatus } },
  problems: ['not-found', 'halted'],
  async handle(context, request) {
    const { node } = context;
    const bytes = isBytes(request) ? request.body : parse(singleBody, request.body).transaction;
    const decoded = decodeTransaction(node.info.genesisId, bytes);
    if (!decoded.ok) throw new Problem('malformed', decoded.problem);
    const status = await node.statusOfBytes(decoded.value);
    if (status.status === 'unknown') throw unknown(decoded.value.id);
    return { status: 200, body: await statusBody(context, status, request.query.signed) };
  },
});

export const proofRoute = route({
  method: 'GET',
  path: '/v1/transactions/:id/proof',
  name: 'getTransactionProof',
  summary: 'A self-contained proof: verifies with the genesis file alone',
  consistency: 'final',
  params: idParams,
  query: minHeightQuery,
  answers: { 200: { description: 'The proof bundle', json: bundle, bytes: 'Canonical bytes of the bundle' } },
  problems: ['not-found', 'not-final', 'behind'],
  async handle(context, { params, query, wantsBytes, signal }) {
    await reachHeight(context, query, 'final', signal);
    const { node } = context;
    const id = fromHex(params.id)!;
    const proof = await node.transactionProof(id);
    if (proof === undefined) throw await noProof(node, id);
    return { status: 200, body: wantsBytes ? proof : bundleCodec.toJson(decode(bundleCodec, proof)) };
  },
});

function unknown(id: Uint8Array): Problem {
  return new Problem('not-found', `this node does not know transaction ${toHex(id)}`);
}

async function statusBody(
  { node, application }: ApiContext,
  status: TransactionStatus,
  signed: 'true' | 'false',
): Promise<Json> {
  const json = statusJson(status, node.info.genesisId, application);
  if (signed === 'false') return json;
  const { mode, reason } = node.consensus();
  if (mode === 'halted') throw new Problem('halted', reason ?? 'this node vouches for nothing');
  const reply = await node.signedReply(status);
  return { ...(json as object), ...(reply && { reply: signedReplyCodec.toJson(reply) }) };
}

async function noProof(node: NodePort, id: Uint8Array): Promise<Problem> {
  const { status } = await node.transaction(id, 'none', 0, new AbortController().signal);
  if (status === 'unknown' || status === 'expired') {
    return new Problem('not-found', `there is nothing to prove: transaction ${toHex(id)} is ${status} here`);
  }
  return new Problem('not-final', `transaction ${toHex(id)} is ${status}`);
}

/** What comes while the server closes would be held by a node that is gone in a moment. */
async function submit(context: ApiContext, transactions: readonly Uint8Array[]): Promise<readonly SubmitOutcome[]> {
  if (!context.isClosing()) return context.node.submit(transactions);
  const { retryAfter } = PROBLEMS.draining;
  return transactions.map(() => {
    return { kind: 'refused', id: undefined, code: 'draining', detail: 'this node is stopping', retryAfter };
  });
}

/** A batch is refused for one reason, so that the node is asked for its sentence once. */
function explained(outcomes: readonly SubmitOutcome[], node: NodePort): readonly SubmitOutcome[] {
  const details = new Map<string, string>();
  return outcomes.map((outcome) => {
    if (outcome.kind !== 'refused') return outcome;
    const { code, detail } = outcome;
    const known = details.get(`${code} ${detail}`) ?? withWhatItWaitsFor(code, detail, node);
    details.set(`${code} ${detail}`, known);
    return { ...outcome, detail: known };
  });
}

/** Runs `work` while its waits are counted; refuses before it begins if too many wait already. */
async function waiting<T>(
  { waiting: gate }: ApiContext,
  transactions: number,
  { wait, timeoutMs }: WaitQuery,
  work: () => Promise<T>,
): Promise<T> {
  const count = wait === 'none' || timeoutMs === 0 ? 0 : transactions;
  gate.enter(count);
  try {
    return await work();
  } finally {
    gate.leave(count);
  }
}

/** The bundle once there is one; undefined if the time is over or it never executes. */
async function proofWhenFinal(
  node: NodePort,
  id: Uint8Array,
  { query, signal }: RouteRequest<unknown, WaitQuery>,
): Promise<Uint8Array | undefined> {
  const [outcome] = await node.outcomes([id], 'final', query.timeoutMs, signal);
  const isFinal = outcome?.status === 'final' || outcome?.status === 'rejected';
  return isFinal ? node.transactionProof(id) : undefined;
}

/** Where all are that were not refused, when they are as far as is waited for or the time is over; the same order. */
async function reached(
  node: NodePort,
  outcomes: readonly SubmitOutcome[],
  { wait, timeoutMs }: WaitQuery & { readonly wait: Exclude<Wait, 'none'> },
  signal: AbortSignal,
): Promise<readonly (TransactionOutcome | undefined)[]> {
  const ids = outcomes.flatMap((outcome) => (outcome.kind === 'refused' ? [] : [outcome.id]));
  const found = (await node.outcomes(ids, wait, timeoutMs, signal)).values();
  return outcomes.map(({ kind }) => (kind === 'refused' ? undefined : found.next().value));
}

function isReached({ status }: TransactionOutcome, wait: Wait): boolean {
  if (wait === 'none') return status !== 'pending';
  if (status === 'final' || status === 'rejected' || status === 'expired') return true;
  return wait === 'committed' && status === 'committed';
}

function resultJson(outcome: SubmitOutcome, status: TransactionOutcome | undefined): Json {
  if (outcome.kind === 'refused') {
    const { id, code, detail } = outcome;
    return { ...(id && { id: toHex(id) }), error: { ...problemBody(code, detail) } };
  }
  const id = toHex(outcome.id);
  if (status === undefined) return { id, status: outcome.kind === 'known' ? 'known' : 'pending' };
  return { id, status: status.status, ...(status.block && { block: { ...status.block } }) };
}

export function isBytes({ contentType }: RouteRequest): boolean {
  if (contentType === 'application/octet-stream') return true;
  if (contentType === 'application/json') return false;
  throw new Problem('unsupported-media-type', 'expected application/octet-stream or application/json');
}

function unpack(body: Uint8Array): readonly Uint8Array[] {
  const unpacked = unpackTransactions(body, BATCH_MAX);
  if (!unpacked.ok) throw new Problem('malformed', unpacked.problem);
  if (unpacked.value.length === 0) throw new Problem('malformed', 'expected at least one transaction');
  return unpacked.value;
}

/** JSON of a body by its schema; throws the problem `malformed` with the place of the first fault. */
export function parse<S extends z.ZodType>(schema: S, body: Uint8Array): z.output<S> {
  return parseJson(schema, parseStrictJson(body));
}

/** `parse` of what is JSON already. */
export function parseJson<S extends z.ZodType>(schema: S, json: Json): z.output<S> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Problem('malformed', `${issue?.path.join('.') || 'body'}: ${issue?.message}`);
}
