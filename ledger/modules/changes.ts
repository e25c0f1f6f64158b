import type { Context } from '../application.ts';
import { compareBytes, concatBytes, equalBytes, utf8Encode } from '../bytes.ts';
import {
  bytes,
  bytes32,
  type Codec,
  type CodecType,
  checked,
  encode,
  list,
  struct,
  text,
  u8,
  u64,
  union,
} from '../codec.ts';
import { sha256 } from '../hash.ts';
import { ADMINISTRATORS_MAX, NAME_BYTES_MAX, ROLES_MAX } from '../limits.ts';
import { isReadableName } from '../name.ts';
import { bytesPart, defineTable } from '../table.ts';
import { accountNames, accountOf, accounts, administrators, currentKeys, organisationHash } from './accounts.ts';
import { areFree } from './node-keys.ts';
import type { Organisation } from './rows.ts';

/** What an organisation may change about itself, what a change needs, and what it does. */

/** Of an organisation, an account, a node. */
export const nameCodec = checked(text(NAME_BYTES_MAX, 1), (text) =>
  isReadableName(text)
    ? undefined
    : `expected visible characters with single spaces between words, got ${JSON.stringify(text)}`,
);

/** Each once. */
export const roleList = (min: number): Codec<readonly string[]> =>
  checked(list(nameCodec, ROLES_MAX, min), (roles) =>
    new Set(roles).size === roles.length ? undefined : 'expected each role once',
  );

/** Who acts for an organisation, and how many of them together. */
export const administration = checked(
  struct({ administrators: list(bytes32, ADMINISTRATORS_MAX, 1), threshold: u8 }),
  ({ administrators, threshold }) =>
    threshold < 1 || threshold > administrators.length
      ? `threshold ${threshold}, expected 1 to ${administrators.length}, the administrators`
      : repeatedKey(administrators),
);

/** What is wrong with a list that has a key twice. */
export function repeatedKey(keys: readonly Uint8Array[]): string | undefined {
  const sorted = [...keys].sort(compareBytes);
  return sorted.some((key, i) => i > 0 && equalBytes(key, sorted[i - 1]!)) ? 'expected each key once' : undefined;
}

/** `account` is the id of an account, or any key that it has or had. */
export const changeCodec = union({
  enrol: [1, struct({ key: bytes32, name: nameCodec, roles: roleList(0) })],
  grant: [2, struct({ account: bytes32, roles: roleList(1) })],
  withdraw: [3, struct({ account: bytes32, roles: roleList(1) })],
  /** For ever. */
  revoke: [4, struct({ account: bytes32 })],
  /** Another key for the same account: it keeps name, roles and all that is its own. */
  rotate: [5, struct({ account: bytes32, key: bytes32 })],
  administrators: [6, administration],
});
export type Change = CodecType<typeof changeCodec>;

/** Exactly what administrators approve. */
export const proposalCodec = struct({
  organisation: text(NAME_BYTES_MAX, 1),
  /** Only makes ids differ: the same change twice needs two of them. */
  nonce: bytes(8),
  /** Block time in ms up to which it can be approved. */
  expires: u64,
  change: changeCodec,
});
export type Proposal = CodecType<typeof proposalCodec>;

const DOMAIN = utf8Encode('proposal');

export function proposalId(proposal: Proposal): Uint8Array {
  return sha256(concatBytes(DOMAIN, encode(proposalCodec, proposal)));
}

export const approvalCodec = struct({
  administrator: bytes32,
  /** Block time in ms. */
  time: u64,
});

const approvals = list(approvalCodec, ADMINISTRATORS_MAX, 1);

/** Id to a proposal that has approvals, or to where the history has it: what was effective once is so never again. */
export const proposals = defineTable(
  'members.proposals',
  [bytesPart(32)],
  union({
    open: [1, struct({ proposal: proposalCodec, approvals })],
    effective: [2, struct({ organisation: text(NAME_BYTES_MAX, 1), number: u64 })],
  }),
);
/** Organisation (`organisationHash`) and number, from 1 without a gap, to a change that took effect with its last approval. */
export const history = defineTable(
  'members.history',
  [bytesPart(32), bytesPart(8)],
  struct({ proposal: proposalCodec, approvals }),
);

type State = Pick<Context, 'get' | 'has' | 'set' | 'delete' | 'fail' | 'time'>;

/** The organisation that a change is of. */
export interface Changing {
  readonly name: string;
  readonly row: Organisation;
}

/**
 * Checks that a change could take effect now, and ends the transaction with the reason if not. What is returned makes it
 * so and gives the organisation's row, changed or not.
 */
