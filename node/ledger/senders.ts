import { utf8Encode } from '../../ledger/bytes.ts';
import { decode } from '../../ledger/codec.ts';
import { accountCodec, accounts, administrators, expelled } from '../../ledger/modules/accounts.ts';
import type { StateChange, StateReader } from '../../ledger/overlay.ts';
import { idKey } from '../id-key.ts';
import type { PackedSenders } from '../ports.ts';
import { packSenders, SENDS } from '../senders.ts';
import { type RowsKind, type Store, stateKey } from '../store/store.ts';

const NO_KEY = new Uint8Array(0);

/** Everybody who may send by the rows of a kind; `state` reads the same rows. */
export async function allSenders(store: Store, kind: RowsKind, state: StateReader): Promise<PackedSenders> {
  const found = new Map<string, { readonly key: Uint8Array; sends: number }>();
  for (const { table, bit, isOne } of TABLES) {
    for await (const { key, value } of rowsOf(store, kind, table)) {
      if (!isOne(value, state)) continue;
      const entry = found.get(idKey(key)) ?? { key, sends: 0 };
      entry.sends |= bit;
      found.set(idKey(key), entry);
    }
  }
  return packSenders([...found.values()]);
}

/** What the changes of a block, which `store` and `state` have, make of senders; undefined if nothing. */
export async function changedSenders(
  changes: readonly StateChange[],
  store: Store,
  kind: RowsKind,
  state: StateReader,
): Promise<PackedSenders | undefined> {
  const keys = new Map<string, Uint8Array>();
  for (const { table, key } of changes) if (TABLES.some((one) => one.table === table)) keys.set(idKey(key), key);
  // No list has the accounts of an organisation, and this is rare.
  if (changes.some(({ table }) => table === expelled.name)) {
    for await (const { key, value } of rowsOf(store, kind, accounts.name))
      if (isExpelled(value, state)) keys.set(idKey(key), key);
  }
  if (keys.size === 0) return undefined;
  return packSenders([...keys.values()].map((key) => ({ key, sends: sendsOf(state, key) })));
}

/** Key and value of every row of a table. */
export async function* rowsOf(store: Store, kind: RowsKind, table: string) {
  const from = stateKey(table, NO_KEY);
  const to = from.with(from.length - 1, 1);
  for await (const { key, value } of store.range(kind, { from, to })) yield { key: key.slice(from.length), value };
}

function sendsOf(state: StateReader, key: Uint8Array): number {
  let sends = 0;
  for (const { table, bit, isOne } of TABLES) {
    const value = state.get(table, key);
    if (value !== undefined && isOne(value, state)) sends |= bit;
  }
  return sends;
}

function isExpelled(row: Uint8Array, state: StateReader): boolean {
  return state.get(expelled.name, utf8Encode(decode(accountCodec, row).organisation)) !== undefined;
}

/** The tables that say so, by key. An expelled organisation has no administrators. */
const TABLES = [
  {
    table: accounts.name,
    bit: SENDS.account,
    isOne: (row: Uint8Array, state: StateReader) => decode(accountCodec, row).active && !isExpelled(row, state),
  },
  { table: administrators.name, bit: SENDS.administrator, isOne: () => true },
] as const;
