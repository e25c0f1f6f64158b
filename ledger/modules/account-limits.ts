import type { Context } from '../application.ts';
import { type CodecType, checked, sameEncoding, struct, u32 } from '../codec.ts';
import { NAME_BYTES_MAX } from '../limits.ts';
import { defineTable, textPart } from '../table.ts';
import type { ChangeOf } from './governance-change.ts';

/** How much an account may send at one node, by its roles: what nodes ask of clients (T9), never of blocks. */

export const limitsCodec = struct({
  /** Transactions of the account that one node has admitted and that are neither executed nor expired. */
  pending: u32,
  /** Transactions of the account that one node admits in a second, in the long run. */
  perSecond: u32,
  /** How many of them it may admit at once after a pause. */
  burst: u32,
});
export type RoleLimits = CodecType<typeof limitsCodec>;

/** None of them is 0: whoever shall send nothing is revoked. */
export const chosenLimits = checked(limitsCodec, (limits) => {
  const zero = Object.entries(limits).find(([, value]) => value === 0);
  return zero === undefined ? undefined : `${zero[0]} 0, expected 1 or more`;
});

/** A role to the limits of whoever has it. */
export const accountLimits = defineTable('governance.limits', [textPart(NAME_BYTES_MAX)], limitsCodec);

/** In place of a role: accounts none of whose roles has a row. */
export const OTHER_ROLES = '*';

/** The most generous of what the rows of its roles say, each number by itself; undefined if no row is about it. */
export function limitsOf(
  roles: readonly string[],
  row: (role: string) => RoleLimits | undefined,
): RoleLimits | undefined {
  const rows = roles.map(row).filter((one) => one !== undefined);
  if (rows.length === 0) return row(OTHER_ROLES);
  return rows.reduce((a, b) => ({
    pending: Math.max(a.pending, b.pending),
    perSecond: Math.max(a.perSecond, b.perSecond),
    burst: Math.max(a.burst, b.burst),
  }));
}

/** No list has the roles of all organisations, and one may be admitted later: a role need not be given by anybody. */
export function prepareLimits(
  ctx: Pick<Context, 'get' | 'fail'>,
  { role, limits }: ChangeOf<'limits'>,
): (ctx: Pick<Context, 'set' | 'delete'>) => void {
  const now = ctx.get(accountLimits, [role]);
  if (limits.kind === 'none') {
    if (now === undefined) ctx.fail('no-change');
    return (ctx) => ctx.delete(accountLimits, [role]);
  }
  const next = limits.value;
  if (now !== undefined && sameEncoding(limitsCodec, now, next)) ctx.fail('no-change');
  return (ctx) => ctx.set(accountLimits, [role], next);
}
