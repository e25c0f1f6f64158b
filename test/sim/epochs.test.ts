import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toHex } from '../../ledger/bytes.ts';
import type { GovernanceChange, GovernanceProposal } from '../../ledger/modules/governance-change.ts';
import type { SignedReady } from '../../ledger/ready.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import { leaderIndex } from '../../ledger/validators.ts';
import { installFastHashing } from '../../node/hashing.ts';
import { idKey } from '../../node/id-key.ts';
import { FRAME_MESSAGE } from '../../node/wire.ts';
import { TAGS, tagOf } from './adversary.ts';
import { cut } from './attack.ts';
import { all, at, directed, heightOf, type Script } from './directed.ts';
import type { SimDisk } from './disk.ts';
import { Administrators, readyOf } from './governance.ts';
import type { SimNode } from './node.ts';
import type { Plan } from './profile.ts';
import type { ScriptWorld } from './run.ts';
import { signedTwice } from './signed-twice.ts';
import { hasExecuted } from './stored.ts';

installFastHashing();

const AGAIN_MS = 700;

/** What the consortium of one run decides, at chosen moments. */
class Council {
  #administrators: Administrators | undefined;
  /** What each step was sent with. */
  readonly sent = new Map<string, readonly Transaction[]>();
  #proposal: GovernanceProposal | undefined;

  /** Approved by all organisations at once, at one node. */
  approve(
    world: ScriptWorld,
    to: number,
    make: (administrators: Administrators) => GovernanceChange,
    expires = validUntilOf(world),
  ): void {
    const administrators = this.#of(world);
    const validUntil = validUntilOf(world);
    const proposal = {
      nonce: Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]),
      expires,
      change: make(administrators),
    };
    this.#proposal = proposal;
    const organisations = world.chain.genesis.organisations.map(({ name }) => name);
    this.#submit(world, to, 'approve', administrators.approvals(proposal, organisations, validUntil));
  }

  activate(world: ScriptWorld, to: number, ready: readonly SignedReady[]): void {
    const [first] = world.chain.genesis.organisations;
    assert(first !== undefined && this.#proposal !== undefined);
    const activation = this.#of(world).activation(this.#proposal, first.name, ready, validUntilOf(world));
    this.#submit(world, to, 'activate', [activation]);
  }

  isExecuted(nodes: readonly SimNode[], step: string): boolean {
    return nodes.every((node) => this.sent.get(step)!.every(({ id }) => hasExecuted(node, toHex(id))));
  }

  #of(world: ScriptWorld): Administrators {
    this.#administrators ??= new Administrators(world.chain);
    return this.#administrators;
  }

  #submit(world: ScriptWorld, to: number, step: string, transactions: readonly Transaction[]): void {
    this.sent.set(step, transactions);
    // What nobody has on a disk yet is gone when all crash: whoever submits looks for it, and does so again.
    const again = (): void => {
      const open = transactions.filter(({ id }) => !world.nodes.some((node) => hasExecuted(node, toHex(id))));
      for (const one of open) void world.submit(world.nodes[to]!, one);
      if (open.length > 0) world.loop.after(AGAIN_MS, again);
    };
    again();
  }
}

function validUntilOf({ chain, loop }: ScriptWorld): number {
  return chain.genesis.time + Math.floor(loop.now) + 300_000;
}

const epochOf = (node: SimNode): number => node.epoch?.number ?? 0;
const membersOf = (node: SimNode): number => node.validator?.state.config.validators.length ?? 0;
const viewChangesOf = (nodes: readonly SimNode[]): number =>
  nodes.reduce((sum, { validator }) => sum + (validator?.counters.viewChanges ?? 0), 0);

/** Parameters change, and nothing else. */
const shorterDelay: (world: ScriptWorld) => GovernanceChange = ({ chain }) => ({
  kind: 'parameters',
  value: { ...chain.genesis.parameters, batchDelayMs: 7 },
});

