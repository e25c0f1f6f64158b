import { z } from 'zod';
import { bundleCodec } from '../../ledger/bundle.ts';
import { fromHex } from '../../ledger/bytes.ts';
import { certificateCodec } from '../../ledger/checkpoint.ts';
import { decode, encode, type Json } from '../../ledger/codec.ts';
import { CURSOR_CHARS_MAX, PAGE_DEFAULT, PAGE_MAX } from '../limits.ts';
import { minHeightQuery, reachHeight } from '../min-height.ts';
import { Problem } from '../problems.ts';
import { encodeCursor, heightCursor } from '../read.ts';
import { integer, none, route } from '../route.ts';
import { block, blockPage, bundle, certificate, certificatePage } from '../schemas.ts';
import { blockJson, certificateJson, headerJson } from '../views.ts';

const pageQuery = minHeightQuery.extend({
  cursor: z.string().max(CURSOR_CHARS_MAX).optional().meta({ description: 'Of the page before' }),
  limit: integer(1, PAGE_MAX).default(PAGE_DEFAULT),
  order: z.enum(['asc', 'desc']).default('desc'),
});
type PageQuery = z.output<typeof pageQuery>;

/** Heights end far below 2^53, so that no digits are lost. */
const HEIGHT = '0|[1-9][0-9]{0,14}';

export const blocksRoute = route({
  method: 'GET',
  path: '/v1/blocks',
  name: 'listBlocks',
  summary: 'Block headers, newest first unless asked otherwise',
  consistency: 'stated',
  consistencyNote: '`final` of each header; the others are committed',
  params: none,
  query: pageQuery,
  answers: { 200: { description: 'One page of headers', json: blockPage } },
  problems: ['behind'],
  async handle(context, { query, signal }) {
    await reachHeight(context, query, 'committed', signal);
    const { node } = context;
    const { height, finalHeight } = node.chain();
    const from = firstHeight('blocks', query, height);
    const blocks = await node.blocks(from, query.limit, query.order === 'desc');
    return {
      status: 200,
      body: page(
        'blocks',
        blocks.map((one) => headerJson(one, finalHeight)),
        from,
        query,
        height,
        blocks.at(-1)?.header.height,
      ),
    };
  },
});

export const blockRoute = route({
  method: 'GET',
  path: '/v1/blocks/:at',
  name: 'getBlock',
  summary: 'A block by height, hash, `latest` or `final`, with transactions and receipts',
  consistency: 'stated',
  consistencyNote: '`final` of the block; else it is committed',
  params: z.strictObject({
    at: z
      .string()
      .regex(
        new RegExp(`^(latest|final|${HEIGHT}|0x[0-9a-f]{64})$`),
        'expected a height, a block hash, `latest` or `final`',
      )
      .meta({ description: 'Height, block hash, `latest` or `final`' }),
  }),
  query: minHeightQuery,
  answers: { 200: { description: 'The block', json: block } },
  problems: ['not-found', 'behind'],
  cacheable: true,
  async handle(context, { params, query, signal }) {
    await reachHeight(context, query, params.at === 'final' ? 'final' : 'committed', signal);
    const { node, application } = context;
    const { height, finalHeight } = node.chain();
    const found = await node.block(readAt(params.at, height, finalHeight));
    if (found === undefined) throw new Problem('not-found', `no block ${params.at}; the newest here is ${height}`);
    const named = params.at !== 'latest' && params.at !== 'final';
    return {
      status: 200,
      body: blockJson(found, finalHeight, node.info.genesisId, application),
      immutable: named && found.header.height <= finalHeight,
    };
  },
});

