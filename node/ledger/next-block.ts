import { type Batch, blockTime, receiptCodec } from '../../ledger/block.ts';
import { encode } from '../../ledger/codec.ts';
import { type BatchInput, executeBatch } from '../../ledger/execution.ts';
import { packTransactions, type Transaction } from '../../ledger/transaction.ts';
import type { Head, LedgerQueries } from '../ports.ts';
import { decodeTransactions } from './blocks.ts';
import type { ExecutedIds } from './executed-ids.ts';
import type { Epochs } from './membership.ts';
import type { LedgerOptions } from './opening.ts';
import type { LedgerState } from './state.ts';

/** What the next block is executed on. */
export interface Basis extends Pick<LedgerOptions, 'application' | 'genesis'> {
  readonly head: Head;
  readonly state: LedgerState;
  readonly epochs: Epochs;
  readonly ids: ExecutedIds;
}

/** The one way to what is executed: a block is ordered and a dry-run forecast by the same input. */
export function inputOf(
  { application, genesis, head, state, epochs, ids }: Basis,
  batch: Batch,
  transactions: readonly Transaction[],
): BatchInput {
  return {
    application,
    parameters: epochs.current.parameters,
    idHorizonMs: epochs.idHorizonAt(blockTime(batch, head.timestamp)),
    genesisId: genesis.id,
    state,
    parentTimestamp: head.timestamp,
    batch,
    transactions,
    executedBefore: (id) => ids.has(id),
  };
}

/**
 * Executes a transaction as the only one of the next block. What that gives is kept nowhere, so nothing changes. Throws what
 * `executeBatch` throws.
 */
export function dryRun(
  basis: Basis,
  { transaction, timestamp }: LedgerQueries['dryRun']['args'],
): LedgerQueries['dryRun']['result'] {
  const { head, genesis } = basis;
  const transactions = decodeTransactions(genesis.id, packTransactions([transaction]));
  const batch: Batch = { height: head.height + 1, timestamp, transactions: transactions.map(({ id }) => id) };
  const { receipts, timestamp: time } = executeBatch(inputOf(basis, batch, transactions));
  const [receipt] = receipts;
  return { height: head.height, time, receipt: receipt && encode(receiptCodec, receipt) };
}
