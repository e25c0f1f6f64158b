import { toHex } from '../ledger/bytes.ts';
import { isReadableName } from '../ledger/name.ts';
import { parametersProblem, sizeProblem } from '../ledger/parameters.ts';
import { publicKeyProblem } from '../ledger/public-key.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import { faultsTolerated } from '../ledger/validators.ts';
import type { GenesisFile } from './file.ts';
import { possessionMessage } from './possession.ts';

export interface RuleProblem {
  readonly code:
    | 'bad-name'
    | 'bad-time'
    | 'duplicate'
    | 'unknown-organisation'
    | 'role-not-allowed'
    | 'bad-threshold'
    | 'bad-key'
    | 'bad-address'
    | 'bad-possession'
    | 'bad-parameters'
    | 'bad-recovery';
  /** Path, what was expected, what came. */
  readonly problem: string;
}

/** R10: as many as governance needs, more than two thirds. */
const RECOVERY_PERCENT_MIN = 67;

/** End of the year 9999: what can be written as a date. */
const TIME_MAX = 253_402_300_799_999;

/** What a file of the right form still gets wrong, or undefined. Signatures last: they cost most. */
export function rulesProblem(file: GenesisFile, verify: VerifySignature): RuleProblem | undefined {
  return (
    namesProblem(file) ??
    referencesProblem(file) ??
    keysProblem(file) ??
    addressesProblem(file) ??
    chainProblem(file) ??
    possessionProblem(file, verify)
  );
}

/** What is allowed and should still be seen by whoever starts this chain. */
export function genesisWarnings({ validators }: GenesisFile): readonly string[] {
  const n = validators.length;
  const f = faultsTolerated(n);
  const warnings: string[] = [];
  if (n === 1) warnings.push('1 validator: for development only, it alone decides everything');
  else if (n < 4) {
    warnings.push(
      `${n} VALIDATORS TOLERATE NO FAULT AT ALL: one that is faulty or merely down stops or splits the chain; 4 tolerate 1`,
    );
  } else if (n !== 3 * f + 1) {
    warnings.push(`${n} validators tolerate ${f} faulty, as ${3 * f + 1} would; ${3 * f + 4} tolerate ${f + 1}`);
  }
  if (n < 4) return warnings;
  const owned = new Map<string, number>();
  for (const { organisation } of validators) owned.set(organisation, (owned.get(organisation) ?? 0) + 1);
  for (const [organisation, count] of owned) {
    if (count > f)
      warnings.push(
        `organisation ${organisation} runs ${count} of ${n} validators, more than the ${f} that may be faulty`,
      );
  }
  return warnings;
}