export const blockProofRoute = route({
  method: 'GET',
  path: '/v1/blocks/:height/proof',
  name: 'getBlockProof',
  summary: 'A self-contained proof of a block header: verifies with the genesis file alone',
  consistency: 'final',
  params: z.strictObject({
    height: z
      .string()
      .regex(new RegExp(`^(${HEIGHT})$`), 'expected a height')
      .meta({ description: 'Height' }),
  }),
  query: minHeightQuery.extend({
    under: integer(1, 999_999_999_999_999)
      .optional()
      .meta({ description: 'Height of the certificate to prove it under; else the newest' }),
  }),
  answers: { 200: { description: 'The proof bundle', json: bundle, bytes: 'Canonical bytes of the bundle' } },
  problems: ['not-found', 'not-final', 'behind'],
  async handle(context, { params, query, wantsBytes, signal }) {
    await reachHeight(context, query, 'final', signal);
    const { node } = context;
    const { under } = query;
    const height = Number(params.height);
    const { finalHeight } = node.chain();
    if (Math.max(height, under ?? 1) > finalHeight) throw new Problem('not-final', `final is ${finalHeight} here`);
    const proof = await node.blockProof(height, under);
    if (proof === undefined) {
      const place = under === undefined ? '' : ` under the certificate of height ${under}`;
      throw new Problem('not-found', `this node can not prove block ${height}${place}`);
    }
    return { status: 200, body: wantsBytes ? proof : bundleCodec.toJson(decode(bundleCodec, proof)) };
  },
});

export const checkpointsRoute = route({
  method: 'GET',
  path: '/v1/checkpoints',
  name: 'listCheckpoints',
  summary: 'Finality certificates, newest first unless asked otherwise',
  consistency: 'final',
  params: none,
  query: pageQuery,
  answers: { 200: { description: 'One page of certificates', json: certificatePage } },
  problems: ['behind'],
  async handle(context, { query, signal }) {
    await reachHeight(context, query, 'final', signal);
    const { node } = context;
    const { finalHeight } = node.chain();
    const from = firstHeight('checkpoints', query, finalHeight);
    const certificates = await node.certificates(from, query.limit, query.order === 'desc');
    const last = certificates.at(-1)?.checkpoint.height;
    return {
      status: 200,
      body: page('checkpoints', certificates.map(certificateJson), from, query, finalHeight, last),
    };
  },
});

export const checkpointRoute = route({
  method: 'GET',
  path: '/v1/checkpoints/:height',
  name: 'getCheckpoint',
  summary: 'The finality certificate of a height, or the `latest`',
  consistency: 'final',
  params: z.strictObject({
    height: z
      .string()
      .regex(new RegExp(`^(latest|${HEIGHT})$`), 'expected a height or `latest`')
      .meta({ description: 'Height or `latest`' }),
  }),
  query: minHeightQuery,
  answers: {
    200: { description: 'The certificate', json: certificate, bytes: 'Canonical bytes of the certificate' },
  },
  problems: ['not-found', 'behind'],
  cacheable: true,
  async handle(context, { params: { height: at }, query, wantsBytes, signal }) {
    await reachHeight(context, query, 'final', signal);
    const { node } = context;
    const found = await node.certificate(at === 'latest' ? at : Number(at));
    if (found === undefined) {
      throw new Problem('not-found', `no certificate of height ${at} here; final is ${node.chain().finalHeight}`);
    }
    const body = wantsBytes ? encode(certificateCodec, found) : certificateJson(found);
    return { status: 200, body, immutable: at !== 'latest' };
  },
});

function readAt(at: string, latest: number, final: number): number | Uint8Array {
  if (at === 'latest') return latest;
  if (at === 'final') return final;
  return at.startsWith('0x') ? fromHex(at)! : Number(at);
}

function firstHeight(kind: string, { cursor, order }: PageQuery, newest: number): number {
  if (cursor !== undefined) return heightCursor(`${kind}-${order}`, cursor);
  return order === 'desc' ? newest : 0;
}

/** `last` is the height of the page's last item, where heights can lack. */
function page(
  kind: string,
  items: readonly Json[],
  from: number,
  query: PageQuery,
  newest: number,
  last?: number,
): Json {
  const { order, limit } = query;
  const end = last ?? (order === 'desc' ? from - items.length + 1 : from + items.length - 1);
  const next = order === 'desc' ? end - 1 : end + 1;
  const more = items.length === limit && next >= 0 && next <= newest;
  return { items, ...(more && { cursor: encodeCursor(`${kind}-${order}`, String(next)) }) };
}
