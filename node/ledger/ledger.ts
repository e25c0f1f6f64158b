import type { Genesis } from '../../genesis/genesis.ts';
import type { Application } from '../../ledger/application.ts';
import {
  type Batch,
  batchCodec,
  blockHash,
  genesisHeader,
  type Header,
  headerCodec,
  receiptsRoot,
  transactionsRoot,
} from '../../ledger/block.ts';
import { equalBytes, toHex } from '../../ledger/bytes.ts';
import { type Certificate, certificateCodec } from '../../ledger/checkpoint.ts';
import { decode, encode } from '../../ledger/codec.ts';
import { type BatchResult, executeBatch, genesisState } from '../../ledger/execution.ts';
import { appendHistory, emptyHistory, type History, historyOf, historyRoot } from '../../ledger/history.ts';
import { accountCodec } from '../../ledger/modules/members.ts';
import { decodeTransaction, packTransactions, type Transaction, unpackTransactions } from '../../ledger/transaction.ts';
import type { Ordered, UncertifiedHead } from '../pbft/events.ts';
import type {
  Executed,
  Head,
  JournalMark,
  LedgerPort,
  LedgerQueries,
  OpenedLedger,
  SyncAnswer,
  SyncBlock,
} from '../ports.ts';
import { heightKey, historyKey, Store, type StoreBatch, stateKey } from '../store/store.ts';
import { ExecutedIds } from './executed-ids.ts';
import { LedgerQuery } from './queries.ts';
import { type BlockRecord, blockCodec, headCodec, metaCodec, placeCodec, STORE_FORMAT } from './records.ts';
import { LedgerState } from './state.ts';

export type LedgerErrorCode =
  | 'DIVERGED'
  | 'BAD_BLOCK'
  | 'OTHER_CHAIN'
  | 'OTHER_VALIDATOR'
  | 'OTHER_FORMAT'
  | 'STATE_DAMAGED'
  | 'BAD_INPUT';

/**
 * `DIVERGED`: executing a certified block gave something else. `BAD_BLOCK`: a peer's block does not fit its header. The
 * others: the directory is not this validator's, or damaged.
 */
export class LedgerError extends Error {
  readonly code: LedgerErrorCode;

