import assert from 'node:assert/strict';
import { tryDecode } from '../../../ledger/codec.ts';
import type { Transaction } from '../../../ledger/transaction.ts';
import { type Message, messageCodec } from '../../../node/pbft/messages.ts';
import { messageFrame } from '../../../node/wire.ts';
import { TAGS, tagOf } from '../adversary.ts';
import {
  type Attack,
  all,
  at,
  both,
  byzantine,
  did,
  evidenceAgainst,
  isolate,
  left,
  QUIET,
  reunite,
  testAttacks,
  views,
} from '../attack.ts';
import type { ScriptWorld } from '../run.ts';

/** What the leader of view 0 proposes, changed for all and not signed again. */
function forgeProposals(change: (message: Proposal) => Message) {
  return (world: ScriptWorld): void => {
    const { corrupt } = world.network;
    world.network.corrupt = (from, to, frame) => {
      const decoded = tagOf(frame) === TAGS.prePrepare ? tryDecode(messageCodec, frame.subarray(1)) : undefined;
      if (from !== world.nodes[0] || !decoded?.ok || decoded.value.kind !== 'prePrepare')
        return corrupt(from, to, frame);
      world.faults.count('forged proposals');
      return [messageFrame(change(decoded.value))];
    };
  };
}

type Proposal = Extract<Message, { kind: 'prePrepare' }>;

/** L12: ten minutes under a leader that is slow as often as it leads. */
function slowLeader(): Attack {
  const MINUTES = 10;
  const bound = 15_000;
  const waiting = new Map<string, number>();
  let slowest = 0;
  let included = 0;
  let handOvers = 0;
  return {
    title:
      'L12: ten minutes with a leader that is slow, but never silent: inclusion stays bounded, with planned hand-overs',
    plan: {
      ...byzantine(['slow']),
      loadMs: 0,
      stormMs: MINUTES * 60_000,
      parameters: { ...QUIET.parameters, leaderTerm: 20 },
    },
    script(world) {
      waiting.clear();
      [slowest, included] = [0, 0];
      world.loop.after(300, function submit() {
        if (world.loop.now > MINUTES * 60_000 - 2 * bound) return;
        const transaction = world.transaction();
        const key = latin1(Uint8Array.of(5), transaction.id);
        world.submit(world.nodes[1]!, transaction).then(
          (outcome) => outcome?.kind === 'accepted' && waiting.set(key, world.loop.now),
          (error: unknown) => world.checker.fail('I20', String(error)),
        );
        world.loop.after(2_000, submit);
      });
      world.loop.after(400, function look() {
        for (const [key, since] of waiting) {
          if (!world.nodes[2]!.disk.rows.has(key)) continue;
          waiting.delete(key);
          included++;
          slowest = Math.max(slowest, world.loop.now - since);
        }
        if (world.loop.now < MINUTES * 60_000) world.loop.after(100, look);
      });
    },
    happened: both(did('slow'), (result) => {
      handOvers = result.viewChanges;
      return handOvers > 4;
    }),
    holds() {
      assert(included > 250, `${included} included`);
      assert.equal(waiting.size, 0, 'none is left out');
      assert(slowest < bound, `${Math.round(slowest)} ms until one was included`);
    },
    seeds: [1],
  };
}

/** L11: everything goes on, but one transaction that all have is never in a batch. */
function leavesOut(): Attack {
  let victim: Transaction | undefined;
  return {
    title: 'L11: a leader that leaves out one transaction, while all others go on, is replaced for its sake',
    plan: { scripted: new Map([[0, []]]), loadMs: 60, stormMs: 5_000 },
    script(world) {
      victim = undefined;
      at(500, () => {
        victim = world.transaction();
        for (const node of world.nodes.slice(1)) void world.submit(node, victim);
      })(world);
      // It hears nothing of it: neither the transaction nor an offer of its id reaches its pool.
      const { corrupt } = world.network;
      world.network.corrupt = (from, to, frame) => {
        const bytes = Buffer.from(frame);
        const about =
          victim !== undefined && (bytes.includes(Buffer.from(victim.bytes)) || bytes.includes(Buffer.from(victim.id)));
        if (to !== world.nodes[0] || !about || tagOf(frame) !== 0) return corrupt(from, to, frame);
        world.faults.count('left out');
        return [];
      };
    },
    happened: both(did('left out'), (result) =>
      result.log.some((line) => line.includes('"reason":"a transaction is left out"')),
    ),
    holds(_, nodes) {
      for (const node of nodes.slice(1)) {
        if (node.isUp()) assert(node.disk.rows.has(latin1(Uint8Array.of(5), victim!.id)), node.name);
        assert((node.validator?.state.view ?? 0) <= 2);
      }
    },
  };
}

