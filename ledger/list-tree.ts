import { concatBytes, copyBytes } from './bytes.ts';
import { encode, u64 } from './codec.ts';
import { hashPairs, innerHash, leafHash, leafHashInto, sha256 } from './hash.ts';

/**
 * One tree shape for every ordered list (transaction ids, receipts, block history): that of RFC 6962, split at the
 * largest power of two below the count. A list's root binds its count: SHA-256(count as u64 ‖ tree hash), a 40-byte input
 * beside the 33 bytes of a leaf and the 64 of an inner node. The tree hash of an empty list is 32 zero bytes.
 */
export function listRoot(contents: readonly Uint8Array[]): Uint8Array {
  return bindCount(contents.length, treeHash(contents));
}

/** Siblings from the leaf at `index` upwards. */
export function listProof(contents: readonly Uint8Array[], index: number): Uint8Array[] {
  if (index < 0 || index >= contents.length) throw new RangeError(`index ${index} of ${contents.length}`);
  const siblings: Uint8Array[] = [];
  let level = leaves(contents);
  for (let at = index; level.length > HASH; at >>= 1) {
    const start = HASH * (at ^ 1);
    if (start < level.length) siblings.push(level.slice(start, start + HASH));
    level = parents(level);
  }
  return siblings;
}

export interface ListProof {
  readonly count: number;
  readonly index: number;
  readonly content: Uint8Array;
  /** From the leaf upwards; their number follows from index and count. */
  readonly siblings: readonly Uint8Array[];
}

/** The root that a proof leads to; undefined if it can't be one: index out of range, other number of siblings. */
export function listRootFromProof({ count, index, content, siblings }: ListProof): Uint8Array | undefined {
  if (!Number.isSafeInteger(count) || !Number.isSafeInteger(index) || index < 0 || index >= count) return undefined;
  let hash = leafHash(content);
  let at = index;
  let last = count - 1;
  let used = 0;
  for (; last > 0; at = Math.floor(at / 2), last = Math.floor(last / 2)) {
    // The last node of a level with an odd count has no sibling and moves up as it is.
    if (at === last && at % 2 === 0) continue;
    const sibling = siblings[used++];
    if (sibling === undefined || sibling.length !== 32) return undefined;
    hash = at % 2 === 1 ? innerHash(sibling, hash) : innerHash(hash, sibling);
  }
  return used === siblings.length ? bindCount(count, hash) : undefined;
}

/** SHA-256(count as u64 big-endian ‖ tree hash). */
export function bindCount(count: number, hash: Uint8Array): Uint8Array {
  return sha256(concatBytes(encode(u64, count), hash));
}

const HASH = 32;

function treeHash(contents: readonly Uint8Array[]): Uint8Array {
  if (contents.length === 0) return new Uint8Array(HASH);
  let level = leaves(contents);
  while (level.length > HASH) level = parents(level);
  return level;
}

/** A level in one buffer, 32 bytes each. */
function leaves(contents: readonly Uint8Array[]): Uint8Array {
  const level = new Uint8Array(HASH * contents.length);
  for (let i = 0; i < contents.length; i++) leafHashInto(contents[i]!, level, HASH * i);
  return level;
}

/** Pairs hashed together; a last odd one moves up unchanged, which gives exactly the shape of RFC 6962. */
function parents(level: Uint8Array): Uint8Array {
  const odd = level.length % (2 * HASH);
  const pairs = level.length - odd;
  const above = new Uint8Array(pairs / 2 + odd);
  hashPairs(level.subarray(0, pairs), above.subarray(0, pairs / 2));
  copyBytes(above, level.subarray(pairs), pairs / 2);
  return above;
}
