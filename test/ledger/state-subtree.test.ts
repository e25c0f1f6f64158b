import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compareBytes, equalBytes } from '../../ledger/bytes.ts';
import { sha256 } from '../../ledger/hash.ts';
import { bitAt } from '../../ledger/state-proof.ts';
import { type PathRow, type Subtree, subtreeHash, subtreesOf } from '../../ledger/state-subtree.ts';
import { StateTree } from '../../ledger/state-tree.ts';

/** Some paths share long prefixes. */
function rowOf(key: number): PathRow {
  const path = sha256(Uint8Array.of(key));
  if (key % 3 === 0) path.fill(0, 0, 20);
  return { path, valueHash: sha256(Uint8Array.of(7, key)) };
}

const keySets = fc.uniqueArray(fc.nat(255), { maxLength: 60 });

function treeOf(rows: readonly PathRow[]): StateTree {
  const tree = new StateTree();
  tree.apply(rows);
  return tree;
}

const isUnder = ({ path }: PathRow, { prefix, depth }: Pick<Subtree, 'prefix' | 'depth'>): boolean => {
  for (let bit = 0; bit < depth; bit++) if (bitAt(path, bit) !== bitAt(prefix, bit)) return false;
  return true;
};

/** Cut where more than `most` rows are below. */
function cut(rows: readonly PathRow[], most: number): readonly Subtree[] {
  const tree = treeOf(rows);
  const parts = tree.parts((prefix, depth) => rows.filter((row) => isUnder(row, { prefix, depth })).length > most);
  const subtrees = subtreesOf(tree.root(), parts);
  assert(subtrees, 'a tree is all of its parts');
  return subtrees;
}

describe('subtrees of the state tree (R8)', () => {
  it('the parts of a tree prove its root, hold every row once and none more rows than they were cut for', () => {
    fc.assert(
      fc.property(keySets, fc.integer({ min: 1, max: 9 }), (keys, most) => {
        const rows = keys.map(rowOf).sort((a, b) => compareBytes(a.path, b.path));
        let seen = 0;
        for (const subtree of cut(rows, most)) {
          const below = rows.filter((row) => isUnder(row, subtree));
          seen += below.length;
          assert(below.length <= most);
          assert.deepEqual(subtreeHash(below, subtree), subtree.hash);
        }
        assert.equal(seen, rows.length);
      }),
    );
  });

  it('R17: rows of another part, one row less, one more, changed or out of order never have the hash of a part', () => {
    const rows = Array.from({ length: 40 }, (_, key) => rowOf(key)).sort((a, b) => compareBytes(a.path, b.path));
    const subtrees = cut(rows, 4);
    const lists = subtrees.map((subtree) => rows.filter((row) => isUnder(row, subtree)));
    for (const [i, subtree] of subtrees.entries()) {
      const below = lists[i]!;
      if (below.length === 0) continue;
      const [first] = below;
      const wrong: (readonly PathRow[])[] = [
        ...lists.filter((_, j) => j !== i),
        below.slice(1),
        [...below, rowOf(200)].sort((a, b) => compareBytes(a.path, b.path)),
        [{ ...first!, valueHash: sha256(first!.valueHash) }, ...below.slice(1)],
        [first!, ...below],
      ];
      if (below.length > 1) wrong.push(below.toReversed());
      for (const one of wrong) {
        const hash = subtreeHash(one, subtree);
        assert(hash === undefined || !equalBytes(hash, subtree.hash), `part ${i}`);
      }
    }
  });

  it('rows that are the same below the prefix and not in it are refused', () => {
    const { path, valueHash } = rowOf(1);
    const twin = { path: path.with(0, path[0]! ^ 0x80), valueHash };
    const rows = [{ path, valueHash }, twin].sort((a, b) => compareBytes(a.path, b.path));
    assert.equal(subtreeHash(rows, { depth: 1, prefix: new Uint8Array(32) }), undefined);
  });

  it('parts that are not exactly those of the root are refused', () => {
    const rows = Array.from({ length: 40 }, (_, key) => rowOf(key));
    const root = treeOf(rows).root();
    const parts = cut(rows, 4).map(({ depth, hash }) => ({ depth, hash }));
    const [first, second] = [parts[0]!, parts[1]!];
    assert(subtreesOf(root, parts));
    const wrong = [
      [],
      parts.slice(1),
      parts.slice(0, -1),
      [...parts, first],
      [second, first, ...parts.slice(2)],
      [{ ...first, hash: sha256(first.hash) }, ...parts.slice(1)],
      [{ ...first, depth: first.depth + 1 }, ...parts.slice(1)],
      [{ ...first, depth: 257 }, ...parts.slice(1)],
      [{ ...first, hash: first.hash.slice(1) }, ...parts.slice(1)],
    ];
    for (const [i, one] of wrong.entries()) assert.equal(subtreesOf(root, one), undefined, `case ${i}`);
  });
});
