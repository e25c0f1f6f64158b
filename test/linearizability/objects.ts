import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { signTransaction, type Transaction } from '../../ledger/transaction.ts';
import { devSigner } from '../../node/cli/accounts.ts';
import type { Balances, BankInput, LedgerInput, LedgerOutput, RegisterInput } from './models.ts';

/**
 * What the ledger has that is an object of a model. An asset is a bank. A record is a register that is written once: to
 * register is a cas from nothing, `already-registered` its refusal. Whether an account has a role is a register that can be
 * written again and again: to grant is a cas from nothing to `held`, to withdraw one back.
 */

export const HOLDERS = ['alice', 'bob', 'writer', 'issuer'] as const;
export type Holder = (typeof HOLDERS)[number];
/** Accounts whose roles are registers; nothing else depends on what roles they have. */
export const REGISTER_ACCOUNTS = ['alice', 'bob'] as const;
export const REGISTER_ROLES = ['writer', 'issuer'] as const;
const HELD = 'held';
const ORGANISATION = 'acme';
/** Of a register: its value was another one. */
const REFUSALS = ['already-registered', 'role-held', 'role-not-held'];

type Call = readonly [module: string, action: string, args: { readonly [name: string]: Json }];

const signers = new Map([...HOLDERS, `admin:${ORGANISATION}`].map((name) => [name, devSigner(name)]));
const nameOf = new Map([...signers].map(([name, { publicKey }]) => [toHex(publicKey), name]));

export function keyOf(name: string): string {
  return toHex(signers.get(name)!.publicKey);
}

/** Signs transactions of which no two are the same. */
export class Author {
  readonly #genesisId: Uint8Array;
  readonly #label: string;
  #count = 0;

  constructor(genesisId: Uint8Array, label: string) {
    this.#genesisId = genesisId;
    this.#label = label;
  }

  sign(as: string, validUntil: number, ...calls: readonly Call[]): Transaction {
    const signer = signers.get(as)!;
    const body = {
      sender: signer.publicKey,
      nonce: this.#nonce(),
      validUntil,
      calls: calls.map(([module, action, json]) => {
        const args = quorateApplication.argsFromJson(module, action, json);
        if (!args.ok) throw new Error(args.problem);
        return { module, action, args: args.value };
      }),
      memo: new Uint8Array(0),
    };
    return signTransaction(this.#genesisId, body, (message) => signer.sign(message));
  }

  transfer(
    asset: string,
    { from, to, amount }: Extract<BankInput, { kind: 'transfer' }>,
    validUntil: number,
  ): Transaction {
    return this.sign(from, validUntil, ['assets', 'transfer', { asset, to: keyOf(to), amount: String(amount) }]);
  }

  register(key: string, digest: string, validUntil: number): Transaction {
    return this.sign('writer', validUntil, ['records', 'register', { key, digest, note: '' }]);
  }

  /** Grants or withdraws a role. */
  change(account: string, role: string, isGrant: boolean, validUntil: number): Transaction {
    const change = { kind: isGrant ? 'grant' : 'withdraw', value: { account: keyOf(account), roles: [role] } };
    const proposal = { organisation: ORGANISATION, nonce: toHex(this.#nonce()), expires: validUntil + 60_000, change };
    return this.sign(`admin:${ORGANISATION}`, validUntil, ['members', 'approve', proposal]);
  }

  #nonce(): Uint8Array {
    return sha256(utf8Encode(`${this.#label} ${this.#count++}`)).subarray(0, 8);
  }
}

export function digestOf(text: string): string {
  return toHex(sha256(utf8Encode(text)));
}

export function recordKey(key: string): string {
  return `record ${key}`;
}

export function roleKey(account: string, role: string): string {
  return `role ${role} of ${account}`;
}

export function casOfRole(isGrant: boolean): RegisterInput {
  return isGrant ? { kind: 'cas', from: undefined, to: HELD } : { kind: 'cas', from: HELD, to: undefined };
}

/** What a receipt's code says about a write; throws for a code that it can't have. */
export function outputOf(input: LedgerInput, code: string): LedgerOutput {
  if (code === '') return { kind: input.kind === 'transfer' ? 'transferred' : 'written' };
  if (input.kind === 'transfer' && code === 'insufficient-balance') return { kind: 'insufficient' };
  if (input.kind === 'cas' && REFUSALS.includes(code)) return { kind: 'refused' };
  throw new Error(`a ${input.kind} failed with ${code}`);
}

interface Row {
  readonly height: number;
  readonly exists: boolean;
  readonly value?: { readonly [name: string]: Json };
}

export type RowAnswer = Row;

export interface RowsAnswer {
  readonly height: number;
  readonly items: readonly { readonly key: string; readonly value: { readonly amount: string } }[];
  readonly cursor?: string;
}

export function balanceIn({ value }: Row): number {
  return value === undefined ? 0 : Number(value.amount);
}

export function digestIn({ value }: Row): string | undefined {
  return value === undefined ? undefined : String(value.digest);
}

export function roleIn({ value }: Row, role: string): string | undefined {
  if (value === undefined) throw new Error('an account that genesis names has no row');
  return (value.roles as readonly Json[]).includes(role) ? HELD : undefined;
}

/** The balances of every asset, from rows of all accounts. */
export function balancesIn({ items }: RowsAnswer, assets: readonly string[]): ReadonlyMap<string, Balances> {
  const found = new Map<string, Record<string, number>>(assets.map((asset) => [asset, {}]));
  for (const { key, value } of items) {
    const [account, asset] = key.split(':') as [string, string];
    const balances = found.get(asset);
    if (balances !== undefined) balances[nameOf.get(account) ?? account] = Number(value.amount);
  }
  return found;
}
