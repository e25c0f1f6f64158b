import assert from 'node:assert/strict';
import { toHex } from '../../ledger/bytes.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import { isExpired } from '../../node/replies.ts';
import { FRAME_TRANSACTIONS } from '../../node/wire.ts';
import { TAGS } from './adversary.ts';
import {
  type Attack,
  all,
  at,
  both,
  byzantine,
  crash,
  cut,
  did,
  hide,
  isolate,
  left,
  QUIET,
  reunite,
  testAttacks,
} from './attack.ts';
import type { SimNode } from './node.ts';
import type { FaultKind } from './profile.ts';
import type { ScriptWorld } from './run.ts';
import { hasExecuted } from './stored.ts';

/** What clients submitted in a run, and what they were told of it. */
class Clients {
  readonly submitted: Transaction[] = [];
  readonly outcomes: string[] = [];
  /** Ids that a node called expired, and the block time that it had executed under a certificate by then. */
  readonly expired: { readonly id: string; readonly node: string; readonly certified: number }[] = [];

  /** The same, by those that were asked. */
  readonly answers: { readonly id: string; readonly node: string; readonly certified: number }[] = [];

  /** Each seed begins with nothing. */
  reset(): void {
    for (const list of [this.submitted, this.outcomes, this.expired, this.answers]) list.splice(0);
  }

  /** Tells this node a transaction, now. */
  submit(world: ScriptWorld, node: SimNode, transaction: Transaction): void {
    this.submitted.push(transaction);
    world.submit(node, transaction).then(
      (outcome) => this.outcomes.push(outcome?.kind ?? 'down'),
      (error: unknown) => world.checker.fail('I20', String(error)),
    );
  }

  /** C5: asks every node about every transaction, with its bytes, whether it can never execute any more. */
  ask({ nodes, checker }: ScriptWorld): void {
    for (const { name, validator, ledger } of nodes) {
      if (validator === undefined || ledger === undefined) continue;
      for (const { id, body } of this.submitted) {
        const certified = validator.state.stable?.checkpoint.timestamp ?? 0;
        isExpired(() => validator.state, ledger, id, body.validUntil).then(
          (expired) => expired && this.answers.push({ id: toHex(id), node: name, certified }),
          (error: unknown) => checker.fail('I20', String(error)),
        );
      }
    }
  }

  /** Hears of what expires at these nodes. */
  listen(nodes: readonly SimNode[]): void {
    for (const node of nodes) {
      node.validator?.observe({
        executed() {},
        final() {},
        expired: (keys) => {
          for (const key of keys) {
            const { stable, executed, low } = node.validator!.state;
            const certified = executed.height >= low ? (stable?.checkpoint.timestamp ?? 0) : 0;
            this.expired.push({ id: toHex(Buffer.from(key, 'latin1')), node: node.name, certified });
          }
        },
      });
    }
  }
}

/** At every node that runs. */
function everywhere(nodes: readonly SimNode[], transactions: readonly Transaction[]): void {
  for (const node of nodes) {
    if (!node.isUp()) continue;
    for (const { id } of transactions)
      assert(hasExecuted(node, toHex(id)), `${node.name} has not executed ${toHex(id)}`);
  }
}

/** C4: called expired under a certificate of a later time only, and executed nowhere, ever. */
function expiredStays({ expired, answers, submitted }: Clients, nodes: readonly SimNode[]): void {
  const ends = new Map(submitted.map(({ id, body }) => [toHex(id), body.validUntil]));
  for (const { id, node, certified } of [...expired, ...answers]) {
    assert(certified > (ends.get(id) ?? 0), `${node} told ${id} expired at ${certified}`);
    for (const one of nodes) assert(!hasExecuted(one, id), `${node} told ${id} expired, ${one.name} has executed it`);
  }
}

/** Everything that this node passes on of its clients' transactions is lost. */
const keepBack = (index: number) => (world: ScriptWorld) => {
  const { corrupt } = world.network;
  world.network.corrupt = (from, to, frame) => {
    const kept = from === world.nodes[index] && frame[0] === FRAME_TRANSACTIONS;
    if (kept) world.faults.count('kept back');
    return kept ? [] : corrupt(from, to, frame);
  };
};

const setClocks =
  (aheadMs: number) =>
  ({ nodes }: ScriptWorld): void => {
    for (const node of nodes) node.clocks.wallOffsetMs = aheadMs;
  };

const HOUR = 3_600_000;
const traps: Attack[] = [];
const trap = (make: (clients: Clients) => Attack): void => {
  const clients = new Clients();
  const { script, ...rest } = make(clients);
  traps.push({
    ...rest,
    script(world) {
      clients.reset();
      script?.(world);
    },
  });
};

