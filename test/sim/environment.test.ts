import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { installFastHashing } from '../../node/hashing.ts';
import { all, at, crash, cut, directed, heightOf, reunite, type Script, split, viewOf } from './directed.ts';
import type { Endpoint } from './network.ts';
import type { SimNode } from './node.ts';
import type { ScriptWorld } from './run.ts';

/** Networks and clocks that fail, directed instead of drawn. `directed` asserts that no promise of the checker is broken. */

installFastHashing();

const START_WALL = 1_700_000_001_000;
const YEAR_MS = 365 * 86_400_000;

/** Sets of members, one of each pair of a set and its rest, that cut n members in two. */
function bipartitions(n: number): number[][] {
  const sides: number[][] = [];
  for (let bits = 1; bits < 2 ** (n - 1); bits++) {
    const side = Array.from({ length: n }, (_, i) => i).filter((i) => (bits >> i) & 1);
    sides.push(2 * side.length <= n ? side : Array.from({ length: n }, (_, i) => i).filter((i) => !side.includes(i)));
  }
  return sides;
}

interface Seen {
  readonly side: readonly number[];
  /** Heights when what was under way when the cut came has arrived, and when the cut ended. */
  readonly before: readonly number[];
  readonly after: readonly number[];
}

const SETTLE_MS = 60;
const CUT_MS = 1_900;
const GAP_MS = 500;

/** What it has executed, or has COMMITs for: those of the other side, sent before, may be what a height still lacked. */
function votedAt(node: SimNode): number {
  const slots = [...(node.validator?.state.slots.values() ?? [])].filter(({ commits }) => commits.size > 0);
  return Math.max(heightOf(node), node.validator?.state.low ?? 0, ...slots.map(({ height }) => height));
}

/** One cut after the other, healed in between. */
const cuts =
  (sides: readonly (readonly number[])[], seen: Seen[]): Script =>
  (world) => {
    for (const [i, side] of sides.entries()) {
      const begin = 400 + i * (CUT_MS + GAP_MS);
      let before: readonly number[] = [];
      at(begin, split(side))(world);
      at(begin + SETTLE_MS, () => {
        before = world.nodes.map(votedAt);
      })(world);
      at(begin + CUT_MS, () => {
        seen.push({ side, before, after: world.nodes.map(heightOf) });
        world.network.heal();
      })(world);
    }
  };

async function cutEveryWay(n: number, sides: readonly (readonly number[])[], seed: number): Promise<void> {
  const seen: Seen[] = [];
  await directed(seed, { n, stormMs: 400 + sides.length * (CUT_MS + GAP_MS) }, cuts(sides, seen));
  assert.equal(seen.length, sides.length);
  const quorum = Math.ceil((n + Math.floor((n - 1) / 3) + 1) / 2);
  let wentOn = 0;
  for (const { side, before, after } of seen) {
    const other = before.map((_, i) => i).filter((i) => !side.includes(i));
    for (const part of [side, other]) {
      // Whoever was behind may fetch what another of its side has, but nothing comes about that nobody voted for before.
      const [newest, reached] = [before, after].map((heights) => Math.max(...part.map((i) => heights[i]!)));
      if (part.length >= quorum) wentOn += Number(reached! > newest!);
      else assert(reached! <= newest!, `cut {${side}} of ${n}: {${part}} went from ${newest} to ${reached}`);
    }
  }
  const able = seen.filter(({ side }) => n - side.length >= quorum).length;
  // A view change may take longer than a cut lasts, when timeouts have grown in the cuts before.
  assert(wentOn >= Math.ceil(able / 2), `a quorum's side went on in ${wentOn} of ${able} cuts`);
}

