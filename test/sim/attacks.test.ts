import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toHex } from '../../ledger/bytes.ts';
import { installFastHashing } from '../../node/hashing.ts';
import type { Strategy } from './adversary.ts';
import { TAGS, tagOf } from './adversary.ts';
import type { SimNode } from './node.ts';
import type { FaultKind, Plan } from './profile.ts';
import { type RunResult, runSeed, type ScriptWorld } from './run.ts';

/**
 * Attacks and faults on whole clusters, directed instead of drawn. In each the promises hold: what the checker sees is no
 * violation, and after the network has healed the correct members agree on everything that was accepted.
 */

installFastHashing();

const QUIET: Plan = {
  n: 4,
  parameters: { window: 8, viewTimeoutMs: 500, heartbeatMs: 1_500, leaderTerm: 10_000, inclusionTimeoutMs: 1_000 },
  realSignatures: false,
  twins: [],
  scripted: new Map(),
  fragile: [],
  kinds: [],
  stormMs: 4_000,
  relentless: true,
};

interface Attack {
  readonly title: string;
  readonly plan?: Partial<Plan>;
  readonly script?: (world: ScriptWorld) => void;
  /** What must have happened, or the test would show nothing. */
  readonly happened: (result: RunResult, nodes: readonly SimNode[]) => boolean;
  readonly seeds?: readonly number[];
}

function byzantine(strategies: readonly Strategy[], members: readonly number[] = [0]): Partial<Plan> {
  return { scripted: new Map(members.map((member) => [member, strategies] as const)) };
}

const did = (kind: string) => (result: RunResult) => (result.faults.get(kind) ?? 0) > 0;
const left = (result: RunResult): boolean => result.viewChanges > 0;
const both =
  (...checks: ((result: RunResult, nodes: readonly SimNode[]) => boolean)[]) =>
  (result: RunResult, nodes: readonly SimNode[]) =>
    checks.every((check) => check(result, nodes));
const evidenceAgainst = (member: number) => (_: RunResult, nodes: readonly SimNode[]) =>
  nodes.some((node) => node.member !== member && (node.validator?.state.evidence.get(member)?.length ?? 0) > 0);
const views = (least: number) => (_: RunResult, nodes: readonly SimNode[]) =>
  nodes.some((node) => (node.validator?.state.view ?? 0) >= least);

/** At a virtual time, for every node. */
const at = (ms: number, run: (world: ScriptWorld) => void) => (world: ScriptWorld) => {
  world.loop.after(ms, () => run(world));
};
const all =
  (...scripts: ((world: ScriptWorld) => void)[]) =>
  (world: ScriptWorld) => {
    for (const script of scripts) script(world);
  };

function cut(world: ScriptWorld, cuts: (from: SimNode, to: SimNode) => boolean, noticed: boolean): void {
  for (const from of world.nodes) {
    for (const to of world.nodes)
      if (from.member !== to.member && cuts(from, to)) world.network.block(from, to, noticed);
  }
  world.faults.count('cut');
}

const isolate =
  (index: number, noticed = false) =>
  (world: ScriptWorld) =>
    cut(world, (from, to) => from === world.nodes[index] || to === world.nodes[index], noticed);
const reunite = (world: ScriptWorld): void => world.network.heal();

/** Messages with this tag reach nobody but these members, for a while. */
const hide = (tag: number, only: readonly number[], from: number, to: number) => (world: ScriptWorld) => {
  const { corrupt } = world.network;
  world.network.corrupt = (sender, receiver, frame) => {
    const now = world.loop.now;
    const hidden = now >= from && now < to && tagOf(frame) === tag && !only.includes(receiver.member);
    if (hidden) world.faults.count('hidden');
    return hidden ? [] : corrupt(sender, receiver, frame);
  };
};

const crash = (index: number, power: boolean, downMs: number) => (world: ScriptWorld) => {
  const node = world.nodes[index]!;
  node.crash(power);
  world.faults.count('crashes');
  world.loop.after(downMs, () => node.start());
};

