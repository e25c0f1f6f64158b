import type { Account, Application } from './application.ts';
import { type Batch, blockTime, type Receipt } from './block.ts';
import { compareBytes, equalBytes, toHex } from './bytes.ts';
import { encode } from './codec.ts';
import { accountNames, accounts, administrators, organisationHash, organisations } from './modules/accounts.ts';
import { epochTable, firstEpoch, parametersTable, validatorsTable } from './modules/epoch.ts';
import { consensusKeys, summary } from './modules/node-keys.ts';
import { CURRENT, type Organisation } from './modules/rows.ts';
import { binaryString, Overlay, type StateChange, type StateReader } from './overlay.ts';
import type { Parameters } from './parameters.ts';
import { TransactionRunner } from './run-transaction.ts';
import type { Table, TableKey } from './table.ts';
import type { Transaction } from './transaction.ts';
import type { ValidatorSet } from './validators.ts';

export { type StateChange, StateError, type StateReader } from './overlay.ts';

export interface BatchInput {
  readonly application: Application;
  /** 32 bytes; names the chain. */
  readonly genesisId: Uint8Array;
  /** Of the epoch. */
  readonly parameters: Parameters;
  /** E8: how long an executed id is remembered, in ms of block time. */
  readonly idHorizonMs: number;
  /** State after the block below. */
  readonly state: StateReader;
  /** Block time of the block below in ms. */
  readonly parentTimestamp: number;
  readonly batch: Batch;
  /** The batch's transactions in its order. */
  readonly transactions: readonly Transaction[];
  /** Whether an id has a receipt in a block below, of block time not before this block's minus `idHorizonMs`. */
  executedBefore(id: Uint8Array): boolean;
}

/** What a position of a batch came to: a receipt `ok` or `failed`, or none (N9). */
export type Outcome = 'ok' | 'failed' | 'skipped';

export interface BatchResult {
  /** Block time in ms. */
  readonly timestamp: number;
  /** The transactions with a receipt, in order. */
  readonly executed: readonly Transaction[];
  /** One for each of `executed`. */
  readonly receipts: readonly Receipt[];
  /** Net changes of the state, sorted by table name, then key. */
  readonly changes: readonly StateChange[];
  /** One for each position of the batch. */
  readonly outcomes: readonly Outcome[];
}

/**
 * Executes a batch (N9, N10): a pure function of its input. Throws only what must stop the node: state that can't be
 * read (StateError), exhausted stack or memory, or transactions that are not the batch's.
 */
export function executeBatch(input: BatchInput): BatchResult {
  const { application, parameters, batch, transactions } = input;
  if (transactions.length !== batch.transactions.length) {
    throw new RangeError(`${transactions.length} transactions for a batch of ${batch.transactions.length}`);
  }
  const timestamp = blockTime(batch, input.parentTimestamp);
  const overlay = new Overlay(input.state);
  const runner = new TransactionRunner(application, parameters, overlay, {
    height: batch.height,
    time: timestamp,
    genesisId: input.genesisId,
  });
  const ids = new Set<string>();
  const executed: Transaction[] = [];
  const receipts: Receipt[] = [];
  const outcomes: Outcome[] = [];
  for (const [index, transaction] of transactions.entries()) {
    const { id, body } = transaction;
    if (!equalBytes(id, batch.transactions[index]!)) {
      throw new RangeError(`transaction ${index} is ${toHex(id)}, the batch has ${toHex(batch.transactions[index]!)}`);
    }
    // N9: t <= validUntil <= t + idHorizon, by block time only, and once.
    const alive = timestamp <= body.validUntil && body.validUntil <= timestamp + input.idHorizonMs;
    const key = binaryString(id);
    if (!alive || ids.has(key) || input.executedBefore(id)) {
      outcomes.push('skipped');
      continue;
    }
    ids.add(key);
    const result = runner.run(transaction);
    const ok = result.status === 'ok';
    executed.push(transaction);
    receipts.push({ id, status: result.status, code: ok ? '' : result.code, events: ok ? result.events : [] });
    outcomes.push(result.status);
  }
  return { timestamp, executed, receipts, changes: overlay.changes(), outcomes };
}

/** What genesis says about the state. `Genesis` of genesis/ is one. */
export interface GenesisPieces {
  readonly organisations: readonly ({ readonly name: string } & Omit<Organisation, 'changes'>)[];
  readonly accounts: readonly ({ readonly key: Uint8Array } & Omit<Account, 'id' | 'active'>)[];
  readonly validators: ValidatorSet;
  readonly parameters: Parameters;
}

/** The rows of block 0: organisations, accounts, and what the first epoch is made of. */
export function genesisState(pieces: GenesisPieces): readonly StateChange[] {
  const changes = [
    row(epochTable, [CURRENT], firstEpoch(pieces.parameters)),
    row(parametersTable, [CURRENT], pieces.parameters),
    row(validatorsTable, [CURRENT], pieces.validators),
    row(summary, [CURRENT], { organisations: pieces.organisations.length, changes: 0, guests: [] }),
    ...pieces.validators.map(({ key }) => row(consensusKeys, [key], { from: 0, until: 0, changed: 0 })),
    ...pieces.organisations.flatMap(({ name, administrators: keys, threshold, roles }) => [
      row(organisations, [name], { administrators: keys, threshold, roles, changes: 0 }),
      ...keys.map((key) => row(administrators, [key], { organisation: name, open: [], votes: [] })),
    ]),
    ...pieces.accounts.flatMap(({ key, name, organisation, roles }) => [
      row(accounts, [key], { id: key, name, organisation, roles, active: true }),
      row(accountNames, [organisationHash(organisation), name], { account: key }),
    ]),
  ];
  return changes.sort((a, b) => (a.table === b.table ? compareBytes(a.key, b.key) : a.table < b.table ? -1 : 1));
}

function row<K extends TableKey, V>(table: Table<K, V>, key: NoInfer<K>, value: NoInfer<V>): StateChange {
  return { table: table.name, key: table.encodeKey(key).slice(), value: encode(table.value, value) };
}