trap((clients) => ({
  title: 'trap: one account posting different transactions to each node: all are ordered, each once',
  plan: { loadMs: 0, stormMs: 2_500 },
  script: all(
    ...[0, 1, 2, 3, 4, 5, 6, 7].map((i) =>
      at(300 + 40 * i, (world) => {
        for (const node of world.nodes) clients.submit(world, node, world.transaction());
      }),
    ),
  ),
  happened: () => clients.submitted.length >= 32,
  holds(_, nodes) {
    assert(clients.outcomes.every((outcome) => outcome === 'accepted'));
    everywhere(nodes, clients.submitted);
  },
}));

trap((clients) => ({
  title: 'trap: a transaction that only one validator holds while the leader is otherwise busy',
  plan: { loadMs: 40, stormMs: 8_000 },
  script: all(
    keepBack(3),
    at(500, (world) => clients.submit(world, world.nodes[3]!, world.transaction())),
  ),
  happened: did('kept back'),
  holds: (_, nodes) => everywhere(nodes, clients.submitted),
}));

trap((clients) => ({
  title: 'K01, Q05: an executed transaction again, at once, after its checkpoint, after catch-up and after a restart',
  plan: { stormMs: 6_000 },
  script(world) {
    const one = world.transaction();
    const again = (index: number) => () => clients.submit(world, world.nodes[index]!, one);
    at(300, again(0))(world);
    at(301, isolate(3))(world);
    for (const ms of [310, 400, 600, 1_500]) for (const index of [0, 1, 2]) at(ms, again(index))(world);
    at(1_600, reunite)(world);
    at(3_400, again(3))(world);
    for (const index of [0, 1, 2, 3]) at(3_600, crash(index, true, 20))(world);
    for (const index of [0, 1, 2, 3]) at(4_600, again(index))(world);
  },
  happened: both(did('crashes'), (result) => result.stateTransfers > 0),
  holds(_, nodes) {
    const [first, ...more] = clients.outcomes;
    assert.deepEqual([first, [...new Set(more)]], ['accepted', ['known']]);
    everywhere(nodes, clients.submitted.slice(0, 1));
  },
}));

trap((clients) => ({
  title:
    'Q10, trap: hidden prepared batch against an `expired` answer: whoever is told expired never finds it executed',
  plan: { stormMs: 6_000, ...byzantine(['viewChangeLiar'], [2]) },
  script: all(
    at(200, (world) => clients.listen(world.nodes)),
    ...[350, 400, 450, 500, 600].map((ms) =>
      at(ms, (world) => {
        for (const node of world.nodes) clients.submit(world, node, world.transaction(1_500));
      }),
    ),
    // Prepared everywhere, committed at one that is cut off: the next view has to carry it, or not.
    hide(TAGS.commit, [3], 300, 900),
    at(900, isolate(3)),
    at(901, isolate(0)),
    // Known to nobody else before its time is over.
    at(1_000, (world) => clients.submit(world, world.nodes[3]!, world.transaction(900))),
    at(3_500, reunite),
    ...Array.from({ length: 26 }, (_, i) => at(1_000 + 200 * i, (world) => clients.ask(world))),
  ),
  happened: both(did('hidden'), left, () => clients.expired.length > 0 && clients.answers.length > 0),
  holds(_, nodes) {
    expiredStays(clients, nodes);
  },
  seeds: [1, 2, 3],
}));

trap((clients) => ({
  title: 'Q07: on an idle chain whose leader is silent, what waits with it still expires, by block time',
  plan: { loadMs: 0, stormMs: 9_000, ...byzantine(['silent']) },
  script: all(
    at(200, (world) => clients.listen(world.nodes)),
    // Too short for the view timeout: nobody can order it in time.
    at(300, (world) => clients.submit(world, world.nodes[1]!, world.transaction(300))),
  ),
  happened: both(left, () => clients.expired.length > 0),
  holds(_, nodes) {
    expiredStays(clients, nodes);
    for (const node of nodes.slice(1)) assert.equal(node.validator?.pool.size ?? 0, 0);
  },
}));

trap(() => {
  const ages: number[] = [];
  return {
    title: 'V17: on an idle chain the newest certificate everywhere is at most a heartbeat old, and the way of a block',
    plan: { loadMs: 0, stormMs: 20_000 },
    script(world) {
      for (let ms = 3_000; ms < 20_000; ms += 50) {
        at(ms, ({ nodes }) => {
          for (const node of nodes) ages.push(node.now().wall - node.validator!.state.stable!.checkpoint.timestamp);
        })(world);
      }
    },
    happened: () => ages.length > 1_000,
    holds() {
      const oldest = Math.max(...ages);
      assert(oldest > QUIET.parameters.heartbeatMs! - 100, `it was never idle: ${oldest} ms`);
      assert(oldest <= QUIET.parameters.heartbeatMs! + 150, `${oldest} ms`);
    },
  };
});

