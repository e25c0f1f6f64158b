import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compareBytes, equalBytes } from '../../ledger/bytes.ts';
import { innerHash, sha256 } from '../../ledger/hash.ts';
import {
  bitAt,
  decodeStateProof,
  encodeStateProof,
  rootFromStateProof,
  stateLeaf,
  statePath,
} from '../../ledger/state-proof.ts';
import { StateTree, type StateUpdate } from '../../ledger/state-tree.ts';

type Rows = ReadonlyMap<number, number>;

/** Few distinct first bytes, so that paths share long prefixes. */
function pathOf(key: number): Uint8Array {
  const path = sha256(Uint8Array.of(key));
  path[0] = key % 3 === 0 ? 0 : 255;
  path[1] = key % 5 === 0 ? 0 : 1;
  return path;
}

function valueHashOf(value: number): Uint8Array {
  return sha256(Uint8Array.of(7, value));
}

/** The definition of docs/formats.md, as slowly as it reads. */
function referenceRoot(rows: Rows): Uint8Array {
  const leaves = [...rows].map(([key, value]) => ({ path: pathOf(key), valueHash: valueHashOf(value) }));
  const subtree = (below: typeof leaves, depth: number): Uint8Array => {
    if (below.length === 0) return new Uint8Array(32);
    if (below.length === 1) return stateLeaf(below[0]!.path, below[0]!.valueHash);
    const side = (bit: number) => below.filter(({ path }) => bitAt(path, depth) === bit);
    return innerHash(subtree(side(0), depth + 1), subtree(side(1), depth + 1));
  };
  return subtree(leaves, 0);
}

const change = fc.record({ key: fc.nat(40), value: fc.option(fc.nat(200)) });
const batches = fc.array(fc.uniqueArray(change, { maxLength: 12, selector: ({ key }) => key }), { maxLength: 12 });

function updateOf({ key, value }: { key: number; value: number | null }): StateUpdate {
  return { path: pathOf(key), valueHash: value === null ? null : valueHashOf(value) };
}

/** Applies batches to a tree and to a map for each version. */
function run(tree: StateTree, changes: readonly (readonly { key: number; value: number | null }[])[]): Rows[] {
  const versions: Rows[] = [new Map()];
  for (const batch of changes) {
    tree.apply(batch.map(updateOf));
    const rows = new Map(versions.at(-1));
    for (const { key, value } of batch) {
      if (value === null) rows.delete(key);
      else rows.set(key, value);
    }
    versions.push(rows);
  }
  return versions;
}

