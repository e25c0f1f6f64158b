import { z } from 'zod';
import type { Application } from '../../ledger/application.ts';
import { toHex } from '../../ledger/bytes.ts';
import { encode, type Json, tryFromJson } from '../../ledger/codec.ts';
import { CALLS_MAX } from '../../ledger/limits.ts';
import {
  type TransactionBody,
  transactionBodyCodec,
  transactionId,
  transactionSignBytes,
} from '../../ledger/transaction.ts';
import { SINGLE_BODY_BYTES_MAX } from '../limits.ts';
import { Problem } from '../problems.ts';
import { none, route } from '../route.ts';
import { encoded, named } from '../schemas.ts';
import { parse } from './transactions.ts';

export const described = named(
  'TransactionDescription',
  z.strictObject({
    sender: z.string().meta({ description: 'Public key of the account: 0x and 64 hex digits' }),
    nonce: z.string().meta({ description: '0x and 16 hex digits; only makes ids differ' }),
    validUntil: z.int().min(0).meta({ description: 'Chain time in ms, see Quorate-Time' }),
    calls: z
      .array(z.strictObject({ module: z.string(), action: z.string(), args: z.unknown() }))
      .min(1)
      .max(CALLS_MAX),
    memo: z.string().default('0x'),
  }),
);

/** For clients without the codec: JSON in, the bytes to sign and the id out. Append the signature to `body` and submit. */
export const encodeRoute = route({
  method: 'POST',
  path: '/v1/transactions/encode',
  name: 'encodeTransaction',
  summary: 'Canonical bytes, bytes to sign and id of a transaction described in JSON',
  consistency: 'constant',
  params: none,
  query: none,
  body: { bytesMax: SINGLE_BODY_BYTES_MAX, json: described },
  answers: { 200: { description: 'Sign `signBytes`, append the signature to `body`, submit', json: encoded } },
  problems: ['unknown-action', 'invalid-args'],
  async handle({ node, application }, { body, contentType }) {
    if (contentType !== 'application/json') throw new Problem('unsupported-media-type', 'expected application/json');
    const transaction = toBody(application, parse(described, body));
    const { genesisId } = node.info;
    return {
      status: 200,
      body: {
        body: toHex(encode(transactionBodyCodec, transaction)),
        signBytes: toHex(transactionSignBytes(genesisId, transaction)),
        id: toHex(transactionId(genesisId, transaction)),
      },
    };
  },
});

/** Throws a Problem if the application has no such action, or its arguments are others. */
export function toBody(application: Application, given: z.output<typeof described>): TransactionBody {
  const { sender, nonce, validUntil, memo } = given;
  const calls = given.calls.map(({ module, action, args }) => {
    if (application.action(module, action) === undefined)
      throw new Problem('unknown-action', `no action ${module}.${action}`);
    const encoded = application.argsFromJson(module, action, args as Json);
    if (!encoded.ok) throw new Problem('invalid-args', `${module}.${action}: ${encoded.problem}`);
    return { module, action, args: toHex(encoded.value) };
  });
  const read = tryFromJson(transactionBodyCodec, { sender, nonce, validUntil, calls, memo });
  if (!read.ok) throw new Problem('malformed', read.problem);
  return read.value;
}
