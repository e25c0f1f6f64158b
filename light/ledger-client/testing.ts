/** `quorate/testing`: a ledger in memory for unit tests, with the execution of the nodes and without signatures or network. */
import { type Application, createApplication, type Module } from '../../ledger/application.ts';
import { concatBytes, toHex, utf8Encode } from '../../ledger/bytes.ts';
import { decode, encode } from '../../ledger/codec.ts';
import { executeBatch, genesisState, type StateChange } from '../../ledger/execution.ts';
import { sha256 } from '../../ledger/hash.ts';
import { assets } from '../../ledger/modules/assets.ts';
import { governance } from '../../ledger/modules/governance.ts';
import { members } from '../../ledger/modules/members.ts';
import { records } from '../../ledger/modules/records.ts';
import { defaultParameters } from '../../ledger/parameters.ts';
import type { Table, TableKey } from '../../ledger/table.ts';
import {
  type Call,
  decodeTransaction,
  SIGNATURE_BYTES,
  type TransactionBody,
  transactionBodyCodec,
} from '../../ledger/transaction.ts';
import { type Actions, actionsOf, bytesOf, encodeKey, type Hex, type KeyInput } from './calls.ts';
import { QuorateError } from './errors.ts';
import { type Executed, executed, idText } from './submission.ts';

const MODULES = [assets, records, members, governance] as const;
const BLOCK_MS = 1_000;

export interface TestLedgerOptions<M extends readonly Module[] = typeof MODULES> {
  /** Names of accounts and their roles. */
  readonly accounts: Readonly<Record<string, readonly string[]>>;
  /** Whose actions there are. Default: all that this release has; those are part of the ledger in any case. */
  readonly modules?: M;
  /** Block time of block 0 in ms. Default: 1,000,000. */
  readonly time?: number;
}

/** What an account can do; each call is a block of its own and gives its receipt, `ok` or `failed`. */
export type TestAccount<M extends readonly Module[]> = Actions<M, Executed> & {
  /** Several calls in one transaction. */
  send(calls: readonly Call[]): Executed;
};

export interface TestLedger<M extends readonly Module[] = typeof MODULES> {
  readonly height: number;
  /** Block time of the newest block, in ms. */
  readonly time: number;
  /** The key of an account that `accounts` names, 32 bytes; throws `invalid-args`. */
  account(name: string): Uint8Array;
  /** Acts as an account that `accounts` names, or as any key, for instance `administrator`. */
  as(who: string | Uint8Array): TestAccount<M>;
  /** The one administrator of the organisation `test`, whose accounts they are. */
  readonly administrator: Uint8Array;
  get<K extends TableKey, V>(table: Table<K, V>, key: KeyInput<NoInfer<K>>): V | undefined;
  /** Lets block time pass. */
  pass(ms: number): void;
}

/** A ledger that begins with these accounts. */
export function testLedger<const M extends readonly Module[] = typeof MODULES>(
  options: TestLedgerOptions<M>,
): TestLedger<M> {
  return new MemoryLedger(options);
}

class MemoryLedger<M extends readonly Module[]> implements TestLedger<M> {
  height = 0;
  time: number;
  readonly administrator = keyOf('administrator');
  readonly #modules: M;
  readonly #application: Application;
  readonly #accounts: ReadonlyMap<string, Uint8Array>;
  readonly #rows = new Map<string, Uint8Array>();

  constructor({ accounts, modules = MODULES as unknown as M, time = 1_000_000 }: TestLedgerOptions<M>) {
    this.time = time;
    this.#modules = modules;
    // The rules of the built-in ones read the tables of each other.
    const all = [...new Set<Module>([...MODULES, ...modules])];
    this.#application = createApplication({ name: 'test', version: 1, modules: all });
    const names = Object.entries(accounts);
    this.#accounts = new Map(names.map(([name]) => [name, keyOf(`account ${name}`)]));
    const organisation = {
      name: 'test',
      administrators: [this.administrator],
      threshold: 1,
      roles: [...new Set(names.flatMap(([, roles]) => roles))],
    };
    const key = keyOf('validator');
    this.#apply(
      genesisState({
        organisations: [organisation],
        accounts: names.map(([name, roles]) => ({ key: this.account(name), name, organisation: 'test', roles })),
        validators: [{ name: 'validator', organisation: 'test', key, peerKey: key }],
        parameters: defaultParameters,
      }),
    );
  }

  account(name: string): Uint8Array {
    const key = this.#accounts.get(name);
    if (key === undefined) throw new QuorateError('invalid-args', `no account ${name}`);
    return key.slice();
  }

  as(who: string | Uint8Array): TestAccount<M> {
    const sender = typeof who === 'string' ? this.account(who) : bytesOf(who, 32, 'a key');
    const actions = actionsOf(this.#modules, (call) => this.#execute(sender, [call]));
    return { ...actions, send: (calls: readonly Call[]) => this.#execute(sender, calls) } as TestAccount<M>;
  }

  get<K extends TableKey, V>(table: Table<K, V>, key: KeyInput<NoInfer<K>>): V | undefined {
    const value = this.#rows.get(rowOf(table.name, encodeKey(table, key)));
    return value === undefined ? undefined : decode(table.value, value);
  }

  pass(ms: number): void {
    this.time += ms;
  }

  #execute(sender: Uint8Array, calls: readonly Call[]): Executed {
    const height = this.height + 1;
    const timestamp = this.time + BLOCK_MS;
    const nonce = new Uint8Array(8);
    new DataView(nonce.buffer).setUint32(4, height);
    const body: TransactionBody = { sender, nonce, validUntil: timestamp, calls, memo: new Uint8Array(0) };
    const problem = this.#application.staticProblem(body, defaultParameters);
    if (problem !== undefined) throw new QuorateError(problem.code, problem.detail, { retry: 'never' });
    const unsigned = concatBytes(encode(transactionBodyCodec, body), new Uint8Array(SIGNATURE_BYTES));
    const decoded = decodeTransaction(GENESIS_ID, unsigned);
    if (!decoded.ok) throw new QuorateError('invalid-args', decoded.problem);
    const transaction = decoded.value;
    const { receipts, changes } = executeBatch({
      application: this.#application,
      genesisId: GENESIS_ID,
      parameters: defaultParameters,
      idHorizonMs: defaultParameters.maxLifetimeMs,
      state: { get: (table, key) => this.#rows.get(rowOf(table, key)) },
      parentTimestamp: this.time,
      batch: { height, timestamp, transactions: [transaction.id] },
      transactions: [transaction],
      executedBefore: () => false,
    });
    this.#apply(changes);
    this.height = height;
    this.time = timestamp;
    return executed(idText(transaction.id), height, receipts[0]!);
  }

  #apply(changes: readonly StateChange[]): void {
    for (const { table, key, value } of changes) {
      if (value === null) this.#rows.delete(rowOf(table, key));
      else this.#rows.set(rowOf(table, key), value);
    }
  }
}

const GENESIS_ID = sha256(utf8Encode('quorate/testing'));

/** Nobody signs here, so any 32 bytes are a key. */
function keyOf(name: string): Uint8Array {
  return sha256(utf8Encode(`quorate/testing ${name}`));
}

function rowOf(table: string, key: Uint8Array): string {
  return `${table}/${toHex(key)}`;
}

export type { Executed, Hex };
