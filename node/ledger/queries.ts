import { blockHash, headerCodec, receiptCodec } from '../../ledger/block.ts';
import { type Bundle, bundleCodec, updatesCodec } from '../../ledger/bundle.ts';
import { type Certificate, certificateCodec } from '../../ledger/checkpoint.ts';
import { decode, encode } from '../../ledger/codec.ts';
import { historyProof } from '../../ledger/history.ts';
import { BATCH_TRANSACTIONS_MAX, UPDATES_MAX } from '../../ledger/limits.ts';
import { listProof } from '../../ledger/list-tree.ts';
import { encodeStateProof } from '../../ledger/state-proof.ts';
import { packedTransaction, unpackTransactions } from '../../ledger/transaction.ts';
import { SNAPSHOT_ANSWER_BYTES_MAX, SNAPSHOT_BLOCKS_MAX, SYNC_BLOCKS_MAX } from '../limits.ts';
import type {
  At,
  Head,
  LedgerQueries,
  StateValue,
  StoredBlock,
  StoredOutcome,
  StoredTransaction,
  SyncAnswer,
} from '../ports.ts';
import { heightKey, heightOfKey, historyKey, type Store, type StoredRecord, stateKey } from '../store/store.ts';
import { type BlockIds, blockIdsAnswerCodec, blockIdsCodec } from '../wire.ts';
import { endOfEpoch, epochAt, readHandoffs } from './handoffs.ts';
import type { Epochs } from './membership.ts';
import { type BlockRecord, blockCodec, placeCodec } from './records.ts';
import type { LedgerState } from './state.ts';

const NOTHING = { kind: 'nothing', value: {} } as const;

/** Blocks kept as they were read: whoever asks for a transaction mostly asks for others of the same block. */
const READ_BLOCKS_MAX = 2;

/** What rests on a certificate. */
const CERTIFIED: ReadonlySet<keyof LedgerQueries> = new Set(['certificate', 'transactionBundle', 'blockBundle']);

type Args<Q extends keyof LedgerQueries> = LedgerQueries[Q]['args'];

interface Now {
  readonly head: Head;
  readonly finalHeight: number;
  /** Height of the installed snapshot: blocks at or below it may lack. */
  readonly base: number;
  readonly epochs: Epochs;
}

/** Rows that are still being read, and the height that they are of. */
interface RowsPage {
  readonly height: number;
  readonly rows: Promise<LedgerQueries['stateRows']['result']['rows']>;
}

/** Reads for the API and for peers; nothing here changes anything. */
export class LedgerQuery {
  readonly #store: Store;
  readonly #state: LedgerState;
  readonly #now: () => Now;
  readonly #written: () => Promise<unknown>;
  /** By height, the one that was read last at the end. What is in a block never changes. */
  readonly #read = new Map<number, Promise<BlockRecord | undefined>>();

  /** `written`: when what was handed over before is written. */
  constructor(store: Store, state: LedgerState, now: () => Now, written: () => Promise<unknown>) {
    this.#store = store;
    this.#state = state;
    this.#now = now;
    this.#written = written;
  }

