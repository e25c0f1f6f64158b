import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Context } from '../../ledger/application.ts';
import { toHex } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { GUESTS_MAX, OPEN_APPROVALS_MAX } from '../../ledger/limits.ts';
import { accountOf, accounts, administrators, expelled, organisations } from '../../ledger/modules/accounts.ts';
import { balances } from '../../ledger/modules/assets.ts';
import { type Change, proposalCodec, proposalId, proposals } from '../../ledger/modules/changes.ts';
import { describeChange } from '../../ledger/modules/describe-change.ts';
import type { GovernanceChange } from '../../ledger/modules/governance-change.ts';
import { guests, summary } from '../../ledger/modules/node-keys.ts';
import { GENESIS_ID, START, verdict } from '../support/execution.ts';
import { candidateOf, DECIDERS, decision, GovernanceChain, outcomeOf, validatorOf } from '../support/governance.ts';
import { memberKey, change as own } from '../support/members.ts';

const { admit, expel, observer, removeObserver, add, remove, rotate, parameters } = decision;

const hex = (name: string): string => toHex(memberKey(name));
const summaryOf = (chain: GovernanceChain) => chain.state.row(summary, ['current'])!;

function sendOwn(chain: GovernanceChain, by: string, organisation: string, change: Change): string {
  const proposal = { organisation, nonce: new Uint8Array(8), expires: START + 1_000_000, change };
  return verdict(chain.send(memberKey(by), 'members', 'approve', proposalCodec.toJson(proposal)));
}

const readerOf = ({ state }: GovernanceChain): Pick<Context, 'get' | 'has'> => ({
  get: (table, key) => state.row(table, key),
  has: (table, key) => state.row(table, key) !== undefined,
});

const transfer = (to: string, amount = '1'): Json => ({ asset: 'gold', to: hex(to), amount });

