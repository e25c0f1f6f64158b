import { writeFile } from 'node:fs/promises';
import { fromHex, toHex, utf8Decode } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { type Table, tableKeyFromText } from '../../ledger/table.ts';
import { CliError, EXIT } from './errors.ts';
import { ask, type Urls } from './http.ts';
import { type LedgerOptions, withLedger } from './ledger.ts';
import { moment, pairs, print, table } from './output.ts';
import { PAGE_MAX, someRows } from './rows.ts';
import { provenJson, signersInWords } from './send.ts';

/** `quorate query …`: one thing that a node says, as a table for people or as the node's JSON. */

interface Common {
  readonly url: Urls;
  readonly json: boolean;
}

type Fields = { readonly [name: string]: Json };

interface ShownCall {
  readonly module: string;
  readonly action: string;
  readonly args: Json;
}

interface ShownTransaction {
  readonly id: string;
  readonly status?: string;
  readonly block?: { readonly height: number; readonly index: number };
  readonly receipt?: {
    readonly status: string;
    readonly code: string;
    readonly events: readonly { readonly module: string; readonly name: string; readonly data: Json }[];
  };
  /** What does not decode any more is shown by its bytes. */
  readonly transaction?: {
    readonly bytes: string;
    readonly sender?: string;
    readonly validUntil?: number;
    readonly calls?: readonly ShownCall[];
    readonly memo?: string;
  };
}

interface ShownHeader {
  readonly hash: string;
  readonly final: boolean;
  readonly header: {
    readonly height: number;
    readonly timestamp: number;
    readonly parent: string;
    readonly count: number;
  };
}

/** A row under a certificate; with `proof` or `out` verified here, also that there is none. */
export async function queryState(
  name: string,
  key: string,
  options: LedgerOptions & Common & { readonly proof: boolean; readonly out?: string },
): Promise<number> {
  if (options.proof || options.out !== undefined) return proveState(name, key, options);
  const path = `/v1/state/${part(name)}/${part(key)}?at=final`;
  const found = await ask<{ height: number; exists: boolean; value?: Json; valueBytes?: string }>(options.url, path);
  const { height, exists, value, valueBytes } = found;
  const row = rowPairs(name, key, exists ? (value ?? valueBytes) : undefined);
  return show(options, found, [
    ...pairs([...row, ['as of', `block ${height}`]]),
    '',
    'as the node says: with --proof it is verified',
  ]);
}

async function proveState(
  name: string,
  keyText: string,
  options: LedgerOptions & Common & { readonly out?: string },
): Promise<number> {
  const known = knownTable(name);
  const key = tableKeyFromText(known, keyText);
  if (!key.ok) throw new CliError(EXIT.usage, 'USAGE', key.problem);
  return withLedger(options, undefined, async ({ ledger, isTrusted, basis }) => {
    const { value: bytes, facts, proof } = await ledger.light.state(name, key.value);
    if (options.out !== undefined) await writeFile(options.out, proof);
    const { height, time } = facts.certified;
    const value = bytes === undefined ? undefined : valueInJson(name, bytes);
    const proven = provenJson(facts, isTrusted);
    const row = { table: name, key: keyText, height, time, exists: bytes !== undefined };
    return show(options, { ...row, ...(value !== undefined && { value }), proven }, [
      ...pairs([
        ...rowPairs(name, keyText, value),
        ['as of', `block ${height}, ${moment(time)}`],
        ['final', signersInWords(proven)],
        ['', `proven with ${basis}`],
      ]),
    ]);
  });
}

/** The newest rows of a table, as the node says. */
export async function queryRows(
  name: string,
  { url, json, prefix, limit }: Common & { readonly prefix: string; readonly limit: number },
): Promise<number> {
  const { items, isAll } = await someRows<Json>(url, name, prefix, limit);
  const { shape } = quorateApplication.table(name)?.value ?? {};
  const fields = shape?.kind === 'struct' ? shape.fields.map(([field]) => field) : undefined;
  const cells = ({ value, valueBytes }: (typeof items)[number]): string[] => {
    if (fields === undefined || value === undefined) return [inWords(value ?? valueBytes)];
    return fields.map((field) => inWords((value as Fields)[field]));
  };
  return show({ json }, { table: name, items, isAll }, [
    ...(items.length === 0
      ? ['no rows']
      : table(
          ['key', ...(fields ?? ['value'])],
          items.map((item) => [item.key, ...cells(item)]),
        )),
    ...(isAll ? [] : ['', `there are more than these ${items.length}: --limit or --prefix`]),
  ]);
}

export async function queryTransaction(id: string, { url, json }: Common): Promise<number> {
  const found = await ask<ShownTransaction>(url, `/v1/transactions/${part(id)}`);
  const { status = '?', block, receipt, transaction } = found;
  return show({ json }, found, [
    ...pairs([
      ['id', found.id],
      ['status', status],
      ...(block === undefined ? [] : [['block', `${block.height}, number ${block.index}`] as const]),
      ...transactionPairs(transaction),
      ...(receipt === undefined ? [] : [['receipt', outcome(receipt)] as const]),
      ...(receipt?.events ?? []).map(
        ({ module, name, data }) => ['event', `${module}.${name} ${inWords(data)}`] as const,
      ),
    ]),
    '',
    'as the node says: npx quorate proof and verify show that it is so',
  ]);
}

