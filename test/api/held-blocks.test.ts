import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { BlockEvent } from '../../api/events/block-events.ts';
import { HeldBlocks } from '../../api/events/held-blocks.ts';

const never = new AbortController().signal;
/** One event of 900 characters counts for 1,000. */
const blockOf = (height: number): readonly BlockEvent[] => [{ kind: 'block', text: `${height}`.padEnd(900) }];

function holders(count: number) {
  return Array.from({ length: count }, () => {
    const holder = {
      dropped: false,
      drop() {
        holder.dropped = true;
      },
    };
    return holder;
  });
}

describe('blocks that streams hold', () => {
  it('a block is made once for all that are at it, also when they ask at the same time', async () => {
    let made = 0;
    const load = async (height: number) => {
      made++;
      return blockOf(height);
    };
    const blocks = new HeldBlocks(load, 10_000);
    const many = holders(5);
    const given = await Promise.all(many.map((holder) => blocks.hold(7, holder, never)));
    assert.equal(made, 1);
    assert(given.every((events) => events === given[0]));
    assert.equal(blocks.chars, 1_000);
  });

  it('blocks are made one after the other', async () => {
    let making = 0;
    let most = 0;
    const load = async (height: number) => {
      most = Math.max(most, ++making);
      await new Promise(setImmediate);
      making--;
      return blockOf(height);
    };
    const blocks = new HeldBlocks(load, 100_000);
    await Promise.all(holders(9).map((holder, height) => blocks.hold(height, holder, never)));
    assert.deepEqual([most, blocks.holders], [1, 9]);
  });

  it('H15: bounded buffer: what nobody has goes first, then whoever has had a block longest is dropped', async () => {
    const blocks = new HeldBlocks(async (height) => blockOf(height), 3_000);
    const [free, slow, second, third, fourth] = holders(5);
    await blocks.hold(1, free!, never);
    blocks.release(free!);
    await blocks.hold(2, slow!, never);
    await blocks.hold(3, second!, never);
    await blocks.hold(4, third!, never);
    assert.deepEqual([blocks.chars, blocks.holders], [3_000, 3]);
    // Who takes the next block has not had it long.
    await blocks.hold(4, second!, never);
    await blocks.hold(5, third!, never);
    await blocks.hold(6, fourth!, never);
    assert.deepEqual(
      [slow, second, third, fourth].map((one) => one!.dropped),
      [true, false, false, false],
    );
    assert.equal(blocks.chars, 3_000);
  });

  it('a block larger than all room is given all the same, and alone', async () => {
    const blocks = new HeldBlocks(async (height) => blockOf(height), 500);
    const [first, second] = holders(2);
    assert(await blocks.hold(1, first!, never));
    assert(await blocks.hold(2, second!, never));
    assert.deepEqual([first!.dropped, second!.dropped, blocks.chars], [true, false, 1_000]);
  });

  it('what lacks, fails or is not wanted any more is not kept', async () => {
    const blocks = new HeldBlocks(async (height) => {
      if (height === 1) throw new Error('failed');
      return height === 2 ? undefined : blockOf(height);
    }, 5_000);
    const [holder] = holders(1);
    await assert.rejects(blocks.hold(1, holder!, never), /failed/);
    assert.equal(await blocks.hold(2, holder!, never), undefined);
    assert.equal(await blocks.hold(3, holder!, AbortSignal.abort()), undefined);
    assert.deepEqual([blocks.chars, blocks.holders], [0, 0]);
    assert(await blocks.hold(3, holder!, never), 'and the next one is made');
  });

  it('H15: whatever streams do, no more is kept than there is room for, and everybody gets the block that was asked for', async () => {
    const step = fc.record({ stream: fc.nat(5), height: fc.nat(8), release: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const blocks = new HeldBlocks(async (height) => blockOf(height), 3_000);
        const streams = holders(6);
        const waiting: Promise<void>[] = [];
        for (const { stream, height, release } of steps) {
          const holder = streams[stream]!;
          const asked = blocks.hold(height, holder, never).then((events) => {
            assert.deepEqual(events, blockOf(height));
            assert(blocks.chars <= 3_000, `${blocks.chars} characters`);
            if (release) blocks.release(holder);
          });
          waiting.push(asked);
          if (release) await asked;
        }
        await Promise.all(waiting);
        for (const holder of streams) blocks.release(holder);
        assert.equal(blocks.holders, 0);
        // Nothing is lost count of: what is kept makes room for three others.
        for (let height = 20; height < 23; height++) await blocks.hold(height, streams[0]!, never);
        assert.equal(blocks.chars, 3_000);
      }),
    );
  });
});
