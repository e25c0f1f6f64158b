import { fromHex, toHex } from '../../ledger/bytes.ts';
import { type Json, tryFromJson } from '../../ledger/codec.ts';
import { parametersTable, validatorsTable } from '../../ledger/modules/epoch.ts';
import { type GovernanceChange, governanceChangeCodec } from '../../ledger/modules/governance-change.ts';
import { guests, summary } from '../../ledger/modules/node-keys.ts';
import { CURRENT } from '../../ledger/modules/rows.ts';
import { parametersCodec } from '../../ledger/parameters.ts';
import { rotationMessage } from '../../ledger/ready.ts';
import type { ValidatorSet } from '../../ledger/validators.ts';
import { readKeyFile } from '../../light/keystore/key-file.ts';
import { createSigner } from '../signatures.ts';
import { CliError, EXIT } from './errors.ts';
import { askChain, type Urls } from './http.ts';
import { rowOf } from './rows.ts';

/** A change of governance as a command line says it: by names, and only what differs. */
export type AskedChange =
  /** `name=value` each, on top of the parameters in force. */
  | { readonly kind: 'parameters'; readonly set: readonly string[] }
  /** `name:organisation:0xconsensus:0xpeer` each; names of those who leave. */
  | {
      readonly kind: 'validators';
      readonly add: readonly string[];
      readonly remove: readonly string[];
      readonly shrinksTo: number;
    }
  /** The file has the consensus key that it will vote with. */
  | { readonly kind: 'rotate'; readonly name: string; readonly nextKey: string; readonly peerKey: string | undefined }
  /** By name or peer key. */
  | { readonly kind: 'removeObserver'; readonly observer: string }
  | { readonly kind: 'admit' | 'expel' | 'observer' | 'limits'; readonly value: { readonly [name: string]: Json } };

/** The change in full, by what is in force now. */
export async function readChange(url: Urls, asked: AskedChange): Promise<GovernanceChange> {
  switch (asked.kind) {
    case 'parameters':
      return fromJson('parameters', await parametersWith(url, asked.set));
    case 'validators':
      return fromJson('validators', {
        add: asked.add.map(validatorOf),
        remove: await keysOf(url, asked.remove),
        shrinksTo: asked.shrinksTo,
      });
    case 'rotate':
      return fromJson('rotate', await rotationOf(url, asked));
    case 'removeObserver':
      return fromJson('removeObserver', { peerKey: await observerKey(url, asked.observer) });
    default:
      return fromJson(asked.kind, asked.value);
  }
}

function fromJson(kind: GovernanceChange['kind'], value: Json): GovernanceChange {
  const read = tryFromJson(governanceChangeCodec, { kind, value });
  if (!read.ok) throw usage(read.problem);
  return read.value;
}

async function parametersWith(url: Urls, set: readonly string[]): Promise<Json> {
  const inForce = (await rowOf(url, parametersTable, [CURRENT]))!;
  const json = { ...(parametersCodec.toJson(inForce) as { [name: string]: Json }) };
  for (const one of set) {
    const [, name = '', value = ''] = /^([A-Za-z]+)=(.+)$/.exec(one) ?? [];
    if (!Object.hasOwn(json, name))
      throw usage(`${one}: expected name=value with one of ${Object.keys(json).join(', ')}`);
    const isNumber = typeof json[name] === 'number';
    if (isNumber && !/^(0|[1-9][0-9]{0,14})$/.test(value)) throw usage(`${one}: expected a whole number`);
    json[name] = isNumber ? Number(value) : value;
  }
  return json;
}

/** `name:organisation:0xconsensus-key:0xpeer-key` as JSON of a Validator; its parts are for its codec to judge. */
export function validatorOf(text: string): Json {
  const [name = '', organisation = '', key = '', peerKey, ...rest] = text.split(':');
  if (peerKey === undefined || rest.length > 0)
    throw usage(`${text}: expected name:organisation:0xconsensus-key:0xpeer-key`);
  return { name, organisation, key, peerKey };
}

async function keysOf(url: Urls, names: readonly string[]): Promise<readonly string[]> {
  const validators = names.length === 0 ? [] : await validatorsNow(url);
  return names.map((name) => toHex(named(validators, name).key));
}

async function rotationOf(
  url: Urls,
  { name, nextKey, peerKey: peerText }: Extract<AskedChange, { kind: 'rotate' }>,
): Promise<Json> {
  const now = named(await validatorsNow(url), name);
  const peerKey = peerText === undefined ? now.peerKey : fromHex(peerText);
  if (peerKey?.length !== 32) throw usage(`--peer-key ${peerText}: expected a public key`);
  const { genesisId } = await askChain(url);
  const next = createSigner(readKeyFile(nextKey, 'consensus').seed);
  const rotated = { ...now, key: next.publicKey, peerKey };
  return {
    key: toHex(now.key),
    next: toHex(next.publicKey),
    peerKey: toHex(peerKey),
    possession: toHex(next.sign(rotationMessage(fromHex(genesisId)!, rotated))),
  };
}

async function observerKey(url: Urls, observer: string): Promise<string> {
  if (observer.startsWith('0x')) return observer;
  const { guests: keys } = (await rowOf(url, summary, [CURRENT]))!;
  const found = [];
  for (const key of keys) {
    const guest = await rowOf(url, guests, [key]);
    if (guest?.kind === 'observer' && guest.name === observer) found.push(toHex(key));
  }
  // Names of observers need not differ.
  if (found.length === 1) return found[0]!;
  const problem = found.length === 0 ? 'no observer has this name' : `name one by its peer key: ${found.join(', ')}`;
  throw new CliError(EXIT.failed, 'UNKNOWN_OBSERVER', `${observer}: ${problem}`);
}

async function validatorsNow(url: Urls): Promise<ValidatorSet> {
  return (await rowOf(url, validatorsTable, [CURRENT]))!;
}

function named(validators: ValidatorSet, name: string) {
  const found = validators.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = validators.map((one) => one.name).join(', ');
  throw new CliError(EXIT.failed, 'UNKNOWN_VALIDATOR', `no validator is called ${name}; there are ${names}`);
}

function usage(message: string): CliError {
  return new CliError(EXIT.usage, 'USAGE', message);
}
