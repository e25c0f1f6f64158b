import { hashPairs, sha256 } from './hash.ts';
import { PAGE_LEVELS, type PageCell, prefixOf, type StatePage } from './state-page.ts';
import { bitAt, type StateProof } from './state-proof.ts';
import type { SubtreePart } from './state-subtree.ts';

/** A changed row: its path and SHA-256 of the new value, or null if the row is gone. */
export interface StateUpdate {
  readonly path: Uint8Array;
  readonly valueHash: Uint8Array | null;
}

/**
 * The state's sparse Merkle tree, in memory, over paths of 256 bits. A subtree with one row is that row's leaf, at the
 * shallowest depth where it is alone; with more rows it is an inner node, also if one child is empty. So the shape follows
 * from the set of rows, not from its history. Every `apply` makes a new version; older ones stay readable until released.
 *
 * Nodes live in packed arrays (about 160 bytes a row, 210 with room to grow): no object per node, whole levels hashed at once.
 */
export class StateTree {
  /** Pages that the newest version has and the one before it had not. */
  #newPages: readonly PageRoot[] = [];
  readonly #nodes = new NodeStore();
  /** Roots of the versions that are kept, `#oldest` first. */
  readonly #roots: number[] = [EMPTY];
  /** Nodes that a version no longer uses but the one before does; the first belongs to version `#oldest` + 1. */
  readonly #retired: number[][] = [];
  #oldest = 0;
  #size = 0;

  /** Number of the newest version; the empty tree is version 0. */
  get version(): number {
    return this.#oldest + this.#roots.length - 1;
  }

  get oldestVersion(): number {
    return this.#oldest;
  }

  /** Rows in the newest version. */
  get size(): number {
    return this.#size;
  }

  get memoryBytes(): number {
    return this.#nodes.memoryBytes;
  }

  /** 32 bytes; zero for the empty state. Throws RangeError for a version that is not kept. */
  root(version = this.version): Uint8Array {
    return this.#nodes.hashOf(this.#rootNode(version));
  }

