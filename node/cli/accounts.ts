import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import { sha256 } from '../../ledger/hash.ts';
import { createSigner, type Signer } from '../signatures.ts';
import { CliError, EXIT } from './errors.ts';

export interface DevAccount {
  readonly name: string;
  readonly roles: readonly string[];
}

/** Accounts of every development network. Their keys follow from their names: anybody can sign as them. */
export const DEV_ACCOUNTS: readonly DevAccount[] = [
  { name: 'writer', roles: ['writer'] },
  { name: 'issuer', roles: ['issuer'] },
  { name: 'alice', roles: [] },
  { name: 'bob', roles: [] },
];

/** The publicly known secret seed of a development account, or of anything else in a development network. */
export function devSeed(kind: string, name: string): Uint8Array {
  return sha256(utf8Encode(`quorate dev ${kind} ${name}`));
}

export interface SigningAccount {
  readonly signer: Signer;
  /** True when everybody knows the key. */
  readonly isPublic: boolean;
}

/** What stands before the name of an organisation of a development network whose administrator is meant. */
const ADMINISTRATOR = 'admin:';

/** The administrator of an organisation of every development network. */
export function devAdministrator(organisation: string): { readonly name: string; readonly seed: Uint8Array } {
  return { name: `${ADMINISTRATOR}${organisation}`, seed: devSeed('administrator', organisation) };
}

/** The account or administrator that `--as` names: one of a development network, or a key file or keystore. */
export async function accountNamed(as: string): Promise<SigningAccount> {
  if (!/[./\\]/.test(as) || as.startsWith(ADMINISTRATOR)) return { signer: devSigner(as), isPublic: true };
  const [{ readAccountSeed }, { askPassphrase }] = await Promise.all([
    import('../../light/keystore/keystore.ts'),
    import('./passphrase.ts'),
  ]);
  const seed = await readAccountSeed(as, () => askPassphrase(`Passphrase of ${as}`));
  return { signer: createSigner(seed), isPublic: false };
}

/** An account or administrator of every development network, whose key everybody knows. */
export function devSigner(as: string): Signer {
  if (as.startsWith(ADMINISTRATOR)) return createSigner(devAdministrator(as.slice(ADMINISTRATOR.length)).seed);
  if (DEV_ACCOUNTS.some(({ name }) => name === as)) return createSigner(devSeed('account', as));
  const names = DEV_ACCOUNTS.map(({ name }) => name).join(', ');
  throw new CliError(
    EXIT.usage,
    'UNKNOWN_ACCOUNT',
    `--as ${as}: expected ${names}, ${ADMINISTRATOR} and an organisation, or the path of a key file or keystore (with a / or .)`,
  );
}

/** An account as an argument: a development account's name stands for its public key. */
export function accountArgument(text: string): string {
  const known = DEV_ACCOUNTS.some(({ name }) => name === text);
  return known ? toHex(devSigner(text).publicKey) : text;
}