export async function queryBlock(at: string, { url, json }: Common): Promise<number> {
  const found = await ask<ShownHeader & { readonly transactions: readonly ShownTransaction[] }>(
    url,
    `/v1/blocks/${part(at)}`,
  );
  const { hash, final, header, transactions } = found;
  const rows = transactions.map(({ id, receipt, transaction }, i) => {
    const calls = transaction?.calls?.map(({ module, action }) => `${module}.${action}`).join(', ');
    return [String(i), id, calls ?? '?', receipt === undefined ? '?' : outcome(receipt)];
  });
  return show({ json }, found, [
    ...pairs([
      ['block', String(header.height)],
      ['hash', hash],
      ['parent', header.parent],
      ['time', moment(header.timestamp)],
      ['final', final ? 'yes' : 'not yet'],
      ['transactions', String(header.count)],
    ]),
    ...(rows.length === 0 ? [] : ['', ...table(['number', 'id', 'calls', 'outcome'], rows)]),
  ]);
}

/** Newest first. */
export async function queryBlocks({ url, json, limit }: Common & { readonly limit: number }): Promise<number> {
  const items: ShownHeader[] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined && items.length < limit; ) {
    const from: string = cursor === '' ? '' : `&cursor=${part(cursor)}`;
    const page: { items: ShownHeader[]; cursor?: string } = await ask(
      url,
      `/v1/blocks?limit=${Math.min(limit - items.length, PAGE_MAX)}${from}`,
    );
    items.push(...page.items);
    cursor = page.cursor;
  }
  const rows = items.map(({ hash, final, header: { height, timestamp, count } }) => {
    return [String(height), moment(timestamp), String(count), final ? 'yes' : 'not yet', hash];
  });
  return show({ json }, { items }, table(['block', 'time', 'transactions', 'final', 'hash'], rows));
}

interface ShownCertificate {
  readonly scheme: string;
  readonly checkpoint: {
    readonly epoch: number;
    readonly height: number;
    readonly timestamp: number;
    readonly blockHash: string;
    readonly stateRoot: string;
  };
  readonly proof: { readonly signers?: string };
}

export async function queryCheckpoint(height: string, { url, json }: Common): Promise<number> {
  const found = await ask<ShownCertificate>(url, `/v1/checkpoints/${part(height)}`);
  const { scheme, checkpoint, proof } = found;
  return show({ json }, found, [
    ...pairs([
      ['block', String(checkpoint.height)],
      ['time', moment(checkpoint.timestamp)],
      ['hash', checkpoint.blockHash],
      ['state', checkpoint.stateRoot],
      ['epoch', String(checkpoint.epoch)],
      ['signed by', signersOf(proof.signers) ?? scheme],
    ]),
    '',
    'as the node says: npx quorate follow verifies the newest one',
  ]);
}

/** A bit for each validator in the order of the set, the lowest of the first byte first. */
function signersOf(bits: string | undefined): string | undefined {
  const bytes = bits === undefined ? undefined : fromHex(bits);
  if (bytes === undefined) return undefined;
  const signers = [...bytes].flatMap((byte, i) =>
    Array.from({ length: 8 }, (_, bit) => ((byte >> bit) & 1 ? [8 * i + bit] : [])).flat(),
  );
  return `validators ${signers.join(', ')}`;
}

function transactionPairs(transaction: ShownTransaction['transaction']): (readonly [string, string])[] {
  if (transaction === undefined) return [];
  const { sender, calls, memo = '0x', validUntil, bytes } = transaction;
  if (sender === undefined || calls === undefined) return [['bytes', bytes]];
  return [
    ['sender', sender],
    ...calls.map(({ module, action, args }) => ['call', `${module}.${action} ${inWords(args)}`] as const),
    ...(memo === '0x' ? [] : [['memo', utf8Decode(fromHex(memo) ?? new Uint8Array(0)) ?? memo] as const]),
    ...(validUntil === undefined ? [] : [['valid until', moment(validUntil)] as const]),
  ];
}

function outcome({ status, code }: { readonly status: string; readonly code: string }): string {
  return code === '' ? status : `${status} (${code})`;
}

/** With its fields one a line. */
function rowPairs(name: string, key: string, value: Json | undefined): readonly (readonly [string, string])[] {
  const isFields = typeof value === 'object' && value !== null && !Array.isArray(value);
  const fields = isFields ? Object.entries(value as Fields) : [['value', value] as const];
  return [
    ['table', name],
    ['key', key],
    ...(value === undefined
      ? [['value', 'does not exist'] as const]
      : fields.map(([field, one]) => [field, inWords(one)] as const)),
  ];
}

function inWords(value: Json | undefined): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value.join(', ') || '-';
  return JSON.stringify(value ?? null);
}

function knownTable(name: string): Table {
  const known = quorateApplication.table(name);
  if (known !== undefined) return known;
  const names = quorateApplication.modules.flatMap(({ tables }) => tables.map((one) => one.name));
  throw new CliError(EXIT.usage, 'USAGE', `no table ${name}; there are ${names.join(', ')}`);
}

function valueInJson(name: string, bytes: Uint8Array): Json {
  const value = quorateApplication.valueToJson(name, bytes);
  return value.ok ? value.value : toHex(bytes);
}

function show({ json }: Pick<Common, 'json'>, found: object, lines: readonly string[]): number {
  if (json) process.stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
  else print(false, found, lines);
  return EXIT.ok;
}

function part(text: string): string {
  return encodeURIComponent(text);
}