  constructor(code: LedgerErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface LedgerOptions {
  readonly directory: string;
  readonly genesis: Genesis;
  readonly application: Application;
  readonly validatorKey: Uint8Array;
  /** Instead of LevelDB under `directory`. */
  readonly openStore?: () => Promise<Store>;
}

const OUTCOMES = { ok: 0, failed: 1, skipped: 2 } as const;
const CAUGHT_UP = { kind: 'caughtUp', value: {} } as const;
const NO_MARK: JournalMark = { group: 0, chain: new Uint8Array(32) };

/**
 * The one owner of the chain's data (S4): executes, keeps and proves. Blocks are executed one after the other in the order
 * of the calls, whoever delivers them; each is one atomic, synced batch (R3).
 */
export class Ledger implements LedgerPort {
  readonly #options: LedgerOptions;
  readonly #ids = new ExecutedIds();
  #store!: Store;
  #state!: LedgerState;
  #query!: LedgerQuery;
  #history: History = emptyHistory;
  #head!: Head;
  #finalHeight = 0;
  /** The last call that changes something; the next one waits for it. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  get head(): Head {
    return this.#head;
  }

  async open(): Promise<OpenedLedger> {
    const { directory, openStore = () => Store.open(directory) } = this.#options;
    this.#store = await openStore();
    try {
      return await this.#read();
    } catch (error) {
      await this.#store.close();
      throw error;
    }
  }

  async #read(): Promise<OpenedLedger> {
    const isNew = this.#checkMeta();
    const mark = isNew ? undefined : this.#readHead();
    const changes = isNew ? genesisState(this.#options.genesis) : undefined;
    this.#state = await LedgerState.open(this.#store, isNew ? 0 : this.#head.height, changes);
    if (changes !== undefined) await this.#writeGenesis(changes);
    this.#history = historyOf(this.#head.height + 1, (level, index) => this.#historyNode(level, index));
    this.#checkRoots();
    const certificate = await this.#newestCertificate();
    this.#finalHeight = certificate?.checkpoint.height ?? 0;
    this.#query = new LedgerQuery(this.#store, this.#state, () => ({
      head: this.#head,
      finalHeight: this.#finalHeight,
    }));
    const uncertified = await this.#restoreBlocks();
    return {
      head: this.#head,
      uncertified,
      certificate: certificate && encode(certificateCodec, certificate),
      mark,
      recentIds: this.#ids.packed(),
      accounts: await this.#accounts(),
    };
  }

  execute(batch: Uint8Array, transactions: Uint8Array, ordered: Ordered, mark: JournalMark): Promise<Executed> {
    return this.#inOrder(async () => {
      const decoded = decode(batchCodec, batch);
      if (decoded.height !== this.#head.height + 1) {
        throw new LedgerError('BAD_INPUT', `asked to execute height ${decoded.height} after ${this.#head.height}`);
      }
      const here = { kind: 'here', value: ordered } as const;
      return this.#commit(decoded, this.#decode(transactions), here, mark, () => {});
    });
  }

  executeSynced(block: SyncBlock, expected: Head | undefined, mark: JournalMark): Promise<Executed> {
    return this.#inOrder(async () => {
      const header = decode(headerCodec, block.header);
      const transactions = this.#decode(block.transactions);
      const ids = transactions.map(({ id }) => id);
      if (header.height !== this.#head.height + 1 || !equalBytes(header.parent, this.#head.blockHash)) {
        throw new LedgerError('BAD_BLOCK', `block ${header.height} does not follow block ${this.#head.height}`);
      }
      if (ids.length !== header.count || !equalBytes(transactionsRoot(ids), header.transactionsRoot)) {
        throw new LedgerError('BAD_BLOCK', `the transactions of block ${header.height} are not those of its header`);
      }
      const batch: Batch = { height: header.height, timestamp: header.timestamp, transactions: ids };
      return this.#commit(batch, transactions, CAUGHT_UP, mark, (head, made) => {
        const difference = headerDifference(made, header) ?? (expected && headDifference(head, expected));
        if (difference !== undefined) throw new LedgerError('DIVERGED', `block ${header.height}: ${difference}`);
      });
    });
  }

  storeCertificate(certificate: Uint8Array): Promise<void> {
    return this.#inOrder(async () => {
      const { height } = decode(certificateCodec, certificate).checkpoint;
      if (height > this.#head.height)
        throw new LedgerError('BAD_INPUT', `certificate of height ${height}, executed ${this.#head.height}`);
      const batch = this.#store.batch();
      batch.put('certificate', heightKey(height), certificate);
      // Not synced: a certificate lost in a power cut is made again, or comes from a peer.
      await batch.write({ sync: false });
      if (height <= this.#finalHeight) return;
      this.#finalHeight = height;
      this.#state.release(height);
    });
  }

  blocksAbove(above: number, bytesMax: number): Promise<SyncAnswer | undefined> {
    return this.#query.blocksAbove(above, bytesMax);
  }

  async query<Q extends keyof LedgerQueries>(
    name: Q,
    args: LedgerQueries[Q]['args'],
  ): Promise<LedgerQueries[Q]['result']> {
    if (name === 'executedAmong')
      return this.#executedAmong((args as LedgerQueries['executedAmong']['args']).ids) as never;
    return this.#query.answer(name, args);
  }

  async close(): Promise<void> {
    await this.#last.catch(() => {});
    // Undefined if opening failed: LevelDB may be in another process's hands.
    await this.#store?.close();
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work, work);
    this.#last = result.catch(() => {});
    return result;
  }

  #decode(packed: Uint8Array): readonly Transaction[] {
    const unpacked = unpackTransactions(packed, Number.MAX_SAFE_INTEGER);
    if (!unpacked.ok) throw new LedgerError('BAD_INPUT', unpacked.problem);
    return unpacked.value.map((bytes) => {
      const decoded = decodeTransaction(this.#options.genesis.id, bytes);
      if (!decoded.ok) throw new LedgerError('BAD_INPUT', decoded.problem);
      return decoded.value;
    });
  }

  /** Executes, lets `check` compare what came out, and only then writes. */
  async #commit(
    batch: Batch,
    transactions: readonly Transaction[],
    ordered: BlockRecord['ordered'],
    mark: JournalMark,
    check: (head: Head, header: Header) => void,
  ): Promise<Executed> {
    const { application, genesis } = this.#options;
    const result = executeBatch({
      application,
      parameters: genesis.parameters,
      idHorizonMs: genesis.parameters.maxLifetimeMs,
      state: this.#state,
      parentTimestamp: this.#head.timestamp,
      batch,
      transactions,
      executedBefore: (id) => this.#ids.has(id),
    });
    const ids = result.executed.map(({ id }) => id);
    const header: Header = {
      height: batch.height,
      parent: this.#head.blockHash,
      timestamp: result.timestamp,
      transactionsRoot: transactionsRoot(ids),
      receiptsRoot: receiptsRoot(result.receipts),
      count: ids.length,
    };
    const hash = blockHash(header);
    const stored = this.#store.batch();
    const stateRoot = this.#state.prepare(result.changes, stored);
    const { next, nodes } = appendHistory(this.#history, hash);
    for (const { level, index, hash: node } of nodes) stored.put('history', historyKey(level, index), node);
    const head: Head = {
      height: batch.height,
      blockHash: hash,
      stateRoot,
      historyRoot: historyRoot(next),
      timestamp: result.timestamp,
    };
    check(head, header);
    this.#putBlock(stored, header, head, result, ordered, mark);
    await stored.write({ sync: true });
    this.#state.commit(result.changes);
    this.#history = next;
    this.#head = head;
    this.#ids.add(head.timestamp, ids);
    this.#ids.prune(head.timestamp - genesis.parameters.maxLifetimeMs);
    const outcomes = Uint8Array.from(result.outcomes, (outcome) => OUTCOMES[outcome]);
    return { ...head, outcomes };
  }

  #putBlock(
    stored: StoreBatch,
    header: Header,
    head: Head,
    { executed, receipts }: BatchResult,
    ordered: BlockRecord['ordered'],
    mark: JournalMark,
  ): void {
    const { height, blockHash: hash, stateRoot, historyRoot: root } = head;
    const ids = executed.map(({ id }) => id);
    const transactions = packTransactions(executed.map(({ bytes }) => bytes));
    const record: BlockRecord = { header, stateRoot, historyRoot: root, ordered, ids, transactions, receipts };
    stored.put('block', heightKey(height), encode(blockCodec, record));
    stored.put('blockHash', hash, heightKey(height));
    for (const [index, id] of ids.entries()) stored.put('transaction', id, encode(placeCodec, { height, index }));
    stored.put('head', NO_KEY, encode(headCodec, { ...head, ...mark }));
  }

  async #writeGenesis(changes: ReturnType<typeof genesisState>): Promise<void> {
    const { genesis, validatorKey } = this.#options;
    const header = genesisHeader(genesis.id, genesis.time);
    const hash = blockHash(header);
    const { next, nodes } = appendHistory(emptyHistory, hash);
    const stateRoot = this.#state.root;
    const root = historyRoot(next);
    this.#head = { height: 0, blockHash: hash, stateRoot, historyRoot: root, timestamp: header.timestamp };
    const stored = this.#store.batch();
    for (const { table, key, value } of changes) stored.put('state', stateKey(table, key), value!);
    for (const node of nodes) stored.put('history', historyKey(node.level, node.index), node.hash);
    this.#putBlock(
      stored,
      header,
      this.#head,
      { timestamp: header.timestamp, executed: [], receipts: [], changes, outcomes: [] },
      CAUGHT_UP,
      NO_MARK,
    );
    stored.put('meta', NO_KEY, encode(metaCodec, { format: STORE_FORMAT, genesisId: genesis.id, validatorKey }));
    await stored.write({ sync: true });
  }

  /** D12: the directory of another chain or validator is refused. True if it is new. */
  #checkMeta(): boolean {
    const { genesis, validatorKey, directory } = this.#options;
    const record = this.#store.get('meta', NO_KEY);
    if (record === undefined) return true;
    const meta = decode(metaCodec, record);
    if (meta.format !== STORE_FORMAT)
      throw new LedgerError(
        'OTHER_FORMAT',
        `database ${directory} has format ${meta.format}, expected ${STORE_FORMAT}`,
      );
    if (!equalBytes(meta.genesisId, genesis.id)) {
      throw new LedgerError(
        'OTHER_CHAIN',
        `database ${directory} is of chain ${toHex(meta.genesisId)}, the genesis file is ${toHex(genesis.id)}`,
      );
    }
    if (!equalBytes(meta.validatorKey, validatorKey)) {
      throw new LedgerError(
        'OTHER_VALIDATOR',
        `database ${directory} is of validator ${toHex(meta.validatorKey)}, this is ${toHex(validatorKey)}`,
      );
    }
    return false;
  }

  #readHead(): JournalMark | undefined {
    const record = this.#store.get('head', NO_KEY);
    if (record === undefined)
      throw new LedgerError('STATE_DAMAGED', `database ${this.#options.directory} has no head record`);
    const { group, chain, ...head } = decode(headCodec, record);
    this.#head = head;
    return head.height === 0 ? undefined : { group, chain };
  }

  /** I22: rows or history that are not what the newest block committed to are never served or executed on. */
  #checkRoots(): void {
    const { directory } = this.#options;
    const { stateRoot, historyRoot: expected, height } = this.#head;
    if (!equalBytes(this.#state.root, stateRoot)) {
      throw new LedgerError(
        'STATE_DAMAGED',
        `database ${directory}: the rows do not have the state root of block ${height}`,
      );
    }
    if (!equalBytes(historyRoot(this.#history), expected)) {
      throw new LedgerError('STATE_DAMAGED', `database ${directory}: the history is not that of block ${height}`);
    }
  }

  #historyNode(level: number, index: number): Uint8Array {
    const node = this.#store.get('history', historyKey(level, index));
    if (node === undefined)
      throw new LedgerError(
        'STATE_DAMAGED',
        `database ${this.#options.directory} lacks history node ${level}/${index}`,
      );
    return node;
  }

  async #newestCertificate(): Promise<Certificate | undefined> {
    const range = { to: heightKey(this.#head.height + 1), limit: 1, reverse: true };
    for await (const { value } of this.#store.range('certificate', range)) return decode(certificateCodec, value);
    return undefined;
  }

  /** Fills the ids within the horizon; returns the heads above the newest certificate. */
  async #restoreBlocks(): Promise<UncertifiedHead[]> {
    const { maxLifetimeMs } = this.#options.genesis.parameters;
    const oldest = this.#head.timestamp - maxLifetimeMs;
    const blocks: BlockRecord[] = [];
    let expected = this.#head.height;
    for await (const { value } of this.#store.range('block', { reverse: true })) {
      const block = decode(blockCodec, value);
      // Without its ids what it executed would execute again.
      if (block.header.height !== expected)
        throw new LedgerError('STATE_DAMAGED', `database ${this.#options.directory} lacks block ${expected}`);
      expected--;
      if (block.header.timestamp < oldest && block.header.height <= this.#finalHeight) break;
      blocks.push({ ...block, transactions: NO_KEY, receipts: [], ids: block.ids.map((id) => id.slice()) });
    }
    blocks.reverse();
    for (const { header, ids } of blocks) if (header.timestamp >= oldest) this.#ids.add(header.timestamp, ids);
    return blocks
      .filter(({ header }) => header.height > this.#finalHeight)
      .map(({ header, stateRoot, historyRoot: root, ordered }) => ({
        height: header.height,
        blockHash: blockHash(header),
        stateRoot,
        historyRoot: root,
        timestamp: header.timestamp,
        ordered: ordered.kind === 'here' ? ordered.value : undefined,
      }));
  }

  async #accounts(): Promise<Uint8Array> {
    const keys: Uint8Array[] = [];
    const from = stateKey('members.accounts', NO_KEY);
    const to = from.with(from.length - 1, 1);
    for await (const { key, value } of this.#store.range('state', { from, to })) {
      if (decode(accountCodec, value).active) keys.push(key.slice(from.length));
    }
    return Buffer.concat(keys);
  }

  #executedAmong(ids: Uint8Array): Uint8Array {
    const count = ids.length / 32;
    const bits = new Uint8Array(Math.ceil(count / 8));
    for (let i = 0; i < count; i++) {
      const id = ids.subarray(32 * i, 32 * i + 32);
      if (this.#ids.has(id)) bits[i >> 3]! |= 1 << (i & 7);
    }
    return bits;
  }
}

const NO_KEY = new Uint8Array(0);

function headerDifference(made: Header, header: Header): string | undefined {
  for (const field of ['transactionsRoot', 'receiptsRoot'] as const) {
    if (!equalBytes(made[field], header[field]))
      return `${field} ${toHex(made[field])} here, certified ${toHex(header[field])}`;
  }
  for (const field of ['timestamp', 'count'] as const) {
    if (made[field] !== header[field]) return `${field} ${made[field]} here, certified ${header[field]}`;
  }
  return undefined;
}

function headDifference(made: Head, expected: Head): string | undefined {
  for (const field of ['blockHash', 'stateRoot', 'historyRoot'] as const) {
    if (!equalBytes(made[field], expected[field]))
      return `${field} ${toHex(made[field])} here, certified ${toHex(expected[field])}`;
  }
  return made.timestamp === expected.timestamp
    ? undefined
    : `timestamp ${made.timestamp} here, certified ${expected.timestamp}`;
}
