import { type Context, defineModule } from '../application.ts';
import { equalBytes } from '../bytes.ts';
import { bytes32, list, struct, text, u8, u16, u64 } from '../codec.ts';
import { CHANGED_MEMBERS_MAX, GOVERNANCE_APPROVALS_MAX, NAME_BYTES_MAX } from '../limits.ts';
import { portableVerify } from '../portable.ts';
import { readyMessage, type SignedReady, signedReadyCodec } from '../ready.ts';
import type { Validator } from '../validators.ts';
import { accountLimits } from './account-limits.ts';
import { administrators, expelled, organisations } from './accounts.ts';
import { dropApproval, isTimely, keepApproval, numberKey } from './approvals.ts';
import { proposals } from './changes.ts';
import { currentEpoch, epochTable, parametersTable, validatorsTable } from './epoch.ts';
import {
  type GovernanceApproval,
  type GovernanceChange,
  type GovernanceProposal,
  governanceChangeCodec,
  governanceHistory,
  governanceProposalCodec,
  governanceProposalId,
  governanceProposals,
  recoveries,
} from './governance-change.ts';
import { prepareChange } from './governance-effect.ts';
import { addGuest, consensusKeys, guestOf, guests, summary, summaryOf } from './node-keys.ts';
import { CURRENT } from './rows.ts';

const organisation = text(NAME_BYTES_MAX, 1);

const events = {
  approved: struct({
    /** Id. */
    proposal: bytes32,
    organisation,
    by: bytes32,
    /** In this organisation: how many there are now, and how many are needed. */
    approvals: u8,
    threshold: u8,
    /** Organisations that have approved now, and how many are needed. */
    organisations: u16,
    needed: u16,
  }),
  retracted: struct({ proposal: bytes32, organisation, by: bytes32 }),
  /** Decided, and waits for `activate`. */
  passed: struct({ proposal: bytes32, change: governanceChangeCodec }),
  /** It took effect. `epoch` is that of the next block. */
  changed: struct({ number: u64, proposal: bytes32, change: governanceChangeCodec, epoch: u64 }),
};

const activation = struct({ proposal: bytes32, ready: list(signedReadyCodec, CHANGED_MEMBERS_MAX, 1) });

/**
 * What the organisations decide together: set, parameters and versions, who belongs to them, whom the network admits. A
 * change takes effect in the transaction in which the last of more than two thirds of them approves it, or, if it adds
 * validators, in the one that shows that these are ready.
 */
export const governance = defineModule({
  name: 'governance',
  tables: [
    epochTable,
    parametersTable,
    validatorsTable,
    summary,
    consensusKeys,
    guests,
    accountLimits,
    governanceProposals,
    governanceHistory,
    recoveries,
  ],
  writes: [organisations, administrators, expelled, proposals],
  events,
  actions: {
    approve: {
      roles: 'administrators',
      args: governanceProposalCodec,
      endsEpoch: true,
      run: (ctx, proposal) => approve(ctx, proposal),
    },
    /** Takes an own approval back, as long as the change is neither passed nor effective. */
    retract: {
      roles: 'administrators',
      args: struct({ proposal: bytes32 }),
      run: (ctx, { proposal }) => retract(ctx, proposal),
    },
    /** By any administrator: a passed addition, with a READY of each of its candidates in their order. */
    activate: {
      roles: 'administrators',
      args: activation,
      endsEpoch: true,
      candidates: ({ ready }) => ready.map(({ ready: { peerKey } }) => peerKey),
      run: (ctx, { proposal, ready }) => activate(ctx, proposal, ready),
    },
  },
});

type Own = Context<typeof events>;
type Approved = { readonly proposal: GovernanceProposal; readonly approvals: readonly GovernanceApproval[] };

function approve(ctx: Own, proposal: GovernanceProposal): void {
  isTimely(ctx, proposal.expires);
  const id = governanceProposalId(proposal);
  const known = ctx.get(governanceProposals, [id]);
  if (known?.kind === 'effective') return ctx.fail('already-effective');
  if (known?.kind === 'passed') return ctx.fail('already-passed');
  const given = (known?.value.approvals ?? []).filter((one) => counts(ctx, id, one));
  if (given.some(({ administrator }) => equalBytes(administrator, ctx.sender))) return ctx.fail('already-approved');
  // Also before it is decided: what can't take effect is not worth an approval.
  const effect = prepareChange(ctx, proposal.change);
  const approvals = [...given, { organisation: ctx.organisation, administrator: ctx.sender, time: ctx.time }];
  if (approvals.length > GOVERNANCE_APPROVALS_MAX) return ctx.fail('too-many-approvals');
  const needed = neededFor(ctx, proposal.change);
  const approving = approvingAmong(ctx, approvals);
  ctx.emit('approved', {
    proposal: id,
    organisation: ctx.organisation,
    by: ctx.sender,
    approvals: approvals.filter((one) => one.organisation === ctx.organisation).length,
    threshold: ctx.get(organisations, [ctx.organisation])!.threshold,
    organisations: approving.size,
    needed,
  });
  if (approving.size < needed) {
    // Places are few, and one organisation must not take those of others.
    if (approvingAmong(ctx, given).has(ctx.organisation)) return ctx.fail('organisation-approved');
    keepApproval(ctx, governanceProposals, 'votes', id);
    ctx.set(governanceProposals, [id], { kind: 'open', value: { proposal, approvals } });
    return;
  }
  for (const { administrator } of given) dropApproval(ctx, administrator, 'votes', id);
  const { change } = proposal;
  if (change.kind === 'validators' && change.value.add.length > 0)
    return pass(ctx, id, { proposal, approvals }, change.value.add);
  takeEffect(ctx, id, { proposal, approvals }, effect);
}

