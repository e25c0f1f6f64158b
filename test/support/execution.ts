import assert from 'node:assert/strict';
import type { Application } from '../../ledger/application.ts';
import type { Receipt } from '../../ledger/block.ts';
import { concatBytes, toHex, utf8Encode } from '../../ledger/bytes.ts';
import { decode, encode, type Json } from '../../ledger/codec.ts';
import {
  type BatchResult,
  executeBatch,
  type GenesisPieces,
  genesisState,
  type StateChange,
  type StateReader,
} from '../../ledger/execution.ts';
import { sha256 } from '../../ledger/hash.ts';
import { idHorizonAt, readEpoch } from '../../ledger/modules/epoch.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { CURRENT } from '../../ledger/modules/rows.ts';
import { defaultParameters, type Parameters } from '../../ledger/parameters.ts';
import type { Table, TableKey } from '../../ledger/table.ts';
import { type Call, decodeTransaction, type Transaction, transactionBodyCodec } from '../../ledger/transaction.ts';

export const GENESIS_ID = sha256(utf8Encode('execution tests'));
export const START = 1_000_000;

/** Any 32 bytes are a key here: execution verifies no signature. */
export const keyOf = (name: string): Uint8Array => sha256(utf8Encode(name));

/** Accounts of the tests and their roles. */
const ACCOUNTS: Readonly<Record<string, readonly string[]>> = {
  ann: ['writer'],
  ben: ['issuer'],
  cleo: [],
  dora: ['issuer', 'writer'],
};

/** State rows in memory. */
export class MemoryState implements StateReader {
  readonly rows = new Map<string, Uint8Array>();

  get(table: string, key: Uint8Array): Uint8Array | undefined {
    return this.rows.get(`${table}/${toHex(key)}`);
  }

  apply(changes: readonly StateChange[]): void {
    for (const { table, key, value } of changes) {
      if (value === null) this.rows.delete(`${table}/${toHex(key)}`);
      else this.rows.set(`${table}/${toHex(key)}`, value);
    }
  }

  row<K extends TableKey, V>(table: Table<K, V>, key: NoInfer<K>): V | undefined {
    const value = this.get(table.name, table.encodeKey(key));
    return value === undefined ? undefined : decode(table.value, value);
  }
}

/** A chain of batches executed one after the other. */
export class TestChain {
  readonly state = new MemoryState();
  readonly application: Application;
  readonly parameters: Parameters;
  readonly executed = new Set<string>();
  timestamp = START;
  height = 0;
  #nonce = 0;

  constructor(
    application: Application = quorateApplication,
    parameters: Partial<Parameters> = {},
    pieces: Partial<Omit<GenesisPieces, 'parameters'>> = {},
  ) {
    this.application = application;
    this.parameters = { ...defaultParameters, ...parameters };
    this.state.apply(
      genesisState({
        organisations: [{ name: 'acme', administrators: [keyOf('admin')], threshold: 1, roles: ['writer', 'issuer'] }],
        accounts: Object.entries(ACCOUNTS).map(([name, roles]) => ({
          key: keyOf(name),
          name,
          organisation: 'acme',
          roles,
        })),
        validators: [{ name: 'v0', organisation: 'acme', key: keyOf('v0'), peerKey: keyOf('p0') }],
        parameters: this.parameters,
        ...pieces,
      }),
    );
  }

  call(module: string, action: string, args: Json): Call {
    const encoded = this.application.argsFromJson(module, action, args);
    assert(encoded.ok, encoded.ok ? '' : encoded.problem);
    return { module, action, args: encoded.value };
  }

  /** A transaction of `sender` (a key, or a name for `keyOf`) with a fresh nonce; the signature is 64 times `signature`. */
  transaction(
    sender: string | Uint8Array,
    calls: readonly Call[],
    validUntil = this.timestamp + Math.min(60_000, readEpoch(this.state, CURRENT)!.parameters.maxLifetimeMs),
    signature = 0,
  ): Transaction {
    this.#nonce += 1;
    const nonce = Uint8Array.from({ length: 8 }, (_, at) => (at < 4 ? 0 : (this.#nonce >> (8 * (7 - at))) & 255));
    const key = typeof sender === 'string' ? keyOf(sender) : sender;
    const body = { sender: key, nonce, validUntil, calls, memo: new Uint8Array(0) };
    const bytes = concatBytes(encode(transactionBodyCodec, body), new Uint8Array(64).fill(signature));
    const decoded = decodeTransaction(GENESIS_ID, bytes);
    assert(decoded.ok, decoded.ok ? '' : decoded.problem);
    return decoded.value;
  }

  /** Executes without applying. */
  try(transactions: readonly Transaction[], timestamp = this.timestamp + 10): BatchResult {
    const epoch = readEpoch(this.state, CURRENT)!;
    return executeBatch({
      application: this.application,
      genesisId: GENESIS_ID,
      parameters: epoch.parameters,
      idHorizonMs: idHorizonAt(epoch, Math.max(timestamp, this.timestamp + 1)),
      state: this.state,
      parentTimestamp: this.timestamp,
      batch: { height: this.height + 1, timestamp, transactions: transactions.map(({ id }) => id) },
      transactions,
      executedBefore: (id) => this.executed.has(toHex(id)),
    });
  }

  run(transactions: readonly Transaction[], timestamp?: number): BatchResult {
    const result = this.try(transactions, timestamp);
    this.state.apply(result.changes);
    for (const { id } of result.executed) this.executed.add(toHex(id));
    this.timestamp = result.timestamp;
    this.height += 1;
    return result;
  }

  /** One call in its own batch: its receipt. */
  send(sender: string | Uint8Array, module: string, action: string, args: Json): Receipt {
    const { receipts } = this.run([this.transaction(sender, [this.call(module, action, args)])]);
    assert.equal(receipts.length, 1);
    return receipts[0]!;
  }
}

/** `ok`, or the code of a failed receipt. */
export function verdict({ status, code, events }: Receipt): string {
  if (status === 'ok') {
    assert.equal(code, '');
    return 'ok';
  }
  assert.equal(events.length, 0);
  return code;
}