const LEADER: readonly Attack[] = [
  {
    title: 'L01: a leader that equivocates is replaced, and everybody holds the evidence',
    plan: byzantine(['equivocate']),
    happened: both(did('equivocate'), left, evidenceAgainst(0)),
  },
  {
    title: 'L02: two of seven equivocate together, and vote for both sides',
    plan: { n: 7, ...byzantine(['equivocate'], [0, 1]) },
    happened: both(did('equivocate'), left),
  },
  {
    title: 'L03, L16, Q02: the same ids twice in a batch, and again at other heights, execute once',
    plan: byzantine(['duplicates']),
    happened: did('duplicates'),
  },
  {
    title: 'L05, R24: bodies withheld by the leader come from others, or the view changes',
    plan: byzantine(['withhold']),
    happened: did('withhold'),
  },
  {
    title: 'L06: a height that is never proposed is filled after a view change',
    plan: byzantine(['gaps']),
    happened: both(did('gaps'), left),
  },
  {
    title: 'L07, R12, X06: proposals and views beyond all bounds are dropped',
    plan: byzantine(['highViews', 'gaps']),
    happened: did('highViews'),
  },
  {
    title: 'L10, L11: a leader that leaves some transactions out is replaced, although others go on',
    plan: byzantine(['censor']),
    happened: both(did('censor'), left),
  },
  {
    title: 'L12: a leader that is slow, but never silent, does not stop the chain',
    plan: { ...byzantine(['slow']), stormMs: 8_000 },
    happened: did('slow'),
  },
  {
    title: 'L13: a leader that orders only empty batches is replaced',
    plan: byzantine(['emptyBatches']),
    happened: both(did('emptyBatches'), left),
  },
  {
    title: 'L14, Q01: batches with what nobody can verify are never prepared',
    plan: byzantine(['invalidBatches']),
    happened: both(did('invalidBatches'), left),
  },
  {
    title: 'L19: timestamps far ahead, far behind or equal wedge nothing',
    plan: byzantine(['wrongTimes']),
    happened: both(did('wrongTimes'), left),
  },
  {
    title: 'L20, L21, L22, L23: a NEW-VIEW with another carry is refused, and its leader is left',
    plan: { ...byzantine(['newViewLiar', 'viewChangeLiar'], [1]), relentless: true },
    script: at(300, isolate(0)),
    happened: both(did('newViewLiar'), views(2)),
  },
  {
    title: 'L25: a NEW-VIEW that reaches only some: the others take it from them',
    plan: byzantine(['selective'], [1]),
    script: all(at(300, isolate(0)), at(2_500, reunite)),
    happened: both(did('selective'), left),
  },
  {
    title: 'L27: a leader that forgets what it proposed (a copy of it proposes something else)',
    plan: { twins: [0] },
    happened: both(did('twins'), left),
  },
  {
    title: 'L30: invalid content that is found out late leaves the next view free to order',
    plan: byzantine(['invalidBatches', 'wrongTimes', 'duplicates']),
    happened: both(left, (result) => result.transactions > 10),
  },
];

