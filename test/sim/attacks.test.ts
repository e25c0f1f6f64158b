import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import { encode } from '../../ledger/codec.ts';
import { validatorsTable } from '../../ledger/modules/epoch.ts';
import { CURRENT } from '../../ledger/modules/rows.ts';
import { validatorSetCodec } from '../../ledger/validators.ts';
import { KINDS, stateKey } from '../../node/store/store.ts';
import { type Attack, all, at, both, byzantine, crash, cut, did, left, QUIET, testAttacks } from './attack.ts';
import type { SimNode } from './node.ts';
import type { FaultKind } from './profile.ts';
import { runSeed } from './run.ts';

const NETWORK: readonly Attack[] = [
  {
    title: 'N01: delays of up to ten seconds',
    script: (world) => {
      world.network.weather = { delayMs: [0.2, 400], loss: 0, duplicate: 0, late: 0.2, lateMs: 10_000 };
    },
    happened: did('late'),
  },
  {
    title: 'N03: half of all messages twice',
    script: (world) => {
      world.network.weather = { delayMs: [0.2, 20], loss: 0, duplicate: 0.5, late: 0, lateMs: 0 };
    },
    happened: did('duplicated'),
  },
  {
    title: 'N04: a third of all messages lost',
    script: (world) => {
      world.network.weather = { delayMs: [0.2, 20], loss: 0.3, duplicate: 0, late: 0, lateMs: 0 };
    },
    happened: did('lost'),
  },
  {
    title: 'N07: one member that sees all, while no others see each other',
    script: at(300, (world) => cut(world, (from, to) => from !== world.nodes[1] && to !== world.nodes[1], false)),
    happened: did('cut'),
  },
  {
    title: 'N08: one link flaps, slower and faster than the timeout',
    plan: { kinds: ['flap'] as FaultKind[], stormMs: 8_000 },
    happened: did('flap'),
  },
  {
    title: 'N09: links are stopped one by one and come back in another order',
    script: (world) => {
      const links = world.nodes.flatMap((from) =>
        world.nodes.filter((to) => to !== from).map((to) => [from, to] as const),
      );
      for (const [i, [from, to]] of links.entries()) {
        world.loop.after(200 + 100 * i, () => world.network.block(from, to, i % 2 === 0));
        world.loop.after(1_800 + 150 * ((i * 7) % links.length), () => world.network.unblock(from, to));
      }
      world.faults.count('cut');
    },
    happened: did('cut'),
  },
  {
    title: 'N13: all restart at once, one far later than the timeout',
    script: all(
      at(1_000, (world) => {
        for (const i of [0, 1, 2]) crash(i, true, 50)(world);
      }),
      at(1_000, crash(3, true, 2_500)),
    ),
    happened: did('crashes'),
  },
];

for (const [side, name] of [
  [[0], 'the leader alone'],
  [[1], 'a follower alone'],
  [[0, 1], 'two and two'],
  [[0, 2], 'two and two across'],
  [[1, 2, 3], 'all without the leader'],
] as const) {
  (NETWORK as Attack[]).push({
    title: `N05: cut in two: ${name}`,
    script: all(
      at(400, (world) => {
        const inside = new Set(side.map((i) => world.nodes[i]));
        cut(world, (from, to) => inside.has(from) !== inside.has(to), false);
      }),
    ),
    happened: did('cut'),
  });
}
for (let from = 0; from < 4; from++) {
  for (let to = 0; to < 4; to++) {
    if (from === to) continue;
    (NETWORK as Attack[]).push({
      title: `N06: v${to} does not hear v${from}: progress, and no storm of view changes`,
      plan: { stormMs: 2_500 },
      script: at(300, (world) => cut(world, (a, b) => a === world.nodes[from] && b === world.nodes[to], false)),
      happened: both(did('cut'), (_, nodes) => nodes.every((node) => (node.validator?.state.view ?? 0) <= 4)),
    });
  }
}

const DISK: readonly Attack[] = [
  {
    title: 'D01, D15, D16: processes end at write points of every kind',
    plan: { kinds: ['crashAtPoint'] as FaultKind[], stormMs: 8_000 },
    happened: both(did('crashes')),
    seeds: [1, 2, 3],
  },
  {
    title: 'D02: power cuts lose and tear what was not synced',
    plan: { kinds: ['powerCut', 'crashAll'] as FaultKind[], stormMs: 8_000 },
    happened: both(did('lostWrites')),
    seeds: [1, 2, 3],
  },
  {
    title: 'D03: a write that fails once ends the process; it comes back with what was durable',
    plan: { kinds: ['ioError'] as FaultKind[], stormMs: 6_000 },
    happened: did('ioError'),
  },
  {
    title: 'D05, D19: a flipped bit is never voted on',
    plan: { fragile: [2], kinds: ['bitRot'] as FaultKind[], stormMs: 6_000 },
    happened: did('bitRot'),
    seeds: [1, 2, 3],
  },
  {
    title: 'D14: a slow disk at the leader and at a follower',
    plan: { kinds: ['slowDisk'] as FaultKind[], stormMs: 6_000 },
    happened: did('slowDisk'),
  },
];

