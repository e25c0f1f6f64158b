import { equalBytes, fromHex, toHex } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { limitsCodec, OTHER_ROLES, type RoleLimits } from '../../ledger/modules/account-limits.ts';
import { type ChangeDescription, describeChange } from '../../ledger/modules/describe-change.ts';
import type { Epoch } from '../../ledger/modules/epoch.ts';
import type { GovernanceApproval, GovernanceChange } from '../../ledger/modules/governance-change.ts';
import { type Parameters, parametersCodec } from '../../ledger/parameters.ts';
import type { ValidatorSet } from '../../ledger/validators.ts';
import { askChain, type Urls } from './http.ts';
import { rowBytes } from './rows.ts';

/** What people are told of a change of governance. */

/** What a change changes. */
export type Basis = Pick<Epoch, 'parameters' | 'validators'>;

/** By the names of `basis`, and only what differs from it. */
export function inWords(change: GovernanceChange, { parameters, validators }: Basis): string {
  switch (change.kind) {
    case 'parameters':
      return `parameters: ${changedParameters(parameters, change.value) || 'as they are'}`;
    case 'validators': {
      const { add, remove, shrinksTo } = change.value;
      const said = [
        ...add.map(({ name, organisation, key }) => `add ${name} of ${organisation} with key ${toHex(key)}`),
        ...remove.map((key) => `remove ${memberOf(validators, key)}`),
        ...(shrinksTo === 0 ? [] : [`which leaves ${shrinksTo}`]),
      ];
      return `validators: ${said.join('; ')}`;
    }
    case 'rotate': {
      const { key, next, peerKey } = change.value;
      return `rotate: ${memberOf(validators, key)} gets key ${toHex(next)} and peer key ${toHex(peerKey)}`;
    }
    case 'admit': {
      const { name, administration, roles } = change.value;
      const { administrators, threshold } = administration;
      const who = `${threshold} of ${administrators.map(toHex).join(', ')}`;
      return `admit: organisation ${name}; administrators ${who}; roles ${roles.join(', ') || '-'}`;
    }
    case 'expel':
      return `expel: organisation ${change.value.organisation}`;
    case 'observer': {
      const { name, organisation, peerKey } = change.value;
      return `observer: ${name} of ${organisation} with peer key ${toHex(peerKey)}`;
    }
    case 'removeObserver':
      return `remove observer: peer key ${toHex(change.value.peerKey)}`;
    case 'limits': {
      const { role, limits } = change.value;
      const who = role === OTHER_ROLES ? 'accounts whose roles have no limits' : `accounts with role ${role}`;
      return `limits: ${who}; ${limits.kind === 'none' ? 'none' : limitsInWords(limits.value)}`;
    }
  }
}

function limitsInWords({ pending, perSecond, burst }: RoleLimits): string {
  return `${pending} pending, ${perSecond} per second, ${burst} at once`;
}

function memberOf(validators: ValidatorSet, key: Uint8Array): string {
  const member = validators.find((one) => equalBytes(one.key, key));
  return `${member === undefined ? '' : `${member.name} with key `}${toHex(key)}`;
}

function changedParameters(before: Parameters, after: Parameters): string {
  const names = Object.keys(parametersCodec.toJson(before) as object) as (keyof Parameters)[];
  const changed = names.filter((name) => before[name] !== after[name]);
  return changed.map((name) => `${name} ${before[name]} -> ${after[name]}`).join('; ');
}

export function approvalLines(approvals: readonly GovernanceApproval[]): string[] {
  return approvals.map(({ organisation, administrator, time }) => {
    return `approved by ${toHex(administrator)} of ${organisation} at ${new Date(time).toISOString()}`;
  });
}

/** A row that `describeChange` asks for and that is not fetched yet. */
class Wanted {
  readonly table: string;
  readonly key: Uint8Array;

  constructor(table: string, key: Uint8Array) {
    this.table = table;
    this.key = key;
  }
}

/**
 * What a change would do if it were decided now, by the rows of a node. Which rows that needs depends on the change, so it is
 * tried until none is missing.
 */
export async function describeNow(
  url: Urls,
  change: GovernanceChange,
  organisation: string,
): Promise<ChangeDescription> {
  const { genesisId, height, time } = await askChain(url);
  const block = { height: height + 1, time, genesisId: fromHex(genesisId)!, organisation };
  const fetched = new Map<string, Uint8Array | undefined>();
  const nameOf = (table: string, key: Uint8Array): string => `${table} ${toHex(key)}`;
  const get = (table: string, key: Uint8Array): Uint8Array | undefined => {
    if (!fetched.has(nameOf(table, key))) throw new Wanted(table, key);
    return fetched.get(nameOf(table, key));
  };
  for (;;) {
    try {
      return describeChange({ get }, change, block);
    } catch (error) {
      if (!(error instanceof Wanted)) throw error;
      fetched.set(nameOf(error.table, error.key), await rowBytes(url, error.table, error.key));
    }
  }
}

export function descriptionJson({ before, after, parameters, limits, problem, detail }: ChangeDescription): {
  readonly [name: string]: Json;
} {
  return {
    before: { ...before },
    after: { ...after },
    parameters: parameters.map((one) => ({ ...one })),
    ...(limits !== undefined && { limits: { ...limits } }),
    ...(problem !== undefined && { problem }),
    ...(detail !== undefined && { detail }),
  };
}

export function descriptionLines({ before, after, parameters, limits, problem, detail }: ChangeDescription): string[] {
  const sizes = ({ n, f, quorum }: typeof before): string =>
    `${n} validators, up to ${f} may be malicious, ${quorum} make a quorum`;
  const said = (json: Json): string => (json === null ? 'none' : limitsInWords(limitsCodec.fromJson(json)));
  return [
    `now      ${sizes(before)}`,
    `then     ${sizes(after)}`,
    ...parameters.map((one) => `         ${one.name}: ${one.old} -> ${one.new}`),
    ...(limits === undefined ? [] : [`         limits of ${limits.role}: ${said(limits.old)} -> ${said(limits.new)}`]),
    problem === undefined
      ? 'possible yes, if it were decided now'
      : `possible no: ${problem}${detail === undefined ? '' : ` (${detail})`}`,
  ];
}
