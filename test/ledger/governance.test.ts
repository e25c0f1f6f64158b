import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { equalBytes, toHex, utf8Encode } from '../../ledger/bytes.ts';
import { decode, type Json } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import {
  GOVERNANCE_APPROVALS_MAX,
  OPEN_APPROVALS_MAX,
  ORGANISATIONS_MAX,
  PROPOSAL_LIFETIME_MAX_MS,
} from '../../ledger/limits.ts';
import { administrators } from '../../ledger/modules/accounts.ts';
import { type Change, proposalCodec } from '../../ledger/modules/changes.ts';
import { PREVIOUS, parametersTable, readEpoch } from '../../ledger/modules/epoch.ts';
import { governance } from '../../ledger/modules/governance.ts';
import {
  governanceHistory,
  governanceProposalCodec,
  governanceProposals,
} from '../../ledger/modules/governance-change.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { summary } from '../../ledger/modules/node-keys.ts';
import type { Parameters } from '../../ledger/parameters.ts';
import { START, verdict } from '../support/execution.ts';
import {
  candidateOf,
  decision,
  GovernanceChain,
  idOf,
  outcomeOf,
  proposalOf,
  validatorOf,
} from '../support/governance.ts';
import { memberKey, change as ownChange } from '../support/members.ts';

const { parameters, observer, add, rotate, expel } = decision;

/** An administrator of acme changes its organisation, two of three together. */
function inAcme(chain: GovernanceChain, change: Change): void {
  const proposal = { organisation: 'acme', nonce: new Uint8Array(8), expires: START + 86_400_000, change };
  for (const by of ['a1', 'a2'])
    assert.equal(verdict(chain.send(memberKey(by), 'members', 'approve', proposalCodec.toJson(proposal))), 'ok');
}