const FOLLOWER: readonly Attack[] = [
  {
    title: 'R01, R02, R06: votes for what was never proposed, twice, and under the names of others',
    plan: byzantine(['equivocate', 'forger'], [2]),
    happened: both(did('equivocate'), did('forger')),
  },
  {
    title: 'R03, R26: the same messages again and again, also those of others',
    plan: byzantine(['replay'], [2]),
    happened: did('replay'),
  },
  {
    title: 'R09, R10, R11: VIEW-CHANGEs with made-up certificates, and without the own ones',
    plan: byzantine(['viewChangeLiar'], [2]),
    script: all(at(300, isolate(0)), at(3_000, reunite)),
    happened: both(did('viewChangeLiar'), left),
  },
  {
    title: 'R13: f members that jump to a huge view are not followed',
    plan: { n: 7, ...byzantine(['highViews'], [2, 3]) },
    happened: both(did('highViews'), (_, nodes) => nodes.every((node) => (node.validator?.state.view ?? 0) < 50)),
  },
  {
    title: 'R14: a member that is silent in view changes and votes late',
    plan: byzantine(['slow', 'selective'], [3]),
    script: all(at(300, isolate(0)), at(3_000, reunite)),
    happened: left,
  },
  {
    title: 'R16: a CHECKPOINT with a false root by f members changes nothing',
    plan: byzantine(['checkpointLiar'], [2]),
    happened: both(did('checkpointLiar'), (result) => result.checkpoints > 10),
  },
  {
    title: 'R17, R18, R19: catch-up from a member that answers with junk',
    plan: { ...byzantine(['garbage'], [1]), stormMs: 5_000 },
    script: all(at(200, isolate(3)), at(3_500, reunite)),
    happened: both(did('garbage'), (result) => result.stateTransfers > 0),
  },
  {
    title: 'R20, R23: STATUS that lies about view and height makes nobody wait or flood',
    plan: byzantine(['statusLiar'], [2]),
    happened: did('statusLiar'),
  },
  {
    title: 'R25: messages that fail verification are not passed on, and whoever passes on is not blamed',
    plan: byzantine(['forger', 'newViewLiar'], [1]),
    happened: did('forger'),
  },
];

const COLLUDERS: readonly Attack[] = [
  {
    title: 'C01: COMMITs reach exactly one member, which is then cut off: what it executed survives',
    plan: byzantine(['viewChangeLiar'], [2]),
    script: all(hide(TAGS.commit, [3], 300, 700), at(700, isolate(3)), at(701, isolate(0)), at(3_000, reunite)),
    happened: both(did('hidden'), left),
  },
  {
    title: 'C02: the same over several views',
    plan: { n: 7, ...byzantine(['viewChangeLiar', 'equivocate'], [2]) },
    script: all(
      ...[400, 1_400, 2_400, 3_400].map((ms, i) =>
        all(
          hide(TAGS.commit, [(3 + i) % 7], ms, ms + 400),
          at(ms + 400, (world) => isolate((3 + i) % 7)(world)),
          at(ms + 900, reunite),
        ),
      ),
    ),
    happened: both(did('hidden'), left),
  },
  {
    title: 'C03: prepared at one member only, which is left out of the next view and comes back',
    script: all(hide(TAGS.prepare, [3], 300, 800), at(800, isolate(3)), at(801, isolate(0)), at(3_000, reunite)),
    happened: both(did('hidden'), left),
  },
  {
    title: 'C04: members whose timers end at different moments come together',
    plan: { kinds: ['drift'] as FaultKind[], stormMs: 6_000 },
    script: at(500, isolate(0)),
    happened: both(did('drift'), left),
  },
  {
    title: 'C05: later messages before earlier ones',
    script: (world) => {
      world.network.weather = { delayMs: [0.2, 300], loss: 0, duplicate: 0, late: 0.3, lateMs: 800 };
    },
    happened: did('late'),
  },
  { title: 'C07: two twins among seven', plan: { n: 7, twins: [0, 3], stormMs: 6_000 }, happened: did('twins') },
  {
    title: 'C08: f Byzantine and one more crashed: nothing forks, and it goes on when that one is back',
    plan: byzantine(['equivocate'], [1]),
    script: all(at(500, crash(2, true, 3_000))),
    happened: both(did('crashes')),
  },
  {
    title: 'C10: calm and storm in turn, shorter than the timeouts',
    plan: { kinds: ['flap'] as FaultKind[], stormMs: 8_000 },
    happened: both(did('flap'), (_, nodes) =>
      nodes.every((node) => (node.validator?.state.timer.timeoutMs ?? 0) <= 4_000),
    ),
  },
  {
    title: 'C11: Byzantine at the edge of the window (window 1)',
    plan: { parameters: { ...QUIET.parameters, window: 1 }, ...byzantine(['gaps']) },
    happened: did('gaps'),
  },
];

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
  {
    title: 'trap: one link is down for an hour, then one member crashes elsewhere',
    plan: { stormMs: 6_000 },
    script: all(
      at(200, (world) => cut(world, (from, to) => from === world.nodes[0] && to === world.nodes[1], true)),
      at(200, (world) => cut(world, (from, to) => from === world.nodes[1] && to === world.nodes[0], true)),
      at(3_000, crash(3, true, 2_000)),
    ),
    happened: both(did('cut'), did('crashes')),
  },
  {
    title: 'trap: one link blocked and the leader dead',
    script: all(
      at(200, (world) => cut(world, (from, to) => from === world.nodes[1] && to === world.nodes[2], false)),
      at(600, (world) => {
        world.nodes[0]!.crash(true);
        world.faults.count('crashes');
      }),
    ),
    plan: { stormMs: 4_000 },
    happened: both(did('crashes'), left),
  },
  {
    title: 'trap: VIEW-CHANGEs for different targets with one member dead',
    plan: { stormMs: 5_000 },
    script: all(
      at(300, (world) => {
        world.nodes[3]!.crash(true);
      }),
      at(400, isolate(1)),
      at(1_500, isolate(2)),
      at(2_500, reunite),
      at(2_600, isolate(0)),
      at(3_500, reunite),
    ),
    happened: left,
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
  {
    title: 'Q06, trap: CHECKPOINT or PREPARE sent, then the power of all is cut',
    script: all(
      ...[900, 1_700, 2_300].map((ms) =>
        at(ms, (world) => {
          for (let i = 0; i < 4; i++) crash(i, true, 20)(world);
        }),
      ),
    ),
    happened: did('crashes'),
    seeds: [1, 2, 3],
  },
  {
    title: 'trap: power cut between journal and LevelDB on all nodes',
    plan: { kinds: ['crashAll', 'crashAtPoint'] as FaultKind[], stormMs: 8_000 },
    happened: did('crashes'),
  },
];

