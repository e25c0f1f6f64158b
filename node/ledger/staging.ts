import { blockHash, transactionsRoot } from '../../ledger/block.ts';
import { equalBytes } from '../../ledger/bytes.ts';
import type { Certificate, Checkpoint } from '../../ledger/checkpoint.ts';
import { decode, encode, tryDecode } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { historyRoot, perfectSubtrees } from '../../ledger/history.ts';
import { statePath } from '../../ledger/state-proof.ts';
import { type Subtree, subtreeHash, subtreesOf } from '../../ledger/state-subtree.ts';
import { StateTree } from '../../ledger/state-tree.ts';
import type { SnapshotProgress, SnapshotStep } from '../ports.ts';
import { heightKey, type RowsKind, type Store, stateKey } from '../store/store.ts';
import { type BlockIds, blockIdsAnswerCodec, blockIdsCodec, rowsAnswerCodec, snapshotCodec } from '../wire.ts';
import { Epochs } from './membership.ts';

export interface StagingTarget {
  readonly store: Store;
  /** The kind of rows that is not in use. */
  readonly rowsKind: RowsKind;
  /** Own height: R18, only what is above it is of use. */
  readonly above: number;
}

/**
 * R8: a snapshot on its way in. Each piece is proven by the certificate when it comes, wherever it comes from, and kept
 * in the store where nothing reads it; installing switches to it. Abandoned or cut off, it is removed at the next start
 * or before the next one.
 */
export class Staging {
  readonly certificate: Certificate;
  readonly peaks: readonly Uint8Array[];
  readonly rowsKind: RowsKind;
  /** Of all rows that are here. */
  readonly tree = new StateTree();
  readonly #store: Store;
  /** Encoded Snapshot. */
  readonly #snapshot: Uint8Array;
  readonly #parts: readonly Subtree[];
  /** Where rows still lack, ascending. */
  readonly #lacking: number[] = [];
  #epochs: Epochs | undefined;
  /** Hash and height of the next block whose ids are needed; undefined when there are all. */
  #next: { readonly height: number; readonly hash: Uint8Array } | undefined;

  private constructor(
    target: StagingTarget,
    certificate: Certificate,
    peaks: readonly Uint8Array[],
    parts: readonly Subtree[],
    snapshot: Uint8Array,
  ) {
    this.#store = target.store;
    this.rowsKind = target.rowsKind;
    this.certificate = certificate;
    this.peaks = peaks;
    this.#parts = parts;
    this.#snapshot = snapshot;
    for (const [i, { hash }] of parts.entries()) if (hash.some((byte) => byte !== 0)) this.#lacking.push(i);
    const { height, blockHash: hash } = certificate.checkpoint;
    this.#next = { height, hash };
  }

  /** E1: what the rows say, which must all be here. */
  get epochs(): Epochs {
    const get = (table: string, key: Uint8Array) => this.#store.get(this.rowsKind, stateKey(table, key));
    this.#epochs ??= new Epochs({ get });
    return this.#epochs;
  }

  /** E8: ids of blocks from this block time on are needed. */
  get idsSince(): number {
    const { timestamp } = this.certificate.checkpoint;
    return timestamp - this.epochs.idHorizonAt(timestamp);
  }

  /** Begins; a problem if the certificate does not prove what the snapshot is made of. `known` goes on if it is the same. */
  static async begin(target: StagingTarget, bytes: Uint8Array, known: Staging | undefined): Promise<Staging | string> {
    const { certificate, peaks, parts } = decode(snapshotCodec, bytes.slice());
    const { height, stateRoot } = certificate.checkpoint;
    if (height <= target.above) return `a snapshot of height ${height}, own height is ${target.above}`;
    if (known !== undefined && equalBytes(known.#snapshot, bytes)) return known;
    if (!arePeaks(certificate.checkpoint, peaks)) return 'peaks that are not those of the certified history';
    const subtrees = subtreesOf(stateRoot, parts);
    if (subtrees === undefined) return 'parts that are not those of the certified state';
    await target.store.clear(target.rowsKind);
    return new Staging(target, certificate, peaks, subtrees, bytes);
  }

  progress(): SnapshotProgress {
    const part = this.#parts[this.#lacking[0]!];
    return {
      problem: undefined,
      parts: this.#lacking.length,
      rows: part && { prefix: part.prefix, depth: part.depth },
      blocks: this.#next?.height,
    };
  }

  /** Takes one piece; the problem with it, if it is not what the certificate proves there. */
  async take(step: Exclude<SnapshotStep, { kind: 'begin' }>): Promise<string | undefined> {
    return step.kind === 'rows' ? this.#takeRows(step.answer) : this.#takeBlocks(step.answer);
  }

  get isComplete(): boolean {
    return this.#lacking.length === 0 && this.#next === undefined;
  }

  /** Rows of the first part that lacks. */
  async #takeRows(answer: Uint8Array): Promise<string | undefined> {
    const index = this.#lacking[0];
    const part = index === undefined ? undefined : this.#parts[index];
    if (part === undefined) return undefined;
    const decoded = tryDecode(rowsAnswerCodec, answer);
    if (!decoded.ok) return `rows: ${decoded.problem}`;
    if (decoded.value.kind === 'nothing') return undefined;
    const { rows } = decoded.value.value;
    const updates = rows.map(({ table, key, value }) => ({ path: statePath(table, key), valueHash: sha256(value) }));
    const hash = subtreeHash(updates, part);
    if (hash === undefined || !equalBytes(hash, part.hash)) return `rows that are not those of part ${index}`;
    const batch = this.#store.batch();
    for (const { table, key, value } of rows) batch.put(this.rowsKind, stateKey(table, key), value);
    // Synced: what one last synced batch switches to must not be lost in a log before it.
    await batch.write({ sync: true });
    this.tree.apply(updates);
    this.tree.release(this.tree.version);
    this.#lacking.shift();
    return undefined;
  }

  /** Blocks from the next one downwards, each proven by the one above. */
  async #takeBlocks(answer: Uint8Array): Promise<string | undefined> {
    const decoded = tryDecode(blockIdsAnswerCodec, answer);
    if (!decoded.ok) return `ids: ${decoded.problem}`;
    // The rows say how far back ids are needed.
    if (decoded.value.kind === 'nothing' || this.#lacking.length > 0) return undefined;
    const batch = this.#store.batch();
    let next = this.#next;
    for (const block of decoded.value.value.blocks) {
      if (next === undefined) break;
      const problem = blockProblem(block, next.height, next.hash);
      if (problem !== undefined) return problem;
      const { header } = block;
      batch.put('blockIds', heightKey(header.height), encode(blockIdsCodec, block));
      const isLast = header.height === 0 || header.timestamp < this.idsSince;
      next = isLast ? undefined : { height: header.height - 1, hash: header.parent };
    }
    await batch.write({ sync: true });
    this.#next = next;
    return undefined;
  }
}

/** Its hash proves the header, and that proves the ids. */
function blockProblem({ header, ids }: BlockIds, height: number, hash: Uint8Array): string | undefined {
  if (header.height !== height) return `ids of block ${header.height}, asked for ${height}`;
  if (!equalBytes(blockHash(header), hash)) return `another block ${height} than the certified one`;
  if (ids.length !== header.count || !equalBytes(transactionsRoot(ids), header.transactionsRoot))
    return `ids that are not those of block ${height}`;
  return undefined;
}

function arePeaks({ height, historyRoot: root }: Checkpoint, peaks: readonly Uint8Array[]): boolean {
  const count = height + 1;
  return peaks.length === perfectSubtrees(count).length && equalBytes(historyRoot({ count, peaks }), root);
}
