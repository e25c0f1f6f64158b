import { z } from 'zod';
import { fromHex } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { PAGE_DEFAULT, PAGE_MAX } from '../limits.ts';
import { Problem } from '../problems.ts';
import { encodeCursor, heightCursor } from '../read.ts';
import { type ApiContext, integer, noQuery, route } from '../route.ts';
import { blockJson, certificateJson, headerJson } from '../views.ts';

const pageQuery = z.strictObject({
  cursor: z.string().max(200).optional(),
  limit: integer(1, PAGE_MAX).default(PAGE_DEFAULT),
  order: z.enum(['asc', 'desc']).default('desc'),
});
type PageQuery = z.output<typeof pageQuery>;

export const blocksRoute = route({
  method: 'GET',
  path: '/v1/blocks',
  summary: 'Block headers, newest first unless asked otherwise',
  query: pageQuery,
  bodyBytesMax: 0,
  async handle({ node }, { query }) {
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
      ),
    };
  },
});

export const blockRoute = route({
  method: 'GET',
  path: '/v1/blocks/:at',
  summary: 'A block by height, hash, `latest` or `final`, with transactions and receipts',
  query: noQuery,
  bodyBytesMax: 0,
  async handle({ node, application }, { params }) {
    const { height, finalHeight } = node.chain();
    const at = readAt(params.at!, height, finalHeight);
    const block = await node.block(at);
    if (block === undefined) throw new Problem('not-found', `no block ${params.at}; the newest here is ${height}`);
    const named = params.at !== 'latest' && params.at !== 'final';
    return {
      status: 200,
      body: blockJson(block, finalHeight, node.info.genesisId, application),
      immutable: named && block.header.height <= finalHeight,
    };
  },
});

export const checkpointsRoute = route({
  method: 'GET',
  path: '/v1/checkpoints',
  summary: 'Finality certificates, newest first unless asked otherwise',
  query: pageQuery,
  bodyBytesMax: 0,
  async handle({ node }, { query }) {
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
  summary: 'The finality certificate of a height, or the `latest`',
  query: noQuery,
  bodyBytesMax: 0,
  handle: ({ node }, { params }) => certificate(node, params.height!),
});

async function certificate(node: ApiContext['node'], at: string) {
  const height = at === 'latest' ? at : readHeight(at);
  const found = await node.certificate(height);
  if (found === undefined)
    throw new Problem('not-found', `no certificate of height ${at} here; final is ${node.chain().finalHeight}`);
  return { status: 200, body: certificateJson(found), immutable: at !== 'latest' };
}

function readAt(at: string, latest: number, final: number): number | Uint8Array {
  if (at === 'latest') return latest;
  if (at === 'final') return final;
  if (!at.startsWith('0x')) return readHeight(at);
  const hash = fromHex(at);
  if (hash?.length !== 32) throw new Problem('malformed', 'expected a height, a block hash, `latest` or `final`');
  return hash;
}

function readHeight(text: string): number {
  const height = Number(text);
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text) || !Number.isSafeInteger(height)) {
    throw new Problem('malformed', `expected a height, got ${JSON.stringify(text.slice(0, 40))}`);
  }
  return height;
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
