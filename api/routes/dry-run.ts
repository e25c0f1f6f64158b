import { z } from 'zod';
import { concatBytes } from '../../ledger/bytes.ts';
import { encode } from '../../ledger/codec.ts';
import { SIGNATURE_BYTES, transactionBodyCodec } from '../../ledger/transaction.ts';
import { SINGLE_BODY_BYTES_MAX } from '../limits.ts';
import { Problem } from '../problems.ts';
import { type ApiContext, none, type RouteRequest, route } from '../route.ts';
import { dryRun, named } from '../schemas.ts';
import { parseStrictJson } from '../strict-json.ts';
import { receiptJson } from '../views.ts';
import { described, toBody } from './encode.ts';
import { isBytes, parseJson, singleBody } from './transactions.ts';

const dryRunBody = named(
  'DryRunDescription',
  described.partial({ nonce: true, validUntil: true }).meta({
    description: '`nonce` and `validUntil` may lack: they are zeros and the latest possible then',
  }),
);

const NO_NONCE = `0x${'00'.repeat(8)}`;
const NO_SIGNATURE = new Uint8Array(SIGNATURE_BYTES);

export const dryRunRoute = route({
  method: 'POST',
  path: '/v1/transactions/dry-run',
  name: 'dryRunTransaction',
  summary: 'The receipt that a transaction would get now; nothing is submitted, and it needs no valid signature',
  consistency: 'node',
  consistencyNote: 'A forecast from the newest state here, whose height it says; nothing promises it',
  params: none,
  query: none,
  body: {
    bytesMax: SINGLE_BODY_BYTES_MAX,
    json: z.union([dryRunBody, singleBody]),
    bytes: 'Canonical bytes of a transaction; its last 64 bytes are a signature that nobody looks at',
  },
  answers: {
    200: {
      description:
        'Executed as the only transaction of the next block, on the newest state of this node. What comes before it when it is ordered can change its outcome.',
      json: dryRun,
    },
  },
  problems: ['unknown-action', 'invalid-args', 'not-permitted', 'expired', 'too-late', 'expiry-too-far'],
  async handle(context, request) {
    const { node, application, dryRuns } = context;
    const bytes = bytesOf(context, request);
    dryRuns.enter(1);
    try {
      const outcome = await node.dryRun(bytes);
      if (outcome.kind === 'refused') throw new Problem(outcome.code, outcome.detail);
      const { height, time, receipt } = outcome;
      return { status: 200, body: { height, time, ...(receipt && { receipt: receiptJson(receipt, application) }) } };
    } finally {
      dryRuns.leave(1);
    }
  },
});

function bytesOf({ node, application }: ApiContext, request: RouteRequest): Uint8Array {
  if (isBytes(request)) return request.body;
  const json = parseStrictJson(request.body);
  // Told apart here, so that a fault is named by its place in the form that was meant.
  if (typeof json === 'object' && json !== null && 'transaction' in json) {
    return parseJson(singleBody, json).transaction;
  }
  const { time, maxLifetimeMs } = node.chain();
  const { nonce = NO_NONCE, validUntil = time + maxLifetimeMs, ...rest } = parseJson(dryRunBody, json);
  const body = toBody(application, { ...rest, nonce, validUntil });
  return concatBytes(encode(transactionBodyCodec, body), NO_SIGNATURE);
}