  async answer<Q extends keyof LedgerQueries>(name: Q, args: Args<Q>): Promise<LedgerQueries[Q]['result']> {
    // Whoever asks may have heard of a certificate that waits for a block to be written.
    if (needsCertificate(name, args) > this.#now().finalHeight) await this.#written();
    let found = await this.#answer(name, args);
    if (found === undefined && CERTIFIED.has(name)) {
      await this.#written();
      found = await this.#answer(name, args);
    }
    return found as LedgerQueries[Q]['result'];
  }

  #answer(name: keyof LedgerQueries, args: unknown): Promise<unknown> | unknown {
    switch (name) {
      case 'transaction':
        return this.#transaction((args as Args<'transaction'>).id);
      case 'outcomes':
        return this.#outcomes((args as Args<'outcomes'>).ids);
      case 'transactionBundle':
        return this.#transactionBundle((args as Args<'transactionBundle'>).id);
      case 'blockBundle':
        return this.#blockBundle(args as Args<'blockBundle'>);
      case 'handoffs':
        return this.#handoffs((args as Args<'handoffs'>).from);
      case 'block':
        return this.#storedBlock((args as Args<'block'>).at);
      case 'headers':
        return this.#headers(args as Args<'headers'>);
      case 'certificate':
        return this.#store.getAsync('certificate', heightKey((args as Args<'certificate'>).height));
      case 'certificates':
        return this.#certificates(args as Args<'certificates'>);
      case 'state':
        return this.#stateValue(args as Args<'state'>);
      case 'sizes':
        return { rows: this.#state.rows, stateTreeBytes: this.#state.treeBytes };
      case 'blockIds':
        return this.#blockIds((args as Args<'blockIds'>).from);
      case 'epochAt':
        return epochAt(this.#store, this.#now().epochs, (args as Args<'epochAt'>).height);
      case 'executedAmong':
      case 'membership':
      case 'hasExecuted':
      case 'snapshot':
      case 'snapshotRows':
      case 'stateRows':
      case 'dryRun':
        throw new Error(`${name} is answered by the ledger itself`);
    }
  }

  /** R7: see LedgerPort. */
  async blocksAbove(above: number, bytesMax: number): Promise<SyncAnswer | 'lacks' | undefined> {
    const from = heightKey(above + 1);
    // Whoever asks can verify certificates of the epoch that it is in, and enters the next one by its last.
    const end = (await endOfEpoch(this.#store, above + 1)) ?? Number.POSITIVE_INFINITY;
    const run = await this.#run(above + 1);
    const top = Math.min(run.last, end);
    let certificate: Uint8Array | undefined;
    let to = 0;
    const range = { from, to: heightKey(top + 1), limit: 1, reverse: true };
    for await (const { key, value } of this.#store.range('certificate', range)) {
      certificate = value;
      to = heightOfKey(key);
    }
    if (certificate === undefined) return run.gap ? 'lacks' : undefined;
    const headers: Uint8Array[] = [];
    const transactions: Uint8Array[] = [];
    let size = 0;
    for await (const { value } of this.#store.range('block', { from, to: heightKey(to + 1) })) {
      const block = decode(blockCodec, value);
      headers.push(encode(headerCodec, block.header));
      size += block.transactions.length;
      if (transactions.length === headers.length - 1 && (size <= bytesMax || transactions.length === 0)) {
        transactions.push(block.transactions);
      }
    }
    return { certificate, headers, transactions };
  }

  /** The last block, within one answer, up to which none lacks from `from` on; `from - 1` if that one lacks. `gap`: one does. */
  async #run(from: number): Promise<{ readonly last: number; readonly gap: boolean }> {
    const { head, base } = this.#now();
    const most = Math.min(from + SYNC_BLOCKS_MAX - 1, head.height);
    if (from > base || base === 0) return { last: most, gap: false };
    let last = from - 1;
    for await (const { key } of this.#store.range('block', { from: heightKey(from), to: heightKey(most + 1) })) {
      if (heightOfKey(key) !== last + 1) break;
      last++;
    }
    return { last, gap: last < most };
  }

  /** R8: blocks from a height downwards, their ids only, as many as are here without a gap and fit one answer. */
  async #blockIds(from: number): Promise<Uint8Array> {
    const blocks: BlockIds[] = [];
    let bytes = 0;
    for (let height = from; height >= 0 && blocks.length < SNAPSHOT_BLOCKS_MAX; height--) {
      const block = await this.#idsOf(height);
      bytes += 160 + 32 * (block?.ids.length ?? 0);
      if (block === undefined || bytes > SNAPSHOT_ANSWER_BYTES_MAX) break;
      blocks.push(block);
    }
    return encode(blockIdsAnswerCodec, blocks.length === 0 ? NOTHING : { kind: 'blocks', value: { blocks } });
  }

  async #idsOf(height: number): Promise<BlockIds | undefined> {
    const block = await this.#block(height);
    if (block !== undefined) return { header: block.header, ids: block.ids };
    const record = await this.#store.getAsync('blockIds', heightKey(height));
    return record && decode(blockIdsCodec, record);
  }

  async #transaction(id: Uint8Array): Promise<StoredTransaction | undefined> {
    const found = await this.#place(id);
    if (found === undefined) return undefined;
    const { height, index, block } = found;
    // Copies: a view takes all of its block along to the other thread.
    return {
      height,
      index,
      receipt: block.receipts[index]!.slice(),
      transaction: packedTransaction(block.transactions, index).slice(),
    };
  }

  #outcomes(ids: Uint8Array): Promise<readonly (StoredOutcome | undefined)[]> {
    const outcome = async (_: unknown, i: number): Promise<StoredOutcome | undefined> => {
      // Who asks for many has just sent them: where they are is in memory, if anywhere.
      const record = this.#store.get('transaction', ids.subarray(32 * i, 32 * i + 32));
      const place = record && decode(placeCodec, record);
      const block = place && (await this.#block(place.height));
      return block && { ...place!, status: decode(receiptCodec, block.receipts[place!.index]!).status };
    };
    return Promise.all(Array.from({ length: ids.length / 32 }, outcome));
  }

