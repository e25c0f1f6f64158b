import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Cluster } from '../../support/cluster.ts';

const SCHEDULES = Number(process.env.QUORATE_SCHEDULES ?? 20);
const FIRST_SEED = Number(process.env.QUORATE_SEED ?? Math.floor(Math.random() * 1e9));

/** The same seed gives the same numbers (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

describe('random schedules: loss, reorder, duplicates, crashes of any and all members', () => {
  it(`nobody ever contradicts anybody, and all converge when the network heals (seeds from ${FIRST_SEED})`, () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed++) {
      try {
        runSchedule(seed);
      } catch (error) {
        throw new Error(`QUORATE_SEED=${seed} QUORATE_SCHEDULES=1 repeats it`, { cause: error });
      }
    }
  });
});

function runSchedule(seed: number): void {
  const random = randomFrom(seed);
  const cluster = new Cluster([1, 4, 4, 5, 7][random(5)]!, { window: [1, 2, 8][random(3)]!, heartbeatMs: 2_000 });
  const n = cluster.members.length;
  let ordered = 0;
  for (let step = 0; step < 250; step++) {
    const choice = random(100);
    if (choice < 70) deliverSome(cluster, random);
    else if (choice < 80) cluster.order(`batch ${ordered++}`);
    else if (choice < 90) cluster.advance(random(400));
    else if (choice < 93) cluster.crash(random(n));
    else if (choice < 98) restartOne(cluster, random(n));
    else for (const { index } of cluster.members) cluster.crash(index);
    assertNoFork(cluster);
  }
  for (const { index, up } of cluster.members) if (!up) cluster.restart(index);
  for (let round = 0; round < 40; round++) {
    cluster.advance(300);
    cluster.deliver();
  }
  assertNoFork(cluster);
  const heights = cluster.members.map(({ state }) => state.executed.height);
  assert.equal(Math.min(...heights), Math.max(...heights), `executed heights ${heights}`);
  for (const { state } of cluster.members) {
    assert.equal(state.mode, 'active', state.reason);
    assert(state.low >= Math.max(...heights) - 1, 'and certified, up to a heartbeat');
  }
}

/** A random message of those on the wire: delivered, delivered and kept, or lost. */
function deliverSome(cluster: Cluster, random: (below: number) => number): void {
  for (let i = 0; i < 4 && cluster.wire.length > 0; i++) {
    const at = random(Math.min(cluster.wire.length, 40));
    const sent = cluster.wire[at]!;
    const fate = random(20);
    if (fate > 1) cluster.wire.splice(at, 1);
    if (fate > 0) cluster.deliverOne(sent);
  }
}

function restartOne(cluster: Cluster, index: number): void {
  if (!cluster.members[index]!.up) cluster.restart(index);
}

/** I1: at every height one block, at all members, ever. */
function assertNoFork(cluster: Cluster): void {
  const longest = cluster.members.reduce((a, b) => (a.disk.heads.length >= b.disk.heads.length ? a : b));
  for (const { disk } of cluster.members) {
    const last = disk.heads.length - 1;
    assert.deepEqual(disk.heads[last]!.blockHash, longest.disk.heads[last]!.blockHash, `height ${last}`);
  }
}
