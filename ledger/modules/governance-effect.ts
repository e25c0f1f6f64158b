import type { Context } from '../application.ts';
import { equalBytes } from '../bytes.ts';
import { sameEncoding } from '../codec.ts';
import { ORGANISATIONS_MAX, ROTATION_PAUSE_MS, VALIDATORS_MAX } from '../limits.ts';
import { type Parameters, parametersCodec, rangesProblem, sizeProblem } from '../parameters.ts';
import { portableVerify } from '../portable.ts';
import { rotationMessage } from '../ready.ts';
import { faultsTolerated, type ValidatorSet } from '../validators.ts';
import { prepareLimits } from './account-limits.ts';
import { administrators, expelled, organisations } from './accounts.ts';
import { dismiss, repeatedKey } from './changes.ts';
import { currentEpoch, type Epoch, endEpoch } from './epoch.ts';
import type { ChangeOf, GovernanceChange } from './governance-change.ts';
import {
  addGuest,
  areFree,
  areSound,
  consensusKeys,
  guestOf,
  guests,
  isTaken,
  removeGuest,
  summary,
  summaryOf,
} from './node-keys.ts';
import { CURRENT } from './rows.ts';

type Reading = Pick<Context, 'get' | 'has' | 'fail' | 'height' | 'time' | 'genesisId' | 'organisation'>;
type Writing = Reading & Pick<Context, 'set' | 'delete'>;

/** Writes what a change does; `number` is that of the change in the history. */
type Effect = (ctx: Writing, number: number) => void;

/** A part of the epoch that a change replaces. */
type Next = Pick<Epoch, 'validators' | 'parameters'>;

/**
 * Checks that a change could take effect now, and ends the transaction with the reason if not. What is returned makes it
 * so. `ready`: those whom it adds have shown that they are ready.
 */
export function prepareChange(ctx: Reading, change: GovernanceChange, ready = false): Effect {
  switch (change.kind) {
    case 'parameters':
      return prepareParameters(ctx, change.value);
    case 'validators':
      return prepareValidators(ctx, change.value, ready);
    case 'rotate':
      return prepareRotate(ctx, change.value);
    case 'admit':
      return prepareAdmit(ctx, change.value);
    case 'expel':
      return prepareExpel(ctx, change.value);
    case 'observer':
      return prepareObserver(ctx, change.value);
    case 'removeObserver':
      return prepareRemoveObserver(ctx, change.value);
    case 'limits':
      return prepareLimits(ctx, change.value);
  }
}

/** What a change makes of set and parameters, whether it may or not. */
export function afterChange({ validators, parameters }: Next, change: GovernanceChange): Next {
  switch (change.kind) {
    case 'parameters':
      return { validators, parameters: change.value };
    case 'validators': {
      const { add, remove } = change.value;
      return { validators: [...validators.filter(({ key }) => !isAmong(remove, key)), ...add], parameters };
    }
    case 'rotate': {
      const { key, next, peerKey } = change.value;
      const rotated = validators.map((one) => (equalBytes(one.key, key) ? { ...one, key: next, peerKey } : one));
      return { validators: rotated, parameters };
    }
    default:
      return { validators, parameters };
  }
}

/** Why these parameters can't replace those in force, or undefined. */
export function nextParametersProblem(epoch: Next, next: Parameters): string | undefined {
  // A function of the state, not of the binary that executes: who does not implement the next version stops when it begins (E1).
  const { protocolVersion } = epoch.parameters;
  if (next.protocolVersion !== protocolVersion && next.protocolVersion !== protocolVersion + 1)
    return `protocolVersion ${next.protocolVersion}, expected ${protocolVersion} or ${protocolVersion + 1}`;
  for (const [name, least] of Object.entries(NEEDED)) {
    const value = next[name as keyof typeof NEEDED];
    if (value < least) return `${name} is ${value}, governance itself needs ${least}`;
  }
  return rangesProblem(next) ?? sizeProblem(epoch.validators.length, next.window);
}

/** With less a proposal could not be sent or executed that gives more again. */
const NEEDED = { transactionBytesMax: 20_480, readsMax: 10_000, writesMax: 10_000, stateBytesMax: 1_048_576 };

