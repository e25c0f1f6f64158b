import { concatBytes, equalBytes, utf8Encode } from './bytes.ts';
import { blob, bytes32, type CodecType, list, struct, u32, union } from './codec.ts';
import { innerHash, leafHash, sha256 } from './hash.ts';
import { STATE_PROOF_MAX } from './limits.ts';

/**
 * Where a row stands in the state tree: SHA-256(length of the table's name as one byte ‖ name ‖ key), read bit by bit from
 * the most significant. 32 bytes.
 */
export function statePath(table: string, key: Uint8Array): Uint8Array {
  const name = utf8Encode(table);
  return sha256(concatBytes(Uint8Array.of(name.length), name, key));
}

/** Leaf of a row: leafHash(path ‖ SHA-256(value)). */
export function stateLeaf(path: Uint8Array, valueHash: Uint8Array): Uint8Array {
  return leafHash(concatBytes(path, valueHash));
}

/** The wire form of a proof. `bitmap` has one bit per level, set where the sibling is not empty. */
export const stateProofCodec = struct({
  depth: u32,
  bitmap: blob(STATE_PROOF_MAX / 8),
  siblings: list(bytes32, STATE_PROOF_MAX),
  end: union({
    /** The row itself, or (absence) nothing, stands at this depth. */
    self: [0, struct({})],
    /** Absence: another row's leaf stands where the row would be. */
    other: [1, struct({ path: bytes32, valueHash: bytes32 })],
  }),
});
export type EncodedStateProof = CodecType<typeof stateProofCodec>;

/** A proof of presence or absence, as the tree gives it. */
export interface StateProof {
  /** The other child at each level, from the root downwards; 32 zero bytes where it is empty. */
  readonly siblings: readonly Uint8Array[];
  /** Absence only: the leaf of another row that stands where this row would be. */
  readonly other: { readonly path: Uint8Array; readonly valueHash: Uint8Array } | undefined;
}

/**
 * The root that a proof leads to: of presence with a `valueHash`, of absence without. Undefined if it can't be a proof.
 *
 * Sound because the root fixes the tree: a node's hash is of 64 bytes (inner), of 33 (leaf) or zero (empty), so nobody can
 * show a node as another kind, and the path's bits lead to one place only. What stands there is the row's leaf (present),
 * nothing, or the leaf of another row, under which no row can be (absent).
 */
export function rootFromStateProof(
  path: Uint8Array,
  valueHash: Uint8Array | undefined,
  proof: StateProof,
): Uint8Array | undefined {
  const { siblings, other } = proof;
  if (path.length !== 32 || siblings.length > STATE_PROOF_MAX) return undefined;
  let hash: Uint8Array = EMPTY;
  if (valueHash !== undefined) {
    if (valueHash.length !== 32 || other !== undefined) return undefined;
    hash = stateLeaf(path, valueHash);
  } else if (other !== undefined) {
    if (other.path.length !== 32 || other.valueHash.length !== 32 || equalBytes(other.path, path)) return undefined;
    for (let depth = 0; depth < siblings.length; depth++) {
      if (bitAt(other.path, depth) !== bitAt(path, depth)) return undefined;
    }
    hash = stateLeaf(other.path, other.valueHash);
  }
  for (let depth = siblings.length - 1; depth >= 0; depth--) {
    const sibling = siblings[depth]!;
    if (sibling.length !== 32) return undefined;
    hash = bitAt(path, depth) === 1 ? innerHash(sibling, hash) : innerHash(hash, sibling);
  }
  return hash;
}

/** The wire form: empty siblings are left out and marked in a bitmap (bit `depth` of byte depth>>3). */
export function encodeStateProof({ siblings, other }: StateProof): EncodedStateProof {
  const bitmap = new Uint8Array(Math.ceil(siblings.length / 8));
  const kept: Uint8Array[] = [];
  for (const [depth, sibling] of siblings.entries()) {
    if (equalBytes(sibling, EMPTY)) continue;
    bitmap[depth >> 3]! |= 1 << (depth & 7);
    kept.push(sibling);
  }
  const end = other === undefined ? ({ kind: 'self', value: {} } as const) : ({ kind: 'other', value: other } as const);
  return { depth: siblings.length, bitmap, siblings: kept, end };
}

/** The proof of a wire form; undefined unless that is the one form `encodeStateProof` gives. */
export function decodeStateProof({ depth, bitmap, siblings, end }: EncodedStateProof): StateProof | undefined {
  if (depth > STATE_PROOF_MAX || bitmap.length !== Math.ceil(depth / 8)) return undefined;
  const all: Uint8Array[] = [];
  let used = 0;
  for (let bit = 0; bit < bitmap.length * 8; bit++) {
    const set = ((bitmap[bit >> 3]! >> (bit & 7)) & 1) === 1;
    if (bit >= depth) {
      if (set) return undefined;
      continue;
    }
    const sibling = set ? siblings[used++] : EMPTY;
    if (sibling === undefined || (set && equalBytes(sibling, EMPTY))) return undefined;
    all.push(sibling);
  }
  if (used !== siblings.length) return undefined;
  return { siblings: all, other: end.kind === 'other' ? end.value : undefined };
}

/** Bit `depth` of a path, from the most significant. */
export function bitAt(path: Uint8Array, depth: number): 0 | 1 {
  return ((path[depth >> 3]! >> (7 - (depth & 7))) & 1) as 0 | 1;
}

const EMPTY = new Uint8Array(32);
