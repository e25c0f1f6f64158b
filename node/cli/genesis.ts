import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createGenesis, possessionMessage } from '../../genesis/ceremony.ts';
import {
  accountEntryCodec,
  type GenesisFile,
  organisationEntryCodec,
  validatorEntryCodec,
} from '../../genesis/file.ts';
import { toHex } from '../../ledger/bytes.ts';
import { type Codec, type Json, struct, tryFromJson } from '../../ledger/codec.ts';
import { defaultParameters } from '../../ledger/parameters.ts';
import { readKeyFile, writeKeyFile } from '../../light/keystore/key-file.ts';
import { chooseSignatures, createSigner } from '../signatures.ts';
import { CliError, EXIT } from './errors.ts';
import { print } from './output.ts';

/** What one organisation hands to whoever builds the genesis file; nothing in it is secret. */
const joinCodec = struct({ validator: validatorEntryCodec, organisation: organisationEntryCodec });

export interface JoinOptions {
  readonly chain: string;
  readonly name: string;
  readonly organisation: string;
  readonly admin: readonly string[];
  readonly threshold: number;
  readonly role: readonly string[];
  readonly address: readonly string[];
  readonly keys: string;
  readonly out: string;
  readonly json: boolean;
}

/**
 * `quorate genesis join`: makes this validator's keys where there are none, proves possession of the consensus key, and
 * writes the file to hand over.
 */
export function joinGenesis(options: JoinOptions): number {
  mkdirSync(options.keys, { recursive: true, mode: 0o700 });
  const consensus = createSigner(keyIn(options.keys, 'consensus'));
  const peer = createSigner(keyIn(options.keys, 'peer'));
  const { name, organisation } = options;
  const validator = { name, organisation, key: consensus.publicKey, peerKey: peer.publicKey };
  const possession = consensus.sign(possessionMessage(options.chain, validator));
  const entry = read(
    joinCodec,
    {
      validator: {
        name,
        organisation,
        key: toHex(validator.key),
        peerKey: toHex(validator.peerKey),
        possession: toHex(possession),
        addresses: [...options.address],
      },
      organisation: {
        name: organisation,
        administrators: [...options.admin],
        threshold: options.threshold,
        roles: [...options.role],
      },
    },
    'the options',
  );
  write(options.out, `${JSON.stringify(joinCodec.toJson(entry), undefined, 2)}\n`);
  const shown = { out: options.out, key: toHex(validator.key), peerKey: toHex(validator.peerKey) };
  print(options.json, shown, [
    `validator ${name} of ${organisation}`,
    `consensus key ${shown.key}`,
    `peer key      ${shown.peerKey}`,
    `hand ${options.out} to whoever builds the genesis file; keep ${options.keys} to yourself`,
  ]);
  return EXIT.ok;
}

export interface BuildOptions {
  readonly chain: string;
  /** Each `name:organisation:0xkey:role,role`. */
  readonly account: readonly string[];
  /** R10: how many of 100 organisations must sign a recovery; 0: none is possible. */
  readonly recovery: number;
  readonly out: string;
  readonly json: boolean;
}

/** `quorate genesis build`: puts the organisations' files together, in the order given, and checks the whole. */
export function buildGenesis(files: readonly string[], options: BuildOptions): number {
  const joins = files.map((file) => read(joinCodec, parse(file), file));
  const organisations = new Map<string, GenesisFile['organisations'][number]>();
  for (const [i, { organisation }] of joins.entries()) {
    const known = organisations.get(organisation.name);
    if (
      known !== undefined &&
      JSON.stringify(organisationEntryCodec.toJson(known)) !==
        JSON.stringify(organisationEntryCodec.toJson(organisation))
    ) {
      throw new CliError(
        EXIT.failed,
        'GENESIS',
        `${files[i]}: organisation ${organisation.name} has other administrators or roles elsewhere`,
      );
    }
    organisations.set(organisation.name, organisation);
  }
  const created = createGenesis(
    {
      chain: options.chain,
      time: Date.now(),
      organisations: [...organisations.values()],
      validators: joins.map(({ validator }) => validator),
      accounts: options.account.map(readAccount),
      recovery: options.recovery,
      parameters: defaultParameters,
    },
    chooseSignatures().verify,
  );
  if (!created.ok) throw new CliError(EXIT.failed, created.code, created.problem);
  const { genesis } = created;
  write(options.out, genesis.text);
  const id = toHex(genesis.id);
  print(options.json, { out: options.out, id, warnings: genesis.warnings }, [
    `genesis ${id} written to ${options.out}`,
    'every organisation compares this id: npx quorate genesis show <file>',
    ...genesis.warnings.map((warning) => `warning: ${warning}`),
  ]);
  return EXIT.ok;
}

function keyIn(directory: string, kind: 'consensus' | 'peer'): Uint8Array {
  const path = join(directory, `${kind}.json`);
  return existsSync(path) ? readKeyFile(path, kind).seed : writeKeyFile(path, kind, randomBytes(32)).seed;
}

function readAccount(text: string): GenesisFile['accounts'][number] {
  const [name = '', organisation = '', key = '', roles = '', ...rest] = text.split(':');
  if (rest.length > 0)
    throw new CliError(EXIT.usage, 'USAGE', `--account ${text}: expected name:organisation:0xkey:role,role`);
  const json = { name, organisation, key, roles: roles === '' ? [] : roles.split(',') };
  return read(accountEntryCodec, json, `--account ${text}`);
}

function read<T>(codec: Codec<T>, json: Json, place: string): T {
  const decoded = tryFromJson(codec, json);
  if (decoded.ok) return decoded.value;
  throw new CliError(EXIT.usage, 'USAGE', `${place}: ${decoded.problem}`);
}

function parse(file: string): Json {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Json;
  } catch (cause) {
    throw new CliError(EXIT.usage, 'FILE', `${file} can't be read: ${(cause as Error).message}`, { cause });
  }
}

/** Never over another file: a genesis file is made once. */
function write(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx' });
  } catch (cause) {
    throw new CliError(EXIT.failed, 'FILE', `${path} can't be written: ${(cause as Error).message}`, { cause });
  }
}
