import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { equalBytes, fromHex, toHex } from '../../ledger/bytes.ts';
import { type Json, sameEncoding, tryFromJson } from '../../ledger/codec.ts';
import {
  type GovernanceChange,
  type GovernanceProposal,
  governanceChangeCodec,
  governanceProposalCodec,
  governanceProposalId,
  governanceProposals,
} from '../../ledger/modules/governance-change.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { type SignedReady, signedReadyCodec } from '../../ledger/ready.ts';
import { accountNamed, type SigningAccount } from './accounts.ts';
import { CliError, EXIT } from './errors.ts';
import { type AskedChange, readChange } from './gov-changes.ts';
import { basisNow, openProposals } from './gov-show.ts';
import { describeNow, descriptionJson, descriptionLines, inWords } from './gov-words.ts';
import { ask, askChain, type Urls } from './http.ts';
import { print } from './output.ts';
import { administrator, rowOf } from './rows.ts';
import { exitOf, type SendOptions, type Sent, sendCalls } from './send.ts';

/** `quorate gov propose`, `approve`, `retract`, `activate`: what an administrator sends to module `governance`. */

export type GovOptions = SendOptions;
export type ProposeOptions = GovOptions & { readonly days: number; readonly dryRun: boolean };

const DAY_MS = 86_400_000;
const READY_WITHIN_MS = 60_000;
const READY_AGAIN_MS = 250;

/** Approves a change in a new proposal. With `dryRun` says what it would do, and sends nothing. */
export async function propose(asked: AskedChange, options: ProposeOptions): Promise<number> {
  const { url, json, as, days, dryRun } = options;
  const account = await accountNamed(as);
  const organisation = await administrator(url, account.signer.publicKey, as);
  const change = await readChange(url, asked);
  if (dryRun) return sayWhatItDoes(url, change, organisation, json);
  const { time } = await askChain(url);
  // Two proposals of one change would share the approvals out between them.
  const open = await openProposals(url);
  const same = open.find(({ approved: { proposal } }) => sameEncoding(governanceChangeCodec, proposal.change, change));
  if (same !== undefined && same.approved.proposal.expires >= time) {
    const problem = `this change is proposed already: quorate gov approve ${toHex(same.id)}`;
    throw new CliError(EXIT.failed, 'PROPOSED_ALREADY', problem);
  }
  return sendApproval(account, { nonce: randomBytes(8), expires: time + days * DAY_MS, change }, options);
}

/** Approves exactly the open proposal with this id. */
export async function approve(idText: string, options: GovOptions): Promise<number> {
  const id = idOf(idText);
  const account = await accountNamed(options.as);
  await administrator(options.url, account.signer.publicKey, options.as);
  const proposal = await proposalOf(options.url, id, 'open');
  return sendApproval(account, proposal, options);
}

export async function retract(idText: string, options: GovOptions): Promise<number> {
  const proposal = toHex(idOf(idText));
  return send(await accountNamed(options.as), 'retract', { proposal }, options, { proposal }, []);
}

/** Makes a passed addition take effect: with the READY of each of its candidates, from their nodes in whatever order. */
export async function activate(idText: string, candidates: readonly string[], options: GovOptions): Promise<number> {
  const id = idOf(idText);
  const { change } = await proposalOf(options.url, id, 'passed');
  if (change.kind !== 'validators')
    throw new CliError(EXIT.failed, 'NOTHING_TO_ACTIVATE', `proposal ${idText} adds no validators`);
  const shown = await Promise.all(candidates.map(readyOf));
  const ready = change.value.add.map(({ name, key }) => {
    const own = shown.find((one) => equalBytes(one.ready.key, key));
    if (own !== undefined) return signedReadyCodec.toJson(own);
    const keys = shown.map((one) => toHex(one.ready.key)).join(', ');
    const problem = `none of the candidates' nodes has the key of ${name}, ${toHex(key)}; they have ${keys}`;
    throw new CliError(EXIT.failed, 'OTHER_CANDIDATE', problem);
  });
  const args = { proposal: toHex(id), ready };
  return send(await accountNamed(options.as), 'activate', args, options, { proposal: args.proposal }, []);
}