describe('organisations', () => {
  it('are admitted under a name and with administrators that nobody ever was', () => {
    const chain = new GovernanceChain();
    chain.decide(observer('w'));
    const table: readonly (readonly [what: string, change: GovernanceChange, expected: string])[] = [
      ['a name', admit('acme', 'h1'), 'name-taken'],
      ['an administrator', admit('hooli', 'a1'), 'key-taken'],
      ['an account', admit('hooli', 'ann'), 'key-taken'],
      ['a consensus key', admit('hooli', 'v0'), 'key-taken'],
      ['a peer key', admit('hooli', 'p0'), 'key-taken'],
      ['an observer', admit('hooli', 'h1', 'w'), 'key-taken'],
    ];
    for (const [what, change, expected] of table) assert.equal(chain.approve('g1', change), expected, what);
    const bad = admit('hooli', 'h1');
    assert(bad.kind === 'admit');
    const administration = { administrators: [new Uint8Array(32)], threshold: 1 };
    assert.equal(chain.approve('g1', { ...bad, value: { ...bad.value, administration } }), 'bad-key');
    assert.equal(chain.decide(admit('hooli', 'h1')), 'effective');
    assert.equal(chain.epoch.number, 0);
    const row = { administrators: [memberKey('h1')], threshold: 1, roles: ['writer'], changes: 0 };
    assert.deepEqual(chain.state.row(organisations, ['hooli']), row);
    assert.equal(sendOwn(chain, 'h1', 'hooli', own.enrol('hal', { roles: ['writer'] })), 'ok');
    // Five organisations: four decide.
    assert.equal(summaryOf(chain).organisations, 5);
    assert.deepEqual(
      DECIDERS.map((by) => chain.approve(by, observer('x'))),
      ['open', 'open', 'open', 'open'],
    );
    assert.equal(chain.approve('h1', observer('x')), 'effective');
  });

  it('are not expelled while they have validators, and only once', () => {
    const chain = new GovernanceChain();
    assert.equal(chain.approve('g1', expel('umbra')), 'has-validators');
    assert.equal(chain.approve('g1', expel('hooli')), 'no-such-organisation');
    assert.equal(chain.decide(remove('v3', 3)), 'effective');
    assert.equal(chain.decide(expel('umbra')), 'effective');
    assert.equal(chain.approve('g1', expel('umbra'), { nonce: 1 }), 'no-such-organisation');
    assert.equal(chain.approve('g1', admit('umbra', 'u9')), 'name-taken');
    assert.equal(chain.approve('g1', add(candidateOf('new'), 0)), 'no-such-organisation');
    assert.equal(chain.approve('g1', observer('w', 'umbra')), 'no-such-organisation');
    assert.deepEqual(chain.state.row(expelled, ['umbra']), { number: 2 });
    assert.equal(summaryOf(chain).organisations, 3);
  });

  it('K07: that are expelled can do nothing any more, nor their accounts, with what waits, in the same block', () => {
    const chain = new GovernanceChain(3);
    const umbra = (change: Change) => sendOwn(chain, 'u1', 'umbra', change);
    assert.equal(umbra(own.rotate('uma', 'uma 2')), 'ok');
    const call = chain.call('records', 'register', { key: 'a', digest: hex('a'), note: '' });
    const after = chain.call('records', 'register', { key: 'b', digest: hex('b'), note: '' });
    for (const by of ['a1', 'a2', 'g1']) chain.approve(by, expel('umbra'));
    const enrol = { organisation: 'umbra', nonce: new Uint8Array(8), expires: START + 9_000, change: own.enrol('zoe') };
    const { receipts } = chain.run([
      chain.transaction(memberKey('uma 2'), [call]),
      chain.approval('i1', expel('umbra')),
      chain.transaction(memberKey('uma 2'), [after]),
      chain.transaction(memberKey('uma'), [after]),
      chain.transaction(memberKey('u1'), [chain.call('members', 'approve', proposalCodec.toJson(enrol))]),
      chain.approval('u1', observer('w', 'acme')),
    ]);
    assert.deepEqual(receipts.map(outcomeOf), [
      'open',
      'effective',
      'not-permitted',
      'not-permitted',
      'not-permitted',
      'not-permitted',
    ]);
    // Their rows stay as they are, and the keys are theirs for ever.
    assert.equal(chain.state.row(accounts, [memberKey('uma 2')])?.active, true);
    assert.equal(chain.state.row(administrators, [memberKey('u1')]), undefined);
    for (const key of ['uma', 'uma 2']) {
      const found = accountOf(readerOf(chain), memberKey(key));
      assert.equal(found?.account.active, false);
      assert.equal(sendOwn(chain, 'g1', 'globex', own.enrol('new', { key })), 'key-taken');
    }
  });

  it('are paid nothing any more when they are expelled', () => {
    const chain = new GovernanceChain(
      3,
      {},
      {
        accounts: [
          { key: memberKey('ben'), name: 'ben', organisation: 'acme', roles: ['issuer'] },
          { key: memberKey('uma'), name: 'uma', organisation: 'umbra', roles: [] },
        ],
      },
    );
    assert.equal(verdict(chain.send(memberKey('ben'), 'assets', 'issue', transfer('uma', '5'))), 'ok');
    assert.equal(chain.decide(expel('umbra')), 'effective');
    assert.equal(verdict(chain.send(memberKey('ben'), 'assets', 'issue', transfer('uma'))), 'unknown-recipient');
    assert.equal(verdict(chain.send(memberKey('uma'), 'assets', 'transfer', transfer('ben'))), 'not-permitted');
    assert.deepEqual(chain.state.row(balances, [memberKey('uma'), 'gold']), { amount: 5n });
  });

  it('leave nothing open behind, however much that was: no approval, no observer, no candidate', () => {
    const keys = Array.from({ length: 64 }, (_, index) => `m${index}`);
    const chain = new GovernanceChain(
      3,
      {},
      {
        organisations: [
          { name: 'acme', administrators: [memberKey('a1')], threshold: 1, roles: [] },
          { name: 'globex', administrators: [memberKey('g1')], threshold: 1, roles: [] },
          { name: 'initech', administrators: [memberKey('i1')], threshold: 1, roles: [] },
          { name: 'umbra', administrators: keys.map(memberKey), threshold: 64, roles: [] },
        ],
        accounts: [],
      },
    );
    const decide = (change: GovernanceChange) => ['a1', 'g1', 'i1'].map((by) => chain.approve(by, change)).at(-1);
    decide(observer('w', 'umbra'));
    decide(observer('x', 'acme'));
    assert.equal(decide(add(candidateOf('new'))), 'passed');
    const open = keys.map((by, index) =>
      Array.from({ length: OPEN_APPROVALS_MAX }, (_, at) => {
        const nonce = new Uint8Array(8);
        nonce[7] = at;
        nonce[6] = index;
        const proposal = { organisation: 'umbra', nonce, expires: START + 9_000_000, change: own.enrol('zoe') };
        const args = proposalCodec.toJson(proposal);
        return {
          id: proposalId(proposal),
          sent: chain.transaction(memberKey(by), [chain.call('members', 'approve', args)]),
        };
      }),
    );
    for (const one of open) chain.run(one.map(({ sent }) => sent));
    for (const by of keys) chain.approve(by, observer('y', 'acme'));
    assert.equal(chain.state.row(administrators, [memberKey('m63')])?.open.length, OPEN_APPROVALS_MAX);
    // The limits of one transaction allow all of it.
    assert.equal(decide(expel('umbra')), 'effective');
    for (const { id } of open.flat()) assert.equal(chain.state.row(proposals, [id]), undefined);
    for (const by of keys) assert.equal(chain.state.row(administrators, [memberKey(by)]), undefined);
    assert.deepEqual(summaryOf(chain).guests, [memberKey('x')]);
    assert.equal(chain.state.row(guests, [memberKey('peer of new')]), undefined);
    const change = add(candidateOf('new'));
    const args = chain.activation(change).body.calls;
    const { receipts } = chain.run([chain.transaction(memberKey('a1'), args)]);
    assert.equal(verdict(receipts[0]!), 'no-such-organisation');
    // The three that are left are all there are, and what umbra has said counts no more.
    assert.deepEqual(
      ['a1', 'g1', 'i1'].map((by) => chain.approve(by, observer('y', 'acme'))),
      ['open', 'open', 'effective'],
    );
  });
});

