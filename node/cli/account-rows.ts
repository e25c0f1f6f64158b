import { fromHex, toHex } from '../../ledger/bytes.ts';
import { organisationHash } from '../../ledger/modules/accounts.ts';
import { CliError, EXIT } from './errors.ts';
import type { Urls } from './http.ts';
import { table } from './output.ts';
import { row, rows } from './rows.ts';

/** Accounts as a node tells of them: nothing here is proven. */

/** A row of `members.accounts` as JSON. */
interface AccountRow {
  readonly id: string;
  readonly name: string;
  readonly organisation: string;
  readonly roles: readonly string[];
  /** Under this key. */
  readonly active: boolean;
}

export interface FoundAccount extends AccountRow {
  /** That it has now. */
  readonly key: string;
  /** It may sign: neither revoked, nor is its organisation expelled. */
  readonly active: boolean;
}

/** Each account once, with the key that it has now. */
export async function allAccounts(url: Urls, organisation?: string): Promise<readonly FoundAccount[]> {
  const [found, keys, expelled] = await Promise.all([
    rows<AccountRow>(url, 'members.accounts'),
    rows<{ key: string }>(url, 'members.keys'),
    rows(url, 'members.expelled'),
  ]);
  const current = new Map(keys.map(({ key: id, value }) => [id, value.key]));
  const gone = new Set(expelled.map(({ key }) => key));
  return found
    .filter(({ key, value }) => key === (current.get(value.id) ?? value.id))
    .map(({ key, value }) => ({ ...value, key, active: value.active && !gone.has(value.organisation) }))
    .filter((one) => organisation === undefined || one.organisation === organisation);
}

export function accountTable(all: readonly FoundAccount[]): string[] {
  if (all.length === 0) return ['no accounts'];
  return table(
    ['account', 'organisation', 'roles', 'key', ''],
    all.map(({ name, organisation, roles, key, active }) => {
      return [name, organisation, roles.join(', ') || '-', key, active ? '' : 'may not sign any more'];
    }),
  );
}

/** What stands at the head of all that is shown of one. */
export function accountPairs({ name, organisation, id, key, roles, active }: FoundAccount) {
  return [
    ['account', `${name} of ${organisation}`],
    ['id', id],
    ['key', key],
    ['roles', roles.join(', ') || '-'],
    ['may sign', active ? 'yes' : 'no: it is revoked, or its organisation is expelled'],
  ] as const;
}

/** By its id, a key that it has or had, or its name in an organisation; throws CliError UNKNOWN_ACCOUNT or AMBIGUOUS. */
export async function findAccount(url: Urls, text: string, organisation?: string): Promise<FoundAccount> {
  const id = fromHex(text)?.length === 32 ? text : await idByName(url, text, organisation);
  const account = await row<AccountRow>(url, 'members.accounts', id);
  if (account === undefined) throw new CliError(EXIT.failed, 'UNKNOWN_ACCOUNT', `${id} is and was no account`);
  const key = (await row<{ key: string }>(url, 'members.keys', account.id))?.key ?? account.id;
  const now = (await row<AccountRow>(url, 'members.accounts', key)) ?? account;
  const isExpelled = (await row(url, 'members.expelled', now.organisation)) !== undefined;
  return { ...now, key, active: now.active && !isExpelled };
}

/** The id of the account that has this name in an organisation, for ever. */
export async function accountId(url: Urls, organisation: string, name: string): Promise<string> {
  const found = await idIn(url, organisation, name);
  if (found !== undefined) return found;
  throw new CliError(EXIT.failed, 'UNKNOWN_ACCOUNT', `${organisation} has no account ${JSON.stringify(name)}`);
}

async function idByName(url: Urls, name: string, organisation: string | undefined): Promise<string> {
  if (organisation !== undefined) return accountId(url, organisation, name);
  const names = (await rows(url, 'members.organisations')).map(({ key }) => key);
  const found = await Promise.all(names.map(async (one) => ({ one, id: await idIn(url, one, name) })));
  const [first, ...more] = found.filter(({ id }) => id !== undefined);
  if (first === undefined)
    throw new CliError(EXIT.failed, 'UNKNOWN_ACCOUNT', `no organisation has an account ${JSON.stringify(name)}`);
  if (more.length === 0) return first.id!;
  const which = [first, ...more].map(({ one }) => one).join(', ');
  throw new CliError(EXIT.failed, 'AMBIGUOUS', `${which} have an account ${name}: say which with --organisation`);
}

async function idIn(url: Urls, organisation: string, name: string): Promise<string | undefined> {
  const key = `${toHex(organisationHash(organisation))}:${name}`;
  return (await row<{ account: string }>(url, 'members.names', key))?.account;
}