async function sayWhatItDoes(
  url: Urls,
  change: GovernanceChange,
  organisation: string,
  asJson: boolean,
): Promise<number> {
  const description = await describeNow(url, change, organisation);
  print(asJson, { change: governanceChangeCodec.toJson(change), ...descriptionJson(description) }, [
    `change   ${inWords(change, await basisNow(url))}`,
    ...descriptionLines(description),
    'nothing is sent',
  ]);
  return description.problem === undefined ? EXIT.ok : EXIT.failed;
}

async function sendApproval(
  account: SigningAccount,
  proposal: GovernanceProposal,
  options: GovOptions,
): Promise<number> {
  const id = toHex(governanceProposalId(proposal));
  const lines = [
    `change   ${inWords(proposal.change, await basisNow(options.url))}`,
    `proposal ${id}, until ${new Date(proposal.expires).toISOString()}`,
  ];
  return send(account, 'approve', governanceProposalCodec.toJson(proposal), options, { proposal: id }, lines);
}

async function send(
  account: SigningAccount,
  action: string,
  json: Json,
  options: GovOptions,
  shown: { readonly proposal: string },
  lines: readonly string[],
): Promise<number> {
  const args = quorateApplication.argsFromJson('governance', action, json);
  if (!args.ok) throw new CliError(EXIT.usage, 'USAGE', args.problem);
  const call = { module: 'governance', action, args: args.value };
  const { sent, lines: ending } = await sendCalls(account, [call], options);
  const { state, words } = outcomeOf(sent);
  print(options.json, { ...sent, ...shown, ...(state && { state }) }, [...lines, ...words, '', ...ending]);
  return exitOf(sent);
}

type Event = { readonly name: string; readonly data: { readonly [name: string]: Json } };

/** What became of the proposal, as far as the receipt is known. */
function outcomeOf({ receipt }: Sent): { readonly state?: string; readonly words: readonly string[] } {
  const events = (receipt?.events ?? []) as readonly Event[];
  const find = (name: string) => events.find((event) => event.name === name)?.data;
  const [changed, passed, approved] = [find('changed'), find('passed'), find('approved')];
  if (changed !== undefined)
    return {
      state: 'effective',
      words: [`effective: change ${changed.number}, the next block is of epoch ${changed.epoch}`],
    };
  if (passed !== undefined)
    return {
      state: 'passed',
      words: ['passed: takes effect with quorate gov activate, when its candidates are ready'],
    };
  if (approved === undefined) return { words: [] };
  const { organisation, approvals, threshold, organisations, needed } = approved;
  const said = `open: ${approvals} of ${threshold} of ${organisation}, ${organisations} of the ${needed} organisations that are needed`;
  return { state: 'open', words: [said] };
}

async function proposalOf(url: Urls, id: Uint8Array, state: 'open' | 'passed'): Promise<GovernanceProposal> {
  const found = await rowOf(url, governanceProposals, [id]);
  if (found?.kind !== state)
    throw new CliError(
      EXIT.failed,
      `NOT_${state.toUpperCase()}`,
      `proposal ${toHex(id)} is ${found?.kind ?? 'not there'}`,
    );
  const { proposal } = found.value;
  // The id is what the administrators agreed on; a node could show them another change under it.
  if (equalBytes(governanceProposalId(proposal), id)) return proposal;
  throw new CliError(EXIT.failed, 'OTHER_PROPOSAL', `${url} answers with a proposal that has not the id ${toHex(id)}`);
}

/** A candidate that catches up still is asked again. */
async function readyOf(url: string): Promise<SignedReady> {
  const end = Date.now() + READY_WITHIN_MS;
  for (let said = false; ; said = true) {
    try {
      const read = tryFromJson(signedReadyCodec, await ask<Json>(url, '/v1/candidacy'));
      if (read.ok) return read.value;
      throw new CliError(EXIT.failed, 'NOT_QUORATE', `${url} answers without a READY: ${read.problem}`);
    } catch (error) {
      if (!(error instanceof CliError) || error.code !== 'not-ready' || Date.now() > end) throw error;
      if (!said) process.stderr.write(`waiting for ${url}: ${error.message}\n`);
      await delay(READY_AGAIN_MS);
    }
  }
}

function idOf(text: string): Uint8Array {
  const id = fromHex(text);
  if (id?.length !== 32) throw new CliError(EXIT.usage, 'USAGE', `${text}: expected the id of a proposal`);
  return id;
}
