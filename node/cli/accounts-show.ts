import { limitsOf, OTHER_ROLES, type RoleLimits } from '../../ledger/modules/account-limits.ts';
import { accountPairs, accountTable, allAccounts, findAccount } from './account-rows.ts';
import { EXIT } from './errors.ts';
import type { Urls } from './http.ts';
import { pairs, print, table } from './output.ts';
import { row, rows } from './rows.ts';

interface Given {
  readonly url: Urls;
  readonly organisation?: string;
  readonly json: boolean;
}

/** `quorate accounts list`: each account once, with the key that it has now. */
export async function listAccounts({ url, organisation, json }: Given): Promise<number> {
  const items = await allAccounts(url, organisation);
  print(json, { items }, accountTable(items));
  return EXIT.ok;
}

/** `quorate accounts show <name or key>`: what it may do and what it has. */
export async function showAccount(text: string, { url, organisation, json }: Given): Promise<number> {
  const account = await findAccount(url, text, organisation);
  const { id, roles } = account;
  const [balances, limits] = await Promise.all([balancesOf(url, id), limitsNow(url, roles)]);
  print(json, { ...account, balances: Object.fromEntries(balances), ...(limits && { limits }) }, [
    ...pairs([...accountPairs(account), ['may send', limitsInWords(limits)]]),
    '',
    ...(balances.length === 0 ? ['it holds no assets'] : table(['asset', 'amount'], balances)),
  ]);
  return EXIT.ok;
}

/** What belongs to an account is kept under its id. */
async function balancesOf(url: Urls, id: string): Promise<readonly (readonly [asset: string, amount: string])[]> {
  const found = await rows<{ amount: string }>(url, 'assets.balances', `${id}:`);
  return found.map(({ key, value }) => [key.slice(id.length + 1), value.amount]);
}

/** As nodes count them; undefined where governance has said nothing. */
async function limitsNow(url: Urls, roles: readonly string[]): Promise<RoleLimits | undefined> {
  const wanted = [...roles, OTHER_ROLES];
  const found = await Promise.all(wanted.map((role) => row<RoleLimits>(url, 'governance.limits', role)));
  return limitsOf(roles, (role) => found[wanted.indexOf(role)]);
}

function limitsInWords(limits: RoleLimits | undefined): string {
  if (limits === undefined) return 'as much as a node takes: no limits are decided for its roles';
  const { pending, perSecond, burst } = limits;
  return `${perSecond} transactions a second, ${burst} at once, with ${pending} pending, at each node`;
}