describe('a decision of the organisations', () => {
  it('takes more than two thirds of them, each by its threshold', () => {
    const chain = new GovernanceChain();
    const change = observer('watcher');
    for (const [by, expected] of [
      ['a1', 'open'],
      ['g1', 'open'],
      ['i1', 'open'],
      // acme has one of the two that it needs, so two of three.
      ['a3', 'effective'],
    ] as const)
      assert.equal(chain.approve(by, change), expected, by);
    const [three, two] = [chain.height, summaryOf(chain)];
    assert.deepEqual([two.changes, three], [1, 4]);
  });

  it('counts organisations: two of three are not more than two thirds, one of one is', () => {
    for (const [count, needed] of [
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 3],
      [6, 5],
      [7, 5],
    ] as const) {
      const names = Array.from({ length: count }, (_, index) => `o${index}`);
      const chain = new GovernanceChain(
        1,
        {},
        {
          organisations: names.map((name) => ({
            name,
            administrators: [memberKey(`of ${name}`)],
            threshold: 1,
            roles: [],
          })),
          validators: [{ ...validatorOf(0), organisation: 'o0' }],
          accounts: [],
        },
      );
      const outcomes = names.slice(0, needed).map((name) => chain.approve(`of ${name}`, observer('w', 'o0')));
      assert.deepEqual(outcomes, [...Array<string>(needed - 1).fill('open'), 'effective'], `of ${count}`);
    }
  });

  it('can be taken by as many organisations as there may be, within the limits of a transaction', () => {
    const names = Array.from({ length: ORGANISATIONS_MAX }, (_, index) => `organisation ${index}`);
    const keyOf = (name: string) => sha256(utf8Encode(name));
    const organisations = names.map((name) => ({ name, administrators: [keyOf(name)], threshold: 1, roles: [] }));
    const validators = [{ ...validatorOf(0), organisation: names[0]! }];
    const chain = new GovernanceChain(1, {}, { organisations, validators, accounts: [] });
    const args = governanceProposalCodec.toJson(proposalOf(observer('w', names[0])));
    const call = chain.call('governance', 'approve', args);
    const { receipts } = chain.run(names.slice(0, 683).map((name) => chain.transaction(keyOf(name), [call])));
    assert.deepEqual(receipts.map(outcomeOf), [...Array<string>(682).fill('open'), 'effective']);
    const one = decision.admit('one more', 'h1');
    const more = chain.call('governance', 'approve', governanceProposalCodec.toJson(proposalOf(one)));
    const refused = chain.run([chain.transaction(keyOf(names[0]!), [more])]).receipts[0]!;
    assert.equal(outcomeOf(refused), 'too-many-organisations');
  });

  it('holds a bounded number of approvals', () => {
    const keyOf = (name: string, at: number) => sha256(utf8Encode(`${at} of ${name}`));
    const names = Array.from({ length: 20 }, (_, index) => `organisation ${index}`);
    const administrators = (name: string) => Array.from({ length: 64 }, (_, at) => keyOf(name, at));
    const organisations = names.map((name) => ({
      name,
      administrators: administrators(name),
      threshold: 64,
      roles: [],
    }));
    const validators = [{ ...validatorOf(0), organisation: names[0]! }];
    const chain = new GovernanceChain(1, {}, { organisations, validators, accounts: [] });
    const call = chain.call('governance', 'approve', governanceProposalCodec.toJson(proposalOf(expel(names[1]!))));
    const keys = names.flatMap(administrators).slice(0, GOVERNANCE_APPROVALS_MAX + 1);
    const outcomes = chain.run(keys.map((key) => chain.transaction(key, [call]))).receipts.map(outcomeOf);
    assert.equal(outcomes.pop(), 'too-many-approvals');
    assert.deepEqual(new Set(outcomes), new Set(['open']));
  });

  it('is by administrators, and says what came of each approval', () => {
    const chain = new GovernanceChain();
    const change = observer('watcher');
    for (const by of ['ann', 'v0', 'nobody']) assert.equal(chain.approve(by, change), 'not-permitted', by);
    const args = chain.approval('g2', change);
    const [event] = chain.run([args]).receipts[0]!.events;
    assert.deepEqual(decode(governance.events.approved, event!.data), {
      proposal: idOf(change),
      organisation: 'globex',
      by: memberKey('g2'),
      approvals: 1,
      threshold: 1,
      organisations: 1,
      needed: 3,
    });
    assert.equal(chain.approve('g2', change), 'already-approved');
    // Its organisation has said so; another place of the list is of no use to anybody.
    assert.equal(chain.approve('g1', change), 'organisation-approved');
    assert.deepEqual(chain.state.row(administrators, [memberKey('g2')])?.votes, [idOf(change)]);
  });

  it('is numbered without a gap, with who approved it, and ends what was open of it', () => {
    const chain = new GovernanceChain();
    for (const [index, name] of ['w1', 'w2', 'w3'].entries()) {
      assert.equal(chain.decide(observer(name)), 'effective');
      const number = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, index + 1);
      const row = chain.state.row(governanceHistory, [number])!;
      assert.deepEqual(row.proposal, proposalOf(observer(name)));
      assert.deepEqual(
        row.approvals.map(({ organisation }) => organisation),
        ['acme', 'acme', 'globex', 'initech'],
      );
      assert.deepEqual([row.height, row.time], [chain.height, chain.timestamp]);
      assert(equalBytes(row.by, memberKey('i1')));
      const known = chain.state.row(governanceProposals, [idOf(observer(name))]);
      assert.deepEqual(known, { kind: 'effective', value: { number: index + 1 } });
    }
    assert.equal(summaryOf(chain).changes, 3);
    for (const by of ['a1', 'a2', 'g1', 'i1'])
      assert.deepEqual(chain.state.row(administrators, [memberKey(by)])?.votes, [], by);
    assert.equal(chain.approve('u1', observer('w1')), 'already-effective');
  });

  it('can be approved up to its block time, and not too far ahead', () => {
    for (const [late, expected] of [
      [0, 'effective'],
      [1, 'expired'],
    ] as const) {
      const chain = new GovernanceChain();
      const options = { expires: START + 5_000 };
      for (const by of ['a1', 'a2', 'g1']) chain.approve(by, observer('w'), options);
      chain.timestamp = options.expires - 10 + late;
      assert.equal(chain.approve('i1', observer('w'), options), expected);
    }
    const chain = new GovernanceChain();
    const expires = chain.timestamp + 10 + PROPOSAL_LIFETIME_MAX_MS;
    assert.equal(chain.approve('g1', observer('w'), { expires: expires + 1 }), 'expiry-too-far');
    assert.equal(chain.approve('g1', observer('w'), { expires: expires + 10 }), 'open');
  });

  it('can be taken back until it is decided', () => {
    const chain = new GovernanceChain();
    const change = observer('w');
    assert.equal(chain.retract('g1', change), 'not-approved');
    chain.approve('g1', change);
    assert.deepEqual([chain.retract('g2', change), chain.retract('ann', change)], ['not-approved', 'not-permitted']);
    assert.equal(chain.retract('g1', change), 'ok');
    assert.equal(chain.state.row(governanceProposals, [idOf(change)]), undefined);
    assert.deepEqual(chain.state.row(administrators, [memberKey('g1')])?.votes, []);
    for (const [by, expected] of [
      ['a1', 'open'],
      ['a2', 'open'],
      ['i1', 'open'],
    ] as const)
      assert.equal(chain.approve(by, change), expected);
    assert.equal(chain.retract('a1', change), 'ok');
    // acme is one short again.
    assert.equal(chain.approve('g1', change), 'open');
    assert.equal(chain.approve('a3', change), 'effective');
    assert.equal(chain.retract('a3', change), 'not-approved');
    const addition = add(candidateOf('new'));
    assert.equal(chain.decide(addition), 'passed');
    assert.deepEqual(
      [chain.retract('g1', addition), chain.approve('u1', addition)],
      ['already-passed', 'already-passed'],
    );
  });

  it('is open at most so many times for each administrator; what is over makes room', () => {
    const chain = new GovernanceChain();
    const expires = START + 100_000;
    for (let nonce = 0; nonce < OPEN_APPROVALS_MAX; nonce++)
      assert.equal(chain.approve('g1', observer('w'), { nonce, expires }), 'open');
    assert.equal(chain.approve('g1', observer('v')), 'too-many-open');
    assert.equal(chain.approve('g2', observer('v')), 'open');
    // Those of its own organisation have other places.
    const proposal = { organisation: 'globex', nonce: new Uint8Array(8), expires, change: ownChange.enrol('zoe') };
    assert.equal(verdict(chain.send(memberKey('g1'), 'members', 'approve', proposalCodec.toJson(proposal))), 'ok');
    chain.timestamp = expires;
    assert.equal(chain.approve('g1', observer('u')), 'open');
    assert.equal(chain.state.row(governanceProposals, [idOf(observer('w'), { nonce: 3, expires })]), undefined);
    assert.deepEqual(chain.state.row(administrators, [memberKey('g1')])?.votes, [idOf(observer('u'))]);
  });

  it('refuses what is none by its bytes alone, so that it is never ordered', () => {
    const chain = new GovernanceChain();
    const one = candidateOf('new');
    const json = { name: 'new', organisation: 'acme', key: toHex(one.key), peerKey: toHex(one.peerKey) };
    const set = (add: readonly Json[], remove: readonly string[] = []): Json => ({
      kind: 'validators',
      value: { add, remove, shrinksTo: 0 },
    });
    const administration = { administrators: [json.key, json.key], threshold: 1 };
    const bad: readonly [what: string, change: Json, problem: RegExp][] = [
      ['a key twice', set([json, { ...json, name: 'b', peerKey: toHex(memberKey('p')) }]), /each key once/],
      ['a peer key twice', set([json, { ...json, name: 'b', key: toHex(memberKey('p')) }]), /each key once/],
      ['removed and added', set([json], [json.key]), /each key once/],
      ['removed twice', set([], [json.key, json.key]), /each key once/],
      ['one key for two uses', set([{ ...json, peerKey: json.key }]), /each key once/],
      ['a name twice', set([json, { ...json, key: hex('x'), peerKey: hex('y') }]), /each name once/],
      ['a name', set([{ ...json, name: 'a  b' }]), /visible characters/],
      ['an organisation', { kind: 'expel', value: { organisation: ' ' } }, /visible characters/],
      ['an administrator twice', { kind: 'admit', value: { name: 'x', administration, roles: [] } }, /each key once/],
    ];
    for (const [what, change, problem] of bad) {
      const args = { nonce: '0x0000000000000000', expires: START, change };
      const read = quorateApplication.argsFromJson('governance', 'approve', args);
      assert(!read.ok, what);
      assert.match(read.problem, problem, what);
    }
    assert.equal(chain.height, 0);
  });
});