function prepareParameters(ctx: Reading, next: ChangeOf<'parameters'>): Effect {
  const epoch = currentEpoch(ctx);
  if (sameEncoding(parametersCodec, epoch.parameters, next)) ctx.fail('no-change');
  if (nextParametersProblem(epoch, next) !== undefined) ctx.fail('bad-parameters');
  return (ctx) => begin(ctx, epoch, { validators: epoch.validators, parameters: next });
}

function prepareValidators(ctx: Reading, change: ChangeOf<'validators'>, ready: boolean): Effect {
  const epoch = currentEpoch(ctx);
  const { add, remove, shrinksTo } = change;
  const n = epoch.validators.length;
  if (add.length + remove.length === 0) ctx.fail('no-change');
  // E4.
  if (add.length + remove.length > Math.max(1, faultsTolerated(n))) ctx.fail('too-many-changes');
  if (!remove.every((removed) => epoch.validators.some(({ key }) => equalBytes(key, removed))))
    ctx.fail('no-such-validator');
  const next = afterChange(epoch, { kind: 'validators', value: change });
  const size = next.validators.length;
  if (size === 0) ctx.fail('no-validators');
  if (size > VALIDATORS_MAX || sizeProblem(size, epoch.parameters.window) !== undefined)
    ctx.fail('too-many-validators');
  const isSmall = size < 4 || faultsTolerated(size) < faultsTolerated(n);
  if (shrinksTo !== (isSmall ? size : 0)) ctx.fail('size-not-named');
  if (new Set(next.validators.map(({ name }) => name)).size !== size) ctx.fail('name-taken');
  for (const { organisation, key, peerKey } of add) {
    isThere(ctx, organisation);
    if (isTaken(ctx, key)) ctx.fail('key-taken');
    mayConnect(ctx, peerKey, organisation, ready);
  }
  for (const { key, peerKey } of add) areSound(ctx, [key, peerKey]);
  return (ctx) => begin(ctx, epoch, next);
}

function prepareRotate(ctx: Reading, change: ChangeOf<'rotate'>): Effect {
  const epoch = currentEpoch(ctx);
  const { key, next, peerKey, possession } = change;
  const now = epoch.validators.find((one) => equalBytes(one.key, key));
  if (now === undefined) return ctx.fail('no-such-validator');
  if (now.organisation !== ctx.organisation) ctx.fail('other-organisation');
  const [newKey, newPeer] = [!equalBytes(next, key), !equalBytes(peerKey, now.peerKey)];
  if (!newKey && !newPeer) ctx.fail('no-change');
  if (equalBytes(next, peerKey)) ctx.fail('key-taken');
  const { changed } = ctx.get(consensusKeys, [key])!;
  if (changed !== 0 && ctx.time < changed + ROTATION_PAUSE_MS) ctx.fail('rotated-recently');
  if (newKey) areFree(ctx, [next]);
  if (newPeer) mayConnect(ctx, peerKey, now.organisation, false);
  areSound(ctx, [peerKey]);
  const rotated = { ...now, key: next, peerKey };
  if (!portableVerify(possession, rotationMessage(ctx.genesisId, rotated), next)) ctx.fail('bad-possession');
  return (ctx) => begin(ctx, epoch, afterChange(epoch, { kind: 'rotate', value: change }));
}

function prepareAdmit(ctx: Reading, { name, administration, roles }: ChangeOf<'admit'>): Effect {
  if (ctx.has(organisations, [name])) ctx.fail('name-taken');
  if (summaryOf(ctx).organisations === ORGANISATIONS_MAX) ctx.fail('too-many-organisations');
  areFree(ctx, administration.administrators);
  return (ctx) => {
    ctx.set(organisations, [name], { ...administration, roles, changes: 0 });
    for (const key of administration.administrators)
      ctx.set(administrators, [key], { organisation: name, open: [], votes: [] });
    count(ctx, 1);
  };
}

/** Its row stays, and so its name is taken for ever, since names of accounts and its history are under it. */
function prepareExpel(ctx: Reading, { organisation }: ChangeOf<'expel'>): Effect {
  isThere(ctx, organisation);
  if (currentEpoch(ctx).validators.some((one) => one.organisation === organisation)) ctx.fail('has-validators');
  return (ctx, number) => {
    dismiss(ctx, ctx.get(organisations, [organisation])!.administrators);
    ctx.set(expelled, [organisation], { number });
    for (const peerKey of summaryOf(ctx).guests)
      if (ctx.get(guests, [peerKey])!.organisation === organisation) removeGuest(ctx, peerKey);
    count(ctx, -1);
  };
}