describe('observers', () => {
  it('are admitted under a key that is nobody else’s, and removed', () => {
    const chain = new GovernanceChain();
    for (const key of ['ann', 'a1', 'v0', 'p0'])
      assert.equal(chain.approve('g1', observer('w', 'acme', key)), 'key-taken');
    assert.equal(chain.decide(observer('w')), 'effective');
    assert.deepEqual(chain.state.row(guests, [memberKey('w')]), {
      name: 'w',
      organisation: 'umbra',
      kind: 'observer',
      until: 0,
    });
    assert.equal(chain.approve('g1', observer('x', 'acme', 'w')), 'key-taken');
    assert.equal(sendOwn(chain, 'g1', 'globex', own.enrol('w')), 'key-taken');
    assert.equal(chain.decide(removeObserver('w')), 'effective');
    assert.equal(chain.approve('g1', removeObserver('w'), { nonce: 1 }), 'no-such-observer');
    assert.deepEqual(summaryOf(chain).guests, []);
    assert.equal(sendOwn(chain, 'i1', 'initech', own.enrol('w')), 'ok');
  });

  it('and candidates are bounded; candidates whose time is over make room', () => {
    const chain = new GovernanceChain();
    const expires = START + 1_000_000;
    assert.equal(chain.decide(add(candidateOf('new')), { expires }), 'passed');
    for (let i = 1; i < GUESTS_MAX; i++) assert.equal(chain.decide(observer(`w${i}`)), 'effective');
    assert.equal(chain.decide(observer('one more')), 'too-many-guests');
    assert.equal(chain.decide(add(candidateOf('other'))), 'too-many-guests');
    chain.timestamp = expires;
    assert.equal(chain.approve('i1', observer('one more')), 'effective');
    assert.equal(summaryOf(chain).guests.length, GUESTS_MAX);
    assert.equal(chain.state.row(guests, [memberKey('peer of new')]), undefined);
  });
});