function namesProblem({ chain, organisations, validators, accounts }: GenesisFile): RuleProblem | undefined {
  const problem = nameProblem('genesis.chain', chain);
  if (problem !== undefined) return problem;
  const lists = { organisations, validators, accounts };
  for (const [list, entries] of Object.entries(lists)) {
    const problem = duplicate(entries.map(({ name }, index) => [`genesis.${list}[${index}].name`, name]));
    if (problem !== undefined) return problem;
    for (const [index, { name }] of entries.entries()) {
      const problem = nameProblem(`genesis.${list}[${index}].name`, name);
      if (problem !== undefined) return problem;
    }
  }
  for (const [list, entries] of Object.entries({ organisations, accounts })) {
    for (const [index, { roles }] of entries.entries()) {
      const problem = rolesProblem(`genesis.${list}[${index}].roles`, roles);
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
}

function rolesProblem(path: string, roles: readonly string[]): RuleProblem | undefined {
  const problem = duplicate(roles.map((role, at) => [`${path}[${at}]`, role]));
  if (problem !== undefined) return problem;
  for (const [at, role] of roles.entries()) {
    const problem = nameProblem(`${path}[${at}]`, role);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function referencesProblem({ organisations, validators, accounts }: GenesisFile): RuleProblem | undefined {
  const known = new Map(organisations.map(({ name, roles }) => [name, roles]));
  const lists = { validators, accounts };
  for (const [list, entries] of Object.entries(lists)) {
    for (const [index, { organisation }] of entries.entries()) {
      if (known.has(organisation)) continue;
      const path = `genesis.${list}[${index}].organisation`;
      return {
        code: 'unknown-organisation',
        problem: `${path}: no organisation has the name ${JSON.stringify(organisation)}`,
      };
    }
  }
  for (const [index, { organisation, roles }] of accounts.entries()) {
    const allowed = known.get(organisation)!;
    for (const [at, role] of roles.entries()) {
      if (allowed.includes(role)) continue;
      const path = `genesis.accounts[${index}].roles[${at}]`;
      const problem = `${path}: organisation ${JSON.stringify(organisation)} may not give the role ${JSON.stringify(role)}`;
      return { code: 'role-not-allowed', problem };
    }
  }
  for (const [index, { administrators, threshold }] of organisations.entries()) {
    if (threshold >= 1 && threshold <= administrators.length) continue;
    const path = `genesis.organisations[${index}].threshold`;
    return {
      code: 'bad-threshold',
      problem: `${path}: expected 1 to ${administrators.length}, the administrators, got ${threshold}`,
    };
  }
  return undefined;
}

/**
 * One key has one use: a consensus, peer or account key stands nowhere else. An administrator acts for one organisation;
 * the same key may also be an account.
 */
function keysProblem({ organisations, validators, accounts }: GenesisFile): RuleProblem | undefined {
  const nodeKeys: Named<Uint8Array>[] = validators.flatMap(({ key, peerKey }, index) => [
    [`genesis.validators[${index}].key`, key],
    [`genesis.validators[${index}].peerKey`, peerKey],
  ]);
  const accountKeys = accounts.map(({ key }, index): Named<Uint8Array> => [`genesis.accounts[${index}].key`, key]);
  const administratorKeys = organisations.flatMap(({ administrators }, index) =>
    administrators.map((key, at): Named<Uint8Array> => [`genesis.organisations[${index}].administrators[${at}]`, key]),
  );
  for (const keys of [
    [...nodeKeys, ...accountKeys],
    [...nodeKeys, ...administratorKeys],
  ]) {
    const problem = duplicate(keys.map(([path, key]) => [path, toHex(key)]));
    if (problem !== undefined) return problem;
  }
  for (const [path, key] of [...nodeKeys, ...administratorKeys, ...accountKeys]) {
    const problem = publicKeyProblem(key);
    if (problem !== undefined) return { code: 'bad-key', problem: `${path}: ${problem}` };
  }
  return undefined;
}

function addressesProblem({ validators }: GenesisFile): RuleProblem | undefined {
  for (const [index, { addresses }] of validators.entries()) {
    const path = `genesis.validators[${index}].addresses`;
    const problem = duplicate(addresses.map((address, at) => [`${path}[${at}]`, address]));
    if (problem !== undefined) return problem;
    for (const [at, address] of addresses.entries()) {
      if (/^(\/[A-Za-z0-9._~%:+=-]+)+$/.test(address)) continue;
      const expected = 'expected a multiaddress like /ip4/192.0.2.1/tcp/4001';
      return { code: 'bad-address', problem: `${path}[${at}]: ${expected}, got ${JSON.stringify(address)}` };
    }
  }
  return undefined;
}

function chainProblem({ time, recovery, parameters, validators }: GenesisFile): RuleProblem | undefined {
  if (time > TIME_MAX) {
    return { code: 'bad-time', problem: `genesis.time: expected ms since 1970 up to ${TIME_MAX}, got ${time}` };
  }
  if (recovery !== 0 && (recovery < RECOVERY_PERCENT_MIN || recovery > 100)) {
    const problem = `genesis.recovery: expected 0 or ${RECOVERY_PERCENT_MIN} to 100, got ${recovery}`;
    return { code: 'bad-recovery', problem };
  }
  const problem = parametersProblem(parameters) ?? sizeProblem(validators.length, parameters.window);
  return problem === undefined ? undefined : { code: 'bad-parameters', problem: `genesis.parameters: ${problem}` };
}

function possessionProblem({ chain, validators }: GenesisFile, verify: VerifySignature): RuleProblem | undefined {
  for (const [index, validator] of validators.entries()) {
    if (verify(validator.possession, possessionMessage(chain, validator), validator.key)) continue;
    const path = `genesis.validators[${index}].possession`;
    const problem = `${path}: not a signature by ${toHex(validator.key)} for this name, organisation, peerKey and chain`;
    return { code: 'bad-possession', problem };
  }
  return undefined;
}

/** A path in the file and what stands there. */
type Named<T> = readonly [path: string, value: T];

function duplicate(entries: readonly Named<string>[]): RuleProblem | undefined {
  const seen = new Map<string, string>();
  for (const [path, value] of entries) {
    const first = seen.get(value);
    if (first !== undefined)
      return { code: 'duplicate', problem: `${path}: ${JSON.stringify(value)} stands already at ${first}` };
    seen.set(value, path);
  }
  return undefined;
}

function nameProblem(path: string, name: string): RuleProblem | undefined {
  if (isReadableName(name)) return undefined;
  const expected = 'expected visible characters with single spaces between words';
  return { code: 'bad-name', problem: `${path}: ${expected}, got ${JSON.stringify(name)}` };
}
