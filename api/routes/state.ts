import { z } from 'zod';
import type { Application } from '../../ledger/application.ts';
import { bundleCodec } from '../../ledger/bundle.ts';
import { fromHex, toHex } from '../../ledger/bytes.ts';
import { decode, type Json } from '../../ledger/codec.ts';
import { TABLE_KEY_BYTES_MAX } from '../../ledger/limits.ts';
import { type Table, tableKeyFromText, tableKeyToText, tablePrefixFromText } from '../../ledger/table.ts';
import { CURSOR_CHARS_MAX, PAGE_DEFAULT, PAGE_MAX } from '../limits.ts';
import { minHeightQuery, reachHeight } from '../min-height.ts';
import type { ChainStatus } from '../ports.ts';
import { Problem } from '../problems.ts';
import { encodeCursor, keyCursor } from '../read.ts';
import { integer, route } from '../route.ts';
import { stateRow, stateRows } from '../schemas.ts';

/** Twice the longest key in hex, and what joins its parts. */
const KEY_CHARS_MAX = 600;
const tableParam = z.string().min(1).max(100).meta({ description: 'Name of a table, like `records.entries`' });
const keyText = z.string().max(KEY_CHARS_MAX);

export const stateRoute = route({
  method: 'GET',
  path: '/v1/state/:table/:key',
  name: 'getState',
  summary: 'One row of the state, or that it does not exist; with a proof of either on request',
  consistency: 'stated',
  consistencyNote: '`at=final` is final, `latest` committed, a height final if not above Quorate-Final-Height',
  params: z.strictObject({
    table: tableParam,
    key: keyText.meta({ description: 'Key as text: its parts joined with `:`, bytes as 0x hex' }),
  }),
  query: minHeightQuery.extend({
    at: z
      .string()
      .regex(/^(final|latest|0|[1-9][0-9]{0,14})$/, 'expected `final`, `latest` or a height')
      .default('final')
      .meta({ description: 'Newest state under a certificate, newest, or as of a height' }),
    proof: z.enum(['true', 'false']).default('false').meta({ description: 'With a proof; only for final state' }),
    keyAs: z
      .enum(['text', 'bytes'])
      .default('text')
      .meta({ description: 'bytes: the key in the path is 0x and the hex digits of its bytes' }),
  }),
  answers: {
    200: {
      description: 'The row, or that there is none',
      json: stateRow,
      bytes: 'Canonical bytes of the proof bundle, if a proof is asked for',
    },
  },
  problems: ['not-found', 'not-final', 'pruned', 'behind'],
  async handle(context, { params, query, wantsBytes, signal }) {
    const { node, application } = context;
    const table = tableOf(application, params.table);
    const key = keyOf(table, params.key, query.keyAs);
    const wantsProof = query.proof === 'true';
    if (wantsProof && query.at === 'latest')
      throw new Problem('malformed', 'only final state has a proof: use at=final');
    const at = query.at === 'final' || query.at === 'latest' ? query.at : Number(query.at);
    await reachHeight(context, query, wantsProof || at === 'final' ? 'final' : 'committed', signal);
    const read = () => node.state(table.name, key, at, wantsProof, query.minHeight ?? 0);
    let found = await read();
    if (at === 'final' && found !== undefined && found.height > node.chain().finalHeight) {
      // The state as of the newest certificate went with a restart: that of the next one is waited for.
      await reachHeight(context, { ...query, minHeight: found.height }, 'final', signal);
      found = await read();
    }
    const heights = node.chain();
    if (found === undefined) throw notKept(query.at, heights);
    const { height, value, bundle } = found;
    if (wantsProof && bundle === undefined) throw notProven(height, heights);
    if (wantsBytes && bundle !== undefined) return { status: 200, body: bundle };
    return {
      status: 200,
      body: {
        table: table.name,
        key: params.key,
        height,
        exists: value !== undefined,
        ...(value && rowValue(application, table, value)),
        ...(bundle && { proof: bundleCodec.toJson(decode(bundleCodec, bundle)) }),
      },
    };
  },
});

export const stateRowsRoute = route({
  method: 'GET',
  path: '/v1/state/:table',
  name: 'listState',
  summary: 'Rows of a table in the order of their keys',
  consistency: 'committed',
  params: z.strictObject({ table: tableParam }),
  query: minHeightQuery.extend({
    prefix: keyText.default('').meta({ description: 'Beginning of the keys, as text' }),
    cursor: z.string().max(CURSOR_CHARS_MAX).optional().meta({ description: 'Of the page before' }),
    limit: integer(1, PAGE_MAX).default(PAGE_DEFAULT),
  }),
  answers: { 200: { description: 'One page of rows of the newest state', json: stateRows } },
  problems: ['not-found', 'behind'],
  async handle(context, { params, query, signal }) {
    const { node, application } = context;
    const table = tableOf(application, params.table);
    const prefix = tablePrefixFromText(table, query.prefix);
    if (!prefix.ok) throw new Problem('malformed', `prefix of ${table.name}: ${prefix.problem}`);
    const after = query.cursor === undefined ? undefined : keyCursor(table.name, query.cursor);
    await reachHeight(context, query, 'committed', signal);
    const { height, rows } = await node.stateRows(table.name, prefix.value, after, query.limit);
    const last = rows.at(-1)?.key;
    return {
      status: 200,
      body: {
        table: table.name,
        height,
        items: rows.map(({ key, value }) => ({
          key: tableKeyToText(table, key) ?? toHex(key),
          ...rowValue(application, table, value),
        })),
        ...(last && rows.length === query.limit && { cursor: encodeCursor(table.name, toHex(last)) }),
      },
    };
  },
});

function keyOf(table: Table, text: string, as: 'text' | 'bytes'): Uint8Array {
  if (as === 'bytes') {
    const bytes = fromHex(text);
    if (bytes === undefined) throw new Problem('malformed', `key of ${table.name}: expected 0x and hex digits`);
    if (bytes.length > TABLE_KEY_BYTES_MAX)
      throw new Problem('malformed', `key of ${table.name}: ${bytes.length} bytes, at most ${TABLE_KEY_BYTES_MAX}`);
    return bytes;
  }
  const key = tableKeyFromText(table, text);
  if (!key.ok) throw new Problem('malformed', `key of ${table.name}: ${key.problem}`);
  return key.value;
}

/** K14. */
function notKept(at: string, { height }: ChainStatus): Problem {
  if (Number(at) > height) return new Problem('not-final', `block ${at} is not executed here, the newest is ${height}`);
  return new Problem('pruned', `the state as of height ${at} is not kept here; an archive keeps it`);
}

function notProven(height: number, { finalHeight }: ChainStatus): Problem {
  if (height > finalHeight || height === 0)
    return new Problem('not-final', `there is no certificate of height ${height}, final is ${finalHeight}`);
  return new Problem('pruned', `no certificate of height ${height} is kept here; try another height or another node`);
}

function tableOf(application: Application, name: string): Table {
  const table = application.table(name);
  if (table !== undefined) return table;
  const known = application.modules.flatMap(({ tables }) => tables.map((one) => one.name));
  throw new Problem('not-found', `no table ${JSON.stringify(name.slice(0, 60))}; there are ${known.join(', ')}`);
}

function rowValue(application: Application, table: Table, value: Uint8Array): { readonly [key: string]: Json } {
  const decoded = application.valueToJson(table.name, value);
  return { ...(decoded.ok && { value: decoded.value }), valueBytes: toHex(value) };
}