  async #transactionBundle(id: Uint8Array): Promise<Uint8Array | undefined> {
    const found = await this.#place(id);
    const proven = found && (await this.#provenBlock(found.height));
    if (found === undefined || proven === undefined) return undefined;
    const { index, block } = found;
    const { header, ids, receipts } = block;
    const { certificate, historyProof: siblings } = proven;
    return this.#bundle(certificate, {
      kind: 'transaction',
      value: {
        header,
        historyProof: siblings,
        index,
        transaction: packedTransaction(block.transactions, index),
        transactionProof: listProof(ids, index),
        receipt: decode(receiptCodec, receipts[index]!),
        receiptProof: listProof(receipts, index),
      },
    });
  }

  async #blockBundle({ height, under }: Args<'blockBundle'>): Promise<Uint8Array | undefined> {
    const block = await this.#idsOf(height);
    const proven = block && (await this.#provenBlock(height, under));
    if (block === undefined || proven === undefined) return undefined;
    const { certificate, historyProof: siblings } = proven;
    return this.#bundle(certificate, { kind: 'block', value: { header: block.header, historyProof: siblings } });
  }

  async #handoffs(from: number): Promise<Uint8Array> {
    return encode(updatesCodec, { handoffs: await readHandoffs(this.#store, from, UPDATES_MAX) });
  }

  async #storedBlock(at: number | Uint8Array): Promise<StoredBlock | undefined> {
    let height = at;
    if (height instanceof Uint8Array) {
      const key = await this.#store.getAsync('blockHash', height);
      if (key === undefined) return undefined;
      height = heightOfKey(key);
    }
    const block = await this.#block(height);
    if (block === undefined) return undefined;
    return {
      hash: blockHash(block.header),
      header: encode(headerCodec, block.header),
      transactions: transactionsOf(block),
      ids: block.ids,
      receipts: block.receipts,
    };
  }

  async #headers({ from, limit, descending }: Args<'headers'>) {
    const found: { hash: Uint8Array; header: Uint8Array }[] = [];
    for await (const { value } of this.#store.range('block', pageRange(from, limit, descending))) {
      const { header } = decode(blockCodec, value);
      found.push({ hash: blockHash(header), header: encode(headerCodec, header) });
    }
    return found;
  }

  async #certificates({ from, limit, descending }: Args<'certificates'>): Promise<readonly Uint8Array[]> {
    const found: Uint8Array[] = [];
    for await (const { value } of this.#store.range('certificate', pageRange(from, limit, descending)))
      found.push(value);
    return found;
  }

  async #stateValue({ table, key, at, proof }: Args<'state'>): Promise<StateValue | undefined> {
    const height = this.#heightOf(at);
    const found = await this.#state.row(table, key, height, proof);
    if (found === undefined) return undefined;
    const { value } = found;
    const isFinal = found.proof !== undefined && height <= this.#now().finalHeight;
    const certificate = isFinal ? await this.#finalCertificate(height) : undefined;
    if (certificate === undefined) return { height, value, bundle: undefined };
    const bundle = await this.#bundle(certificate, {
      kind: 'state',
      value: {
        table,
        key,
        value: value === undefined ? { kind: 'absent', value: {} } : { kind: 'present', value },
        proof: encodeStateProof(found.proof!),
      },
    });
    return { height, value, bundle };
  }

  #heightOf(at: At): number {
    if (typeof at === 'number') return at;
    const { head, finalHeight } = this.#now();
    // After a restart the state as of the newest certificate may be gone; whoever asks sees by the height that this is another.
    return at === 'final' && this.#state.keeps(finalHeight) ? finalHeight : head.height;
  }

  /**
   * A page of rows of the newest height. It is that of this moment, whatever is written before the rows are read; a block
   * that is being written now may be in the store already, so there must be none.
   */
  stateRows({ table, prefix, after, limit }: Args<'stateRows'>): RowsPage {
    const { height } = this.#now().head;
    const start = stateKey(table, prefix);
    const from = after === undefined ? start : Buffer.concat([stateKey(table, after), Uint8Array.of(0)]);
    const range = this.#store.range(this.#state.kind, { from, to: endOfPrefix(start), limit });
    return { height, rows: rowsOf(range, table.length + 1) };
  }

  async #place(id: Uint8Array): Promise<{ height: number; index: number; block: BlockRecord } | undefined> {
    const record = await this.#store.getAsync('transaction', id);
    if (record === undefined) return undefined;
    const { height, index } = decode(placeCodec, record);
    const block = await this.#block(height);
    return block && { height, index, block };
  }

  #block(height: number): Promise<BlockRecord | undefined> {
    const block = this.#read.get(height) ?? this.#readBlock(height);
    this.#read.delete(height);
    this.#read.set(height, block);
    const [oldest] = this.#read.keys();
    if (this.#read.size > READ_BLOCKS_MAX) this.#read.delete(oldest!);
    return block;
  }

  async #readBlock(height: number): Promise<BlockRecord | undefined> {
    const record = await this.#store.getAsync('block', heightKey(height)).catch((error: unknown) => {
      this.#read.delete(height);
      throw error;
    });
    if (record === undefined) this.#read.delete(height);
    return record && decode(blockCodec, record);
  }

  async #finalCertificate(height = this.#now().finalHeight): Promise<Certificate | undefined> {
    const record = await this.#store.getAsync('certificate', heightKey(height));
    return record && decode(certificateCodec, record);
  }

  /**
   * A certificate with the place of a block in its history: the newest one, or for a block below an installed snapshot the
   * first above it, since between them nodes of the history lack.
   */
  async #provenBlock(height: number, under?: number) {
    const certificate = await this.#finalCertificate(under);
    if (certificate === undefined || certificate.checkpoint.height < height) return undefined;
    const newest = this.#historyProof(certificate, height);
    if (newest !== undefined) return { certificate, historyProof: newest };
    if (under !== undefined) return undefined;
    const [first] = await this.#certificates({ from: height, limit: 1, descending: false });
    const older = first && decode(certificateCodec, first);
    const proof = older && this.#historyProof(older, height);
    return older && proof && { certificate: older, historyProof: proof };
  }

  #historyProof({ checkpoint }: Certificate, height: number): Uint8Array[] | undefined {
    let lacks = false;
    const proof = historyProof(checkpoint.height + 1, height, (level, index) => {
      const node = this.#store.get('history', historyKey(level, index));
      lacks ||= node === undefined;
      return node ?? NO_NODE;
    });
    return lacks ? undefined : proof;
  }

  async #bundle(certificate: Certificate, fact: Bundle['fact']): Promise<Uint8Array> {
    const genesisId = this.#genesisId();
    const handoffs = await readHandoffs(this.#store, 0, certificate.checkpoint.epoch);
    return encode(bundleCodec, { format: 'quorate-proof-1', genesisId, handoffs, certificate, fact });
  }

  /** Block 0's parent is the genesis id. */
  #genesisId(): Uint8Array {
    return decode(blockCodec, this.#store.get('block', heightKey(0))!).header.parent;
  }
}

