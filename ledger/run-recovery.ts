import type { Context } from './application.ts';
import { encode } from './codec.ts';
import { numberKey } from './modules/approvals.ts';
import { recoveries } from './modules/governance-change.ts';
import { prepareRecovery } from './modules/governance-effect.ts';
import { Overlay, type Row, type StateChange, type StateReader } from './overlay.ts';
import type { Table, TableKey } from './table.ts';
import type { ValidatorSet } from './validators.ts';

export interface RecoveryInput {
  readonly genesisId: Uint8Array;
  /** After the block below. */
  readonly state: StateReader;
  /** Of the epoch that ends. */
  readonly epoch: number;
  readonly height: number;
  /** Block time in ms. */
  readonly time: number;
  readonly next: ValidatorSet;
  readonly reason: string;
}

/** This set can't follow the one in force: the code says why, as a receipt's does. */
export class RecoveryRefused extends Error {
  readonly code = 'RECOVERY';
}

/**
 * R10: what the block of a recovery changes, a pure function of its input: the set of the next epoch, and a row that tells
 * of it for ever. Throws RecoveryRefused, and StateError, which must stop the node.
 */
export function runRecovery({
  state,
  epoch,
  height,
  time,
  genesisId,
  next,
  reason,
}: RecoveryInput): readonly StateChange[] {
  const overlay = new Overlay(state);
  const ctx = contextOf(overlay, { height, time, genesisId });
  prepareRecovery(ctx, next)(ctx, 0);
  ctx.set(recoveries, [numberKey(epoch)], { height, time, reason });
  return overlay.changes();
}

type RecoveryContext = Pick<
  Context,
  'get' | 'has' | 'set' | 'delete' | 'fail' | 'height' | 'time' | 'genesisId' | 'organisation'
>;

/** What governance needs, where there is no transaction and nobody who acts. */
function contextOf(overlay: Overlay, block: Pick<Context, 'height' | 'time' | 'genesisId'>): RecoveryContext {
  const row = <K extends TableKey, V>(table: Table<K, V>, key: K): Row => overlay.row(table, table.encodeKey(key));
  return {
    ...block,
    organisation: '',
    get: (table, key) => overlay.value(table, row(table, key)),
    has: (table, key) => row(table, key).value !== undefined,
    set: (table, key, value) => overlay.set(row(table, key), encode(table.value, value)),
    delete: (table, key) => overlay.set(row(table, key), undefined),
    fail(code) {
      throw new RecoveryRefused(`the next set can not be: ${code}`);
    },
  };
}
