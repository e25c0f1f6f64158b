import type { Account, Context } from '../application.ts';
import { utf8Encode } from '../bytes.ts';
import { bool, bytes32, type Codec, list, struct, text, u64 } from '../codec.ts';
import { sha256 } from '../hash.ts';
import { NAME_BYTES_MAX, OPEN_APPROVALS_MAX, ROLES_MAX } from '../limits.ts';
import { bytesPart, defineTable, textPart } from '../table.ts';
import { EXPELLED, ORGANISATIONS, organisationCodec } from './rows.ts';

/** Who acts and for whom: the tables of module `members` that say so, and how they are read. */

const name = text(NAME_BYTES_MAX, 1);

export const accountCodec: Codec<Account> = struct({
  id: bytes32,
  name,
  organisation: name,
  roles: list(name, ROLES_MAX),
  active: bool,
});

const administratorCodec = struct({
  organisation: name,
  /** Proposals of its organisation that it has approved and that are not effective. */
  open: list(bytes32, OPEN_APPROVALS_MAX),
  /** Proposals of governance that it has approved and that are neither passed nor effective. */
  votes: list(bytes32, OPEN_APPROVALS_MAX),
});

/** Organisation name to its administrators. */
export const organisations = defineTable(ORGANISATIONS, [textPart(NAME_BYTES_MAX)], organisationCodec);
/** Public key to the account that it is of, or was of: a key has a row for ever. */
export const accounts = defineTable('members.accounts', [bytesPart(32)], accountCodec);
/** Public key to the organisation that it administers. */
export const administrators = defineTable('members.administrators', [bytesPart(32)], administratorCodec);
/** Organisation (`organisationHash`) and name to the id of the account that has the name, for ever. */
export const accountNames = defineTable(
  'members.names',
  [bytesPart(32), textPart(NAME_BYTES_MAX)],
  struct({ account: bytes32 }),
);
/** Id of an account whose key was rotated to the key that it has now. */
export const currentKeys = defineTable('members.keys', [bytesPart(32)], struct({ key: bytes32 }));

/** Organisations that can do nothing any more, nor their accounts; the number of the change (`governance.history`). */
export const expelled = defineTable(EXPELLED, [textPart(NAME_BYTES_MAX)], struct({ number: u64 }));

/** An organisation in the first part of a key, so that its rows can be listed. */
export function organisationHash(organisation: string): Uint8Array {
  return sha256(utf8Encode(organisation));
}

/** The account that a key is of, or was of, and the key that it has now; `active` says whether it can act. */
export function accountOf(
  ctx: Pick<Context, 'get' | 'has'>,
  key: Uint8Array,
): { readonly key: Uint8Array; readonly account: Account } | undefined {
  const account = ctx.get(accounts, [key]);
  if (account === undefined) return undefined;
  if (ctx.has(expelled, [account.organisation])) return { key, account: { ...account, active: false } };
  if (account.active) return { key, account };
  const now = ctx.get(currentKeys, [account.id])?.key ?? account.id;
  return { key: now, account: ctx.get(accounts, [now])! };
}

/** The receipt code for a sender who may not run an action with these roles, or undefined if it may. */
export function permissionProblem(
  account: Account | undefined,
  roles: readonly string[],
): 'unknown-account' | 'not-permitted' | undefined {
  if (account === undefined) return 'unknown-account';
  if (!account.active) return 'not-permitted';
  return roles.length === 0 || roles.some((role) => account.roles.includes(role)) ? undefined : 'not-permitted';
}