/** Frames of each link in pairs, the second of each pair first. */
const swapPairs: Script = (world) => {
  const held = new Map<string, Uint8Array>();
  const { network } = world;
  network.weather = { delayMs: [1, 1], loss: 0, duplicate: 0, late: 0, lateMs: 0 };
  network.corrupt = (from: Endpoint, to: Endpoint, frame: Uint8Array) => {
    const link = `${from.id} ${to.id}`;
    const first = held.get(link);
    if (first !== undefined) {
      held.delete(link);
      world.faults.count('swapped');
      return [frame, first];
    }
    held.set(link, frame);
    world.loop.after(40, () => {
      if (held.get(link) !== frame) return;
      held.delete(link);
      network.inject(from, to, frame);
    });
    return [];
  };
};

describe('networks that fail', { concurrency: 1 }, () => {
  it('N02: each pair of messages on each link arrives in the other order', async () => {
    for (const seed of [1, 2]) {
      const { result } = await directed(seed, {}, swapPairs);
      assert((result.faults.get('swapped') ?? 0) > 500);
    }
  });

  it('N05: every bipartition of four: only a side with three commits', () => cutEveryWay(4, bipartitions(4), 1));

  for (const size of [1, 2, 3]) {
    const sides = bipartitions(7).filter((side) => side.length === size);
    const able = size < 3 ? 'only the side with five commits' : 'neither side commits';
    it(`N05: every bipartition of seven in ${size} and ${7 - size}: ${able}`, async () => {
      for (let from = 0; from < sides.length; from += 9) await cutEveryWay(7, sides.slice(from, from + 9), size);
    });
  }

  it('N13: all stop and only f+1 come back: nothing is ordered, nothing is forgotten', async () => {
    let before: readonly number[] = [];
    let alone: readonly number[] = [];
    const { nodes } = await directed(
      4,
      { stormMs: 4_500 },
      all(
        at(1_000, (world) => {
          before = world.nodes.map(heightOf);
          for (const node of world.nodes) node.crash(true);
        }),
        at(1_020, (world) => {
          for (const i of [1, 2]) world.nodes[i]!.start();
        }),
        at(3_500, (world) => {
          alone = world.nodes.map(heightOf);
          for (const i of [0, 3]) world.nodes[i]!.start();
        }),
      ),
    );
    const highest = Math.max(...before);
    assert(highest > 3);
    for (const i of [1, 2]) assert(alone[i]! >= before[i]! && alone[i]! <= highest + 1, `${before} then ${alone}`);
    assert(Math.min(...nodes.filter((node) => node.isUp()).map(heightOf)) > highest);
  });

  it('N13: all restart one after the other, each later than the view timeout', async () => {
    const { nodes } = await directed(
      5,
      { stormMs: 6_000 },
      all(
        ...[0, 1, 2, 3].map((i) =>
          at(800, (world: ScriptWorld) => {
            crash(i, true, 20 + 1_200 * i)(world);
          }),
        ),
      ),
    );
    assert(Math.max(...nodes.map(heightOf)) > 10);
  });

  it('N07: one of seven sees all, nobody else sees anybody', async () => {
    await directed(
      6,
      { n: 7 },
      at(300, (world) => cut(world, (from, to) => from !== 1 && to !== 1)),
    );
  });
});

/** Stands still from now on. */
const pause = (node: SimNode, world: ScriptWorld, ms: number): void => {
  node.pausedUntil = world.loop.now + ms;
  world.faults.count('pause');
};

