import { randomBytes } from 'node:crypto';
import { toHex } from '../../ledger/bytes.ts';
import { faultsTolerated, quorum } from '../../ledger/validators.ts';
import { type KeyKind, readKeyFile, writeKeyFile } from '../../light/keystore/key-file.ts';
import { createKeystore, readAccountSeed, readPublicKey } from '../../light/keystore/keystore.ts';
import { CliError, EXIT } from './errors.ts';
import { print, table } from './output.ts';
import { askNewPassphrase, askPassphrase } from './passphrase.ts';
import { readGenesisFile } from './read-genesis.ts';

export interface KeyOptions {
  readonly kind: KeyKind;
  readonly keystore?: string;
  readonly json: boolean;
}

/** `quorate keys new <file> --kind <kind>`: a new key file of mode 0600; only its public key is shown. */
export async function newKey(file: string | undefined, options: KeyOptions): Promise<number> {
  const { kind, json } = options;
  const path = pathOf(file, options);
  const publicKey =
    options.keystore === undefined
      ? writeKeyFile(path, kind, randomBytes(32)).publicKey
      : (await createKeystore(path, await askNewPassphrase(path))).publicKey;
  const what = options.keystore === undefined ? `${kind} key` : 'account key';
  print(json, { file: path, kind, publicKey: toHex(publicKey) }, [`${what} ${toHex(publicKey)} written to ${path}`]);
  return EXIT.ok;
}

/** `quorate keys show`: of a keystore, the key that it names; with `check` it is opened first. */
export async function showKey(
  file: string | undefined,
  options: KeyOptions & { readonly check: boolean },
): Promise<number> {
  const { kind, check, json } = options;
  const path = pathOf(file, options);
  if (check) await readAccountSeed(path, () => askPassphrase(`Passphrase of ${path}`));
  const publicKey = kind === 'account' ? readPublicKey(path) : readKeyFile(path, kind).publicKey;
  print(json, { file: path, kind, publicKey: toHex(publicKey) }, [toHex(publicKey)]);
  return EXIT.ok;
}

function pathOf(file: string | undefined, { keystore, kind }: KeyOptions): string {
  const [path, more] = [file, keystore].filter((one) => one !== undefined);
  if (path === undefined || more !== undefined)
    throw new CliError(EXIT.usage, 'USAGE', 'expected the path of a key file, or --keystore and a path');
  if (keystore !== undefined && kind !== 'account')
    throw new CliError(EXIT.usage, 'USAGE', `a keystore has the key of an account; validators read key files`);
  return path;
}

/** `quorate genesis show <file>`: what the file says, if it is valid; exit 1 with the reason if not. */
export async function showGenesis(file: string, asJson: boolean): Promise<number> {
  const { id, chain, time, organisations, validators, accounts, recovery, warnings } = await readGenesisFile(file);
  const n = validators.length;
  const lines = [
    `chain       ${chain}`,
    `id          ${toHex(id)}`,
    `time        ${new Date(time).toISOString()}`,
    `recovery    ${recovery === 0 ? 'never: a chain that has lost its quorum for good ends' : `by ${recovery} of 100 organisations, after a lost quorum`}`,
    `validators  ${n}: up to ${faultsTolerated(n)} may be malicious, ${quorum(n)} make a quorum`,
    '',
    ...table(
      ['validator', 'organisation', 'consensus key'],
      validators.map(({ name, organisation, key }) => [name, organisation, toHex(key)]),
    ),
    '',
    ...table(
      ['organisation', 'administrators', 'may give'],
      organisations.map(({ name, administrators, threshold, roles }) => {
        return [name, `${threshold} of ${administrators.length}`, roles.join(', ') || '-'];
      }),
    ),
    '',
    ...table(
      ['account', 'organisation', 'roles', 'key'],
      accounts.map(({ name, organisation, roles, key }) => [name, organisation, roles.join(', ') || '-', toHex(key)]),
    ),
    ...warnings.map((warning) => `warning: ${warning}`),
  ];
  const names = validators.map(({ name }) => name);
  print(asJson, { id: toHex(id), chain, time, recovery, validators: names, warnings }, lines);
  return EXIT.ok;
}