const CLOCKS: readonly Attack[] = [
  {
    title: 'T01, trap: a clock at 2036 and back, and an hour back',
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

for (const [part, attacks] of Object.entries({ LEADER, FOLLOWER, COLLUDERS, NETWORK, DISK, CLOCKS })) {
  describe(`attacks on clusters: ${part.toLowerCase()}`, { concurrency: 1 }, () => {
    for (const { title, plan, script, happened, seeds = [1, 2] } of attacks) {
      it(title, async () => {
        let seen = false;
        for (const seed of seeds) {
          let nodes: readonly SimNode[] = [];
          const result = await runSeed({
            seed,
            profile: 'calm',
            plan: { ...QUIET, ...plan },
            script(world) {
              nodes = world.nodes;
              script?.(world);
            },
            verbose: true,
          });
          if (result.violations.length > 0) console.log(result.log.slice(-80).join('\n'));
          assert.deepEqual(result.violations, [], `seed ${seed}`);
          seen ||= happened(result, nodes);
        }
        assert(seen, 'the attack did not take place in any seed');
      });
    }
  });
}

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

  it('sees a block that is another at one node (I1), and a second content for a slot (I8)', async () => {
    const result = await runSeed({
      seed: 3,
      profile: 'calm',
      plan: QUIET,
      script: at(1_000, (world) => {
        const node = world.nodes[1]!;
        const { executed } = node.validator!.state;
        const forged = { ...executed, blockHash: new Uint8Array(32), outcomes: new Uint8Array(0) };
        world.checker.executed(node, forged, undefined);
      }),
    });
    assert(
      result.violations.some(({ invariant }) => invariant === 'I1'),
      toHex(new Uint8Array(1)),
    );
  });
});
