import { z } from 'zod';
import { bundleCodec } from '../../ledger/bundle.ts';
import { fromHex, toHex } from '../../ledger/bytes.ts';
import { decode, type Json } from '../../ledger/codec.ts';
import { unpackTransactions } from '../../ledger/transaction.ts';
import { BATCH_MAX, BODY_BYTES_MAX, SINGLE_BODY_BYTES_MAX, WAIT_DEFAULT_MS, WAIT_MAX_MS } from '../limits.ts';
import type { NodePort, SubmitOutcome, TransactionStatus, Wait } from '../ports.ts';
import { Problem, problemBody } from '../problems.ts';
import { readId } from '../read.ts';
import { integer, noQuery, type RouteRequest, route } from '../route.ts';
import { parseStrictJson } from '../strict-json.ts';
import { statusJson } from '../views.ts';

const waitQuery = z.strictObject({
  wait: z.enum(['none', 'committed', 'final']).default('none'),
  timeoutMs: integer(0, WAIT_MAX_MS).default(WAIT_DEFAULT_MS),
});
type WaitQuery = z.output<typeof waitQuery>;

export const submitRoute = route({
  method: 'POST',
  path: '/v1/transactions',
  summary: 'Submits one signed transaction; the same bytes twice are never an error',
  query: waitQuery,
  bodyBytesMax: SINGLE_BODY_BYTES_MAX,
  async handle({ node, application }, request) {
    const bytes = isBytes(request) ? request.body : singleFromJson(request.body);
    const [outcome] = await node.submit([bytes]);
    if (outcome === undefined || outcome.kind === 'refused') throw refusal(outcome);
    const status = await waitFor(node, outcome.id, request.query, request.signal);
    const id = toHex(outcome.id);
    return {
      status: outcome.kind === 'known' || isReached(status, request.query.wait) ? 200 : 202,
      body: statusJson(status, node.info.genesisId, application),
      headers: { location: `/v1/transactions/${id}` },
    };
  },
});

export const submitBatchRoute = route({
  method: 'POST',
  path: '/v1/transactions/batch',
  summary: `Submits up to ${BATCH_MAX} signed transactions; one result each, in order`,
  query: waitQuery,
  bodyBytesMax: BODY_BYTES_MAX,
  async handle({ node }, request) {
    const transactions = isBytes(request) ? unpack(request.body) : batchFromJson(request.body);
    const outcomes = await node.submit(transactions);
    const { wait } = request.query;
    const statuses =
      wait === 'none'
        ? []
        : await Promise.all(
            outcomes.map((one) =>
              one.kind === 'refused' ? undefined : waitFor(node, one.id, request.query, request.signal),
            ),
          );
    let pending = false;
    const results = outcomes.map((outcome, i): Json => {
      if (outcome.kind === 'refused') return refusedJson(outcome);
      const status = statuses[i];
      if (status === undefined) {
        pending = true;
        return { id: toHex(outcome.id), status: outcome.kind === 'known' ? 'known' : 'pending' };
      }
      pending ||= !isReached(status, wait);
      return { id: toHex(outcome.id), status: status.status, ...(status.block && { block: { ...status.block } }) };
    });
    return { status: pending ? 202 : 200, body: { results } };
  },
});

export const transactionRoute = route({
  method: 'GET',
  path: '/v1/transactions/:id',
  summary: 'What became of a transaction',
  query: waitQuery,
  bodyBytesMax: 0,
  async handle({ node, application }, { params, query, signal }) {
    const id = readId(params.id!);
    const status = await waitFor(node, id, query, signal);
    if (status.status === 'unknown') throw new Problem('not-found', `this node does not know transaction ${params.id}`);
    const immutable = status.status === 'final' || status.status === 'rejected';
    return {
      status: isReached(status, query.wait) ? 200 : 202,
      body: statusJson(status, node.info.genesisId, application),
      immutable,
    };
  },
});

export const proofRoute = route({
  method: 'GET',
  path: '/v1/transactions/:id/proof',
  summary: 'A self-contained proof: verifies with the genesis file alone',
  query: noQuery,
  bodyBytesMax: 0,
  async handle({ node }, { params, wantsBytes }) {
    const id = readId(params.id!);
    const bundle = await node.transactionProof(id);
    if (bundle === undefined) throw await noProof(node, id);
    return { status: 200, body: wantsBytes ? bundle : bundleCodec.toJson(decode(bundleCodec, bundle)) };
  },
});

async function noProof(node: NodePort, id: Uint8Array): Promise<Problem> {
  const { status } = await node.transaction(id, 'none', 0, new AbortController().signal);
  if (status === 'unknown' || status === 'expired') {
    return new Problem('not-found', `there is nothing to prove: transaction ${toHex(id)} is ${status} here`);
  }
  return new Problem('not-final', `transaction ${toHex(id)} is ${status}`, 1);
}

function waitFor(
  node: NodePort,
  id: Uint8Array,
  { wait, timeoutMs }: WaitQuery,
  signal: AbortSignal,
): Promise<TransactionStatus> {
  return node.transaction(id, wait, timeoutMs, signal);
}

function isReached({ status }: TransactionStatus, wait: Wait): boolean {
  if (wait === 'none') return status !== 'pending';
  if (status === 'final' || status === 'rejected' || status === 'expired') return true;
  return wait === 'committed' && status === 'committed';
}

function isBytes({ contentType }: RouteRequest<unknown>): boolean {
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

const hex = z.string().transform((text, context) => {
  const bytes = fromHex(text);
  if (bytes === undefined) context.addIssue('expected 0x and hex digits in lower case');
  return bytes ?? z.NEVER;
});
const singleBody = z.strictObject({ transaction: hex });
const batchBody = z.strictObject({ transactions: z.array(hex).min(1).max(BATCH_MAX) });

function singleFromJson(body: Uint8Array): Uint8Array {
  return parse(singleBody, body).transaction;
}

function batchFromJson(body: Uint8Array): readonly Uint8Array[] {
  return parse(batchBody, body).transactions;
}

export function parse<S extends z.ZodType>(schema: S, body: Uint8Array): z.output<S> {
  const parsed = schema.safeParse(parseStrictJson(body));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Problem('malformed', `${issue?.path.join('.') || 'body'}: ${issue?.message}`);
}

function refusal(outcome: SubmitOutcome | undefined): Problem {
  if (outcome?.kind !== 'refused') return new Problem('internal', 'no outcome');
  return new Problem(outcome.code, outcome.detail, outcome.retryAfter);
}

function refusedJson({ id, code, detail }: Extract<SubmitOutcome, { kind: 'refused' }>): Json {
  return { ...(id && { id: toHex(id) }), error: { ...problemBody(code, detail) } };
}