const hex = (name: string): string => toHex(memberKey(name));
const summaryOf = (chain: GovernanceChain) => chain.state.row(summary, ['current'])!;

describe('approvals count by the rows of now', () => {
  it('K07: those of an administrator that was removed since do not, nor when it comes back', () => {
    const chain = new GovernanceChain();
    const change = observer('w');
    for (const by of ['a1', 'a3', 'g1']) assert.equal(chain.approve(by, change), 'open');
    inAcme(chain, ownChange.administrators(2, 'a1', 'a2'));
    // acme has a1 only, so two organisations of four.
    assert.equal(chain.approve('i1', change), 'open');
    inAcme(chain, ownChange.administrators(2, 'a1', 'a2', 'a3'));
    assert.equal(chain.approve('u1', change), 'effective', 'globex, initech and umbra');
    const { approvals } = chain.state.row(governanceHistory, [Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1)])!;
    assert.deepEqual(
      approvals.map(({ administrator }) => toHex(administrator)),
      ['a1', 'g1', 'i1', 'u1'].map(hex),
    );
  });

  it('K07: whoever stays an administrator has still approved', () => {
    const chain = new GovernanceChain();
    const change = observer('w');
    for (const by of ['a1', 'g1', 'i1']) assert.equal(chain.approve(by, change), 'open');
    inAcme(chain, ownChange.administrators(2, 'a1', 'a4'));
    assert.deepEqual(chain.state.row(administrators, [memberKey('a1')])?.votes, [idOf(change)]);
    assert.equal(chain.approve('a4', change), 'effective');
  });

  it('K07: a higher threshold takes an approval back, a lower one gives it', () => {
    const chain = new GovernanceChain();
    const change = observer('w');
    for (const by of ['a1', 'a2', 'g1']) assert.equal(chain.approve(by, change), 'open');
    inAcme(chain, ownChange.administrators(3, 'a1', 'a2', 'a3'));
    assert.equal(chain.approve('i1', change), 'open');
    assert.equal(chain.approve('a3', change), 'effective');
    const other = new GovernanceChain();
    for (const by of ['a1', 'g1']) assert.equal(other.approve(by, change), 'open');
    inAcme(other, ownChange.administrators(1, 'a1', 'a2', 'a3'));
    assert.equal(other.approve('i1', change), 'effective');
  });

  it('K07: in the block in which its key is taken away, an approval behind that fails', () => {
    const chain = new GovernanceChain();
    const proposal = {
      organisation: 'globex',
      nonce: new Uint8Array(8),
      expires: START + 1_000_000,
      change: ownChange.administrators(1, 'g1'),
    };
    const own = chain.call('members', 'approve', proposalCodec.toJson(proposal));
    const { receipts } = chain.run([
      chain.approval('g2', observer('before')),
      chain.transaction(memberKey('g1'), [own]),
      chain.approval('g2', observer('behind')),
    ]);
    assert.deepEqual(receipts.map(outcomeOf), ['open', 'open', 'not-permitted']);
  });
});

