import type { Context } from '../application.ts';
import { equalBytes } from '../bytes.ts';
import type { CodecType } from '../codec.ts';
import { OPEN_APPROVALS_MAX, PROPOSAL_LIFETIME_MAX_MS } from '../limits.ts';
import type { Table } from '../table.ts';
import { administrators } from './accounts.ts';

/** What approving has in common, whether an organisation or all of them decide. */

/** Where an administrator's row has what it has approved. */
type Approved = Exclude<keyof CodecType<typeof administrators.value>, 'organisation'>;

/** An id to a proposal that can be approved, or to what became of it. */
type Proposals = Table<
  readonly [Uint8Array],
  | { readonly kind: 'open'; readonly value: { readonly proposal: { readonly expires: number } } }
  | { readonly kind: 'passed' | 'effective'; readonly value: unknown }
>;

/** Ends the transaction if a proposal's time is over, or too far away. */
export function isTimely(ctx: Pick<Context, 'time' | 'fail'>, expires: number): void {
  if (expires < ctx.time) ctx.fail('expired');
  if (expires > ctx.time + PROPOSAL_LIFETIME_MAX_MS) ctx.fail('expiry-too-far');
}

/** Notes with the sender that it has approved what is open now; what is over makes place. */
export function keepApproval(ctx: Context<never>, table: Proposals, kind: Approved, id: Uint8Array): void {
  const row = ctx.get(administrators, [ctx.sender])!;
  const held = row[kind];
  const others = held.length < OPEN_APPROVALS_MAX ? held : held.filter((one) => isOpen(ctx, table, one));
  if (others.length === OPEN_APPROVALS_MAX) return ctx.fail('too-many-open');
  ctx.set(administrators, [ctx.sender], { ...row, [kind]: [...others, id] });
}

/** Removes the proposal if its time is over. */
function isOpen(ctx: Context<never>, table: Proposals, id: Uint8Array): boolean {
  const known = ctx.get(table, [id]);
  if (known?.kind !== 'open') return false;
  if (known.value.proposal.expires >= ctx.time) return true;
  ctx.delete(table, [id]);
  return false;
}

/** The opposite of `keepApproval`. */
export function dropApproval(ctx: Context<never>, administrator: Uint8Array, kind: Approved, id: Uint8Array): void {
  const row = ctx.get(administrators, [administrator])!;
  ctx.set(administrators, [administrator], { ...row, [kind]: row[kind].filter((one) => !equalBytes(one, id)) });
}

/** Big-endian, so that a history is listed in its order. */
export function numberKey(number: number): Uint8Array {
  const key = new Uint8Array(8);
  const view = new DataView(key.buffer);
  view.setUint32(0, Math.floor(number / 2 ** 32));
  view.setUint32(4, number % 2 ** 32);
  return key;
}
