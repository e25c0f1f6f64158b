import { hashPairs, innerHash, leafHash, sha256 } from './hash.ts';

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
  let level = contents.map(leafHash);
  for (let at = index; level.length > 1; at >>= 1) {
    const sibling = level[at ^ 1];
    if (sibling !== undefined) siblings.push(sibling);
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
  const input = new Uint8Array(40);
  new DataView(input.buffer).setBigUint64(0, BigInt(count));
  input.set(hash, 8);
  return sha256(input);
}

function treeHash(contents: readonly Uint8Array[]): Uint8Array {
  if (contents.length === 0) return new Uint8Array(32);
  let level = contents.map(leafHash);
  while (level.length > 1) level = parents(level);
  return level[0]!;
}

/** Pairs hashed together; a last odd one moves up unchanged, which gives exactly the shape of RFC 6962. */
function parents(level: readonly Uint8Array[]): Uint8Array[] {
  const pairs = level.length >> 1;
  const input = new Uint8Array(64 * pairs);
  for (let i = 0; i < 2 * pairs; i++) input.set(level[i]!, 32 * i);
  const output = new Uint8Array(32 * pairs);
  hashPairs(input, output);
  const above: Uint8Array[] = [];
  for (let i = 0; i < pairs; i++) above.push(output.subarray(32 * i, 32 * i + 32));
  if (level.length % 2 === 1) above.push(level.at(-1)!);
  return above;
}