describe('parameters', () => {
  it('begin with the next block, and what was is kept beside them', () => {
    const chain = new GovernanceChain();
    const old = chain.epoch.parameters;
    const change = parameters(chain, { window: 4, maxLifetimeMs: 60_000 });
    assert.equal(chain.decide(change), 'effective');
    const epoch = chain.epoch;
    assert.deepEqual(epoch.parameters, { ...old, window: 4, maxLifetimeMs: 60_000 });
    assert.deepEqual([epoch.number, epoch.firstHeight], [1, chain.height + 1]);
    assert.deepEqual(chain.state.row(parametersTable, [PREVIOUS]), old);
    // E8: ids of the longer lifetime can still come.
    assert.deepEqual(
      [epoch.idHorizonMs, epoch.idHorizonUntil],
      [old.maxLifetimeMs, chain.timestamp + old.maxLifetimeMs],
    );
    assert.equal(readEpoch(chain.state, PREVIOUS)?.number, 0);
    assert.deepEqual(chain.names, ['v0', 'v1', 'v2', 'v3']);
  });

  it('G04: are refused when they could not be in force, at each approval and when they take effect', () => {
    const bad: readonly (readonly [Partial<Parameters>, string])[] = [
      [{}, 'no-change'],
      [{ window: 0 }, 'bad-parameters'],
      [{ maxLifetimeMs: 999 }, 'bad-parameters'],
      [{ readyWindow: 15 }, 'bad-parameters'],
      [{ viewTimeoutMs: 80_000, inclusionTimeoutMs: 80_000, maxBehindMs: 639_999 }, 'bad-parameters'],
      // Nobody knows it, or not any more.
      [{ protocolVersion: 0 }, 'bad-parameters'],
      [{ protocolVersion: 3 }, 'bad-parameters'],
      // No further proposal could be sent, or executed.
      [{ transactionBytesMax: 20_479 }, 'bad-parameters'],
      [{ readsMax: 9_999 }, 'bad-parameters'],
      [{ writesMax: 9_999 }, 'bad-parameters'],
      [{ stateBytesMax: 1_048_575 }, 'bad-parameters'],
    ];
    for (const [other, expected] of bad) {
      const chain = new GovernanceChain();
      assert.equal(chain.approve('g1', parameters(chain, other)), expected, JSON.stringify(other));
    }
    // The next versions are named by a binary that does not have them, and stops when they begin (E1).
    for (const other of [{ protocolVersion: 2 }, { applicationVersion: 2 }, { application: 'other' }]) {
      const chain = new GovernanceChain();
      assert.equal(chain.decide(parameters(chain, other)), 'effective');
    }
  });

  it('G04: that no longer fit the set when the last approval comes do not take effect', () => {
    // V6: of 64 members the NEW-VIEW of this window fits a message, of 65 it does not.
    const chain = new GovernanceChain(64);
    const candidate = candidateOf('new');
    const wide = parameters(chain, { window: 64 });
    for (const by of ['a1', 'a2', 'g1']) assert.equal(chain.approve(by, wide), 'open');
    assert.equal(chain.decide(add(candidate)), 'passed');
    assert.equal(chain.activate(add(candidate)), 'effective');
    assert.equal(chain.names.length, 65);
    assert.equal(chain.approve('i1', wide), 'bad-parameters');
    assert.equal(chain.epoch.parameters.window, 8);
  });

  it('E2: an epoch ends once in a block; what would end it again can be sent again', () => {
    const chain = new GovernanceChain();
    const [one, two] = [parameters(chain, { window: 4 }), parameters(chain, { window: 5 })];
    const turn = rotate(validatorOf(1), 'next');
    for (const change of [one, two]) for (const by of ['a1', 'a2', 'g1']) chain.approve(by, change);
    const transactions = [
      chain.approval('i1', one),
      chain.approval('i1', two),
      chain.approval('u1', two),
      chain.approval('g1', turn),
      chain.approval('i1', observer('w')),
    ];
    const { receipts } = chain.run(transactions);
    assert.deepEqual(receipts.map(outcomeOf), ['effective', 'epoch-ends', 'epoch-ends', 'epoch-ends', 'open']);
    assert.equal(chain.epoch.number, 1);
    assert.equal(chain.approve('i1', two), 'effective');
    assert.equal(chain.approve('g1', turn), 'effective');
    assert.deepEqual([chain.epoch.number, chain.epoch.parameters.window], [3, 5]);
  });
});
