import { fromHex, toHex } from '../../ledger/bytes.ts';
import { decode } from '../../ledger/codec.ts';
import { administrators } from '../../ledger/modules/accounts.ts';
import type { Table, TableKey } from '../../ledger/table.ts';
import { CliError, EXIT } from './errors.ts';
import { ask, type Urls } from './http.ts';

/** Rows of the newest state, as a node tells them: nothing here is proven. */

/** The most that a node gives at a time. */
export const PAGE_MAX = 200;

interface Row<T> {
  /** As text. */
  readonly key: string;
  readonly value: T;
  readonly valueBytes: string;
}

/** As JSON. */
export async function row<T>(url: Urls, name: string, key: string): Promise<T | undefined> {
  const { value } = await ask<{ value?: T }>(url, `/v1/state/${name}/${encodeURIComponent(key)}?at=latest`);
  return value;
}

/** All rows as JSON, page by page. */
export async function rows<T>(url: Urls, name: string, prefix = ''): Promise<readonly Row<T>[]> {
  return (await someRows<T>(url, name, prefix, Number.POSITIVE_INFINITY)).items;
}

/** The first rows, and whether these are all. */
export async function someRows<T>(
  url: Urls,
  name: string,
  prefix: string,
  most: number,
): Promise<{ readonly items: readonly Row<T>[]; readonly isAll: boolean }> {
  const items: Row<T>[] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const from: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page: { items: Row<T>[]; cursor?: string } = await ask(
      url,
      `/v1/state/${encodeURIComponent(name)}?limit=${PAGE_MAX}&prefix=${encodeURIComponent(prefix)}${from}`,
    );
    items.push(...page.items);
    if (items.length > most) return { items: items.slice(0, most), isAll: false };
    cursor = page.cursor;
  }
  return { items, isAll: true };
}

/** The bytes of a row. */
export async function rowBytes(url: Urls, name: string, key: Uint8Array): Promise<Uint8Array | undefined> {
  const path = `/v1/state/${name}/${toHex(key)}?at=latest&keyAs=bytes`;
  const { valueBytes } = await ask<{ valueBytes?: string }>(url, path);
  return valueBytes === undefined ? undefined : fromHex(valueBytes);
}

export async function rowOf<K extends TableKey, V>(url: Urls, table: Table<K, V>, key: K): Promise<V | undefined> {
  const bytes = await rowBytes(url, table.name, table.encodeKey(key));
  return bytes && decode(table.value, bytes);
}

export async function rowsOf<V>(
  url: Urls,
  table: Table<TableKey, V>,
): Promise<{ readonly key: string; readonly value: V }[]> {
  const found = await rows(url, table.name);
  return found.map(({ key, valueBytes }) => ({ key, value: decode(table.value, fromHex(valueBytes)!) }));
}

/** The organisation that a key administers. */
export async function administrator(url: Urls, key: Uint8Array, as: string): Promise<string> {
  const found = await rowOf(url, administrators, [key]);
  if (found !== undefined) return found.organisation;
  const problem = `${as} (${toHex(key)}) administers no organisation of this chain`;
  throw new CliError(EXIT.failed, 'NOT_ADMINISTRATOR', problem);
}