  /** Applies changes with distinct paths, in any order, as the next version. Returns its root. */
  apply(updates: readonly StateUpdate[]): Uint8Array {
    const retired: number[] = [];
    const pass = new Pass(this.#nodes, sortByPath(updates), retired);
    const root = pass.update(this.#roots.at(-1)!, 0, 0, updates.length);
    pass.hash();
    this.#size += pass.rows;
    this.#roots.push(root);
    this.#retired.push(retired);
    // A root that is a single leaf, or empty, is no inner node that the pass has noted.
    this.#newPages = this.#nodes.isInner(root) ? pass.pages : [{ node: root, depth: 0, path: new Uint8Array(32) }];
    return this.root();
  }

  /**
   * The newest version cut into pages of PAGE_LEVELS levels, those only that `apply` made. With the pages of all versions
   * any version can be proven from disk.
   */
  *newPages(): Generator<StatePage> {
    for (const { node, depth, path } of this.#newPages) yield this.#page(node, depth, path);
  }

  /** All pages of the newest version. */
  *allPages(): Generator<StatePage> {
    const open: PageRoot[] = [{ node: this.#roots.at(-1)!, depth: 0, path: new Uint8Array(32) }];
    for (let root = open.pop(); root !== undefined; root = open.pop()) {
      const { node, depth, path } = root;
      yield this.#page(node, depth, path);
      this.#below(node, depth, path, depth + PAGE_LEVELS, open);
    }
  }

  #page(node: number, depth: number, path: Uint8Array): StatePage {
    const cells: PageCell[] = [];
    const visit = (at: number, level: number): void => {
      if (this.#nodes.isInner(at) && level < PAGE_LEVELS) {
        visit(this.#nodes.child(at, 0), level + 1);
        visit(this.#nodes.child(at, 1), level + 1);
      } else if (at === EMPTY) cells.push({ kind: 'empty', value: { level } });
      else if (this.#nodes.isInner(at)) cells.push({ kind: 'inner', value: { level, hash: this.#nodes.hashOf(at) } });
      else cells.push({ kind: 'leaf', value: { level, ...this.#nodes.leafOf(at) } });
    };
    visit(node, 0);
    return { depth, prefix: prefixOf(path, depth), cells };
  }

  /** Inner nodes at depth `end` below a node. */
  #below(node: number, depth: number, path: Uint8Array, end: number, found: PageRoot[]): void {
    if (!this.#nodes.isInner(node)) return;
    if (depth === end) {
      found.push({ node, depth, path });
      return;
    }
    this.#below(this.#nodes.child(node, 0), depth + 1, path, end, found);
    const right = path.slice();
    right[depth >> 3]! |= 0x80 >> (depth & 7);
    this.#below(this.#nodes.child(node, 1), depth + 1, right, end, found);
  }

  /** What shows that the row at `path` is there, or is not, in a version. */
  prove(path: Uint8Array, version = this.version): StateProof & { readonly present: boolean } {
    const siblings: Uint8Array[] = [];
    let node = this.#rootNode(version);
    for (let depth = 0; this.#nodes.isInner(node); depth++) {
      const bit = bitAt(path, depth);
      siblings.push(this.#nodes.hashOf(this.#nodes.child(node, 1 - bit)));
      node = this.#nodes.child(node, bit);
    }
    if (node === EMPTY) return { siblings, other: undefined, present: false };
    const leaf = this.#nodes.leafOf(node);
    if (comparePaths(leaf.path, path) === 0) return { siblings, other: undefined, present: true };
    return { siblings, other: leaf, present: false };
  }

  /**
   * Subtrees that are all of a version together, from left to right: cut where `isLarge`, asked with a subtree's prefix and
   * depth, says so and more than one row is below.
   */
  parts(isLarge: (prefix: Uint8Array, depth: number) => boolean, version = this.version): SubtreePart[] {
    const parts: SubtreePart[] = [];
    const prefix = new Uint8Array(32);
    const visit = (node: number, depth: number): void => {
      if (!this.#nodes.isInner(node) || !isLarge(prefix, depth)) {
        parts.push({ depth, hash: this.#nodes.hashOf(node) });
        return;
      }
      visit(this.#nodes.child(node, 0), depth + 1);
      const bit = 0x80 >> (depth & 7);
      prefix[depth >> 3]! |= bit;
      visit(this.#nodes.child(node, 1), depth + 1);
      prefix[depth >> 3]! &= ~bit;
    };
    visit(this.#rootNode(version), 0);
    return parts;
  }

  /** Versions below this one are no longer needed. */
  release(version: number): void {
    while (this.#oldest < Math.min(version, this.version)) {
      this.#roots.shift();
      this.#oldest++;
      for (const node of this.#retired.shift()!) this.#nodes.free(node);
    }
  }

  #rootNode(version: number): number {
    const root = this.#roots[version - this.#oldest];
    if (root === undefined)
      throw new RangeError(`version ${version} is not kept: ${this.#oldest} to ${this.version} are`);
    return root;
  }
}

interface PageRoot {
  readonly node: number;
  readonly depth: number;
  /** Of some row below. */
  readonly path: Uint8Array;
}

const EMPTY = 0;
const LEAF = -1;

/** Nodes by number. Inner: two children. Leaf: LEAF and a place in the leaf arrays. Number 0 is the empty subtree. */
class NodeStore {
  #links = new Int32Array(2 * 1_024);
  #hashes = new Uint8Array(32 * 1_024);
  #leaves = new Uint8Array(64 * 512);
  #nodeCount = 1;
  #leafCount = 0;
  readonly #freeNodes: number[] = [];
  readonly #freeLeaves: number[] = [];

  get memoryBytes(): number {
    return this.#links.byteLength + this.#hashes.byteLength + this.#leaves.byteLength;
  }

  isInner(node: number): boolean {
    return node !== EMPTY && this.#links[2 * node] !== LEAF;
  }

  isLeaf(node: number): boolean {
    return this.#links[2 * node] === LEAF;
  }

  child(node: number, bit: number): number {
    return this.#links[2 * node + bit]!;
  }

  hashOf(node: number): Uint8Array {
    return this.#hashes.slice(32 * node, 32 * node + 32);
  }

  setHash(node: number, hash: Uint8Array): void {
    this.#hashes.set(hash, 32 * node);
  }

  copyHash(node: number, target: Uint8Array, offset: number): void {
    target.set(this.#hashes.subarray(32 * node, 32 * node + 32), offset);
  }

  leafOf(node: number): { path: Uint8Array; valueHash: Uint8Array } {
    const at = 64 * this.#links[2 * node + 1]!;
    return { path: this.#leaves.slice(at, at + 32), valueHash: this.#leaves.slice(at + 32, at + 64) };
  }

  copyLeaf(node: number, target: Uint8Array, offset: number): void {
    const at = 64 * this.#links[2 * node + 1]!;
    target.set(this.#leaves.subarray(at, at + 64), offset);
  }

  addInner(left: number, right: number): number {
    const node = this.#newNode();
    this.#links[2 * node] = left;
    this.#links[2 * node + 1] = right;
    return node;
  }

  addLeaf(path: Uint8Array, valueHash: Uint8Array): number {
    const node = this.#newNode();
    const place = this.#freeLeaves.pop() ?? this.#leafCount++;
    if (64 * place + 64 > this.#leaves.length) this.#leaves = grown(this.#leaves);
    this.#leaves.set(path, 64 * place);
    this.#leaves.set(valueHash, 64 * place + 32);
    this.#links[2 * node] = LEAF;
    this.#links[2 * node + 1] = place;
    return node;
  }

  free(node: number): void {
    if (this.isLeaf(node)) this.#freeLeaves.push(this.#links[2 * node + 1]!);
    this.#freeNodes.push(node);
  }

  #newNode(): number {
    const node = this.#freeNodes.pop() ?? this.#nodeCount++;
    if (2 * node + 2 > this.#links.length) {
      const links = new Int32Array(this.#links.length + (this.#links.length >> 1));
      links.set(this.#links);
      this.#links = links;
      this.#hashes = grown(this.#hashes);
    }
    return node;
  }
}

/** One `apply`: first the shape, then all hashes, the deepest level first and each level at once. */
class Pass {
  rows = 0;
  readonly pages: PageRoot[] = [];
  readonly #nodes: NodeStore;
  readonly #updates: readonly StateUpdate[];
  readonly #retired: number[];
  readonly #newLeaves: number[] = [];
  /** New inner nodes by depth. */
  readonly #newInner: number[][] = [];

  constructor(nodes: NodeStore, updates: readonly StateUpdate[], retired: number[]) {
    this.#nodes = nodes;
    this.#updates = updates;
    this.#retired = retired;
  }

  /** The subtree at `node` with updates `from` to `to` (exclusive), which all lead into it. */
  update(node: number, depth: number, from: number, to: number): number {
    if (from === to) return node;
    const nodes = this.#nodes;
    if (!nodes.isInner(node)) return this.#build(this.#rowsWith(node, from, to), depth);
    const middle = splitAt(this.#updates, depth, from, to);
    const left = this.update(nodes.child(node, 0), depth + 1, from, middle);
    const right = this.update(nodes.child(node, 1), depth + 1, middle, to);
    if (left === nodes.child(node, 0) && right === nodes.child(node, 1)) return node;
    this.#retired.push(node);
    // A single row left below moves up to where it is alone.
    if (left === EMPTY && !nodes.isInner(right)) return right;
    if (right === EMPTY && !nodes.isInner(left)) return left;
    return this.#inner(left, right, depth, this.#updates[from]!.path);
  }

  hash(): void {
    this.#hashLeaves();
    for (let depth = this.#newInner.length - 1; depth >= 0; depth--) this.#hashLevel(this.#newInner[depth] ?? []);
  }

  /** Rows below an empty place or a leaf after the updates, sorted. */
  #rowsWith(node: number, from: number, to: number): StateUpdate[] {
    const rows: StateUpdate[] = [];
    let old: StateUpdate | undefined;
    if (node !== EMPTY) {
      old = this.#nodes.leafOf(node);
      this.#retired.push(node);
      this.rows--;
    }
    for (let i = from; i < to; i++) {
      const update = this.#updates[i]!;
      const order = old === undefined ? 1 : comparePaths(old.path, update.path);
      if (old !== undefined && order < 0) rows.push(old);
      if (order <= 0) old = undefined;
      if (update.valueHash !== null) rows.push(update);
    }
    if (old !== undefined) rows.push(old);
    this.rows += rows.length;
    return rows;
  }

  #build(rows: readonly StateUpdate[], depth: number, from = 0, to = rows.length): number {
    if (from === to) return EMPTY;
    if (to - from === 1) {
      const { path, valueHash } = rows[from]!;
      const leaf = this.#nodes.addLeaf(path, valueHash!);
      this.#newLeaves.push(leaf);
      return leaf;
    }
    const middle = splitAt(rows, depth, from, to);
    const left = this.#build(rows, depth + 1, from, middle);
    const right = this.#build(rows, depth + 1, middle, to);
    return this.#inner(left, right, depth, rows[from]!.path);
  }

  /** `path` leads through the new node. */
  #inner(left: number, right: number, depth: number, path: Uint8Array): number {
    const node = this.#nodes.addInner(left, right);
    if (depth % PAGE_LEVELS === 0) this.pages.push({ node, depth, path });
    let level = this.#newInner[depth];
    if (level === undefined) {
      level = [];
      this.#newInner[depth] = level;
    }
    level.push(node);
    return node;
  }

  #hashLeaves(): void {
    const leaves = this.#newLeaves;
    const input = new Uint8Array(64 * leaves.length);
    for (let i = 0; i < leaves.length; i++) this.#nodes.copyLeaf(leaves[i]!, input, 64 * i);
    const contents = new Uint8Array(32 * leaves.length);
    hashPairs(input, contents);
    const marked = new Uint8Array(33);
    for (let i = 0; i < leaves.length; i++) {
      marked.set(contents.subarray(32 * i, 32 * i + 32), 1);
      this.#nodes.setHash(leaves[i]!, sha256(marked));
    }
  }

  #hashLevel(level: readonly number[]): void {
    const input = new Uint8Array(64 * level.length);
    for (let i = 0; i < level.length; i++) {
      this.#nodes.copyHash(this.#nodes.child(level[i]!, 0), input, 64 * i);
      this.#nodes.copyHash(this.#nodes.child(level[i]!, 1), input, 64 * i + 32);
    }
    const output = new Uint8Array(32 * level.length);
    hashPairs(input, output);
    for (let i = 0; i < level.length; i++) this.#nodes.setHash(level[i]!, output.subarray(32 * i, 32 * i + 32));
  }
}

function comparePaths(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < 32; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Sorted copy; throws RangeError if a path is not 32 bytes or occurs twice. */
function sortByPath(updates: readonly StateUpdate[]): readonly StateUpdate[] {
  for (const { path } of updates)
    if (path.length !== 32) throw new RangeError(`path of ${path.length} bytes, expected 32`);
  // The first 48 bits decide nearly always, and compare as one number.
  const keyed = updates.map((update) => ({ update, key: firstBits(update.path) }));
  keyed.sort((a, b) => a.key - b.key || comparePaths(a.update.path, b.update.path));
  for (let i = 1; i < keyed.length; i++) {
    const [a, b] = [keyed[i - 1]!, keyed[i]!];
    if (a.key === b.key && comparePaths(a.update.path, b.update.path) === 0)
      throw new RangeError('the same path twice');
  }
  return keyed.map(({ update }) => update);
}

function firstBits(path: Uint8Array): number {
  let key = 0;
  for (let i = 0; i < 6; i++) key = key * 256 + path[i]!;
  return key;
}

/** Index of the first row in [from, to) whose bit at `depth` is set; rows are sorted and agree on the bits before. */
function splitAt(rows: readonly StateUpdate[], depth: number, from: number, to: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bitAt(rows[middle]!.path, depth) === 1) high = middle;
    else low = middle + 1;
  }
  return low;
}

function grown(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length + (bytes.length >> 1));
  larger.set(bytes);
  return larger;
}
