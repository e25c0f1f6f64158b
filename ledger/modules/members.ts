import { type Account, defineModule } from '../application.ts';
import { bool, bytes32, type Codec, type CodecType, list, struct, text, u8 } from '../codec.ts';
import { ADMINISTRATORS_MAX, NAME_BYTES_MAX, ROLES_MAX } from '../limits.ts';
import { bytesPart, defineTable, textPart } from '../table.ts';

/** Who may act for an organisation: `threshold` of its administrators. */
export const organisationCodec = struct({
  administrators: list(bytes32, ADMINISTRATORS_MAX, 1),
  threshold: u8,
});
export type Organisation = CodecType<typeof organisationCodec>;

export const accountCodec: Codec<Account> = struct({
  name: text(NAME_BYTES_MAX, 1),
  organisation: text(NAME_BYTES_MAX, 1),
  roles: list(text(NAME_BYTES_MAX, 1), ROLES_MAX),
  active: bool,
});

/** Organisation name to its administrators. */
export const organisations = defineTable('members.organisations', [textPart(NAME_BYTES_MAX)], organisationCodec);
/** Public key to account. */
export const accounts = defineTable('members.accounts', [bytesPart(32)], accountCodec);

/** Organisations and accounts, from genesis. Who may do what is state like any other, and provable. */
export const members = defineModule({ name: 'members', tables: [organisations, accounts], events: {}, actions: {} });

/** The receipt code for a sender who may not run an action with these roles, or undefined if it may. */
export function permissionProblem(
  account: Account | undefined,
  roles: readonly string[],
): 'unknown-account' | 'not-permitted' | undefined {
  if (account === undefined) return 'unknown-account';
  if (!account.active) return 'not-permitted';
  return roles.length === 0 || roles.some((role) => account.roles.includes(role)) ? undefined : 'not-permitted';
}