describe('clocks that fail', { concurrency: 1 }, () => {
  it('T01: a clock that is an hour behind after a restart, and one that jumps a year: no expiry, no storm', async () => {
    const { result, nodes } = await directed(
      1,
      {},
      all(
        at(600, (world) => {
          world.nodes[1]!.clocks.wallOffsetMs = -3_600_000;
          crash(1, true, 30)(world);
        }),
        at(900, (world) => {
          world.nodes[2]!.clocks.wallOffsetMs = YEAR_MS;
        }),
        at(1_800, (world) => {
          world.nodes[2]!.clocks.wallOffsetMs = -YEAR_MS;
        }),
      ),
    );
    assert(result.viewChanges <= 8, `${result.viewChanges} view changes`);
    assert(Math.max(...nodes.map(heightOf)) > 20);
  });

  it('T02: one clock ten times too fast, then another ten times too slow as well', async () => {
    for (const [fast, slow] of [
      [0, 1],
      [2, 0],
    ] as const) {
      const { nodes } = await directed(
        2,
        { stormMs: 5_000 },
        all(
          at(400, (world) => world.nodes[fast]!.setRate(10)),
          at(2_000, (world) => world.nodes[slow]!.setRate(0.1)),
        ),
      );
      assert(Math.max(...nodes.map(heightOf)) > 10);
    }
  });

  for (const pauseMs of [1_000, 10_000]) {
    it(`T03: the leader stands still for ${pauseMs / 1_000} s: it is replaced, and does nothing stale when it goes on`, async () => {
      let meanwhile = 0;
      const { result, nodes } = await directed(
        3,
        { stormMs: 600 + pauseMs + 1_500 },
        all(
          at(600, (world) => pause(world.nodes[0]!, world, pauseMs)),
          at(600 + pauseMs - 10, (world) => {
            meanwhile = heightOf(world.nodes[1]!) - heightOf(world.nodes[0]!);
          }),
        ),
      );
      assert(result.viewChanges >= 3 && meanwhile > 3, `${result.viewChanges} view changes, ${meanwhile} heights`);
      assert(viewOf(nodes[0]!) === viewOf(nodes[1]!) || !nodes[0]!.isUp() || !nodes[1]!.isUp());
    });
  }

  it('T03: the machines of all stand still for ten minutes, at different steps, and go on', async () => {
    const { result } = await directed(
      4,
      { stormMs: 603_500 },
      all(
        ...[0, 1, 2, 3].map((i) =>
          at(700 + 7 * i, (world: ScriptWorld) => pause(world.nodes[i]!, world, 600_000 - 40 * i)),
        ),
      ),
    );
    assert.equal(result.faults.get('pause'), 4);
    assert(result.viewChanges <= 12, `${result.viewChanges} view changes`);
  });

  it('T04: timers that fire early, late, twice and after they were cancelled', async () => {
    for (const seed of [1, 2, 3]) {
      const { nodes, result } = await directed(seed, { stormMs: 5_000 }, (world) => {
        for (const node of world.nodes) node.wildTimers = true;
      });
      assert(Math.max(...nodes.map(heightOf)) > 20);
      // Each firing asks for the next one: if a cancelled timer could add to them, they would double again and again.
      assert(result.steps < 40_000, `${result.steps} steps`);
    }
  });

  for (const [n, ahead] of [
    [4, [0]],
    [7, [0, 1]],
  ] as const) {
    it(`T06: ${ahead.length} of ${n} clocks a year ahead, the leader's among them, do not move the chain's time`, async () => {
      const timestamps: number[] = [];
      const { nodes } = await directed(
        5,
        { n, stormMs: 4_000 },
        all(
          at(0, (world) => {
            for (const i of ahead) world.nodes[i]!.clocks.wallOffsetMs = YEAR_MS;
          }),
          at(3_900, (world) => {
            for (const node of world.nodes) timestamps.push(node.validator?.state.executed.timestamp ?? 0);
          }),
        ),
      );
      assert(Math.max(...nodes.map(heightOf)) > 10);
      const newest = Math.max(...timestamps) - START_WALL;
      assert(newest <= 3_900 + 5_000, `block time ${newest} ms after the start, maxAheadMs is 5000`);
    });
  }
});

it('N09: links heal in another order than they broke (see also attacks.test.ts)', async () => {
  await directed(
    7,
    {},
    all(
      at(300, split([0])),
      at(600, split([1])),
      at(900, (world) => world.network.unblock(world.nodes[1]!, world.nodes[2]!)),
      at(1_500, (world) => world.network.unblock(world.nodes[0]!, world.nodes[3]!)),
      at(2_500, reunite),
    ),
  );
});
