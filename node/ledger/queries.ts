import { blockHash, encodedReceipt, headerCodec } from '../../ledger/block.ts';
import { type Bundle, bundleCodec } from '../../ledger/bundle.ts';
import { type Certificate, certificateCodec } from '../../ledger/checkpoint.ts';
import { decode, encode } from '../../ledger/codec.ts';
import { historyProof } from '../../ledger/history.ts';
import { BATCH_TRANSACTIONS_MAX } from '../../ledger/limits.ts';
import { listProof } from '../../ledger/list-tree.ts';
import { encodeStateProof } from '../../ledger/state-proof.ts';
import { unpackTransactions } from '../../ledger/transaction.ts';
import { SYNC_BLOCKS_MAX } from '../limits.ts';
import type { Head, LedgerQueries, StateValue, StoredBlock, StoredTransaction, SyncAnswer } from '../ports.ts';
import { heightKey, heightOfKey, historyKey, type Store, stateKey } from '../store/store.ts';
import { type BlockRecord, blockCodec, placeCodec } from './records.ts';
import type { LedgerState } from './state.ts';

type Args<Q extends keyof LedgerQueries> = LedgerQueries[Q]['args'];

/** Reads for the API and for peers; nothing here changes anything. */
export class LedgerQuery {
  readonly #store: Store;
  readonly #state: LedgerState;
  readonly #now: () => { readonly head: Head; readonly finalHeight: number };

  constructor(store: Store, state: LedgerState, now: () => { readonly head: Head; readonly finalHeight: number }) {
    this.#store = store;
    this.#state = state;
    this.#now = now;
  }

  async answer<Q extends keyof LedgerQueries>(name: Q, args: Args<Q>): Promise<LedgerQueries[Q]['result']> {
    return (await this.#answer(name, args)) as LedgerQueries[Q]['result'];
  }

  #answer(name: keyof LedgerQueries, args: unknown): Promise<unknown> | unknown {
    switch (name) {
      case 'transaction':
        return this.#transaction((args as Args<'transaction'>).id);
      case 'transactionBundle':
        return this.#transactionBundle((args as Args<'transactionBundle'>).id);
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
      case 'stateRows':
        return this.#stateRows(args as Args<'stateRows'>);
      case 'sizes':
        return { rows: this.#state.rows, stateTreeBytes: this.#state.treeBytes };
      case 'executedAmong':
        throw new Error('answered by the owner of the ids');
    }
  }

  /** R7: see LedgerPort. */
  async blocksAbove(above: number, bytesMax: number): Promise<SyncAnswer | undefined> {
    const range = { from: heightKey(above + 1), to: heightKey(above + SYNC_BLOCKS_MAX + 1), limit: 1, reverse: true };
    let certificate: Uint8Array | undefined;
    let to = 0;
    for await (const { key, value } of this.#store.range('certificate', range)) {
      certificate = value;
      to = heightOfKey(key);
    }
    if (certificate === undefined) return undefined;
    const headers: Uint8Array[] = [];
    const transactions: Uint8Array[] = [];
    let size = 0;
    for await (const { value } of this.#store.range('block', { from: heightKey(above + 1), to: heightKey(to + 1) })) {
      const block = decode(blockCodec, value);
      headers.push(encode(headerCodec, block.header));
      size += block.transactions.length;
      if (transactions.length === headers.length - 1 && (size <= bytesMax || transactions.length === 0)) {
        transactions.push(block.transactions);
      }
    }
    return { certificate, headers, transactions };
  }

  async #transaction(id: Uint8Array): Promise<StoredTransaction | undefined> {
    const found = await this.#place(id);
    if (found === undefined) return undefined;
    const { height, index, block } = found;
    return {
      height,
      index,
      receipt: encodedReceipt(block.receipts[index]!),
      transaction: transactionsOf(block)[index]!,
    };
  }