trap((clients) => ({
  title: 'Q04, T01, trap: clock at 2036 and back, at all nodes: block time stays, and the chain goes on in it',
  plan: { stormMs: 4_000, loadMs: 0 },
  script(world) {
    const ahead = Date.UTC(2036, 0, 1) - world.nodes[0]!.now().wall;
    at(500, setClocks(ahead))(world);
    at(600, (w) => clients.submit(w, w.nodes[1]!, w.transaction(ahead + 60_000)))(world);
    at(1_500, setClocks(0))(world);
    // By the wall clock it is valid for thirteen years, by the chain's for a minute.
    at(2_000, (w) => clients.submit(w, w.nodes[2]!, w.transaction(ahead + 60_000)))(world);
    // And this one ended long ago.
    at(
      2_100,
      (w) => void w.submit(w.nodes[2]!, w.transaction(60_000)).then((o) => assert.equal(o?.kind, 'refused')),
    )(world);
  },
  happened: () => clients.submitted.length >= 2,
  holds(_, nodes) {
    everywhere(nodes, clients.submitted);
    for (const { validator } of nodes) {
      assert(validator === undefined || validator.state.executed.timestamp >= Date.UTC(2036, 0, 1));
    }
  },
}));

trap((clients) => ({
  title: 'trap: one link down for an hour, then one crash elsewhere: the three go on without that link',
  plan: { stormMs: HOUR + 21_000, loadMs: 0, parameters: { ...QUIET.parameters, heartbeatMs: 60_000 } },
  script: all(
    at(200, (world) => cut(world, (from, to) => [from, to].every((one) => world.nodes.indexOf(one) < 2), true)),
    at(HOUR, (world) => {
      world.nodes[3]!.crash(true);
      world.faults.count('crashes');
    }),
    at(HOUR + 100, (world) => clients.submit(world, world.nodes[1]!, world.transaction())),
    at(HOUR + 20_000, (world) => everywhere(world.nodes.slice(0, 3), clients.submitted)),
  ),
  happened: both(did('cut'), did('crashes')),
  seeds: [1],
}));

trap((clients) => ({
  title: 'trap: link flapping at half the timeout with a dead leader: it is replaced all the same',
  plan: { stormMs: 8_000 },
  script(world) {
    at(400, ({ nodes, faults }) => {
      nodes[0]!.crash(true);
      faults.count('crashes');
    })(world);
    for (let ms = 450; ms < 7_500; ms += 250) {
      const flap = (ms - 450) % 500 === 0;
      at(ms, ({ network, nodes }) => {
        for (const [from, to] of [
          [nodes[1]!, nodes[2]!],
          [nodes[2]!, nodes[1]!],
        ] as const) {
          if (flap) network.block(from, to, true);
          else network.unblock(from, to);
        }
      })(world);
    }
    at(500, (w) => clients.submit(w, w.nodes[3]!, w.transaction()))(world);
    at(7_500, (w) => everywhere(w.nodes.slice(1), clients.submitted))(world);
  },
  happened: both(did('crashes'), left),
}));

trap((clients) => ({
  title: 'trap: one link blocked and the leader dead: what others pass on of each other is enough',
  plan: { stormMs: 12_000 },
  script: all(
    at(200, (world) => cut(world, (from, to) => from === world.nodes[1] && to === world.nodes[2], false)),
    at(600, (world) => {
      world.nodes[0]!.crash(true);
      world.faults.count('crashes');
    }),
    at(700, (world) => clients.submit(world, world.nodes[3]!, world.transaction())),
    at(11_900, (world) => everywhere(world.nodes.slice(1), clients.submitted)),
  ),
  happened: both(did('crashes'), left),
}));

traps.push(
  {
    title: 'trap: VIEW-CHANGEs for different targets with one member dead',
    plan: { stormMs: 5_000 },
    script: all(
      at(300, (world) => world.nodes[3]!.crash(true)),
      at(400, isolate(1)),
      at(1_500, isolate(2)),
      at(2_500, reunite),
      at(2_600, isolate(0)),
      at(3_500, reunite),
    ),
    happened: left,
  },
  {
    title: 'Q06, trap: CHECKPOINT sent, power cut before it is stable, on all nodes (and PREPAREs, and COMMITs)',
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
    title: 'Q15, trap: power cut between journal and LevelDB on all nodes',
    plan: { kinds: ['crashAll', 'crashAtPoint'] as FaultKind[], stormMs: 8_000 },
    happened: did('crashes'),
  },
);

testAttacks('traps', traps);
