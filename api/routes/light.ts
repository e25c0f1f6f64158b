import { handoffCodec, updatesCodec } from '../../ledger/bundle.ts';
import { certificateCodec } from '../../ledger/checkpoint.ts';
import { encode } from '../../ledger/codec.ts';
import { UPDATES_MAX } from '../../ledger/limits.ts';
import { minHeightQuery, reachHeight } from '../min-height.ts';
import { Problem } from '../problems.ts';
import { integer, none, route } from '../route.ts';
import { certificate, updates } from '../schemas.ts';
import { certificateJson } from '../views.ts';

/** Nobody reaches an epoch of more digits. */
const EPOCH_MAX = 999_999_999_999_999;

export const lightUpdatesRoute = route({
  method: 'GET',
  path: '/v1/light/updates',
  name: 'listHandoffs',
  summary: 'Ends of epochs: what a light client follows from genesis',
  consistency: 'final',
  params: none,
  query: minHeightQuery.extend({
    fromEpoch: integer(0, EPOCH_MAX).default(0).meta({ description: 'The first epoch whose end is asked for' }),
  }),
  answers: {
    200: {
      description: `Hand-offs of consecutive epochs, at most ${UPDATES_MAX}; with fewer there are no more yet`,
      json: updates,
      bytes: 'Canonical bytes of Updates',
    },
  },
  problems: ['behind'],
  cacheable: true,
  async handle(context, { query, wantsBytes, signal }) {
    await reachHeight(context, query, 'final', signal);
    const handoffs = await context.node.handoffs(query.fromEpoch);
    return {
      status: 200,
      body: wantsBytes
        ? encode(updatesCodec, { handoffs })
        : { handoffs: handoffs.map((one) => handoffCodec.toJson(one)) },
      // A full page never changes.
      immutable: handoffs.length === UPDATES_MAX,
    };
  },
});

export const lightLatestRoute = route({
  method: 'GET',
  path: '/v1/light/latest',
  name: 'getLatestCertificate',
  summary: 'The newest finality certificate: on an idle chain at most a heartbeat old',
  consistency: 'final',
  params: none,
  query: minHeightQuery,
  answers: { 200: { description: 'The certificate', json: certificate, bytes: 'Canonical bytes of the certificate' } },
  problems: ['not-final', 'behind'],
  async handle(context, { query, wantsBytes, signal }) {
    await reachHeight(context, query, 'final', signal);
    const found = await context.node.certificate('latest');
    if (found === undefined) throw new Problem('not-final', 'no block is final yet');
    return { status: 200, body: wantsBytes ? encode(certificateCodec, found) : certificateJson(found) };
  },
});
