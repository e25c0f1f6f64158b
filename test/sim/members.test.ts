import assert from 'node:assert/strict';
import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import type { RoleLimits } from '../../ledger/modules/account-limits.ts';
import type { Change } from '../../ledger/modules/changes.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import { idKey } from '../../node/id-key.ts';
import { START_TIME } from '../support/genesis.ts';
import { decision, proposalOf } from '../support/governance.ts';
import { approvalOf, change, hexKey } from '../support/members.ts';
import { TAGS } from './adversary.ts';
import { type Attack, all, at, both, crash, did, hide, left, testAttacks } from './attack.ts';
import { Administrators } from './governance.ts';
import type { SimNode } from './node.ts';
import type { ScriptWorld } from './run.ts';
import { hasExecuted, receiptOf } from './stored.ts';

/** What administrators and accounts of one run send, and what became of it. */
class Actors {
  readonly sent = new Map<string, Transaction[]>();
  /** `label: outcome` of each node that was asked. */
  readonly outcomes: string[] = [];
  #nonce = 50_000;

  /** Signed at the moment, by the administrator of org0. */
  change(world: ScriptWorld, node: number, label: string, one: Change): void {
    const signer = signerOf(world, 'admin org0');
    this.#submit(world, node, label, approvalOf(world.chain, 'org0', one, { nonce: this.#nonce++, signer }));
  }

  /** Decided by all organisations: of accounts without a role. */
  limit(world: ScriptWorld, node: number, limits: RoleLimits): void {
    const validUntil = START_TIME + 600_000;
    const organisations = world.chain.genesis.organisations.map(({ name }) => name);
    const proposal = proposalOf(decision.limits('*', limits), { expires: validUntil });
    for (const one of new Administrators(world.chain).approvals(proposal, organisations, validUntil))
      this.#submit(world, node, 'limits', one);
  }

  pay(world: ScriptWorld, node: number, label: string, by: string, action = 'transfer', amount = 1): void {
    const args: Json = { asset: 'gold', to: hexKey(action === 'issue' ? 'alice' : 'bob'), amount: String(amount) };
    const options = { nonce: this.#nonce++, signer: signerOf(world, by) };
    this.#submit(world, node, label, world.chain.sign(by, 'assets', action, args, options));
  }

  /** How many nodes hold it as pending. */
  waiting(world: ScriptWorld, label: string): number {
    const keys = this.of(label).map(({ id }) => idKey(id));
    return world.nodes.filter(({ validator }) => keys.every((key) => validator?.pool.has(key))).length;
  }

  of(label: string): readonly Transaction[] {
    return this.sent.get(label) ?? [];
  }

  /** `ok`, or the code of the failed receipt, of each transaction; the same at every node that executed its block. */
  verdicts(nodes: readonly SimNode[], label: string): string[] {
    return this.of(label).map(({ id }) => {
      const found = new Set<string>();
      for (const node of nodes) {
        assert(!node.isUp() || hasExecuted(node, toHex(id)), `${node.name} has not executed ${label}`);
        const receipt = receiptOf(node, toHex(id));
        if (receipt !== undefined) found.add(receipt.status === 'ok' ? 'ok' : receipt.code);
      }
      assert.equal(found.size, 1, `${label}: ${[...found]}`);
      return [...found][0]!;
    });
  }

  reset(): void {
    this.sent.clear();
    this.outcomes.splice(0);
    this.#nonce = 50_000;
  }

  #submit(world: ScriptWorld, node: number, label: string, transaction: Transaction): void {
    const to = world.nodes[node]!;
    world.submit(to, transaction).then(
      (outcome) => {
        this.outcomes.push(`${label}: ${outcome?.kind === 'refused' ? outcome.code : (outcome?.kind ?? 'down')}`);
        if (outcome?.kind === 'accepted') this.sent.set(label, [...this.of(label), transaction]);
      },
      (error: unknown) => world.checker.fail('I20', String(error)),
    );
  }
}