/** Four members, and a fifth machine that becomes one; it says READY and is added as soon as it can be. */
function adds(council: Council, approveMs: number, readyMs: number, activateMs = readyMs): Script {
  return all(
    at(approveMs, (world) =>
      council.approve(world, 1, (administrators) => ({
        kind: 'validators',
        value: { add: [administrators.newValidator(world.nodes[4]!)], remove: [], shrinksTo: 0 },
      })),
    ),
    at(approveMs + 300, (world) => world.nodes[4]!.start()),
    at(
      readyMs,
      when(
        (world) => readyOf(world.chain, world.nodes[4]!) !== undefined,
        (world) => {
          const ready = readyOf(world.chain, world.nodes[4]!)!;
          world.loop.after(activateMs - readyMs, () => council.activate(world, 1, [ready]));
        },
      ),
    ),
  );
}

function assertAdded(council: Council, nodes: readonly SimNode[]): void {
  // While the network heals, one of them may stay away.
  const up = nodes.filter((node) => node.isUp());
  assert(up.length >= 4 && council.isExecuted(up, 'activate'));
  for (const node of up) assert.equal(membersOf(node), 5, node.name);
}

const FIVE: Partial<Plan> = { machines: 5, stormMs: 8_000 };

/** Runs once, as soon as it holds. */
function when(holds: (world: ScriptWorld) => boolean, run: Script): Script {
  return (world) => {
    const look = (): void => {
      if (holds(world)) run(world);
      else world.loop.after(2, look);
    };
    world.loop.after(2, look);
  };
}

const PATIENT = { window: 8, viewTimeoutMs: 2_000, heartbeatMs: 4_000, leaderTerm: 10_000, inclusionTimeoutMs: 4_000 };

