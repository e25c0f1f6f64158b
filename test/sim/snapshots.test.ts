import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toHex } from '../../ledger/bytes.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { installFastHashing } from '../../node/hashing.ts';
import { idKey } from '../../node/id-key.ts';
import { poolEntry } from '../../node/pool-entry.ts';
import { QUIET } from './directed.ts';
import type { SimNode } from './node.ts';
import type { Plan } from './profile.ts';
import { type RunResult, runSeed, type ScriptWorld } from './run.ts';
import { hasExecuted } from './stored.ts';

/** R8 in whole clusters: members that were away for long take the state from the others. */

installFastHashing();

const LONG: Plan = { ...QUIET, stormMs: 8_000 };

async function run(seed: number, plan: Partial<Plan>, script: (world: ScriptWorld) => void): Promise<RunResult> {
  const result = await runSeed({ seed, profile: 'calm', plan: { ...LONG, ...plan }, script });
  assert.deepEqual(result.violations, [], `seed ${seed}`);
  return result;
}

const deafen = (world: ScriptWorld, deaf: SimNode): void => {
  for (const node of world.nodes) if (node !== deaf) world.network.block(node, deaf, false);
};

describe('snapshots in a cluster (R8)', () => {
  for (const seed of [1, 2, 3]) {
    it(`a member that was down takes a snapshot, and goes on after a power cut (seed ${seed})`, async () => {
      let node: SimNode | undefined;
      const result = await run(seed, {}, (world) => {
        node = world.nodes[3]!;
        const down = (at: number, ms: number): void => {
          world.loop.after(at, () => node!.crash(true));
          world.loop.after(at + ms, () => node!.start());
        };
        down(300, 4_000);
        down(5_500, 50);
        down(6_000, 1_000);
      });
      assert(result.snapshots > 0);
      if (node!.isUp()) assert.equal(node!.validator!.state.mode, 'active');
    });

    it(`R17: also from members of which one answers with junk (seed ${seed})`, async () => {
      const result = await run(seed, { scripted: new Map([[1, ['garbage']]]) }, (world) => {
        world.loop.after(300, () => world.nodes[3]!.crash(false));
        world.loop.after(4_000, () => world.nodes[3]!.start());
      });
      assert(result.snapshots > 0);
    });
  }

  it('D15: cut off at each of its writes, it starts again and comes to the same state', async () => {
    let cuts = 0;
    let snapshots = 0;
    for (let write = 1; write <= 12; write++) {
      const result = await run(20 + write, {}, (world) => {
        const node = world.nodes[3]!;
        world.loop.after(300, () => node.crash(false));
        world.loop.after(4_000, () => {
          node.start();
          let seen = 0;
          const { tap } = node.world;
          const { point } = tap;
          tap.point = (at, name) => {
            point(at, name);
            const isCaughtUp =
              (node.validator?.state.executed.height ?? 0) + 8 > (world.nodes[0]!.validator?.state.low ?? 0);
            if (at !== node || isCaughtUp || !name.endsWith('database write') || ++seen !== write) return;
            cuts++;
            node.crash(true);
            world.loop.after(100, () => node.start());
          };
        });
      });
      snapshots += result.snapshots;
    }
    assert(cuts >= 8, `${cuts} cuts`);
    assert(snapshots >= 8, `${snapshots} snapshots`);
  });

  it('C4: what may have been executed in blocks that a snapshot left out is never called expired', async () => {
    const expired: string[] = [];
    let known: boolean[] = [];
    let id = '';
    const parameters = { ...QUIET.parameters, maxLifetimeMs: 4_000 };
    const result = await run(5, { parameters, stormMs: 12_000 }, (world) => {
      const [node, other] = [world.nodes[3]!, world.nodes[0]!];
      world.loop.after(1_000, () => {
        node.validator!.observe({
          executed() {},
          final() {},
          expired: (keys) => void expired.push(...keys),
        });
        deafen(world, node);
        const transaction = world.chain.transaction(90_000, node.now().wall + 2_500);
        id = toHex(transaction.id);
        world.submitted.add(id);
        world.loop.settle();
        void node.validator!.intake.fromClient([transaction.bytes]);
      });
      world.loop.after(10_000, () => world.network.heal());
      world.loop.after(11_900, () => {
        const pending = node.validator!.pool.has(idKey(Buffer.from(id.slice(2), 'hex')));
        known = [hasExecuted(other, id), hasExecuted(node, id), pending];
      });
    });
    assert(result.snapshots > 0);
    assert.deepEqual(known, [true, false, false], 'executed by the others, out of sight here, and pending no more');
    assert.deepEqual(
      expired.filter((key) => `0x${Buffer.from(key, 'latin1').toString('hex')}` === id),
      [],
    );
  });

  it('C4: nor what a peer sends again that was executed in such a block', async () => {
    const expired: string[] = [];
    let known: boolean[] = [];
    let id = '';
    const parameters = { ...QUIET.parameters, maxLifetimeMs: 20_000 };
    const result = await run(6, { parameters, stormMs: 9_000 }, (world) => {
      const [node, other] = [world.nodes[3]!, world.nodes[0]!];
      const transaction = world.chain.transaction(90_001, node.now().wall + 6_500);
      id = toHex(transaction.id);
      world.loop.after(1_000, () => {
        node.validator!.observe({
          executed() {},
          final() {},
          expired: (keys) => void expired.push(...keys.map((key) => toHex(Buffer.from(key, 'latin1')))),
        });
        deafen(world, node);
        world.submitted.add(id);
        world.loop.settle();
        void other.validator!.intake.fromClient([transaction.bytes]);
      });
      world.loop.after(4_000, () => world.network.heal());
      world.loop.after(6_000, () => {
        known = [hasExecuted(other, id), hasExecuted(node, id), node.validator!.catchUps.snapshots > 0];
        // Its memory of ids is limited: as if so many others had been executed since.
        node.validator!.pool.add(
          poolEntry(transaction, idKey(transaction.id), 1, quorateApplication),
          node.now().monotonic,
        );
      });
    });
    assert(result.snapshots > 0);
    assert.deepEqual(known, [true, true, true], 'executed by the others, in a block of which the snapshot has the ids');
    assert(!expired.includes(id), 'it has executed');
  });
});
