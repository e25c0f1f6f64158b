import { decode } from '../../ledger/codec.ts';
import { accountCodec, accounts, administrators } from '../../ledger/modules/accounts.ts';
import type { StateChange, StateReader } from '../../ledger/overlay.ts';
import { idKey } from '../id-key.ts';
import type { PackedSenders } from '../ports.ts';
import { packSenders, SENDS } from '../senders.ts';
import { type RowsKind, type Store, stateKey } from '../store/store.ts';

const NO_KEY = new Uint8Array(0);

/** Everybody who may send by the rows of a kind. */
export async function allSenders(store: Store, kind: RowsKind): Promise<PackedSenders> {
  const found = new Map<string, { readonly key: Uint8Array; sends: number }>();
  for (const { table, bit, isOne } of TABLES) {
    const from = stateKey(table, NO_KEY);
    const to = from.with(from.length - 1, 1);
    for await (const { key: full, value } of store.range(kind, { from, to })) {
      if (!isOne(value)) continue;
      const key = full.slice(from.length);
      const entry = found.get(idKey(key)) ?? { key, sends: 0 };
      entry.sends |= bit;
      found.set(idKey(key), entry);
    }
  }
  return packSenders([...found.values()]);
}

/** What the changes of a block, which `state` has, make of senders; undefined if nothing. */
export function changedSenders(changes: readonly StateChange[], state: StateReader): PackedSenders | undefined {
  const keys = new Map<string, Uint8Array>();
  for (const { table, key } of changes) if (TABLES.some((one) => one.table === table)) keys.set(idKey(key), key);
  if (keys.size === 0) return undefined;
  return packSenders([...keys.values()].map((key) => ({ key, sends: sendsOf(state, key) })));
}

function sendsOf(state: StateReader, key: Uint8Array): number {
  let sends = 0;
  for (const { table, bit, isOne } of TABLES) {
    const value = state.get(table, key);
    if (value !== undefined && isOne(value)) sends |= bit;
  }
  return sends;
}

/** The tables that say so, by key. */
const TABLES = [
  { table: accounts.name, bit: SENDS.account, isOne: (row: Uint8Array) => decode(accountCodec, row).active },
  { table: administrators.name, bit: SENDS.administrator, isOne: () => true },
] as const;