function signerOf({ chain }: ScriptWorld, name: string) {
  return chain.crypto.signer(sha256(utf8Encode(name)));
}

const ALL = [0, 1, 2, 3];
const attacks: Attack[] = [];
const attack = (make: (actors: Actors) => Attack): void => {
  const actors = new Actors();
  const { script, ...rest } = make(actors);
  attacks.push({
    ...rest,
    script(world) {
      actors.reset();
      script?.(world);
    },
  });
};

attack((actors) => {
  const failed: string[] = [];
  return {
    title: 'K07: what a revoked account had waiting in four mempools fails the same way everywhere, also with crashes',
    plan: { stormMs: 9_000 },
    script: all(
      at(100, (world) => actors.pay(world, 0, 'issue', 'issuer', 'issue', 1_000)),
      // Nothing is ordered for a while, through changes of the leader.
      hide(TAGS.prePrepare, [], 400, 2_600),
      at(450, (world) => actors.change(world, 1, 'revocation', change.revoke('alice'))),
      ...ALL.map((node) => at(600 + 40 * node, (world) => actors.pay(world, node, 'waiting', 'alice'))),
      ...ALL.map((node) => at(620 + 40 * node, (world) => actors.pay(world, node, 'waiting', 'alice'))),
      at(1_400, (world) => {
        assert.equal(actors.of('waiting').length, 8);
        if (actors.waiting(world, 'waiting') === 4 && actors.waiting(world, 'revocation') === 4)
          world.faults.count('waiting everywhere');
      }),
      // Pools are lost in these, those of the others bring it all back.
      at(1_450, crash(2, true, 30)),
      at(1_700, crash(3, true, 600)),
      at(3_000, crash(0, false, 200)),
      at(3_000, crash(1, true, 200)),
      ...ALL.map((node) => at(8_000, (world) => actors.pay(world, node, 'late', 'alice'))),
      ...ALL.map((node) => at(8_000, (world) => actors.pay(world, node, 'others', 'bob'))),
    ),
    happened: both(did('waiting everywhere'), did('hidden'), did('crashes'), left, () => failed.length > 0),
    holds(_, nodes) {
      assert.deepEqual(actors.verdicts(nodes, 'issue'), ['ok']);
      assert.deepEqual(actors.verdicts(nodes, 'revocation'), ['ok']);
      for (const verdict of actors.verdicts(nodes, 'waiting')) {
        assert(['ok', 'not-permitted'].includes(verdict), verdict);
        if (verdict !== 'ok') failed.push(verdict);
      }
      // At the door it is refused at every node, the restarted ones too.
      for (const [label, expected] of [
        ['late', 'not-permitted'],
        ['others', 'accepted'],
      ]) {
        const outcomes = actors.outcomes.filter((one) => one.startsWith(`${label}: `));
        assert.deepEqual(
          outcomes,
          ALL.map(() => `${label}: ${expected}`),
        );
      }
    },
    seeds: [1, 2, 3],
  };
});

