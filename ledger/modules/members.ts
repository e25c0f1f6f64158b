import { type Context, defineModule } from '../application.ts';
import { equalBytes } from '../bytes.ts';
import { bytes32, struct, text, u8, u64 } from '../codec.ts';
import { NAME_BYTES_MAX } from '../limits.ts';
import {
  accountNames,
  accounts,
  administrators,
  currentKeys,
  expelled,
  organisationHash,
  organisations,
} from './accounts.ts';
import { dropApproval, isTimely, keepApproval, numberKey } from './approvals.ts';
import { changeCodec, history, type Proposal, prepareChange, proposalCodec, proposalId, proposals } from './changes.ts';

const organisation = text(NAME_BYTES_MAX, 1);

const events = {
  approved: struct({
    organisation,
    /** Id of the proposal. */
    proposal: bytes32,
    by: bytes32,
    /** How many there are now, and how many are needed. */
    approvals: u8,
    threshold: u8,
  }),
  retracted: struct({ organisation, proposal: bytes32, by: bytes32 }),
  changed: struct({ organisation, number: u64, proposal: bytes32, change: changeCodec }),
};

/**
 * Organisations and their accounts. What an organisation changes about itself takes effect in the transaction in which the
 * last of `threshold` administrators approves it; an approval names the whole change. Who may do what is state like any
 * other, and provable.
 */
export const members = defineModule({
  name: 'members',
  tables: [organisations, expelled, accounts, administrators, accountNames, currentKeys, proposals, history],
  events,
  actions: {
    approve: {
      roles: 'administrators',
      args: proposalCodec,
      run: (ctx, proposal) => approve(ctx, proposal),
    },
    /** Takes an own approval back, as long as the change is not effective. */
    retract: {
      roles: 'administrators',
      args: struct({ proposal: bytes32 }),
      run(ctx, { proposal: id }) {
        const known = ctx.get(proposals, [id]);
        const given = known?.kind === 'open' ? known.value.approvals : [];
        const left = given.filter(({ administrator }) => !equalBytes(administrator, ctx.sender));
        if (known?.kind !== 'open' || left.length === given.length) return ctx.fail('not-approved');
        const { proposal } = known.value;
        if (left.length === 0) ctx.delete(proposals, [id]);
        else ctx.set(proposals, [id], { kind: 'open', value: { proposal, approvals: left } });
        dropApproval(ctx, ctx.sender, 'open', id);
        ctx.emit('retracted', { organisation: ctx.organisation, proposal: id, by: ctx.sender });
      },
    },
  },
});

type Own = Context<typeof events>;

function approve(ctx: Own, proposal: Proposal): void {
  if (proposal.organisation !== ctx.organisation) return ctx.fail('other-organisation');
  isTimely(ctx, proposal.expires);
  const id = proposalId(proposal);
  const known = ctx.get(proposals, [id]);
  if (known?.kind === 'effective') return ctx.fail('already-effective');
  const given = known?.value.approvals ?? [];
  if (given.some(({ administrator }) => equalBytes(administrator, ctx.sender))) return ctx.fail('already-approved');
  const row = ctx.get(organisations, [ctx.organisation])!;
  // Also before it is effective: what can't be is not worth an approval.
  const change = prepareChange(ctx, { name: ctx.organisation, row }, proposal.change);
  const approvals = [...given, { administrator: ctx.sender, time: ctx.time }];
  const { threshold } = row;
  ctx.emit('approved', {
    organisation: ctx.organisation,
    proposal: id,
    by: ctx.sender,
    approvals: approvals.length,
    threshold,
  });
  if (approvals.length < threshold) {
    keepApproval(ctx, proposals, 'open', id);
    ctx.set(proposals, [id], { kind: 'open', value: { proposal, approvals } });
    return;
  }
  for (const { administrator } of given) dropApproval(ctx, administrator, 'open', id);
  const number = row.changes + 1;
  ctx.set(organisations, [ctx.organisation], { ...change(), changes: number });
  ctx.set(proposals, [id], { kind: 'effective', value: { organisation: ctx.organisation, number } });
  ctx.set(history, [organisationHash(ctx.organisation), numberKey(number)], { proposal, approvals });
  ctx.emit('changed', { organisation: ctx.organisation, number, proposal: id, change: proposal.change });
}
