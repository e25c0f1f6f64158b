import { bytes32, type CodecType, decode, encode, list, struct, u8, union } from './codec.ts';
import { innerHash } from './hash.ts';
import { bitAt, stateLeaf } from './state-proof.ts';

/** Levels of the state tree in one page. */
export const PAGE_LEVELS = 4;

const cellCodec = union({
  empty: [0, struct({ level: u8 })],
  inner: [1, struct({ level: u8, hash: bytes32 })],
  leaf: [2, struct({ level: u8, path: bytes32, valueHash: bytes32 })],
});
const cellsCodec = list(cellCodec, 2 ** PAGE_LEVELS);

/** A node at `level` below its page's root. An inner one stands at PAGE_LEVELS and is the root of a page of its own. */
export type PageCell = CodecType<typeof cellCodec>;

/** A piece of the state tree, as an archive keeps it: the nodes that end it below, from left to right. */
export interface StatePage {
  /** Of the page's root. */
  readonly depth: number;
  /** The bits that lead to it; the rest is zero. 32 bytes. */
  readonly prefix: Uint8Array;
  readonly cells: readonly PageCell[];
}

export function encodePage({ cells }: StatePage): Uint8Array {
  return encode(cellsCodec, cells);
}

/** The first `depth` bits of a path, the rest zero. */
export function prefixOf(path: Uint8Array, depth: number): Uint8Array {
  const prefix = new Uint8Array(32);
  prefix.set(path.subarray(0, depth >> 3));
  if (depth % 8 !== 0) prefix[depth >> 3] = path[depth >> 3]! & (0xff << (8 - (depth % 8)));
  return prefix;
}

/** In an encoded page whose root stands at `depth`: where `path` leads, and the siblings on the way, the highest first. */
export function descendPage(
  encoded: Uint8Array,
  path: Uint8Array,
  depth: number,
): { readonly cell: PageCell; readonly siblings: readonly Uint8Array[] } {
  const cells = decode(cellsCodec, encoded);
  let next = 0;
  let cell: PageCell | undefined;
  const siblings: Uint8Array[] = [];
  const visit = (level: number, onPath: boolean): Uint8Array => {
    const first = cells[next]!;
    if (first.value.level === level) {
      next++;
      if (onPath) cell = first;
      return hashOf(first);
    }
    const bit = bitAt(path, depth + level);
    const left = visit(level + 1, onPath && bit === 0);
    const right = visit(level + 1, onPath && bit === 1);
    if (onPath) siblings.unshift(bit === 0 ? right : left);
    return innerHash(left, right);
  };
  visit(0, true);
  return { cell: cell!, siblings };
}

function hashOf(cell: PageCell): Uint8Array {
  switch (cell.kind) {
    case 'empty':
      return new Uint8Array(32);
    case 'inner':
      return cell.value.hash;
    case 'leaf':
      return stateLeaf(cell.value.path, cell.value.valueHash);
  }
}