describe('changes of the epoch, directed', { concurrency: 1 }, () => {
  it('R6, D11, trap: a journal rolled back across an epoch change: who led the new epoch signs nothing in it', async () => {
    const twice: string[] = [];
    const council = new Council();
    let older: SimDisk | undefined;
    let proposed = 0;
    let rolledBackAt = 0;
    const { nodes } = await directed(
      3,
      { fragile: [1], stormMs: 5_000, parameters: PATIENT },
      all(
        (world) => signedTwice(world, 1, twice),
        at(400, (world) => {
          older = world.nodes[1]!.disk.copy();
        }),
        at(500, (world) => council.approve(world, 0, () => shorterDelay(world))),
        (world) => {
          // In the new epoch nothing is committed until a while after the leader is another one.
          const { corrupt } = world.network;
          world.network.corrupt = (from, to, frame) => {
            const isOver = rolledBackAt > 0 && world.loop.now > rolledBackAt + 800;
            const hidden = epochOf(world.nodes[0]!) === 1 && tagOf(frame) === TAGS.commit && !isOver;
            return hidden ? [] : corrupt(from, to, frame);
          };
        },
        when(
          ({ nodes }) => {
            const state = nodes[1]!.validator?.state;
            if (state?.config.epoch === 1) proposed = state.proposed - state.executed.height;
            return proposed > 0;
          },
          (world) => {
            const leader = world.nodes[1]!;
            leader.crash(false);
            leader.disk = older!;
            leader.start();
            rolledBackAt = world.loop.now;
          },
        ),
      ),
    );
    assert.deepEqual(twice, []);
    assert(rolledBackAt > 0 && proposed > 0, 'it had proposed in the new epoch');
    const { mode, reason, executed } = nodes[1]!.validator!.state;
    assert.equal(mode, 'doubt');
    assert.match(reason, /member \d shows/);
    assert(executed.height > 0 && epochOf(nodes[1]!) === 1, 'it follows');
  });

  it('E5: a candidate that vanishes after READY is not added, nobody is suspected for it; back, it is', async () => {
    const council = new Council();
    const { nodes } = await directed(
      4,
      FIVE,
      all(
        adds(council, 400, 1_500, 4_000),
        at(1_800, ({ nodes: [, , , , candidate] }) => candidate!.crash(false)),
        at(7_000, ({ nodes }) => {
          assert(!council.isExecuted(nodes.slice(0, 4), 'activate'), 'added although it is not there');
          assert(nodes[0]!.validator!.pool.has(idKey(council.sent.get('activate')![0]!.id)), 'it waits');
          assert.equal(viewChangesOf(nodes), 0);
          assert(heightOf(nodes[0]!) > 10, 'all else is ordered');
          nodes[4]!.start();
        }),
      ),
    );
    assertAdded(council, nodes);
  });

  it('E4, trap: candidate that vanishes after being added: the chain goes on, and back it is a member', async () => {
    const council = new Council();
    let gone = 0;
    const { nodes } = await directed(
      5,
      FIVE,
      all(
        adds(council, 400, 1_500),
        when(
          ({ nodes }) => council.sent.has('activate') && council.isExecuted([nodes[0]!], 'activate'),
          ({ nodes: [first, , , , candidate] }) => {
            candidate!.crash(true);
            gone = heightOf(first!);
          },
        ),
        at(5_500, ({ nodes }) => {
          for (const node of nodes.slice(0, 4)) {
            assert.equal(membersOf(node), 5);
            assert(heightOf(node) > gone + 5, 'the others go on');
          }
          nodes[4]!.start();
        }),
      ),
    );
    assert(gone > 0);
    assertAdded(council, nodes);
  });

  it('E5, trap: a candidate that answers only the leader of the moment: it is not added, and no leader suspected', async () => {
    const council = new Council();
    const { nodes } = await directed(
      6,
      FIVE,
      all(
        adds(council, 400, 1_500, 4_000),
        at(1_800, (world) => cut(world, ({ id: a }, { id: b }) => (a === 4 && b !== 0) || (b === 4 && a !== 0), true)),
        at(7_000, (world) => {
          const others = world.nodes.slice(0, 4);
          assert.equal(others[0]!.validator!.state.guests.size, 1);
          assert(!council.isExecuted(others, 'activate'), 'added although a quorum does not hear it');
          assert.equal(viewChangesOf(others), 0);
          world.network.heal();
        }),
      ),
    );
    assertAdded(council, nodes);
  });

  it('a candidate is admitted until its proposal ends by block time, and no longer', async () => {
    const council = new Council();
    let ends = 0;
    const guestsOf = ({ nodes }: ScriptWorld): number[] =>
      nodes.slice(0, 4).map((node) => node.validator!.state.guests.size);
    await directed(
      9,
      FIVE,
      all(
        at(400, (world) => {
          ends = world.nodes[0]!.validator!.chainNow() + 3_000;
          const change = (administrators: Administrators): GovernanceChange => ({
            kind: 'validators',
            value: { add: [administrators.newValidator(world.nodes[4]!)], remove: [], shrinksTo: 0 },
          });
          council.approve(world, 1, change, ends);
        }),
        at(700, ({ nodes }) => nodes[4]!.start()),
        at(2_500, (world) => {
          assert(world.nodes[0]!.validator!.state.executed.timestamp <= ends);
          assert.deepEqual(guestsOf(world), [1, 1, 1, 1]);
          assert(heightOf(world.nodes[4]!) > 0, 'it follows');
        }),
        at(6_000, (world) => {
          assert(world.nodes[0]!.validator!.state.executed.timestamp > ends);
          assert.deepEqual(guestsOf(world), [0, 0, 0, 0]);
          world.nodes[4]!.crash(false);
        }),
      ),
    );
  });

  it('Q09, trap: epoch change while the next leader is dead: the others change the view and go on', async () => {
    const council = new Council();
    let before = 0;
    const { nodes } = await directed(
      7,
      { stormMs: 5_000 },
      all(
        at(300, ({ nodes: [, next] }) => next!.crash(true)),
        at(500, (world) => council.approve(world, 0, () => shorterDelay(world))),
        when(
          ({ nodes }) => epochOf(nodes[0]!) === 1,
          ({ nodes }) => {
            before = heightOf(nodes[0]!);
          },
        ),
        at(4_800, ({ nodes }) => {
          const { config, view } = nodes[0]!.validator!.state;
          assert.equal(leaderIndex(config.epoch, 0, 4), 1, 'it would lead');
          assert(view > 0 && heightOf(nodes[0]!) > before + 3, 'others lead');
          nodes[1]!.start();
        }),
      ),
    );
    assert(before > 0);
    assert.equal(heightOf(nodes[1]!), heightOf(nodes[0]!));
  });

  it('E6, T9: what a member has accepted when it is removed is handed to those that stay', async () => {
    const council = new Council();
    let own: Transaction | undefined;
    const { nodes } = await directed(
      8,
      { machines: 5, n: 5, stormMs: 4_000 },
      all(
        at(500, (world) =>
          council.approve(world, 0, () => {
            const [, , , , last] = world.chain.genesis.validators;
            return { kind: 'validators', value: { add: [], remove: [last!.key], shrinksTo: 0 } };
          }),
        ),
        (world) => {
          // None of what it forwards as a member arrives.
          const { corrupt } = world.network;
          world.network.corrupt = (from, to, frame) =>
            own !== undefined && from === world.nodes[4] && frame[0] !== FRAME_MESSAGE ? [] : corrupt(from, to, frame);
        },
        when(
          ({ nodes }) => council.sent.has('approve') && council.isExecuted([nodes[0]!], 'approve'),
          (world) => {
            const leaving = world.nodes[4]!;
            assert.equal(leaving.validator!.state.config.self, 4, 'it is a member still');
            own = world.transaction();
            void world.submit(leaving, own);
          },
        ),
        at(3_900, ({ nodes }) => {
          assert.equal(nodes[4]!.validator!.state.mode, 'observing');
          for (const node of nodes.slice(0, 4)) assert(hasExecuted(node, toHex(own!.id)), node.name);
        }),
      ),
    );
    assert.deepEqual(nodes.map(membersOf), [4, 4, 4, 4, 4]);
  });

  for (const [what, faulty] of [
    ['two contents for each slot', { scripted: new Map([[0, ['equivocate', 'doublePrepare']]]) }],
    ['two processes with its key', { twins: [0] }],
  ] as const) {
    it(`C12, R27: a leader with ${what} while somebody leaves who hears it alone: blocks of one epoch only`, async () => {
      const [leader, leaving] = [0, 4];
      let changed = 0;
      for (const seed of [1, 2, 3, 4]) {
        const council = new Council();
        await directed(
          seed,
          { n: 5, machines: 5, stormMs: 5_000, relentless: true, ...(faulty as Partial<Plan>) },
          all(
            at(500, (world) => {
              const { key } = world.chain.genesis.validators[leaving]!;
              council.approve(world, 2, () => ({
                kind: 'validators',
                value: { add: [], remove: [key], shrinksTo: 0 },
              }));
            }),
            at(510, (world) => {
              const isAlone = (from: SimNode, to: SimNode): boolean =>
                [from, to].every(({ machine }) => machine !== leader) &&
                [from, to].some(({ machine }) => machine === leaving);
              cut(world, isAlone, false);
            }),
            at(3_000, (world) => world.network.heal()),
            at(4_990, ({ nodes }) => {
              changed += Number(nodes.some((node) => epochOf(node) === 1));
            }),
          ),
        );
      }
      assert(changed >= 2, `changed in ${changed} of 4`);
    });
  }

  it('Q09, D01: a power cut at any write point of a change, of one, two or all: the same next set everywhere', async () => {
    const subsets = [[0], [1], [0, 1], [2, 3], [1, 2, 3], [0, 1, 2, 3]];
    const calm = { stormMs: 2_500, loadMs: 0 };
    const run = async (cutAt: number, subset: readonly number[]): Promise<string[]> => {
      const council = new Council();
      const names: string[] = [];
      let world: ScriptWorld | undefined;
      const { nodes } = await directed(
        9,
        calm,
        all(
          (own) => {
            world = own;
          },
          at(400, (own) => council.approve(own, 0, () => shorterDelay(own))),
        ),
        (node, name) => {
          const isDone = world === undefined || !council.sent.has('approve') || epochOf(node) > 0;
          if (isDone || node.machine !== subset[0]) return;
          names.push(name);
          if (names.length !== cutAt) return;
          for (const index of subset) {
            const one = world!.nodes[index]!;
            one.crash(true);
            world!.loop.after(80, () => one.start());
          }
        },
      );
      assert(council.isExecuted(nodes, 'approve'), `cut ${cutAt} of ${subset}`);
      assert.deepEqual(nodes.map(epochOf), [1, 1, 1, 1], `cut ${cutAt} of ${subset}`);
      return names;
    };
    for (const subset of subsets) {
      const names = await run(0, subset);
      assert(names.length > 10, `${names}`);
      for (let cutAt = 1; cutAt <= names.length; cutAt++) await run(cutAt, subset);
    }
  });
});
