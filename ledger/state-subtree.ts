import { equalBytes } from './bytes.ts';
import { innerHash } from './hash.ts';
import { STATE_PROOF_MAX } from './limits.ts';
import { bitAt, stateLeaf } from './state-proof.ts';

/** One of the subtrees that a state tree is cut into, by its depth; where it stands follows from those before it. */
export interface SubtreePart {
  readonly depth: number;
  /** 32 zero bytes where there is no row. */
  readonly hash: Uint8Array;
}

export interface Subtree extends SubtreePart {
  /** The first `depth` bits of its rows' paths, zeros behind them. 32 bytes. */
  readonly prefix: Uint8Array;
}

/** A row as the tree sees it. */
export interface PathRow {
  readonly path: Uint8Array;
  readonly valueHash: Uint8Array;
}

/**
 * The subtrees that `parts` are, from left to right, if they are all of the tree with this root: each is then proven by
 * its place. Undefined if they are not. Sound because only inner nodes are cut: see `rootFromStateProof`.
 */
export function subtreesOf(root: Uint8Array, parts: readonly SubtreePart[]): readonly Subtree[] | undefined {
  const subtrees: Subtree[] = [];
  const prefix = new Uint8Array(32);
  const hashAt = (depth: number): Uint8Array | undefined => {
    const part = parts[subtrees.length];
    if (part === undefined || part.hash.length !== 32 || part.depth < depth || part.depth > STATE_PROOF_MAX)
      return undefined;
    if (part.depth === depth) {
      subtrees.push({ ...part, prefix: prefix.slice() });
      return part.hash;
    }
    const left = hashAt(depth + 1);
    if (left === undefined) return undefined;
    const bit = 0x80 >> (depth & 7);
    prefix[depth >> 3]! |= bit;
    const right = hashAt(depth + 1);
    prefix[depth >> 3]! &= ~bit;
    return right && innerHash(left, right);
  };
  const hash = hashAt(0);
  return hash !== undefined && subtrees.length === parts.length && equalBytes(hash, root) ? subtrees : undefined;
}

/**
 * Hash of the subtree with exactly these rows at a depth; undefined unless their paths are ascending, distinct and begin
 * with its prefix.
 */
export function subtreeHash(
  rows: readonly PathRow[],
  { depth, prefix }: Omit<Subtree, 'hash'>,
): Uint8Array | undefined {
  for (const [i, { path, valueHash }] of rows.entries()) {
    if (path.length !== 32 || valueHash.length !== 32 || !isUnder(path, prefix, depth)) return undefined;
    if (i > 0 && !isBelow(rows[i - 1]!.path, path)) return undefined;
  }
  return hashOf(rows, depth, 0, rows.length);
}

function hashOf(rows: readonly PathRow[], depth: number, from: number, to: number): Uint8Array {
  if (from === to) return EMPTY;
  if (to - from === 1) return stateLeaf(rows[from]!.path, rows[from]!.valueHash);
  let middle = from;
  while (middle < to && bitAt(rows[middle]!.path, depth) === 0) middle++;
  return innerHash(hashOf(rows, depth + 1, from, middle), hashOf(rows, depth + 1, middle, to));
}

function isUnder(path: Uint8Array, prefix: Uint8Array, depth: number): boolean {
  for (let bit = 0; bit < depth; bit++) if (bitAt(path, bit) !== bitAt(prefix, bit)) return false;
  return true;
}

function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < 32; i++) if (a[i] !== b[i]) return a[i]! < b[i]!;
  return false;
}

const EMPTY = new Uint8Array(32);