/** K07: only as long as its administrator is one of the same organisation. A key that comes back has approved nothing. */
function counts(ctx: Own, id: Uint8Array, { administrator }: GovernanceApproval): boolean {
  const votes = ctx.get(administrators, [administrator])?.votes ?? [];
  return votes.some((one) => equalBytes(one, id));
}

/** Organisations of which as many as act for it now have approved. */
function approvingAmong(ctx: Own, approvals: readonly GovernanceApproval[]): ReadonlySet<string> {
  const given = new Map<string, number>();
  for (const { organisation } of approvals) given.set(organisation, (given.get(organisation) ?? 0) + 1);
  return new Set([...given.keys()].filter((name) => given.get(name)! >= ctx.get(organisations, [name])!.threshold));
}

/** More than two thirds of all; for the keys of a validator, its own, which alone can approve that. */
function neededFor(ctx: Own, { kind }: GovernanceChange): number {
  return kind === 'rotate' ? 1 : Math.floor((2 * summaryOf(ctx).organisations) / 3) + 1;
}

function pass(ctx: Own, id: Uint8Array, approved: Approved, add: readonly Validator[]): void {
  const { expires, change } = approved.proposal;
  ctx.set(governanceProposals, [id], { kind: 'passed', value: approved });
  for (const { name, organisation, peerKey } of add) {
    // An observer has its place.
    if (guestOf(ctx, peerKey) === undefined)
      addGuest(ctx, peerKey, { name, organisation, kind: 'candidate', until: expires });
  }
  ctx.emit('passed', { proposal: id, change });
}

function takeEffect(ctx: Own, id: Uint8Array, approved: Approved, effect: ReturnType<typeof prepareChange>): void {
  const number = summaryOf(ctx).changes + 1;
  effect(ctx, number);
  ctx.set(summary, [CURRENT], { ...summaryOf(ctx), changes: number });
  ctx.set(governanceProposals, [id], { kind: 'effective', value: { number } });
  const { height, time, sender: by } = ctx;
  ctx.set(governanceHistory, [numberKey(number)], { ...approved, height, time, by });
  const epoch = ctx.get(epochTable, [CURRENT])!.number;
  ctx.emit('changed', { number, proposal: id, change: approved.proposal.change, epoch });
}

function retract(ctx: Own, id: Uint8Array): void {
  const known = ctx.get(governanceProposals, [id]);
  if (known?.kind === 'passed') return ctx.fail('already-passed');
  const given = known?.kind === 'open' ? known.value.approvals.filter((one) => counts(ctx, id, one)) : [];
  const left = given.filter(({ administrator }) => !equalBytes(administrator, ctx.sender));
  if (known?.kind !== 'open' || left.length === given.length) return ctx.fail('not-approved');
  if (left.length === 0) ctx.delete(governanceProposals, [id]);
  else ctx.set(governanceProposals, [id], { kind: 'open', value: { ...known.value, approvals: left } });
  dropApproval(ctx, ctx.sender, 'votes', id);
  ctx.emit('retracted', { proposal: id, organisation: ctx.organisation, by: ctx.sender });
}

function activate(ctx: Own, id: Uint8Array, ready: readonly SignedReady[]): void {
  const known = ctx.get(governanceProposals, [id]);
  if (known?.kind === 'effective') return ctx.fail('already-effective');
  if (known?.kind !== 'passed') return ctx.fail('not-passed');
  const { expires, change } = known.value.proposal;
  if (expires < ctx.time) return ctx.fail('expired');
  const effect = prepareChange(ctx, change, true);
  if (change.kind === 'validators') areReady(ctx, change.value.add, ready);
  takeEffect(ctx, id, known.value, effect);
}

/** E5. Signatures last: they cost most. */
function areReady(ctx: Own, candidates: readonly Validator[], shown: readonly SignedReady[]): void {
  const { number, firstHeight, parameters } = currentEpoch(ctx);
  const { protocolVersion, application, applicationVersion, readyWindow } = parameters;
  if (firstHeight > ctx.height) return ctx.fail('epoch-ends');
  if (shown.length !== candidates.length) return ctx.fail('not-ready');
  for (const [i, { ready }] of shown.entries()) {
    const { key, peerKey } = candidates[i]!;
    if (!equalBytes(ready.key, key) || !equalBytes(ready.peerKey, peerKey)) return ctx.fail('not-ready');
    if (ready.epoch !== number) return ctx.fail('ready-epoch');
    if (ready.height > ctx.height || ready.height < ctx.height - readyWindow) return ctx.fail('ready-height');
    if (
      ready.protocolVersion !== protocolVersion ||
      ready.application !== application ||
      ready.applicationVersion !== applicationVersion
    )
      return ctx.fail('ready-version');
  }
  for (const { ready, signature } of shown)
    if (!portableVerify(signature, readyMessage(ctx.genesisId, ready), ready.key)) return ctx.fail('ready-signature');
}
