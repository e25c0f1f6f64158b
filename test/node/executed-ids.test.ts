import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { equalBytes } from '../../ledger/bytes.ts';
import { ExecutedIds } from '../../node/ledger/executed-ids.ts';

const HORIZON = 50;

/** Blocks of ids, one in each unit of time, and how often the ids were asked for in them. */
class Blocks {
  readonly known: ExecutedIds;
  readonly #blocks = new Map<number, readonly Uint8Array[]>();
  looks = 0;

  constructor() {
    this.known = new ExecutedIds((height, index, id) => {
      this.looks++;
      return equalBytes(this.#blocks.get(height)![index]!, id);
    });
  }

  add(height: number, ids: readonly Uint8Array[]): void {
    this.#blocks.set(height, ids);
    this.known.add({ height, timestamp: height }, ids);
    this.known.prune(height - HORIZON);
  }
}

function idOf(name: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(name).digest());
}

describe('executed ids (E8)', () => {
  test('E8: known within the horizon, equality kept, and not beyond, however many came and went', () => {
    const blocks = new Blocks();
    const idsAt = (height: number) => Array.from({ length: (height * 37) % 200 }, (_, i) => idOf(`${height}/${i}`));
    for (let height = 1; height <= 400; height++) {
      blocks.add(height, idsAt(height));
      if (height % 57 !== 0) continue;
      let size = 0;
      for (let at = 1; at <= height; at++) {
        const isRecent = at >= height - HORIZON;
        if (isRecent) size += idsAt(at).length;
        for (const [i, id] of idsAt(at).entries())
          assert.equal(blocks.known.has(id), isRecent, `${at}/${i} at height ${height}`);
      }
      assert.equal(blocks.known.size, size);
      assert.equal(blocks.known.has(idOf(`${height + 1}/0`)), false);
    }
  });

  test('an id that begins like an executed one is another one, also if both are executed', () => {
    const blocks = new Blocks();
    const [first, second, third] = [1, 2, 3].map((last) => idOf('alike').with(31, last)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    blocks.add(1, [idOf('other'), first]);
    blocks.add(2, []);
    blocks.add(3, [second]);
    assert.deepEqual(
      [first, second, third].map((id) => blocks.known.has(id)),
      [true, true, false],
    );
    blocks.add(2 + HORIZON, []);
    assert.deepEqual(
      [first, second, third].map((id) => blocks.known.has(id)),
      [false, true, false],
    );
    assert.deepEqual([...blocks.known.among(new Uint8Array(Buffer.concat([third, second, first])))], [0b010]);
  });

  test('what was never executed costs no look into the store', () => {
    const blocks = new Blocks();
    for (let height = 1; height <= 20; height++)
      blocks.add(
        height,
        Array.from({ length: 500 }, (_, i) => idOf(`${height}/${i}`)),
      );
    for (let i = 0; i < 20_000; i++) assert.equal(blocks.known.has(idOf(`new ${i}`)), false);
    assert.equal(blocks.looks, 0);
  });
});
