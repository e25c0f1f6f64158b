import { innerHash, leafHash } from './hash.ts';
import { bindCount } from './list-tree.ts';

/**
 * The history of block hashes as a list tree that grows: only the roots of its perfect subtrees (the peaks of a Merkle
 * mountain range) are needed to append. Bagged from right to left they give the same root as the list tree.
 */
export interface History {
  readonly count: number;
  /** Perfect subtrees from the largest (oldest) to the smallest. */
  readonly peaks: readonly Uint8Array[];
}

/** A perfect subtree of 2^level leaves, the `index`-th of its size from the left. */
export interface HistoryNode {
  readonly level: number;
  readonly index: number;
  readonly hash: Uint8Array;
}

export const emptyHistory: History = { count: 0, peaks: [] };

/** Appends a block hash; `nodes` are the subtrees that became complete, the leaf first. */
export function appendHistory(history: History, blockHash: Uint8Array): { next: History; nodes: HistoryNode[] } {
  const peaks = [...history.peaks];
  let node: HistoryNode = { level: 0, index: history.count, hash: leafHash(blockHash) };
  const nodes = [node];
  while (node.index % 2 === 1) {
    const left = peaks.pop()!;
    node = { level: node.level + 1, index: (node.index - 1) / 2, hash: innerHash(left, node.hash) };
    nodes.push(node);
  }
  peaks.push(node.hash);
  return { next: { count: history.count + 1, peaks }, nodes };
}

/** `historyRoot` of checkpoints: the list root over all block hashes so far. */
export function historyRoot({ count, peaks }: History): Uint8Array {
  return bindCount(count, peaks.length === 0 ? new Uint8Array(32) : bag(peaks));
}

/** The history of `count` blocks from stored subtrees: one read per peak. */
export function historyOf(count: number, node: (level: number, index: number) => Uint8Array): History {
  return { count, peaks: perfectSubtrees(count).map(({ level, index }) => node(level, index)) };
}

/**
 * Siblings that prove block `index` in the history of the first `count` blocks, for `listRootFromProof` with the block
 * hash as content. Reads O(log count) stored subtrees.
 */
export function historyProof(
  count: number,
  index: number,
  node: (level: number, index: number) => Uint8Array,
): Uint8Array[] {
  if (index < 0 || index >= count) throw new RangeError(`block ${index} in a history of ${count}`);
  const siblings: Uint8Array[] = [];
  const subtrees = perfectSubtrees(count);
  const at = subtrees.findIndex((one) => index < (one.index + 1) * 2 ** one.level);
  const own = subtrees[at]!;
  for (let level = 0, place = index; level < own.level; level++, place = Math.floor(place / 2)) {
    siblings.push(node(level, place % 2 === 0 ? place + 1 : place - 1));
  }
  const right = subtrees.slice(at + 1).map((one) => node(one.level, one.index));
  if (right.length > 0) siblings.push(bag(right));
  for (const one of subtrees.slice(0, at).reverse()) siblings.push(node(one.level, one.index));
  return siblings;
}

function bag(peaks: readonly Uint8Array[]): Uint8Array {
  return peaks.reduceRight((right, left) => innerHash(left, right));
}

/** Places of the peaks: the perfect subtrees of a tree of `count` leaves, from left to right. */
export function perfectSubtrees(count: number): { level: number; index: number }[] {
  const subtrees: { level: number; index: number }[] = [];
  let start = 0;
  for (let level = Math.floor(Math.log2(Math.max(count, 1))); level >= 0; level--) {
    const size = 2 ** level;
    if (count - start < size) continue;
    subtrees.push({ level, index: start / size });
    start += size;
  }
  return subtrees;
}
