import { type Batch, batchCodec, blockHash, type Header } from '../../ledger/block.ts';
import { type Handoff, handoffCodec } from '../../ledger/bundle.ts';
import { equalBytes } from '../../ledger/bytes.ts';
import { type Certificate, certificateCodec } from '../../ledger/checkpoint.ts';
import { decode, encode } from '../../ledger/codec.ts';
import { executeBatch, genesisState } from '../../ledger/execution.ts';
import {
  appendHistory,
  emptyHistory,
  type History,
  historyOf,
  historyRoot,
  perfectSubtrees,
} from '../../ledger/history.ts';
import type { StateChange } from '../../ledger/overlay.ts';
import type { RecoveryFile } from '../../ledger/recovery-form.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import { SNAPSHOT_CHUNK_BYTES, SNAPSHOT_KEPT_MS } from '../limits.ts';
import type { Ordered } from '../pbft/events.ts';
import type {
  Executed,
  Head,
  Installed,
  JournalMark,
  LedgerPort,
  LedgerQueries,
  OpenedLedger,
  RecoveryDraft,
  SnapshotProgress,
  SnapshotStep,
  SyncAnswer,
  SyncBlock,
} from '../ports.ts';
import { heightKey, historyKey, Store, stateKey } from '../store/store.ts';
import { Archive } from './archive.ts';
import {
  type BlocksAtHand,
  blocksAtHand,
  CAUGHT_UP,
  contentOf,
  decodeSynced,
  decodeTransactions,
  headerOf,
  NO_MARK,
  newestCertificate,
  putBlock,
  putGenesis,
} from './blocks.ts';
import { chainDifference, headDifference, headerDifference, headOf, isHead } from './difference.ts';
import { LedgerError } from './error.ts';
import { ExecutedIds, isIdAt, packedIds } from './executed-ids.ts';
import { putHandoff, putRecovery, setAfter, writeHandoffs } from './handoffs.ts';
import { changesMembership, Epochs, readerOf } from './membership.ts';
import { type Basis, dryRun, inputOf } from './next-block.ts';
import { carriedIds, isNewStore, type LedgerOptions, NO_KEY, otherKind, sawAllSince } from './opening.ts';
import { LedgerQuery } from './queries.ts';
import { type Base, type BlockRecord, baseCodec, headCodec, metaCodec, STORE_FORMAT } from './records.ts';
import { draftRecovery, recoveredResult, recoveryOf } from './recovery.ts';
import { allSenders, changedSenders } from './senders.ts';
import { NO_SNAPSHOT, ServedSnapshot, type SnapshotOptions } from './served-snapshot.ts';
import { Staging } from './staging.ts';
import { LedgerState } from './state.ts';

const OUTCOMES = { ok: 0, failed: 1, skipped: 2 } as const;
const NO_BASE: Base = { height: 0, rows: 'state', idsSince: 0 };
const SNAPSHOTS: SnapshotOptions = { chunkBytes: SNAPSHOT_CHUNK_BYTES, keptMs: SNAPSHOT_KEPT_MS };

/**
 * The one owner of the chain's data (S4): executes, keeps and proves. Blocks are executed one after the other in the order
 * of the calls, whoever delivers them; each is one atomic, synced batch (R3).
 */