const CLOCKS: readonly Attack[] = [
  {
    title: 'T01: clocks jump by hours and years, and back',
    plan: { kinds: ['wallJump'] as FaultKind[], stormMs: 6_000 },
    happened: did('wallJump'),
    seeds: [1, 2, 3],
  },
  {
    title: 'T02, T06: clocks that run ten times too fast or too slow',
    plan: { kinds: ['drift'] as FaultKind[], stormMs: 6_000 },
    happened: did('drift'),
    seeds: [1, 2],
  },
  {
    title: 'T03: processes that stand still and go on',
    plan: { kinds: ['pause'] as FaultKind[], stormMs: 8_000 },
    happened: did('pause'),
    seeds: [1, 2],
  },
  {
    title: 'Q07: on an idle chain a silent leader is replaced when a heartbeat is due',
    plan: byzantine(['silent']),
    happened: both(did('silent'), left),
  },
];

for (const [part, attacks] of Object.entries({ NETWORK, DISK, CLOCKS })) testAttacks(part.toLowerCase(), attacks);

describe('a validator whose disk is not what it was (R5, R6)', () => {
  /** Backs up v2 at `backupMs`, restores it at `restoreMs`; returns what became of it. */
  async function restored(backupMs: number, restoreMs: number, empty: boolean) {
    let node: SimNode | undefined;
    const result = await runSeed({
      seed: backupMs,
      profile: 'calm',
      plan: { ...QUIET, fragile: [2], stormMs: restoreMs + 1_500 },
      script(world) {
        node = world.nodes[2]!;
        let backup = node.disk.copy();
        world.loop.after(backupMs, () => {
          if (!empty) backup = node!.disk.copy();
        });
        world.loop.after(restoreMs, () => {
          node!.crash(false);
          node!.disk = backup;
          node!.start();
        });
      },
    });
    return { result, state: node!.validator!.state };
  }

  for (const [backupMs, restoreMs] of [
    [400, 900],
    [400, 2_500],
    [1_000, 1_100],
    [2_000, 2_600],
  ] as const) {
    it(`D11, Q14: a backup of ${restoreMs - backupMs} ms before never votes again in this epoch, and follows the chain`, async () => {
      const { result, state } = await restored(backupMs, restoreMs, false);
      assert.deepEqual(result.violations, []);
      assert.equal(state.mode, 'doubt');
      assert.match(state.reason, /shows/);
      assert(state.executed.height > 10, 'it follows');
    });
  }

  it('D13: an empty disk with the same key', async () => {
    const { result, state } = await restored(0, 1_500, true);
    assert.deepEqual(result.violations, []);
    assert.equal(state.mode, 'doubt');
    assert(state.executed.height > 10);
  });

  it('an ordinary restart is not in doubt', async () => {
    let node: SimNode | undefined;
    const result = await runSeed({
      seed: 7,
      profile: 'calm',
      plan: QUIET,
      script(world) {
        node = world.nodes[2]!;
        for (const ms of [500, 1_200, 2_000]) world.loop.after(ms, () => crash(2, true, 30)(world));
      },
    });
    assert.deepEqual(result.violations, []);
    assert.equal(node!.validator!.state.mode, 'active');
  });
});

describe('the simulator', () => {
  it('I19: the same seed gives the same trace, another gives another', async () => {
    const first = await runSeed({ seed: 11, profile: 'all' });
    const again = await runSeed({ seed: 11, profile: 'all', verbose: true });
    const other = await runSeed({ seed: 12, profile: 'all' });
    assert.equal(first.traceHash, again.traceHash);
    assert.notEqual(first.traceHash, other.traceHash);
  });

  it('leaves machines beyond the validators of genesis alone, which nobody admits', async () => {
    let nodes: readonly SimNode[] = [];
    const result = await runSeed({
      seed: 4,
      profile: 'calm',
      plan: { ...QUIET, machines: 6, stormMs: 1_500 },
      script: (world) => {
        nodes = world.nodes;
        at(1_000, ({ network }) => network.inject(nodes[5]!, nodes[0]!, new Uint8Array(1)))(world);
        at(1_100, ({ network }) => assert.equal(network.counts.refused, 1))(world);
      },
    });
    assert.deepEqual(result.violations, []);
    assert.deepEqual(
      nodes.map(({ starts }) => starts),
      [1, 1, 1, 1, 0, 0],
    );
  });

  it('sees a set that is another in the state of one node (I12)', async () => {
    const result = await runSeed({
      seed: 3,
      profile: 'calm',
      plan: QUIET,
      script: at(1_000, ({ nodes, chain }) => {
        const key = Buffer.concat([Uint8Array.of(KINDS.state), stateKey(validatorsTable.name, utf8Encode(CURRENT))]);
        const set = encode(validatorSetCodec, chain.genesis.validators.toReversed());
        nodes[1]!.disk.overwrite(key.toString('latin1'), Buffer.concat([new Uint8Array(4), set]));
      }),
    });
    assert.deepEqual([...new Set(result.violations.map(({ invariant }) => invariant))], ['I12']);
  });

  it('sees a block that is another at one node (I1), and a second content for a slot (I8)', async () => {
    const result = await runSeed({
      seed: 3,
      profile: 'calm',
      plan: QUIET,
      script: at(1_000, (world) => {
        const node = world.nodes[1]!;
        const { executed } = node.validator!.state;
        const nothing = { outcomes: new Uint8Array(0), senders: undefined, membership: false };
        const forged = { ...executed, ...nothing, blockHash: new Uint8Array(32) };
        world.checker.executed(node, forged, undefined);
      }),
    });
    assert(
      result.violations.some(({ invariant }) => invariant === 'I1'),
      toHex(new Uint8Array(1)),
    );
  });
});