describe('state tree', () => {
  it('has the root of its rows, whatever its history: batches, deletions, order', () => {
    fc.assert(
      fc.property(batches, (changes) => {
        const tree = new StateTree();
        const rows = run(tree, changes).at(-1)!;
        assert.deepEqual(tree.root(), referenceRoot(rows));
        assert.equal(tree.size, rows.size);
        const atOnce = new StateTree();
        atOnce.apply([...rows].reverse().map(([key, value]) => updateOf({ key, value })));
        assert.deepEqual(atOnce.root(), tree.root());
      }),
    );
  });

  it('keeps older versions readable until they are released, and reuses nothing of them before', () => {
    fc.assert(
      fc.property(batches, fc.nat(12), (changes, released) => {
        const tree = new StateTree();
        for (const batch of changes) {
          tree.apply(batch.map(updateOf));
          tree.release(tree.version - 3);
        }
        const expected = run(new StateTree(), changes);
        tree.release(Math.min(released, tree.version));
        for (let version = tree.oldestVersion; version <= tree.version; version++) {
          assert.deepEqual(tree.root(version), referenceRoot(expected[version]!), `version ${version}`);
        }
        assert.throws(() => tree.root(tree.oldestVersion - 1), RangeError);
        assert.throws(() => tree.root(tree.version + 1), RangeError);
      }),
    );
  });

  it('reuses the nodes of released versions: memory stays flat over many updates', () => {
    const tree = new StateTree();
    tree.apply(Array.from({ length: 40 }, (_, key) => updateOf({ key, value: 1 })));
    for (let i = 0; i < 200; i++) {
      tree.apply([updateOf({ key: i % 40, value: i % 200 })]);
      tree.release(tree.version);
    }
    const { memoryBytes } = tree;
    for (let i = 0; i < 5_000; i++) {
      tree.apply([updateOf({ key: i % 40, value: i % 200 })]);
      tree.release(tree.version);
    }
    assert.equal(tree.memoryBytes, memoryBytes);
  });

  it('refuses the same path twice in one batch', () => {
    const update = updateOf({ key: 1, value: 1 });
    assert.throws(() => new StateTree().apply([update, update]), /twice/);
  });

  it('proves presence and absence of every key, in every kept version (Q12)', () => {
    fc.assert(
      fc.property(batches, (changes) => {
        const tree = new StateTree();
        const versions = run(tree, changes);
        for (const [version, rows] of versions.entries()) {
          for (let key = 0; key <= 41; key++) {
            const value = rows.get(key);
            const proof = tree.prove(pathOf(key), version);
            assert.equal(proof.present, value !== undefined);
            const valueHash = value === undefined ? undefined : valueHashOf(value);
            assert.deepEqual(rootFromStateProof(pathOf(key), valueHash, proof), tree.root(version));
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it('Q12, V13: no proof of presence shows absence, none of absence shows presence', () => {
    fc.assert(
      fc.property(batches, fc.nat(41), (changes, key) => {
        const tree = new StateTree();
        const rows = run(tree, changes).at(-1)!;
        const proof = tree.prove(pathOf(key));
        const claims = rows.has(key) ? [undefined] : [valueHashOf(1), new Uint8Array(32)];
        for (const claim of claims) {
          for (const other of [proof.other, undefined]) {
            const root = rootFromStateProof(pathOf(key), claim, { siblings: proof.siblings, other });
            assert(root === undefined || !equalBytes(root, tree.root()));
          }
        }
      }),
    );
  });

  it('V15: every changed byte, every added, removed or exchanged sibling fails', () => {
    const tree = new StateTree();
    const keys = Array.from({ length: 30 }, (_, key) => key);
    tree.apply(keys.map((key) => updateOf({ key, value: key })));
    for (const key of [0, 3, 7, 29, 35, 40]) {
      const proof = tree.prove(pathOf(key));
      const valueHash = proof.present ? valueHashOf(key) : undefined;
      const fails = (changed: typeof proof): void => {
        const root = rootFromStateProof(pathOf(key), valueHash, changed);
        assert(root === undefined || !equalBytes(root, tree.root()));
      };
      const { siblings } = proof;
      for (const [depth, sibling] of siblings.entries()) {
        for (let byte = 0; byte < 32; byte += 5) {
          const flipped = sibling.slice();
          flipped[byte]! ^= 1;
          fails({ ...proof, siblings: siblings.with(depth, flipped) });
        }
        fails({ ...proof, siblings: siblings.toSpliced(depth, 1) });
        fails({ ...proof, siblings: siblings.toSpliced(depth, 0, sibling) });
        const next = siblings[depth + 1];
        if (next !== undefined && !equalBytes(next, sibling)) {
          fails({ ...proof, siblings: siblings.with(depth, next).with(depth + 1, sibling) });
        }
      }
      if (proof.other !== undefined) {
        for (const field of ['path', 'valueHash'] as const) {
          const flipped = proof.other[field].slice();
          flipped[31]! ^= 1;
          fails({ ...proof, other: { ...proof.other, [field]: flipped } });
        }
      }
      fails({ ...proof, siblings: Array.from({ length: 257 }, () => new Uint8Array(32)) });
    }
  });

  it('has one wire form of a proof, and no other is accepted', () => {
    fc.assert(
      fc.property(batches, fc.nat(41), (changes, key) => {
        const tree = new StateTree();
        run(tree, changes);
        const { siblings, other } = tree.prove(pathOf(key));
        const encoded = encodeStateProof({ siblings, other });
        assert.deepEqual(decodeStateProof(encoded), { siblings, other });
        const { depth, bitmap } = encoded;
        assert.equal(decodeStateProof({ ...encoded, depth: depth + 1 + 8 * 32 }), undefined);
        assert.equal(decodeStateProof({ ...encoded, bitmap: new Uint8Array([...bitmap, 0]) }), undefined);
        assert.equal(decodeStateProof({ ...encoded, siblings: [...encoded.siblings, sha256(bitmap)] }), undefined);
        if (depth % 8 !== 0) {
          const padded = bitmap.slice();
          padded[depth >> 3]! |= 1 << (depth & 7);
          assert.equal(decodeStateProof({ ...encoded, bitmap: padded }), undefined);
        }
      }),
    );
  });

  it('a path binds table and key: no two pairs run together', () => {
    const bytes = (text: string) => new TextEncoder().encode(text);
    assert.notDeepEqual(statePath('a.b', bytes('c')), statePath('a.bc', bytes('')));
    assert.equal(compareBytes(statePath('a.b', bytes('c')), statePath('a.b', bytes('c'))), 0);
  });
});