function prepareObserver(ctx: Reading, { name, organisation, peerKey }: ChangeOf<'observer'>): Effect {
  isThere(ctx, organisation);
  areFree(ctx, [peerKey]);
  return (ctx) => addGuest(ctx, peerKey, { name, organisation, kind: 'observer', until: 0 });
}

function prepareRemoveObserver(ctx: Reading, { peerKey }: ChangeOf<'removeObserver'>): Effect {
  if (guestOf(ctx, peerKey)?.kind !== 'observer') ctx.fail('no-such-observer');
  return (ctx) => removeGuest(ctx, peerKey);
}

/**
 * R10: a recovery puts this set in the place of the one that has lost its quorum. Who stays keeps both keys; whoever else is
 * in it is new, or has a new consensus key. Ends with the reason if that can not be.
 */
export function prepareRecovery(ctx: Reading, next: ValidatorSet): Effect {
  const epoch = currentEpoch(ctx);
  const { validators, parameters } = epoch;
  const size = next.length;
  if (size === 0) ctx.fail('no-validators');
  if (size > VALIDATORS_MAX || sizeProblem(size, parameters.window) !== undefined) ctx.fail('too-many-validators');
  if (new Set(next.map(({ name }) => name)).size !== size) ctx.fail('name-taken');
  if (repeatedKey(next.flatMap(({ key, peerKey }) => [key, peerKey])) !== undefined) ctx.fail('key-taken');
  for (const { organisation, key, peerKey } of next) {
    isThere(ctx, organisation);
    const old = validators.find((one) => equalBytes(one.peerKey, peerKey));
    if (old === undefined) mayConnect(ctx, peerKey, organisation, true);
    else if (old.organisation !== organisation) ctx.fail('other-organisation');
    if (old !== undefined && equalBytes(old.key, key)) continue;
    if (isTaken(ctx, key)) ctx.fail('key-taken');
    areSound(ctx, [key, peerKey]);
  }
  return (ctx) => begin(ctx, epoch, { validators: next, parameters });
}

/** Ends the epoch, with what is to be known of keys for ever. Guests who become members are guests no more. */
function begin(ctx: Writing, before: Epoch, next: Next): void {
  endEpoch(ctx, next);
  const number = before.number + 1;
  const changed = ctx.time;
  for (const { key } of before.validators) {
    if (next.validators.some((one) => equalBytes(one.key, key))) continue;
    ctx.set(consensusKeys, [key], { ...ctx.get(consensusKeys, [key])!, until: number, changed });
  }
  for (const { key, peerKey } of next.validators) {
    const old = before.validators.find((one) => equalBytes(one.key, key));
    if (old !== undefined && equalBytes(old.peerKey, peerKey)) continue;
    const { from } = ctx.get(consensusKeys, [key]) ?? { from: number };
    ctx.set(consensusKeys, [key], { from, until: 0, changed });
    if (ctx.has(guests, [peerKey])) removeGuest(ctx, peerKey);
  }
}

function count(ctx: Writing, more: 1 | -1): void {
  const row = summaryOf(ctx);
  ctx.set(summary, [CURRENT], { ...row, organisations: row.organisations + more });
}

function isThere(ctx: Reading, organisation: string): void {
  if (!ctx.has(organisations, [organisation]) || ctx.has(expelled, [organisation])) ctx.fail('no-such-organisation');
}

/** The peer key of a member to be is nobody's, or of a guest of its organisation: an observer, or this candidate itself. */
function mayConnect(ctx: Reading, peerKey: Uint8Array, organisation: string, ready: boolean): void {
  const guest = guestOf(ctx, peerKey);
  const mine = guest?.organisation === organisation && (ready || guest.kind === 'observer');
  if (guest === undefined ? isTaken(ctx, peerKey) : !mine) ctx.fail('key-taken');
}

function isAmong(keys: readonly Uint8Array[], key: Uint8Array): boolean {
  return keys.some((one) => equalBytes(one, key));
}
