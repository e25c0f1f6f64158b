import type { Receipt } from '../../ledger/block.ts';
import { equalBytes, toHex, utf8Encode } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { publicKeyOf } from '../../ledger/ed25519.ts';
import { sha256 } from '../../ledger/hash.ts';
import type { Change, Proposal } from '../../ledger/modules/changes.ts';
import { changeCodec, proposalCodec } from '../../ledger/modules/changes.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import type { PackedSenders } from '../../node/ports.ts';
import { unpackEntries } from '../../node/senders.ts';
import type { Signer } from '../../node/signatures.ts';
import { START, TestChain } from './execution.ts';
import { START_TIME, type TestGenesis } from './genesis.ts';

const made = new Map<string, Uint8Array>();

/** A real public key: enrolment checks them. Made once for each name. */
export function memberKey(name: string): Uint8Array {
  const key = made.get(name) ?? publicKeyOf(sha256(utf8Encode(name)));
  made.set(name, key);
  return key;
}

/** Organisations of the tests: administrators, how many of them act, roles they may give. */
export const ORGANISATIONS = {
  acme: { administrators: ['a1', 'a2', 'a3'], threshold: 2, roles: ['writer', 'issuer'] },
  globex: { administrators: ['g1', 'g2'], threshold: 1, roles: ['writer'] },
} as const;
export type OrganisationName = keyof typeof ORGANISATIONS;

const ACCOUNTS = [
  ['ann', 'acme', ['writer']],
  ['ben', 'acme', ['issuer']],
  ['cleo', 'acme', []],
  ['gus', 'globex', []],
] as const;

export interface ApprovalOptions {
  readonly organisation?: OrganisationName;
  readonly nonce?: number;
  readonly expires?: number;
}

/** Two organisations and what their administrators do. */
export class MembersChain extends TestChain {
  /** How often each change took effect: the next time it has another nonce. */
  readonly #rounds = new Map<string, number>();

  constructor() {
    super(
      quorateApplication,
      {},
      {
        organisations: Object.entries(ORGANISATIONS).map(([name, { administrators, threshold, roles }]) => ({
          name,
          administrators: administrators.map(memberKey),
          threshold,
          roles,
        })),
        validators: [{ name: 'v', organisation: 'acme', key: memberKey('validator'), peerKey: memberKey('peer') }],
        accounts: ACCOUNTS.map(([name, organisation, roles]) => ({ key: memberKey(name), name, organisation, roles })),
      },
    );
  }

  proposal(change: Change, { organisation = 'acme', nonce, expires = START + 86_400_000 }: ApprovalOptions): Proposal {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setUint32(4, nonce ?? this.#rounds.get(nameOf(change)) ?? 0);
    return { organisation, nonce: bytes, expires, change };
  }

  approve(by: string, change: Change, options: ApprovalOptions = {}): Receipt {
    const organisation = by.startsWith('g') ? 'globex' : 'acme';
    const proposal = this.proposal(change, { organisation, ...options });
    const receipt = this.sendAs(by, 'members', 'approve', proposalCodec.toJson(proposal));
    if (isEffective(receipt)) this.#rounds.set(nameOf(change), (this.#rounds.get(nameOf(change)) ?? 0) + 1);
    return receipt;
  }

  /** One call by whoever has this key. */
  sendAs(name: string, module: string, action: string, args: Json): Receipt {
    return this.send(memberKey(name), module, action, args);
  }
}

export function isEffective({ events }: Receipt): boolean {
  return events.some(({ module, name }) => module === 'members' && name === 'changed');
}

function nameOf(change: Change): string {
  return JSON.stringify(changeCodec.toJson(change));
}

export const hexKey = (name: string): string => toHex(memberKey(name));

/** Changes by the names of keys. */
export const change = {
  enrol: (name: string, { key = name, roles = [] as readonly string[] } = {}): Change => ({
    kind: 'enrol',
    value: { key: memberKey(key), name, roles },
  }),
  grant: (account: string, ...roles: string[]): Change => ({
    kind: 'grant',
    value: { account: memberKey(account), roles },
  }),
  withdraw: (account: string, ...roles: string[]): Change => ({
    kind: 'withdraw',
    value: { account: memberKey(account), roles },
  }),
  revoke: (account: string): Change => ({ kind: 'revoke', value: { account: memberKey(account) } }),
  rotate: (account: string, key: string): Change => ({
    kind: 'rotate',
    value: { account: memberKey(account), key: memberKey(key) },
  }),
  administrators: (threshold: number, ...keys: string[]): Change => ({
    kind: 'administrators',
    value: { administrators: keys.map(memberKey), threshold },
  }),
};

/** The approval by the one administrator of an organisation of `chain`, whose names have the same keys as here. */
export function approvalOf(
  chain: TestGenesis,
  organisation: string,
  change: Change,
  { nonce = 0, ...options }: { nonce?: number; validUntil?: number; signer?: Signer } = {},
): Transaction {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(4, nonce);
  const proposal: Proposal = { organisation, nonce: bytes, expires: START_TIME + 86_400_000, change };
  return chain.sign(`admin ${organisation}`, 'members', 'approve', proposalCodec.toJson(proposal), {
    nonce,
    ...options,
  });
}

/** Who may send (node/ports.ts), as names of `names` with the bits of node/senders.ts. */
export function sendersOf(packed: PackedSenders, ...names: readonly string[]): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const { key, sends } of unpackEntries(packed.entries)) {
    const name = names.find((one) => equalBytes(memberKey(one), key));
    if (name !== undefined) found[name] = sends;
  }
  return found;
}
