import { type Batch, batchDigest, nullBatch } from '../../../ledger/block.ts';
import { toHex, utf8Encode } from '../../../ledger/bytes.ts';
import { sha256 } from '../../../ledger/hash.ts';

/**
 * Short stable names for what the protocol knows by digest: `{a b}` is a batch of the transactions a and b, `{}` one
 * without any, `null` the null batch (V7). A second batch of the same transactions at the same height is `{a b}'`.
 */
export class Names {
  readonly #transactions = new Map<string, string>();
  readonly #batches = new Map<string, { readonly name: string; readonly batch: Batch }>();
  readonly #unknown = new Map<string, string>();

  /** The id of the transaction with this name. */
  transaction(name: string): Uint8Array {
    const id = sha256(utf8Encode(name));
    this.#transactions.set(toHex(id), name);
    return id;
  }

  transactionName(id: Uint8Array): string {
    return this.#transactions.get(toHex(id)) ?? '?';
  }

  learn(batch: Batch): string {
    const key = toHex(batchDigest(batch));
    const known = this.#batches.get(key);
    if (known !== undefined) return known.name;
    const names = batch.transactions.map((id) => this.transactionName(id));
    const isNull = key === toHex(batchDigest(nullBatch(batch.height)));
    let name = isNull ? 'null' : `{${names.join(' ')}}`;
    while (!isNull && this.batch(batch.height, name) !== undefined) name += "'";
    this.#batches.set(key, { name, batch });
    return name;
  }

  /** The batch with this name at this height, if there is one already. */
  batch(height: number, name: string): Batch | undefined {
    if (name === 'null') return nullBatch(height);
    return [...this.#batches.values()].find((one) => one.name === name && one.batch.height === height)?.batch;
  }

  batchWith(digest: Uint8Array): Batch | undefined {
    return this.#batches.get(toHex(digest))?.batch;
  }

  digest(digest: Uint8Array, height: number): string {
    const key = toHex(digest);
    if (key === toHex(batchDigest(nullBatch(height)))) return 'null';
    return this.#batches.get(key)?.name ?? this.#numbered(key);
  }

  /** A text of the core, with names for the digests and members in it. */
  text(reason: string): string {
    return reason
      .replace(/0x[0-9a-f]{64}/g, (key) => this.#batches.get(key)?.name ?? this.#numbered(key))
      .replace(/\bmembers? (\d+(?:, \d+)*)/g, (_, list: string) => list.replace(/\d+/g, (index) => `v${index}`));
  }

  #numbered(key: string): string {
    const name = this.#unknown.get(key) ?? `d${this.#unknown.size + 1}`;
    this.#unknown.set(key, name);
    return name;
  }
}
