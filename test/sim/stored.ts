import assert from 'node:assert/strict';
import { type Receipt, receiptCodec } from '../../ledger/block.ts';
import { equalBytes, toHex, utf8Encode } from '../../ledger/bytes.ts';
import type { Checkpoint } from '../../ledger/checkpoint.ts';
import { decode, encode } from '../../ledger/codec.ts';
import { epochCodec, epochTable, validatorsTable } from '../../ledger/modules/epoch.ts';
import { CURRENT } from '../../ledger/modules/rows.ts';
import type { SignKind } from '../../ledger/sign-bytes.ts';
import { validatorSetCodec } from '../../ledger/validators.ts';
import { baseCodec, blockCodec, placeCodec } from '../../node/ledger/records.ts';
import { type Vote, viewChangeBodyCodec, voteCodec } from '../../node/pbft/messages.ts';
import { heightKey, KINDS, stateKey } from '../../node/store/store.ts';
import { type BlockIds, blockIdsCodec } from '../../node/wire.ts';
import type { NextEpoch } from './epochs.ts';
import type { SimNode } from './node.ts';

/** What stands on a node's disk, read without the node. */

/** Height of the snapshot that the node has installed last. */
export function baseOf(node: SimNode): number {
  const row = node.disk.rows.get(rowKey('base', NO_KEY));
  return row === undefined ? 0 : decode(baseCodec, row.subarray(4)).height;
}

/** The epoch of the block that comes next, by the state of the newest one. */
export function storedEpoch(node: SimNode): NextEpoch & { readonly firstHeight: number } {
  const base = node.disk.rows.get(rowKey('base', NO_KEY));
  const kind = base === undefined ? 'state' : decode(baseCodec, base.subarray(4)).rows;
  const valueIn = (table: string): Uint8Array => {
    const row = node.disk.rows.get(rowKey(kind, stateKey(table, utf8Encode(CURRENT))));
    assert(row !== undefined, `${node.name} has no row of ${table}`);
    return row.subarray(4);
  };
  const { number, firstHeight } = decode(epochCodec, valueIn(epochTable.name));
  return { number, firstHeight, validators: decode(validatorSetCodec, valueIn(validatorsTable.name)) };
}

/** A block as executed, or as a snapshot carries it. */
export function storedBlock(node: SimNode, height: number): BlockIds | undefined {
  const row = node.disk.rows.get(rowKey('block', heightKey(height)));
  if (row !== undefined) return decode(blockCodec, row.subarray(4));
  const carried = height > baseOf(node) ? undefined : node.disk.rows.get(rowKey('blockIds', heightKey(height)));
  return carried && decode(blockIdsCodec, carried.subarray(4));
}

const carriedIds = new WeakMap<SimNode, { readonly base: number; readonly ids: ReadonlySet<string> }>();

/** Whether a node has this transaction behind it. */
export function hasExecuted(node: SimNode, id: string): boolean {
  if (node.disk.rows.has(rowKey('transaction', Buffer.from(id.slice(2), 'hex')))) return true;
  const base = baseOf(node);
  let carried = carriedIds.get(node);
  if (carried?.base !== base) {
    const ids = new Set<string>();
    for (let height = 1; height <= base; height++)
      for (const one of storedBlock(node, height)?.ids ?? []) ids.add(toHex(one));
    carried = { base, ids };
    carriedIds.set(node, carried);
  }
  return carried.ids.has(id);
}

/** The receipt of a transaction in a block that the node has executed itself. */
export function receiptOf(node: SimNode, id: string): Receipt | undefined {
  const row = node.disk.rows.get(rowKey('transaction', Buffer.from(id.slice(2), 'hex')));
  if (row === undefined) return undefined;
  const { height, index } = decode(placeCodec, row.subarray(4));
  const block = node.disk.rows.get(rowKey('block', heightKey(height)));
  const receipt = block && decode(blockCodec, block.subarray(4)).receipts[index];
  return receipt && decode(receiptCodec, receipt);
}

/** I9: what the vote rests on is on the disk, not in a cache. Searched as bytes, as a reader after a power cut would. */
export function isVoteDurable(node: SimNode, kind: SignKind, vote: Vote): boolean {
  const state = node.validator?.state;
  switch (kind) {
    case 'prePrepare':
      // One of a carried height stands in the NEW-VIEW record; its batch may still have to be fetched.
      if (state !== undefined && vote.height <= state.carryTop) return true;
      return node.disk.isInJournal(recordOf(1, vote));
    case 'prepare':
      return node.disk.isInJournal(recordOf(1, vote));
    case 'commit':
      return node.disk.isInJournal(recordOf(2, vote));
    case 'viewChange':
      return state?.asking === undefined || node.disk.isInJournal(encode(viewChangeBodyCodec, state.asking));
    default:
      return true;
  }
}

/** I9: so is the block that a CHECKPOINT is about. */
export function isBlockDurable(node: SimNode, { height, stateRoot }: Checkpoint): boolean {
  const row = node.disk.durableRow(Buffer.from(rowKey('block', heightKey(height)), 'latin1'));
  return row !== undefined && equalBytes(decode(blockCodec, row.subarray(4)).stateRoot, stateRoot);
}

/** As records of the journal begin: a tag, and the vote. */
function recordOf(tag: number, vote: Vote): Uint8Array {
  return Buffer.concat([Uint8Array.of(tag), encode(voteCodec, vote)]);
}

const NO_KEY = new Uint8Array(0);

function rowKey(kind: keyof typeof KINDS, key: Uint8Array): string {
  return Buffer.concat([Uint8Array.of(KINDS[kind]), key]).toString('latin1');
}
