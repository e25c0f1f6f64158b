import { utf8Decode, utf8Encode } from '../../ledger/bytes.ts';
import { decode } from '../../ledger/codec.ts';
import { accountLimits } from '../../ledger/modules/account-limits.ts';
import { accountCodec, accounts, administrators, expelled } from '../../ledger/modules/accounts.ts';
import type { StateChange, StateReader } from '../../ledger/overlay.ts';
import { idKey } from '../id-key.ts';
import type { PackedSenders } from '../ports.ts';
import { packEntries, SENDS, type SenderEntry } from '../senders.ts';
import { type RowsKind, type Store, stateKey } from '../store/store.ts';

const NO_KEY = new Uint8Array(0);

/** Everybody who may send by the rows of a kind, and how much; `state` reads the same rows. */
export async function allSenders(store: Store, kind: RowsKind, state: StateReader): Promise<PackedSenders> {
  const found = new Map<string, SenderEntry>();
  for await (const { key, value } of rowsOf(store, kind, accounts.name)) {
    const entry = accountSender(key, value, state);
    if (entry.sends !== 0) found.set(idKey(key), entry);
  }
  for await (const { key } of rowsOf(store, kind, administrators.name))
    found.set(idKey(key), asAdministrator(found.get(idKey(key)) ?? nobody(key)));
  const limits: PackedSenders['limits'][number][] = [];
  for await (const { key, value } of rowsOf(store, kind, accountLimits.name)) limits.push(limitsRow(key, value));
  return { entries: packEntries([...found.values()]), limits };
}

/** What the changes of a block, which `store` and `state` have, make of senders; undefined if nothing. */
export async function changedSenders(
  changes: readonly StateChange[],
  store: Store,
  kind: RowsKind,
  state: StateReader,
): Promise<PackedSenders | undefined> {
  const keys = new Map<string, Uint8Array>();
  for (const { table, key } of changes)
    if (table === accounts.name || table === administrators.name) keys.set(idKey(key), key);
  // No list has the accounts of an organisation, and this is rare.
  if (changes.some(({ table }) => table === expelled.name)) {
    for await (const { key, value } of rowsOf(store, kind, accounts.name))
      if (isExpelled(decode(accountCodec, value).organisation, state)) keys.set(idKey(key), key);
  }
  const limits = changes
    .filter(({ table }) => table === accountLimits.name)
    .map(({ key, value }) => limitsRow(key, value));
  if (keys.size === 0 && limits.length === 0) return undefined;
  return { entries: packEntries([...keys.values()].map((key) => senderOf(state, key))), limits };
}

/** Key and value of every row of a table. */
export async function* rowsOf(store: Store, kind: RowsKind, table: string) {
  const from = stateKey(table, NO_KEY);
  const to = from.with(from.length - 1, 1);
  for await (const { key, value } of store.range(kind, { from, to })) yield { key: key.slice(from.length), value };
}

function senderOf(state: StateReader, key: Uint8Array): SenderEntry {
  const row = state.get(accounts.name, key);
  const entry = row === undefined ? nobody(key) : accountSender(key, row, state);
  // An expelled organisation has no administrators.
  return state.get(administrators.name, key) === undefined ? entry : asAdministrator(entry);
}

function accountSender(key: Uint8Array, row: Uint8Array, state: StateReader): SenderEntry {
  const { id, organisation, roles, active } = decode(accountCodec, row);
  return active && !isExpelled(organisation, state) ? { key, sends: SENDS.account, account: id, roles } : nobody(key);
}

function asAdministrator(entry: SenderEntry): SenderEntry {
  return { ...entry, sends: entry.sends | SENDS.administrator };
}

function nobody(key: Uint8Array): SenderEntry {
  return { key, sends: 0, account: key, roles: [] };
}

function isExpelled(organisation: string, state: StateReader): boolean {
  return state.get(expelled.name, utf8Encode(organisation)) !== undefined;
}

function limitsRow(key: Uint8Array, value: Uint8Array | null): PackedSenders['limits'][number] {
  return { role: utf8Decode(key)!, limits: value === null ? undefined : decode(accountLimits.value, value) };
}
