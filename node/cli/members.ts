import { randomBytes } from 'node:crypto';
import { equalBytes, fromHex, toHex } from '../../ledger/bytes.ts';
import { encode, type Json, tryFromJson } from '../../ledger/codec.ts';
import { organisationHash } from '../../ledger/modules/accounts.ts';
import { type Change, changeCodec, type Proposal, proposalCodec, proposalId } from '../../ledger/modules/changes.ts';
import { accountId, accountPairs, accountTable, allAccounts, findAccount } from './account-rows.ts';
import { accountNamed } from './accounts.ts';
import { CliError, EXIT } from './errors.ts';
import { askChain, type Urls } from './http.ts';
import { pairs, print, table } from './output.ts';
import { administrator, row, rows } from './rows.ts';
import { exitOf, type SendOptions, sendCalls } from './send.ts';

/** `quorate members …`: what the state says about organisations and accounts, and what administrators change in it. */

export type ChangeOptions = SendOptions & { readonly days: number };

interface OrganisationRow {
  readonly administrators: readonly string[];
  readonly threshold: number;
  readonly roles: readonly string[];
  readonly changes: number;
}

interface Approved {
  readonly proposal: { readonly organisation: string; readonly expires: number; readonly change: ShownChange };
  readonly approvals: readonly { readonly administrator: string; readonly time: number }[];
}

interface ShownChange {
  readonly kind: string;
  readonly value: { readonly [name: string]: Json };
}

type ProposalRow = { readonly kind: 'open'; readonly value: Approved } | { readonly kind: 'effective' };

const DAY_MS = 86_400_000;

export async function listMembers(url: Urls, organisation: string | undefined, asJson: boolean): Promise<number> {
  const organisations = await rows<OrganisationRow>(url, 'members.organisations');
  const accounts = await allAccounts(url, organisation);
  const isMeant = (name: string): boolean => organisation === undefined || name === organisation;
  const shown = {
    organisations: organisations.filter(({ key }) => isMeant(key)).map(({ key, value }) => ({ name: key, ...value })),
    accounts,
  };
  print(asJson, shown, [
    ...table(
      ['organisation', 'administrators', 'may give'],
      shown.organisations.map(({ name, administrators, threshold, roles }) => {
        return [name, `${threshold} of ${administrators.length}`, roles.join(', ') || '-'];
      }),
    ),
    '',
    ...accountTable(shown.accounts),
  ]);
  return EXIT.ok;
}

/** One account by its id or one of its keys, with all changes that were about it. */
export async function showMember(url: Urls, key: string, asJson: boolean): Promise<number> {
  const account = await findAccount(url, key);
  const all = await history(url, account.organisation);
  const keys = new Set([account.id]);
  for (const { proposal } of all) {
    const { kind, value } = proposal.change;
    if (kind === 'rotate' && keys.has(String(value.account))) keys.add(String(value.key));
  }
  const own = all.filter(({ proposal: { change } }) => keys.has(String(change.value.account ?? change.value.key)));
  print(asJson, { ...account, history: own }, [...pairs(accountPairs(account)), '', ...own.flatMap(historyLines)]);
  return EXIT.ok;
}

export async function showHistory(url: Urls, organisation: string, asJson: boolean): Promise<number> {
  const all = await history(url, organisation);
  print(asJson, { items: all }, all.flatMap(historyLines));
  return EXIT.ok;
}

/** What waits for more approvals, of one organisation or of all. */
export async function listApprovals(url: Urls, organisation: string | undefined, asJson: boolean): Promise<number> {
  const organisations = await rows<OrganisationRow>(url, 'members.organisations');
  const { time } = await askChain(url);
  const items = [];
  for (const { key: name, value } of organisations) {
    if (organisation !== undefined && name !== organisation) continue;
    for (const [id, { proposal, approvals }] of await openProposals(url, value)) {
      if (proposal.expires < time) continue;
      items.push({ id, threshold: value.threshold, proposal, approvals });
    }
  }
  const lines = items.flatMap(({ id, threshold, proposal, approvals }) => [
    `${proposal.organisation}: ${inWords(proposal.change)}`,
    `  proposal ${id}, until ${new Date(proposal.expires).toISOString()}`,
    `  approved by ${approvals.length} of the ${threshold} that are needed: ${approvals.map((one) => one.administrator).join(', ')}`,
  ]);
  print(asJson, { items }, lines.length === 0 ? ['nothing is open'] : lines);
  return EXIT.ok;
}

