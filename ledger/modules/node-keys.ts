import type { Context } from '../application.ts';
import { equalBytes } from '../bytes.ts';
import { type CodecType, oneOf, struct, text, u64 } from '../codec.ts';
import { GUESTS_MAX, NAME_BYTES_MAX } from '../limits.ts';
import { publicKeyProblem } from '../public-key.ts';
import { bytesPart, defineTable, textPart } from '../table.ts';
import { accounts, administrators } from './accounts.ts';
import { validatorsTable } from './epoch.ts';
import { CURRENT, SUMMARY, summaryCodec } from './rows.ts';

/** Keys of nodes: which have one, which ever had one, and that no key has two uses. */

/** Every consensus key that ever was in a set, for ever (E4). */
export const consensusKeys = defineTable(
  'governance.keys',
  [bytesPart(32)],
  struct({
    /** The first epoch in whose set it is. */
    from: u64,
    /** The first epoch without it; 0 while it is a member. */
    until: u64,
    /** Block time in ms of its newest change; 0 for genesis. */
    changed: u64,
  }),
);

const guestCodec = struct({
  name: text(NAME_BYTES_MAX, 1),
  organisation: text(NAME_BYTES_MAX, 1),
  kind: oneOf({ observer: 1, candidate: 2 }),
  /** Block time in ms up to which it is one; 0: without an end. */
  until: u64,
});
export type Guest = CodecType<typeof guestCodec>;

/** Peer key to whom nodes admit to their network without being a member. */
export const guests = defineTable('governance.guests', [bytesPart(32)], guestCodec);

/** Under `current`: what else would have to be counted over whole tables. */
export const summary = defineTable(SUMMARY, [textPart(CURRENT.length)], summaryCodec);

type Reading = Pick<Context, 'get' | 'has' | 'time' | 'fail'>;

/** A key has one use, and one owner for ever. The costly check of S5 comes last. */
export function areFree(ctx: Reading, keys: readonly Uint8Array[]): void {
  for (const key of keys) if (isTaken(ctx, key)) ctx.fail('key-taken');
  areSound(ctx, keys);
}

/** S5. */
export function areSound(ctx: Pick<Context, 'fail'>, keys: readonly Uint8Array[]): void {
  for (const key of keys) if (publicKeyProblem(key) !== undefined) ctx.fail('bad-key');
}

/** Whether a key stands for anybody: an account, an administrator, a validator of whatever epoch, a peer. */
export function isTaken(ctx: Reading, key: Uint8Array): boolean {
  return (
    ctx.has(accounts, [key]) ||
    ctx.has(administrators, [key]) ||
    ctx.has(consensusKeys, [key]) ||
    guestOf(ctx, key) !== undefined ||
    (ctx.get(validatorsTable, [CURRENT]) ?? []).some(({ peerKey }) => equalBytes(peerKey, key))
  );
}

/** The guest with this peer key, if it is one now. */
export function guestOf(ctx: Pick<Context, 'get' | 'time'>, peerKey: Uint8Array): Guest | undefined {
  const guest = ctx.get(guests, [peerKey]);
  return guest !== undefined && isGuestAt(guest, ctx.time) ? guest : undefined;
}

/** By the time of a block. */
export function isGuestAt({ until }: Guest, time: number): boolean {
  return until === 0 || until >= time;
}

type Writing = Reading & Pick<Context, 'set' | 'delete'>;

/** Those whose time is over make place. */
export function addGuest(ctx: Writing, peerKey: Uint8Array, guest: Guest): void {
  for (const key of summaryOf(ctx).guests) if (guestOf(ctx, key) === undefined) removeGuest(ctx, key);
  const row = summaryOf(ctx);
  if (row.guests.length === GUESTS_MAX) ctx.fail('too-many-guests');
  ctx.set(guests, [peerKey], guest);
  ctx.set(summary, [CURRENT], { ...row, guests: [...row.guests, peerKey] });
}

/** Nothing if it is none. */
export function removeGuest(ctx: Writing, peerKey: Uint8Array): void {
  const row = summaryOf(ctx);
  ctx.delete(guests, [peerKey]);
  ctx.set(summary, [CURRENT], { ...row, guests: row.guests.filter((key) => !equalBytes(key, peerKey)) });
}

export function summaryOf(ctx: Pick<Context, 'get'>) {
  return ctx.get(summary, [CURRENT])!;
}