export class Ledger implements LedgerPort {
  readonly #options: LedgerOptions;
  #ids = this.#noIds();
  #store!: Store;
  #state!: LedgerState;
  #query!: LedgerQuery;
  #served!: ServedSnapshot;
  #staging: Staging | undefined;
  #base: Base = NO_BASE;
  #history: History = emptyHistory;
  #epochs!: Epochs;
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
    const isNew = isNewStore(this.#store, this.#options);
    const mark = isNew ? undefined : this.#readHead();
    const changes = isNew ? genesisState(this.#options.genesis) : undefined;
    // D15: rows of a snapshot that was not installed, and of the state before one that was.
    await this.#store.clear(otherKind(this.#base.rows));
    await this.#store.clear('snapshotRow');
    this.#state = await LedgerState.open(this.#store, this.#base.rows, isNew ? 0 : this.#head.height, changes);
    this.#epochs = new Epochs(changes === undefined ? this.#state : readerOf(changes));
    if (changes !== undefined) await this.#writeGenesis(changes);
    else this.#head = { ...this.#head, ...this.#epochs.next };
    this.#history = historyOf(this.#head.height + 1, (level, index) => this.#historyNode(level, index));
    this.#checkRoots();
    await this.#keepHistory();
    const certificate = await newestCertificate(this.#store, this.#head.height);
    this.#finalHeight = certificate?.checkpoint.height ?? 0;
    this.#attach();
    return this.#opened(certificate, mark, await this.#restoreBlocks());
  }

  async #opened(
    certificate: Certificate | undefined,
    mark: JournalMark | undefined,
    { uncertified, recent }: BlocksAtHand,
  ): Promise<OpenedLedger> {
    return {
      head: this.#head,
      uncertified,
      certificate: certificate && encode(certificateCodec, certificate),
      mark,
      recentIds: packedIds(recent),
      senders: await allSenders(this.#store, this.#base.rows, this.#state),
      base: this.#base.height,
      membership: this.#epochs.membership(this.#state, this.#head.timestamp),
    };
  }

  async #keepHistory(): Promise<void> {
    if (this.#options.archive === true) await this.#state.keepIn(new Archive(this.#store));
  }

  /** Readers of the state as it is now. */
  #attach(): void {
    const { height: base } = this.#base;
    const now = () => ({ head: this.#head, finalHeight: this.#finalHeight, base, epochs: this.#epochs });
    this.#query = new LedgerQuery(this.#store, this.#state, now, () => this.#last);
    this.#served = new ServedSnapshot(this.#store, this.#options.snapshots ?? SNAPSHOTS);
  }

  execute(
    batch: Uint8Array,
    transactions: Uint8Array,
    ordered: Ordered,
    mark: JournalMark,
  ): Promise<Executed | undefined> {
    return this.#inOrder(async () => {
      // E2: a block below has ended the epoch.
      if (ordered.epoch < this.#epochs.current.number) return undefined;
      const decoded = decode(batchCodec, batch);
      if (decoded.height !== this.#head.height + 1) {
        throw new LedgerError('BAD_INPUT', `asked to execute height ${decoded.height} after ${this.#head.height}`);
      }
      if (ordered.epoch > this.#epochs.current.number)
        throw new LedgerError('BAD_INPUT', `a batch of epoch ${ordered.epoch} in epoch ${this.#epochs.current.number}`);
      const here = { kind: 'here', value: { digest: ordered.digest, view: ordered.view } } as const;
      return this.#commit(decoded, decodeTransactions(this.#options.genesis.id, transactions), here, mark, () => {});
    });
  }

  executeSynced(block: SyncBlock, expected: Head | undefined, mark: JournalMark): Promise<Executed> {
    return this.#inOrder(async () => {
      const { header, batch, transactions } = decodeSynced(block, this.#head, this.#options.genesis.id);
      const recovered = recoveryOf(this.#store, this.#epochs.current.number, header.height);
      const check = (head: Head, made: Header): void => {
        const difference = headerDifference(made, header) ?? (expected && headDifference(head, expected));
        if (difference !== undefined) throw new LedgerError('DIVERGED', `block ${header.height}: ${difference}`);
      };
      return this.#commit(batch, transactions, CAUGHT_UP, mark, check, recovered);
    });
  }

  storeCertificate(certificate: Uint8Array): Promise<void> {
    return this.#inOrder(async () => {
      const decoded = decode(certificateCodec, certificate);
      const { height, epoch, nextEpoch } = decoded.checkpoint;
      if (height > this.#head.height)
        throw new LedgerError('BAD_INPUT', `certificate of height ${height}, executed ${this.#head.height}`);
      const batch = this.#store.batch();
      batch.put('certificate', heightKey(height), certificate);
      if (nextEpoch !== epoch) putHandoff(batch, decoded, setAfter(this.#state, height));
      // A certificate lost in a power cut is made again, or comes from a peer. The end of an epoch is durable at once: what is
      // above it rests on it, and the set that it hands over to is read from the state as it is now.
      await batch.write({ sync: nextEpoch !== epoch });
      if (height <= this.#finalHeight) return;
      this.#finalHeight = height;
      this.#state.release(height);
    });
  }

  storeHandoffs(updates: Uint8Array): Promise<void> {
    return this.#inOrder(() => writeHandoffs(this.#store, updates));
  }

  blocksAbove(above: number, bytesMax: number): Promise<SyncAnswer | 'lacks' | undefined> {
    return this.#query.blocksAbove(above, bytesMax);
  }

  stage(step: SnapshotStep): Promise<SnapshotProgress> {
    return this.#inOrder(async () => {
      if (step.kind === 'begin') return this.#beginStaging(step.snapshot);
      if (this.#staging === undefined) throw new LedgerError('BAD_INPUT', 'a piece of no snapshot');
      const problem = await this.#staging.take(step);
      return { ...this.#staging.progress(), problem };
    });
  }

  install(mark: JournalMark): Promise<Installed | undefined> {
    return this.#inOrder(async () => {
      const staging = this.#staging;
      if (!staging?.isComplete) throw new LedgerError('BAD_INPUT', 'the snapshot is not complete');
      this.#staging = undefined;
      // S4: blocks that were executed meanwhile are not executed again.
      return staging.certificate.checkpoint.height > this.#head.height ? this.#install(staging, mark) : undefined;
    });
  }

  recover(handoff: Uint8Array, mark: JournalMark | undefined): Promise<OpenedLedger> {
    return this.#inOrder(async () => {
      const recovery = decode(handoffCodec, handoff);
      const { checkpoint } = recovery.certificate;
      const { height, timestamp } = checkpoint;
      if (height !== this.#head.height + 1)
        throw new LedgerError('BAD_INPUT', `a recovery at height ${height} after ${this.#head.height}`);
      const batch: Batch = { height, timestamp, transactions: [] };
      await this.#commit(batch, [], CAUGHT_UP, mark ?? NO_MARK, isHead(checkpoint), recovery);
      this.#finalHeight = height;
      this.#state.release(height);
      return this.#opened(recovery.certificate, mark, { uncertified: [], recent: [] });
    });
  }

  /** R10: see `draftRecovery`. The ledger can only be closed afterwards. */
  draftRecovery(draft: RecoveryDraft): Promise<RecoveryFile> {
    return this.#inOrder(async () => {
      const [store, state, history, epochs, head] = [this.#store, this.#state, this.#history, this.#epochs, this.#head];
      const newest = {
        store,
        state,
        history,
        epochs,
        head,
        certificate: await newestCertificate(this.#store, this.#head.height),
      };
      return draftRecovery({ ...newest, genesisId: this.#options.genesis.id }, draft);
    });
  }

  async query<Q extends keyof LedgerQueries>(
    name: Q,
    args: LedgerQueries[Q]['args'],
  ): Promise<LedgerQueries[Q]['result']> {
    return (await this.#answer(name, args)) as LedgerQueries[Q]['result'];
  }

  #answer<Q extends keyof LedgerQueries>(name: Q, args: unknown): Promise<unknown> | unknown {
    switch (name) {
      case 'executedAmong':
        return this.#ids.among((args as LedgerQueries['executedAmong']['args']).ids);
      case 'hasExecuted':
        return this.#hasExecuted(args as LedgerQueries['hasExecuted']['args']);
      case 'membership':
        return this.#epochs.membership(this.#state, this.#head.timestamp);
      case 'snapshot':
        return this.#offerSnapshot((args as LedgerQueries['snapshot']['args']).above);
      case 'snapshotRows': {
        const { height, prefix, depth } = args as LedgerQueries['snapshotRows']['args'];
        return this.#served.rows(height, prefix, depth, this.#head.timestamp);
      }
      case 'stateRows':
        return this.#stateRows(args as LedgerQueries['stateRows']['args']);
      case 'dryRun':
        return this.#inOrder(async () => dryRun(this.#basis(), args as LedgerQueries['dryRun']['args']));
      default:
        return this.#query.answer(name, args as LedgerQueries[Q]['args']);
    }
  }

  /** Begins between two blocks, and is read while the next one is executed. */
  async #stateRows(args: LedgerQueries['stateRows']['args']): Promise<LedgerQueries['stateRows']['result']> {
    const { height, rows } = await this.#inOrder(async () => this.#query.stateRows(args));
    return { height, rows: await rows };
  }

  async close(): Promise<void> {
    await this.#last.catch(() => {});
    await this.#served?.drop();
    // Undefined if opening failed: LevelDB may be in another process's hands.
    await this.#store?.close();
  }

  async #beginStaging(snapshot: Uint8Array): Promise<SnapshotProgress> {
    const rowsKind = otherKind(this.#base.rows);
    const target = { store: this.#store, rowsKind, above: this.#head.height };
    const staging = await Staging.begin(target, snapshot, this.#staging);
    if (typeof staging === 'string') return { problem: staging, parts: 0, rows: undefined, blocks: undefined };
    this.#staging = staging;
    return staging.progress();
  }

  /** R8: what is staged becomes what is read. A crash before the batch leaves the old state, one after it the new one. */
  async #install(staging: Staging, mark: JournalMark): Promise<Installed> {
    const { certificate, peaks, tree, rowsKind } = staging;
    const { checkpoint } = certificate;
    const { height, stateRoot } = checkpoint;
    const head = headOf(checkpoint);
    if (!equalBytes(tree.root(), stateRoot)) throw new LedgerError('STATE_DAMAGED', 'staged rows have another root');
    const difference = chainDifference(staging, this.#head, this.#store);
    if (difference !== undefined) throw new LedgerError('DIVERGED', difference);
    // Without a gap in time, what was at hand before still is.
    const gap = staging.idsSince > this.#head.timestamp;
    const base: Base = { height, rows: rowsKind, idsSince: gap ? staging.idsSince : this.#base.idsSince };
    const batch = this.#store.batch();
    for (const [i, { level, index }] of perfectSubtrees(height + 1).entries())
      batch.put('history', historyKey(level, index), peaks[i]!);
    batch.put('certificate', heightKey(height), encode(certificateCodec, certificate));
    if (checkpoint.nextEpoch !== checkpoint.epoch) putHandoff(batch, certificate, staging.epochs.current.validators);
    batch.put('base', NO_KEY, encode(baseCodec, base));
    batch.put('head', NO_KEY, encode(headCodec, { ...head, ...mark }));
    await batch.write({ sync: true });
    await this.#served.drop();
    const ids = this.#noIds();
    const carried = await carriedIds(this.#store, base, staging.idsSince);
    for (const { header, ids: own } of carried) ids.add(header, own);
    // All at once, for whoever reads meanwhile (C4).
    const left = this.#base.rows;
    this.#base = base;
    this.#head = head;
    this.#finalHeight = height;
    this.#history = { count: height + 1, peaks };
    this.#state = new LedgerState(this.#store, rowsKind, tree, height);
    this.#ids = ids;
    this.#epochs = staging.epochs;
    this.#attach();
    await this.#keepHistory();
    await this.#store.clear(left);
    const senders = await allSenders(this.#store, rowsKind, this.#state);
    const encoded = encode(certificateCodec, certificate);
    return {
      head,
      certificate: encoded,
      recentIds: packedIds(carried),
      senders,
      membership: this.#epochs.membership(this.#state, this.#head.timestamp),
    };
  }

  /** R8: from the newest certified height that is readable, copied while no block is being written. */
  async #offerSnapshot(above: number): Promise<Uint8Array> {
    const served = this.#served;
    const offered = await served.offer(above, this.#head.timestamp);
    if (offered !== undefined || this.#finalHeight <= above) return offered ?? NO_SNAPSHOT;
    await this.#inOrder(async () => {
      const certificate = await newestCertificate(this.#store, this.#head.height);
      if (certificate === undefined || !this.#state.has(certificate.checkpoint.height)) return;
      const count = certificate.checkpoint.height + 1;
      const { peaks } = historyOf(count, (level, index) => this.#historyNode(level, index));
      served.make({ state: this.#state, certificate, peaks }, this.#head.timestamp);
    });
    return (await served.offer(above, this.#head.timestamp)) ?? NO_SNAPSHOT;
  }

  #hasExecuted({ id, validUntil }: LedgerQueries['hasExecuted']['args']): boolean | undefined {
    if (this.#ids.has(id) || this.#store.get('transaction', id) !== undefined) return true;
    // C4: by the longest horizon that ever was.
    const earliest = validUntil - this.#epochs.current.idHorizonMaxMs;
    return sawAllSince(earliest, this.#store, this.#base, this.#oldestIds()) ? false : undefined;
  }

  /** E8: the block time since which executed ids are in memory. */
  #oldestIds(): number {
    return this.#head.timestamp - this.#epochs.idHorizonAt(this.#head.timestamp);
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work, work);
    this.#last = result.catch(() => {});
    return result;
  }

  /** Executes, lets `check` compare what came out, and only then writes. */
  async #commit(
    batch: Batch,
    transactions: readonly Transaction[],
    ordered: BlockRecord['ordered'],
    mark: JournalMark,
    check: (head: Head, header: Header) => void,
    recovered?: Handoff,
  ): Promise<Executed> {
    const result =
      recovered !== undefined
        ? recoveredResult(recovered, this.#state, this.#options.genesis.id)
        : executeBatch(inputOf(this.#basis(), batch, transactions));
    const content = contentOf(result);
    const header = headerOf(batch.height, this.#head.blockHash, content);
    const hash = blockHash(header);
    const stored = this.#store.batch();
    const stateRoot = this.#state.prepare(result.changes, stored);
    const { next, nodes } = appendHistory(this.#history, hash);
    for (const { level, index, hash: node } of nodes) stored.put('history', historyKey(level, index), node);
    const epochs = this.#epochs.after(result.changes, this.#state);
    const head: Head = {
      height: batch.height,
      blockHash: hash,
      stateRoot,
      historyRoot: historyRoot(next),
      timestamp: result.timestamp,
      ...epochs.next,
    };
    check(head, header);
    putBlock(stored, header, head, content, ordered, mark);
    if (recovered !== undefined) putRecovery(stored, recovered);
    await stored.write({ sync: true });
    this.#state.commit(result.changes);
    this.#history = next;
    this.#head = head;
    this.#epochs = epochs;
    this.#ids.add(header, content.ids);
    this.#ids.prune(this.#oldestIds());
    const outcomes = Uint8Array.from(result.outcomes, (outcome) => OUTCOMES[outcome]);
    const senders = await changedSenders(result.changes, this.#store, this.#base.rows, this.#state);
    return { ...head, outcomes, senders, membership: changesMembership(result.changes) };
  }

  #basis(): Basis {
    return { ...this.#options, head: this.#head, state: this.#state, epochs: this.#epochs, ids: this.#ids };
  }

  async #writeGenesis(changes: readonly StateChange[]): Promise<void> {
    const { genesis, peerKey } = this.#options;
    const stored = this.#store.batch();
    for (const { table, key, value } of changes) stored.put(this.#base.rows, stateKey(table, key), value!);
    this.#head = putGenesis(stored, genesis, this.#state.root, this.#epochs.next);
    stored.put('meta', NO_KEY, encode(metaCodec, { format: STORE_FORMAT, genesisId: genesis.id, peerKey }));
    await stored.write({ sync: true });
  }

  #readHead(): JournalMark | undefined {
    const record = this.#store.get('head', NO_KEY);
    if (record === undefined) throw this.#damaged('there is no head record');
    const { group, chain, ...head } = decode(headCodec, record);
    // What is about the next block follows from the rows.
    this.#head = { ...head, nextEpoch: 0, nextValidatorsHash: NO_KEY };
    const base = this.#store.get('base', NO_KEY);
    if (base !== undefined) this.#base = decode(baseCodec, base);
    return head.height === 0 ? undefined : { group, chain };
  }

  /** I22: rows or history that are not what the newest block committed to are never served or executed on. */
  #checkRoots(): void {
    const { stateRoot, historyRoot: expected, height } = this.#head;
    if (!equalBytes(this.#state.root, stateRoot)) {
      throw this.#damaged(`the rows do not have the state root of block ${height}`);
    }
    if (!equalBytes(historyRoot(this.#history), expected)) {
      throw this.#damaged(`the history is not that of block ${height}`);
    }
  }

  #historyNode(level: number, index: number): Uint8Array {
    const node = this.#store.get('history', historyKey(level, index));
    if (node === undefined) throw this.#damaged(`history node ${level}/${index} lacks`);
    return node;
  }

  #damaged(what: string): LedgerError {
    return new LedgerError('STATE_DAMAGED', `database ${this.#options.directory}: ${what}`);
  }

  #noIds(): ExecutedIds {
    return new ExecutedIds((height, index, id) => isIdAt(this.#store, this.#base, height, index, id));
  }

  /** Fills the ids within the horizon. */
  async #restoreBlocks(): Promise<BlocksAtHand> {
    const now = { head: this.#head, epochs: this.#epochs, finalHeight: this.#finalHeight };
    const blocks = await blocksAtHand(this.#store, this.#base, now, this.#oldestIds());
    if (typeof blocks === 'number') throw this.#damaged(`block ${blocks} lacks`);
    for (const { header, ids } of blocks.recent) this.#ids.add(header, ids);
    return blocks;
  }
}