/**
 * Approves a change: the open proposal with exactly this change if there is one, else a new one. So each administrator runs
 * the same command, sees what it approves, and the last one makes it effective. `json` may name accounts of its
 * organisation by `account`.
 */
export async function changeMembers(json: ShownChange, options: ChangeOptions): Promise<number> {
  const { url } = options;
  const account = await accountNamed(options.as);
  const organisation = await administrator(url, account.signer.publicKey, options.as);
  const change = await readChange(url, organisation, json);
  const proposal = await proposalOf(url, organisation, change, options.days);
  const call = { module: 'members', action: 'approve', args: encode(proposalCodec, proposal) };
  const { sent, lines } = await sendCalls(account, [call], options);
  const events = (sent.receipt?.events ?? []) as readonly { name: string; data: { [name: string]: Json } }[];
  const changed = events.find(({ name }) => name === 'changed');
  const approved = events.find(({ name }) => name === 'approved');
  const id = toHex(proposalId(proposal));
  const said = changed
    ? `effective: change ${changed.data.number} of ${organisation}`
    : approved && `open: ${approved.data.approvals} of the ${approved.data.threshold} approvals that are needed`;
  print(options.json, { ...sent, proposal: id, effective: changed !== undefined }, [
    `change   ${inWords(changeCodec.toJson(change) as unknown as ShownChange)}`,
    `proposal ${id}`,
    ...(said === undefined ? [] : [said]),
    '',
    ...lines,
  ]);
  return exitOf(sent);
}

export async function retractApproval(id: string, options: Omit<ChangeOptions, 'days'>): Promise<number> {
  const args = fromHex(id);
  if (args?.length !== 32) throw new CliError(EXIT.usage, 'USAGE', `${id}: expected the id of a proposal`);
  const call = { module: 'members', action: 'retract', args };
  const { sent, lines } = await sendCalls(await accountNamed(options.as), [call], options);
  print(options.json, sent, lines);
  return exitOf(sent);
}

/** The change that is asked for, with accounts by their keys. */
async function readChange(url: Urls, organisation: string, { kind, value }: ShownChange): Promise<Change> {
  const { account } = value;
  const named = typeof account === 'string' && fromHex(account) === undefined;
  const json = named ? { ...value, account: await accountId(url, organisation, account) } : value;
  const read = tryFromJson(changeCodec, { kind, value: json });
  if (!read.ok) throw new CliError(EXIT.usage, 'USAGE', read.problem);
  return read.value;
}

async function proposalOf(url: Urls, organisation: string, change: Change, days: number): Promise<Proposal> {
  const { time } = await askChain(url);
  const wanted = encode(changeCodec, change);
  const value = (await row<OrganisationRow>(url, 'members.organisations', organisation))!;
  for (const [, { proposal }] of await openProposals(url, value)) {
    const open = proposalCodec.fromJson(proposal as unknown as Json);
    if (equalBytes(encode(changeCodec, open.change), wanted) && open.expires > time) return open;
  }
  return { organisation, nonce: randomBytes(8), expires: time + days * DAY_MS, change };
}

/** By id. */
async function openProposals(url: Urls, { administrators }: OrganisationRow): Promise<Map<string, Approved>> {
  const found = new Map<string, Approved>();
  for (const key of administrators) {
    const { open } = (await row<{ open: readonly string[] }>(url, 'members.administrators', key)) ?? { open: [] };
    for (const id of open) {
      const proposal = found.has(id) ? undefined : await row<ProposalRow>(url, 'members.proposals', id);
      if (proposal?.kind === 'open') found.set(id, proposal.value);
    }
  }
  return found;
}

async function history(url: Urls, organisation: string) {
  const found = await rows<Approved>(url, 'members.history', hashOf(organisation));
  return found.map(({ value }, i) => ({ number: i + 1, ...value }));
}

function historyLines({ number, proposal, approvals }: Approved & { readonly number: number }): string[] {
  return [
    `${String(number).padStart(4)}  ${new Date(approvals.at(-1)!.time).toISOString()}  ${inWords(proposal.change)}`,
    ...approvals.map(
      ({ administrator, time }) => `      approved by ${administrator} at ${new Date(time).toISOString()}`,
    ),
  ];
}

function inWords({ kind, value }: ShownChange): string {
  const said = Object.entries(value).map(
    ([name, one]) => `${name} ${Array.isArray(one) ? one.join(', ') || '-' : one}`,
  );
  return `${kind}: ${said.join('; ')}`;
}

function hashOf(organisation: string): string {
  return toHex(organisationHash(organisation));
}