describe('keys of nodes', () => {
  it('E4: that ever were in a set, and peer keys of now, are of no account and no administrator', () => {
    const chain = new GovernanceChain();
    assert.equal(
      chain.approve('g1', rotate(validatorOf(1), 'v1 next', { peerKey: memberKey('p1 next') })),
      'effective',
    );
    assert.equal(chain.decide(add(candidateOf('new'))), 'passed');
    for (const [key, expected] of [
      ['v0', 'key-taken'],
      ['v1', 'key-taken'],
      ['v1 next', 'key-taken'],
      ['p1 next', 'key-taken'],
      ['peer of new', 'key-taken'],
      ['p1', 'ok'],
    ] as const) {
      assert.equal(sendOwn(chain, 'i1', 'initech', own.enrol('x', { key })), expected, key);
      const both = own.administrators(1, 'u1', key);
      assert.equal(sendOwn(chain, 'u1', 'umbra', both), 'key-taken', key);
    }
  });
});

describe('a dry run', () => {
  const describing = (chain: GovernanceChain, change: GovernanceChange, organisation = 'globex') => {
    const before = new Map(chain.state.rows);
    const block = { height: chain.height + 1, time: chain.timestamp + 10, genesisId: GENESIS_ID, organisation };
    const told = describeChange(chain.state, change, block);
    assert.deepEqual(chain.state.rows, before);
    return told;
  };

  it('says what a change would do to n, f and quorum', () => {
    const chain = new GovernanceChain(4);
    const four = { n: 4, f: 1, quorum: 3 };
    const same = { parameters: [], limits: undefined, problem: undefined, detail: undefined };
    assert.deepEqual(describing(chain, remove('v0', 3)), { before: four, after: { n: 3, f: 0, quorum: 2 }, ...same });
    assert.deepEqual(describing(chain, add(candidateOf('new'))), {
      before: four,
      after: { n: 5, f: 1, quorum: 4 },
      ...same,
    });
    assert.deepEqual(describing(chain, observer('w')), { before: four, after: four, ...same });
    assert.deepEqual(describing(chain, rotate(validatorOf(1), 'next')), { before: four, after: four, ...same });
  });

  it('names each parameter that would be another one', () => {
    const chain = new GovernanceChain();
    const told = describing(chain, parameters(chain, { window: 16, application: 'other' }));
    assert.deepEqual(told.parameters, [
      { name: 'application', old: 'quorate', new: 'other' },
      { name: 'window', old: 8, new: 16 },
    ]);
    assert.equal(told.problem, undefined);
  });

  it('says with which code it would fail now, and in words if a parameter is the reason', () => {
    const chain = new GovernanceChain();
    const { problem, detail, after } = describing(chain, remove('v0'));
    assert.deepEqual([problem, detail, after.n], ['size-not-named', undefined, 3]);
    const bad = describing(chain, parameters(chain, { writesMax: 5 }));
    assert.equal(bad.problem, 'bad-parameters');
    assert.equal(bad.detail, 'writesMax is 5, governance itself needs 10000');
    assert.equal(describing(chain, rotate(validatorOf(1), 'next'), 'acme').problem, 'other-organisation');
    assert.equal(describing(chain, parameters(chain, {})).problem, 'no-change');
    // The same as what comes of it.
    for (const change of [add(candidateOf('v1')), expel('umbra'), removeObserver('w'), admit('acme', 'x')])
      assert.equal(describing(chain, change).problem, chain.approve('g1', change));
  });
});