const NO_NODE = new Uint8Array(32);

/** The height of which an answer needs the certificate, if it is to come: 0 if of none. */
function needsCertificate(name: keyof LedgerQueries, args: unknown): number {
  if (name === 'certificates') {
    const { from, descending } = args as Args<'certificates'>;
    return descending ? from : 0;
  }
  if (name !== 'state') return 0;
  const { at, proof, minHeight = 0 } = args as Args<'state'>;
  if (at === 'final') return minHeight;
  return at !== 'latest' && proof ? at : 0;
}

function transactionsOf({ transactions }: BlockRecord): readonly Uint8Array[] {
  const unpacked = unpackTransactions(transactions, BATCH_TRANSACTIONS_MAX);
  if (!unpacked.ok) throw new Error(`stored block: ${unpacked.problem}`);
  return unpacked.value;
}

function pageRange(from: number, limit: number, descending: boolean) {
  return descending ? { to: heightKey(from + 1), limit, reverse: true } : { from: heightKey(from), limit };
}

/** Begins at once: the store is read as it is now. Keys without the `skip` bytes of their table's name. */
async function rowsOf(range: AsyncIterable<StoredRecord>, skip: number): Promise<StoredRecord[]> {
  const rows: StoredRecord[] = [];
  for await (const { key, value } of range) rows.push({ key: key.slice(skip), value });
  return rows;
}

/** The first key behind all that begin with these bytes. The kind's byte below 255 ends it at the latest. */
function endOfPrefix(prefix: Uint8Array): Uint8Array {
  let length = prefix.length;
  while (prefix[length - 1] === 255) length--;
  return prefix.subarray(0, length).with(length - 1, prefix[length - 1]! + 1);
}
