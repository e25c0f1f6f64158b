import { randomBytes } from 'node:crypto';
import { toHex } from '../../ledger/bytes.ts';
import { faultsTolerated, quorum } from '../../ledger/validators.ts';
import { type KeyKind, readKeyFile, writeKeyFile } from '../../light/keystore/key-file.ts';
import { EXIT } from './errors.ts';
import { ask } from './http.ts';
import { print, table } from './output.ts';
import { readGenesisFile } from './read-genesis.ts';

/** `quorate keys new <file> --kind <kind>`: a new key file of mode 0600; only its public key is shown. */
export function newKey(file: string, kind: KeyKind, asJson: boolean): number {
  const { publicKey } = writeKeyFile(file, kind, randomBytes(32));
  print(asJson, { file, kind, publicKey: toHex(publicKey) }, [`${kind} key ${toHex(publicKey)} written to ${file}`]);
  return EXIT.ok;
}

export function showKey(file: string, kind: KeyKind, asJson: boolean): number {
  const { publicKey } = readKeyFile(file, kind);
  print(asJson, { file, kind, publicKey: toHex(publicKey) }, [toHex(publicKey)]);
  return EXIT.ok;
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

/** `quorate query …`: one GET, printed as JSON. */
export async function query(url: string, path: string): Promise<number> {
  const answer = await ask<object>(url, path);
  process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
  return EXIT.ok;
}