function latin1(...parts: readonly Uint8Array[]): string {
  return Buffer.concat(parts).toString('latin1');
}

const LEADER: readonly Attack[] = [
  {
    title: 'L01: a leader that equivocates is replaced, and everybody holds both of its signed proposals',
    plan: byzantine(['equivocate']),
    happened: both(did('equivocate'), left, evidenceAgainst(0), (_, nodes) =>
      nodes.slice(1).every(({ validator }) => {
        const kept = validator?.state.evidence.get(0) ?? [];
        return kept.some((one) => one.kind === 'vote' && one.value.kind === 'prePrepare');
      }),
    ),
    holds(_, nodes) {
      for (const { validator } of nodes.slice(1)) {
        for (const one of validator?.state.evidence.get(0) ?? []) {
          assert(one.kind === 'vote');
          const { first, second } = one.value;
          assert.notDeepEqual([first.vote.digest, first.signature], [second.vote.digest, second.signature]);
          assert.equal(first.vote.height, second.vote.height);
        }
      }
    },
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
    title: 'L04: a proposal whose batch has another digest is refused by all, and its leader left',
    script: forgeProposals((message) => {
      const { value } = message;
      return { ...message, value: { ...value, batch: { ...value.batch, timestamp: value.batch.timestamp + 1 } } };
    }),
    plan: { scripted: new Map([[0, []]]) },
    happened: both(did('forged proposals'), left),
    holds: (_, nodes) => assert(nodes.slice(1).every(({ validator }) => (validator?.counters.blamed ?? 1) > 0)),
  },
  {
    title: 'L05: bodies withheld by the leader, junk from a second: they come from others, or the view changes',
    plan: {
      n: 7,
      scripted: new Map([
        [0, ['withhold']],
        [1, ['garbage']],
      ]),
    },
    happened: both(did('withhold'), did('garbage')),
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
    title: 'L10: a leader that orders only half of what it is given is replaced within f+1 changes',
    plan: byzantine(['censor']),
    happened: both(did('censor'), left),
    // I23: the next leader is honest, and orders all of them.
    holds: (_, nodes) => assert(nodes.every(({ validator }) => (validator?.state.view ?? 0) <= 2)),
  },
  leavesOut(),
  slowLeader(),
  {
    title: 'L13: a leader that orders only empty batches is replaced',
    plan: byzantine(['emptyBatches']),
    happened: both(did('emptyBatches'), left),
  },
  {
    title: 'L14, Q01: batches with what nobody can verify are never prepared',
    plan: byzantine(['invalidBatches']),
    happened: both(did('invalidBatches'), left),
    holds(_, nodes) {
      // I3 is checked by the runner over all blocks; here, that their leader leads no longer.
      assert(nodes.slice(1).every(({ validator }) => validator === undefined || validator.state.view > 0));
    },
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
    title: 'L27: a leader that forgets what it proposed (a copy of it proposes something else) is convicted',
    plan: { twins: [0] },
    happened: both(did('twins'), left, (_, nodes) =>
      nodes.some((node) => node.machine !== 0 && node.evidenceAgainst(0).length > 0),
    ),
    seeds: [3, 4, 5],
  },
  {
    title: 'L30: invalid content that is found out late leaves the next view free to order',
    plan: byzantine(['invalidBatches', 'wrongTimes', 'duplicates']),
    happened: both(left, (result) => result.transactions > 10),
  },
];

testAttacks('leader', LEADER);