export function prepareChange(ctx: State, of: Changing, change: Change): () => Organisation {
  switch (change.kind) {
    case 'enrol':
      return prepareEnrol(ctx, of, change.value);
    case 'grant':
      return prepareGrant(ctx, of, change.value);
    case 'withdraw':
      return prepareWithdraw(ctx, of, change.value);
    case 'revoke':
      return prepareRevoke(ctx, of, change.value);
    case 'rotate':
      return prepareRotate(ctx, of, change.value);
    case 'administrators':
      return prepareAdministrators(ctx, of, change.value);
  }
}

type Of<K extends Change['kind']> = Extract<Change, { readonly kind: K }>['value'];

function prepareEnrol(ctx: State, of: Changing, { key, name, roles }: Of<'enrol'>) {
  areAllowed(ctx, of, roles);
  const place = [organisationHash(of.name), name] as const;
  if (ctx.has(accountNames, place)) ctx.fail('name-taken');
  areFree(ctx, [key]);
  return () => {
    ctx.set(accounts, [key], { id: key, name, organisation: of.name, roles, active: true });
    ctx.set(accountNames, place, { account: key });
    return of.row;
  };
}

function prepareGrant(ctx: State, of: Changing, { account: named, roles }: Of<'grant'>) {
  const { key, account } = ownAccount(ctx, of, named);
  areAllowed(ctx, of, roles);
  if (roles.some((role) => account.roles.includes(role))) ctx.fail('role-held');
  return () => {
    ctx.set(accounts, [key], { ...account, roles: [...account.roles, ...roles] });
    return of.row;
  };
}

function prepareWithdraw(ctx: State, of: Changing, { account: named, roles }: Of<'withdraw'>) {
  const { key, account } = ownAccount(ctx, of, named);
  if (!roles.every((role) => account.roles.includes(role))) ctx.fail('role-not-held');
  return () => {
    ctx.set(accounts, [key], { ...account, roles: account.roles.filter((role) => !roles.includes(role)) });
    return of.row;
  };
}

function prepareRevoke(ctx: State, of: Changing, { account: named }: Of<'revoke'>) {
  const { key, account } = ownAccount(ctx, of, named);
  return () => {
    ctx.set(accounts, [key], { ...account, active: false });
    return of.row;
  };
}

function prepareRotate(ctx: State, of: Changing, { account: named, key: next }: Of<'rotate'>) {
  const { key, account } = ownAccount(ctx, of, named);
  areFree(ctx, [next]);
  return () => {
    ctx.set(accounts, [key], { ...account, active: false });
    ctx.set(accounts, [next], account);
    ctx.set(currentKeys, [account.id], { key: next });
    return of.row;
  };
}

/**
 * Approvals were given among the old administrators: nothing that is open in the organisation outlives them. For governance
 * whoever stays still approves what it has approved.
 */
function prepareAdministrators(ctx: State, of: Changing, { administrators: next, threshold }: Of<'administrators'>) {
  const old = of.row.administrators;
  areFree(
    ctx,
    next.filter((key) => !isAmong(old, key)),
  );
  return () => {
    const votes = next.map((key) => (isAmong(old, key) ? ctx.get(administrators, [key])!.votes : []));
    dismiss(ctx, old);
    for (const [i, key] of next.entries())
      ctx.set(administrators, [key], { organisation: of.name, open: [], votes: votes[i]! });
    return { ...of.row, administrators: next, threshold };
  };
}

/** They administer no more, and what was open among them ends. */
export function dismiss(ctx: Pick<Context, 'get' | 'delete'>, keys: readonly Uint8Array[]): void {
  for (const key of keys) {
    for (const id of ctx.get(administrators, [key])!.open) ctx.delete(proposals, [id]);
    ctx.delete(administrators, [key]);
  }
}

/** An active account of this organisation: no organisation can touch those of another. */
function ownAccount(ctx: State, of: Changing, named: Uint8Array) {
  const found = accountOf(ctx, named);
  if (found === undefined) return ctx.fail('no-such-account');
  if (found.account.organisation !== of.name) return ctx.fail('other-organisation');
  if (!found.account.active) return ctx.fail('account-revoked');
  return found;
}

function areAllowed(ctx: State, { row }: Changing, roles: readonly string[]): void {
  if (!roles.every((role) => row.roles.includes(role))) ctx.fail('role-not-allowed');
}

function isAmong(keys: readonly Uint8Array[], key: Uint8Array): boolean {
  return keys.some((one) => equalBytes(one, key));
}