  async #transactionBundle(id: Uint8Array): Promise<Uint8Array | undefined> {
    const found = await this.#place(id);
    const certificate = await this.#finalCertificate();
    if (found === undefined || certificate === undefined || found.height > certificate.checkpoint.height)
      return undefined;
    const { height, index, block } = found;
    const { header, ids, receipts } = block;
    return this.#bundle(certificate, {
      kind: 'transaction',
      value: {
        header,
        historyProof: this.#historyProof(certificate, height),
        index,
        transaction: transactionsOf(block)[index]!,
        transactionProof: listProof(ids, index),
        receipt: receipts[index]!,
        receiptProof: listProof(receipts.map(encodedReceipt), index),
      },
    });
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
      receipts: block.receipts.map(encodedReceipt),
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

  async #stateValue({ table, key, at, proof }: Args<'state'>): Promise<StateValue> {
    const { head, finalHeight } = this.#now();
    // After a restart the state as of the newest certificate may be gone; the newest state answers until the next one.
    const height = at === 'final' && this.#state.has(finalHeight) ? finalHeight : head.height;
    const value = this.#state.getAt(table, key, height);
    const proven = proof ? this.#state.prove(table, key, height) : undefined;
    const certificate = proof && height === finalHeight ? await this.#finalCertificate(height) : undefined;
    if (proven === undefined || certificate === undefined) return { height, value, bundle: undefined };
    const bundle = this.#bundle(certificate, {
      kind: 'state',
      value: {
        table,
        key,
        value: value === undefined ? { kind: 'absent', value: {} } : { kind: 'present', value },
        proof: encodeStateProof(proven),
      },
    });
    return { height, value, bundle };
  }

  async #stateRows({ table, prefix, after, limit }: Args<'stateRows'>): Promise<LedgerQueries['stateRows']['result']> {
    const { height } = this.#now().head;
    const start = stateKey(table, prefix);
    const from = after === undefined ? start : Buffer.concat([stateKey(table, after), Uint8Array.of(0)]);
    const skip = table.length + 1;
    const rows: { key: Uint8Array; value: Uint8Array }[] = [];
    for await (const { key, value } of this.#store.range('state', { from, to: endOfPrefix(start), limit })) {
      rows.push({ key: key.slice(skip), value });
    }
    return { height, rows };
  }

  async #place(id: Uint8Array): Promise<{ height: number; index: number; block: BlockRecord } | undefined> {
    const record = await this.#store.getAsync('transaction', id);
    if (record === undefined) return undefined;
    const { height, index } = decode(placeCodec, record);
    const block = await this.#block(height);
    return block && { height, index, block };
  }

  async #block(height: number): Promise<BlockRecord | undefined> {
    const record = await this.#store.getAsync('block', heightKey(height));
    return record && decode(blockCodec, record);
  }

  async #finalCertificate(height = this.#now().finalHeight): Promise<Certificate | undefined> {
    const record = await this.#store.getAsync('certificate', heightKey(height));
    return record && decode(certificateCodec, record);
  }

  #historyProof({ checkpoint }: Certificate, height: number): Uint8Array[] {
    return historyProof(checkpoint.height + 1, height, (level, index) => {
      const node = this.#store.get('history', historyKey(level, index));
      if (node === undefined) throw new Error(`history node ${level}/${index} lacks`);
      return node;
    });
  }

  #bundle(certificate: Certificate, fact: Bundle['fact']): Uint8Array {
    const genesisId = this.#genesisId();
    return encode(bundleCodec, { format: 'quorate-proof-1', genesisId, handoffs: [], certificate, fact });
  }

  /** Block 0's parent is the genesis id. */
  #genesisId(): Uint8Array {
    return decode(blockCodec, this.#store.get('block', heightKey(0))!).header.parent;
  }
}

function transactionsOf({ transactions }: BlockRecord): readonly Uint8Array[] {
  const unpacked = unpackTransactions(transactions, BATCH_TRANSACTIONS_MAX);
  if (!unpacked.ok) throw new Error(`stored block: ${unpacked.problem}`);
  return unpacked.value;
}

function pageRange(from: number, limit: number, descending: boolean) {
  return descending ? { to: heightKey(from + 1), limit, reverse: true } : { from: heightKey(from), limit };
}

/** The first key behind all that begin with these bytes. The kind's byte below 255 ends it at the latest. */
function endOfPrefix(prefix: Uint8Array): Uint8Array {
  let length = prefix.length;
  while (prefix[length - 1] === 255) length--;
  return prefix.subarray(0, length).with(length - 1, prefix[length - 1]! + 1);
}
