import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { equalBytes } from '../../ledger/bytes.ts';
import { innerHash, leafHash, sha256 } from '../../ledger/hash.ts';
import {
  appendHistory,
  emptyHistory,
  type History,
  historyOf,
  historyProof,
  historyRoot,
} from '../../ledger/history.ts';
import { bindCount, listProof, listRoot, listRootFromProof } from '../../ledger/list-tree.ts';

/** RFC 6962, section 2.1, with our leaf and inner hashes. */
function referenceTree(contents: readonly Uint8Array[]): Uint8Array {
  if (contents.length === 0) return new Uint8Array(32);
  if (contents.length === 1) return leafHash(contents[0]!);
  let split = 1;
  while (split * 2 < contents.length) split *= 2;
  return innerHash(referenceTree(contents.slice(0, split)), referenceTree(contents.slice(split)));
}

const items = Array.from({ length: 70 }, (_, i) => sha256(Uint8Array.of(i)));

function grow(count: number): { history: History; nodes: Map<string, Uint8Array> } {
  let history = emptyHistory;
  const nodes = new Map<string, Uint8Array>();
  for (const item of items.slice(0, count)) {
    const appended = appendHistory(history, item);
    history = appended.next;
    for (const { level, index, hash } of appended.nodes) nodes.set(`${level}/${index}`, hash);
  }
  return { history, nodes };
}

describe('list tree', () => {
  it('has the shape of RFC 6962 and binds its count', () => {
    for (let count = 0; count <= 70; count++) {
      const contents = items.slice(0, count);
      assert.deepEqual(listRoot(contents), bindCount(count, referenceTree(contents)), `${count} items`);
    }
  });

  it('proves every item of every size', () => {
    for (const count of [1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 70]) {
      const contents = items.slice(0, count);
      for (let index = 0; index < count; index++) {
        const proof = { count, index, content: contents[index]!, siblings: listProof(contents, index) };
        assert.deepEqual(listRootFromProof(proof), listRoot(contents), `${index} of ${count}`);
      }
    }
  });

  it('V13: index out of range, another size, other siblings: refused or another root', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 70 }),
        fc.nat(),
        fc.integer({ min: 0, max: 80 }),
        fc.nat(80),
        (count, pick, otherCount, otherIndex) => {
          const index = pick % count;
          const contents = items.slice(0, count);
          const siblings = listProof(contents, index);
          const root = listRoot(contents);
          const content = contents[index]!;
          const fails = (proof: Parameters<typeof listRootFromProof>[0]): void => {
            const found = listRootFromProof(proof);
            assert(found === undefined || !equalBytes(found, root));
          };
          if (otherCount !== count) fails({ count: otherCount, index, content, siblings });
          if (otherIndex !== index) fails({ count, index: otherIndex, content, siblings });
          fails({ count, index: -1, content, siblings });
          fails({ count, index: count, content, siblings });
          fails({ count, index, content, siblings: [...siblings, content] });
          if (siblings.length > 0) fails({ count, index, content, siblings: siblings.slice(1) });
          fails({ count, index, content: sha256(content), siblings });
          for (const [i, sibling] of siblings.entries()) {
            fails({ count, index, content, siblings: siblings.with(i, sha256(sibling)) });
            fails({ count, index, content, siblings: siblings.with(i, sibling.subarray(1)) });
          }
        },
      ),
    );
  });

  it('V14: an inner node is no leaf, and no odd item stands for two', () => {
    const [a, b, c] = items;
    const inner = innerHash(leafHash(a!), leafHash(b!));
    assert.notDeepEqual(listRoot([inner, c!]), listRoot([a!, b!, c!]));
    assert.notDeepEqual(listRoot([a!, b!, c!]), listRoot([a!, b!, c!, c!]));
  });
});

describe('history', () => {
  it('has the root of the list of all block hashes so far', () => {
    for (let count = 0; count <= 70; count++) {
      assert.deepEqual(historyRoot(grow(count).history), listRoot(items.slice(0, count)), `${count} blocks`);
    }
  });

  it('proves every block of every length from stored subtrees, and is found again from them', () => {
    const { nodes } = grow(70);
    const node = (level: number, index: number): Uint8Array => {
      const hash = nodes.get(`${level}/${index}`);
      assert(hash, `subtree ${level}/${index} is stored`);
      return hash;
    };
    for (let count = 1; count <= 70; count++) {
      const root = listRoot(items.slice(0, count));
      assert.deepEqual(historyRoot(historyOf(count, node)), root);
      for (let index = 0; index < count; index++) {
        const siblings = historyProof(count, index, node);
        assert.deepEqual(siblings, listProof(items.slice(0, count), index));
      }
      assert.throws(() => historyProof(count, count, node), RangeError);
    }
  });
});