attack((actors) => ({
  title:
    'K07: a new account sends at every node at once; rotated, its old key nowhere; also at a node that took a snapshot',
  plan: { stormMs: 9_000 },
  script: all(
    at(150, (world) => world.nodes[3]!.crash(false)),
    at(150, ({ faults }) => faults.count('crashes')),
    at(300, (world) => actors.pay(world, 0, 'before', 'zoe')),
    at(400, (world) => actors.change(world, 1, 'enrolment', change.enrol('zoe'))),
    ...[0, 1, 2].map((node) => at(900, (world) => actors.pay(world, node, 'enrolled', 'zoe'))),
    at(1_500, (world) => actors.change(world, 2, 'rotation', change.rotate('zoe', 'zoe 2'))),
    at(1_900, (world) => actors.change(world, 2, 'hand-over', change.administrators(1, 'next admin'))),
    at(5_000, (world) => world.nodes[3]!.start()),
    ...ALL.map((node) => at(8_000, (world) => actors.pay(world, node, 'old key', 'zoe'))),
    ...ALL.map((node) => at(8_000, (world) => actors.pay(world, node, 'new key', 'zoe 2'))),
    ...ALL.map((node) => at(8_000, (world) => actors.change(world, node, 'old administrator', change.revoke('bob')))),
  ),
  happened: both(did('crashes'), (result) => result.snapshots > 0),
  holds(_, nodes) {
    for (const label of ['enrolment', 'rotation', 'hand-over'])
      assert.deepEqual(actors.verdicts(nodes, label), ['ok'], label);
    // It has nothing to give: what counts is that it was let in.
    assert.deepEqual(
      actors.verdicts(nodes, 'enrolled'),
      [0, 1, 2].map(() => 'insufficient-balance'),
    );
    const expected = [
      'before: not-permitted',
      ...[0, 1, 2].map(() => 'enrolled: accepted'),
      ...ALL.flatMap(() => ['old key: not-permitted', 'new key: accepted', 'old administrator: not-permitted']),
    ];
    const outcomes = actors.outcomes.filter((one) => !/^(enrolment|rotation|hand-over)/.test(one));
    assert.deepEqual(outcomes.toSorted(), expected.toSorted());
  },
  seeds: [1, 2],
}));

attack((actors) => {
  /** What became of those with this label: counted. */
  const counts = (label: string) => {
    const found: Record<string, number> = {};
    for (const one of actors.outcomes) {
      const [of, outcome] = one.split(': ') as [string, string];
      if (of === label) found[outcome] = (found[outcome] ?? 0) + 1;
    }
    return found;
  };
  const flood = (node: number, label: string, by: string, count: number) => (world: ScriptWorld) => {
    for (let i = 0; i < count; i++) actors.pay(world, node, label, by);
  };
  return {
    title: 'T9: limits of a role hold for an account at each node, for its next key too, and after a restart',
    plan: { stormMs: 9_000 },
    script: all(
      at(100, (world) => actors.limit(world, 0, { pending: 7, perSecond: 1, burst: 10 })),
      at(1_500, flood(1, 'flood', 'alice', 30)),
      at(1_510, flood(1, 'beside it', 'bob', 3)),
      at(2_500, flood(1, 'executed since', 'alice', 30)),
      at(2_600, (world) => actors.change(world, 0, 'rotation', change.rotate('alice', 'alice 2'))),
      at(4_000, flood(1, 'next key', 'alice 2', 30)),
      at(4_000, flood(2, 'elsewhere', 'alice 2', 30)),
      at(4_490, flood(1, 'before the crash', 'bob', 7)),
      at(4_500, crash(1, true, 300)),
      at(8_000, flood(1, 'after the crash', 'bob', 30)),
      at(8_000, flood(1, 'key after the crash', 'alice 2', 30)),
    ),
    happened: did('crashes'),
    holds() {
      assert.deepEqual(counts('limits'), { accepted: 4 });
      assert.deepEqual(counts('flood'), { accepted: 7, 'too-many-pending': 23 });
      assert.deepEqual(counts('beside it'), { accepted: 3 });
      // Three of the burst were left, and one second has passed.
      assert.deepEqual(counts('executed since'), { accepted: 4, 'too-fast': 26 });
      assert.deepEqual(counts('next key'), { accepted: 1, 'too-fast': 29 });
      assert.deepEqual(counts('elsewhere'), { accepted: 7, 'too-many-pending': 23 });
      assert.deepEqual(counts('before the crash'), { accepted: 7 });
      // The rows are read again; what was pending, and how fast it came, was in memory.
      for (const label of ['after the crash', 'key after the crash'])
        assert.deepEqual(counts(label), { accepted: 7, 'too-many-pending': 23 }, label);
    },
    seeds: [1, 2],
  };
});

testAttacks('membership', attacks);
