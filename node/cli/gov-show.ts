import { genesisCodec } from '../../genesis/file.ts';
import { equalBytes, fromHex, toHex } from '../../ledger/bytes.ts';
import type { CodecType, Json } from '../../ledger/codec.ts';
import { administrators } from '../../ledger/modules/accounts.ts';
import { numberKey } from '../../ledger/modules/approvals.ts';
import { parametersTable, validatorsTable } from '../../ledger/modules/epoch.ts';
import {
  type GovernanceApproval,
  governanceHistory,
  governanceProposals,
} from '../../ledger/modules/governance-change.ts';
import { afterChange } from '../../ledger/modules/governance-effect.ts';
import { summary } from '../../ledger/modules/node-keys.ts';
import { CURRENT } from '../../ledger/modules/rows.ts';
import { CliError, EXIT } from './errors.ts';
import { approvalLines, type Basis, describeNow, descriptionJson, descriptionLines, inWords } from './gov-words.ts';
import { ask, askChain, type Urls } from './http.ts';
import { print } from './output.ts';
import { rowOf, rowsOf } from './rows.ts';

/** `quorate gov list`, `show`, `history`: what is proposed, and what was decided. */

type Proposals = CodecType<typeof governanceProposals.value>;
type Waiting = Extract<Proposals, { readonly kind: 'open' | 'passed' }>;

export interface OpenProposal {
  readonly id: Uint8Array;
  readonly state: Waiting['kind'];
  readonly approved: Waiting['value'];
}

/** Those that are open or passed, also if their time is over. */
export async function openProposals(url: Urls): Promise<readonly OpenProposal[]> {
  const all = await rowsOf(url, governanceProposals);
  return all.flatMap(({ key, value }) => {
    return value.kind === 'effective' ? [] : [{ id: fromHex(key)!, state: value.kind, approved: value.value }];
  });
}

/** What is in force. */
export async function basisNow(url: Urls): Promise<Basis> {
  const [parameters, validators] = [
    await rowOf(url, parametersTable, [CURRENT]),
    await rowOf(url, validatorsTable, [CURRENT]),
  ];
  return { parameters: parameters!, validators: validators! };
}

/** What waits for approvals or for its candidates. */
export async function listProposals(url: Urls, asJson: boolean): Promise<number> {
  const [{ time }, basis, all] = await Promise.all([askChain(url), basisNow(url), openProposals(url)]);
  const waiting = all.filter(({ approved }) => approved.proposal.expires >= time);
  const lines = waiting.flatMap(({ id, state, approved: { proposal, approvals } }) => [
    inWords(proposal.change, basis),
    `  proposal ${toHex(id)}, ${state}, until ${new Date(proposal.expires).toISOString()}`,
    ...approvalLines(approvals).map((line) => `  ${line}`),
  ]);
  print(asJson, { items: waiting.map(proposalJson) }, lines.length === 0 ? ['nothing is proposed'] : lines);
  return EXIT.ok;
}

/** One proposal, which approvals of it count now, and what it would do now. */
export async function showProposal(idText: string, url: Urls, asJson: boolean): Promise<number> {
  const id = fromHex(idText);
  if (id?.length !== 32) throw new CliError(EXIT.usage, 'USAGE', `${idText}: expected the id of a proposal`);
  const found = await rowOf(url, governanceProposals, [id]);
  if (found === undefined) throw new CliError(EXIT.failed, 'UNKNOWN_PROPOSAL', `there is no proposal ${idText}`);
  if (found.kind === 'effective') return showEffective(url, idText, found.value.number, asJson);
  const { proposal, approvals } = found.value;
  const counting = found.kind === 'open' ? await thatCount(url, id, approvals) : approvals;
  const description = await describeNow(url, proposal.change, approvals[0]!.organisation);
  const shown = { id, state: found.kind, approved: { proposal, approvals: counting } };
  print(asJson, { ...proposalJson(shown), ...descriptionJson(description) }, [
    inWords(proposal.change, await basisNow(url)),
    `proposal ${idText}, ${found.kind}, until ${new Date(proposal.expires).toISOString()}`,
    ...approvalLines(counting),
    '',
    ...descriptionLines(description),
  ]);
  return EXIT.ok;
}

/** All that was decided, from the first change on. */
export async function showHistory(url: Urls, asJson: boolean): Promise<number> {
  const all = await history(url);
  print(
    asJson,
    { items: all.map(({ json }) => json) },
    all.length === 0 ? ['nothing was decided'] : all.flatMap(({ lines }) => lines),
  );
  return EXIT.ok;
}

async function showEffective(url: Urls, id: string, number: number, asJson: boolean): Promise<number> {
  const { json, lines } = (await history(url, number)).at(-1)!;
  print(asJson, { id, state: 'effective', ...(json as object) }, lines);
  return EXIT.ok;
}

async function history(
  url: Urls,
  last?: number,
): Promise<readonly { readonly json: Json; readonly lines: string[] }[]> {
  const count = last ?? (await rowOf(url, summary, [CURRENT]))!.changes;
  // What each one changed is what the ones before it had made of genesis.
  let basis: Basis = genesisCodec.fromJson(await ask<Json>(url, '/v1/genesis'));
  const found = [];
  for (let number = 1; number <= count; number++) {
    const row = (await rowOf(url, governanceHistory, [numberKey(number)]))!;
    const { proposal, approvals, height, time, by } = row;
    const lines = [
      `${String(number).padStart(4)}  block ${height}, ${new Date(time).toISOString()}  ${inWords(proposal.change, basis)}`,
      ...approvalLines(approvals).map((line) => `      ${line}`),
      `      took effect by ${toHex(by)}`,
    ];
    found.push({ json: { number, ...(governanceHistory.value.toJson(row) as object) }, lines });
    basis = afterChange(basis, proposal.change);
  }
  return found;
}

/** K07: those of administrators who still are. */
async function thatCount(
  url: Urls,
  id: Uint8Array,
  approvals: readonly GovernanceApproval[],
): Promise<readonly GovernanceApproval[]> {
  const counting = [];
  for (const approval of approvals) {
    const { votes = [] } = (await rowOf(url, administrators, [approval.administrator])) ?? {};
    if (votes.some((one) => equalBytes(one, id))) counting.push(approval);
  }
  return counting;
}

function proposalJson({ id, state, approved }: OpenProposal): { readonly [name: string]: Json } {
  const row = governanceProposals.value.toJson({ kind: state, value: approved }) as { value: { [name: string]: Json } };
  return { id: toHex(id), state, ...row.value };
}
