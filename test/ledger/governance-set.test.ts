import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decode } from '../../ledger/codec.ts';
import { ROTATION_PAUSE_MS } from '../../ledger/limits.ts';
import { PREVIOUS, readEpoch } from '../../ledger/modules/epoch.ts';
import { governance } from '../../ledger/modules/governance.ts';
import { type GovernanceChange, governanceProposals } from '../../ledger/modules/governance-change.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { consensusKeys, guests, summary } from '../../ledger/modules/node-keys.ts';
import type { Ready } from '../../ledger/ready.ts';
import { START } from '../support/execution.ts';
import { candidateOf, decision, GovernanceChain, idOf, outcomeOf, validatorOf } from '../support/governance.ts';
import { memberKey } from '../support/members.ts';

const { add, remove, set, rotate, parameters, observer, removeObserver } = decision;
const fresh = candidateOf('new');
const keyRow = (chain: GovernanceChain, name: string) => chain.state.row(consensusKeys, [memberKey(name)]);
const guestsOf = (chain: GovernanceChain) => chain.state.row(summary, ['current'])!.guests;
/** 32 bytes that are no key by S5: of small order. */
const BAD_KEY = new Uint8Array(32);

describe('the set of validators', () => {
  it('E4, O08: changes by at most max(1, f), keeps four and f, or says to what it shrinks', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => candidateOf(name)) as [typeof fresh, typeof fresh, typeof fresh];
    const table: readonly (readonly [n: number, change: GovernanceChange, expected: string])[] = [
      [1, add(a), 'size-not-named'],
      [1, add(a, 2), 'passed'],
      [1, set([a, b], [], 3), 'too-many-changes'],
      [1, remove('v0'), 'no-validators'],
      [3, add(a), 'passed'],
      [3, add(a, 4), 'size-not-named'],
      [4, set([], []), 'no-change'],
      [4, add(a), 'passed'],
      [4, set([a, b], []), 'too-many-changes'],
      [4, set([a], ['v0']), 'too-many-changes'],
      [4, remove('v0'), 'size-not-named'],
      [4, remove('v0', 4), 'size-not-named'],
      [4, remove('v0', 3), 'effective'],
      [4, remove('a'), 'no-such-validator'],
      [5, remove('v0', 4), 'size-not-named'],
      [5, remove('v0'), 'effective'],
      [7, remove('v0'), 'size-not-named'],
      [7, remove('v0', 6), 'effective'],
      [7, set([a], ['v0']), 'passed'],
      [7, set([a, b], []), 'passed'],
      [7, set([a, b, c], []), 'too-many-changes'],
      [7, set([a, b], ['v0']), 'too-many-changes'],
      [8, set([], ['v0', 'v1']), 'size-not-named'],
      [8, set([], ['v0', 'v1'], 6), 'effective'],
      [9, set([], ['v0', 'v1']), 'effective'],
    ];
    for (const [n, change, expected] of table)
      assert.equal(new GovernanceChain(n).decide(change), expected, `${n}: ${JSON.stringify(change)}`);
  });

  it('grows to what the formats and the window carry, and no further', () => {
    const wide = { window: 64 };
    for (const [n, parameters, expected] of [
      [127, {}, 'open'],
      [128, {}, 'too-many-validators'],
      // V6: of 64 members a NEW-VIEW fits a message, of 65 it does not.
      [63, wide, 'open'],
      [64, wide, 'too-many-validators'],
    ] as const)
      assert.equal(new GovernanceChain(n, parameters).approve('g1', add(fresh)), expected, `${n}`);
  });

  it('O08: every approval of what would break it fails, also the first', () => {
    assert.equal(new GovernanceChain(4).approve('g1', remove('v0')), 'size-not-named');
  });

  it('keeps its order; who is added comes last, who is removed is remembered for ever', () => {
    const chain = new GovernanceChain(7);
    const change = set([fresh], ['v2']);
    assert.equal(chain.decide(change), 'passed');
    assert.deepEqual(chain.names, ['v0', 'v1', 'v2', 'v3', 'v4', 'v5', 'v6']);
    assert.equal(chain.activate(change), 'effective');
    assert.deepEqual(chain.names, ['v0', 'v1', 'v3', 'v4', 'v5', 'v6', 'new']);
    assert.equal(readEpoch(chain.state, PREVIOUS)?.validators.length, 7);
    assert.deepEqual([chain.epoch.number, chain.epoch.firstHeight], [1, chain.height + 1]);
    assert.deepEqual(keyRow(chain, 'v2'), { from: 0, until: 1, changed: chain.timestamp });
    assert.deepEqual(keyRow(chain, 'new'), { from: 1, until: 0, changed: chain.timestamp });
    assert.deepEqual(keyRow(chain, 'v3'), { from: 0, until: 0, changed: 0 });
    // E4: the key never again, the node with another one may.
    assert.equal(chain.decide(add(validatorOf(2))), 'key-taken');
    const again = { ...validatorOf(2), key: memberKey('v2 again') };
    assert.equal(chain.decide(add(again)), 'passed');
    assert.equal(chain.activate(add(again), [chain.ready(again, {}, 'v2 again')]), 'effective');
    assert.equal(chain.names.at(-1), 'v2');
  });

  it('trap: n from 1 to 4 one by one, each in an epoch of its own', () => {
    const chain = new GovernanceChain(1);
    for (const n of [2, 3, 4]) {
      const change = add(candidateOf(`c${n}`), n < 4 ? n : 0);
      assert.deepEqual([chain.decide(change), chain.activate(change)], ['passed', 'effective']);
      assert.deepEqual([chain.names.length, chain.epoch.number], [n, n - 1]);
    }
    assert.deepEqual(chain.names, ['v0', 'c2', 'c3', 'c4']);
  });

  it('takes nobody whose name, key or organisation is not right', () => {
    const chain = new GovernanceChain();
    const elsewhere = { ...fresh, peerKey: memberKey('w') };
    assert.equal(chain.decide(observer('w', 'globex')), 'effective');
    const table: readonly (readonly [what: string, change: GovernanceChange, expected: string])[] = [
      ['a name of the set', add({ ...fresh, name: 'v1' }), 'name-taken'],
      ['no organisation', add({ ...fresh, organisation: 'hooli' }), 'no-such-organisation'],
      ['a key of the set', add({ ...fresh, key: memberKey('v1') }), 'key-taken'],
      ['a peer key of the set', add({ ...fresh, peerKey: memberKey('p1') }), 'key-taken'],
      ['a peer key as consensus key', add({ ...fresh, key: memberKey('p1') }), 'key-taken'],
      ['a consensus key as peer key', add({ ...fresh, peerKey: memberKey('v1') }), 'key-taken'],
      ['an account', add({ ...fresh, key: memberKey('ann') }), 'key-taken'],
      ['an account as peer', add({ ...fresh, peerKey: memberKey('ann') }), 'key-taken'],
      ['an administrator', add({ ...fresh, key: memberKey('a3') }), 'key-taken'],
      ['an observer of another organisation', add(elsewhere), 'key-taken'],
      ['an observer as consensus key', add({ ...fresh, key: memberKey('w') }), 'key-taken'],
      ['a bad key', add({ ...fresh, key: BAD_KEY }), 'bad-key'],
      ['a bad peer key', add({ ...fresh, peerKey: BAD_KEY }), 'bad-key'],
      ['an observer of its own', add({ ...elsewhere, organisation: 'globex' }), 'open'],
    ];
    for (const [what, change, expected] of table) assert.equal(chain.approve('g1', change), expected, what);
  });
});

describe('candidates', () => {
  it('are guests of the network from the decision on, until they are members or the proposal is over', () => {
    const chain = new GovernanceChain();
    assert.equal(chain.decide(add(fresh), { expires: START + 100_000 }), 'passed');
    const row = { name: 'new', organisation: 'umbra', kind: 'candidate', until: START + 100_000 };
    assert.deepEqual(chain.state.row(guests, [fresh.peerKey]), row);
    assert.deepEqual(guestsOf(chain), [fresh.peerKey]);
    assert.equal(
      chain.state.row(governanceProposals, [idOf(add(fresh), { expires: START + 100_000 })])?.kind,
      'passed',
    );
    // Its keys are nobody else's meanwhile.
    const other = { ...candidateOf('other'), peerKey: fresh.peerKey };
    assert.equal(chain.approve('g1', add(other)), 'key-taken');
    assert.equal(chain.approve('g1', observer('x', 'umbra', 'peer of new')), 'key-taken');
    assert.equal(chain.approve('g1', removeObserver('peer of new')), 'no-such-observer');
    for (const [late, expected] of [
      [0, 'key-taken'],
      [1, 'open'],
    ] as const) {
      chain.timestamp = START + 99_990 + late;
      const { receipts } = chain.try([chain.approval('g1', observer('x', 'umbra', 'peer of new'))]);
      assert.equal(outcomeOf(receipts[0]!), expected);
    }
    chain.timestamp = START + 100_000;
    const ready = [chain.ready(fresh)];
    assert.equal(chain.activate(add(fresh), ready, { expires: START + 100_000 }), 'expired');
    assert.equal(chain.decide(add(other)), 'passed');
    assert.equal(chain.state.row(guests, [fresh.peerKey])?.name, 'other');
    assert.equal(chain.activate(add(other)), 'effective');
    assert.deepEqual([chain.state.row(guests, [fresh.peerKey]), guestsOf(chain)], [undefined, []]);
  });

  it('may have been observers, and are that until they are members', () => {
    const chain = new GovernanceChain();
    chain.decide(observer('watcher', 'umbra', 'peer of new'));
    assert.equal(chain.decide(add(fresh)), 'passed');
    assert.equal(chain.state.row(guests, [fresh.peerKey])?.kind, 'observer');
    assert.equal(chain.activate(add(fresh)), 'effective');
    assert.deepEqual(guestsOf(chain), []);
  });

  it('E5: are taken when each has shown that it is ready, by whichever administrator', () => {
    const chain = new GovernanceChain();
    chain.decide(add(fresh));
    for (let i = 0; i < 20; i++) chain.run([]);
    const now = chain.height + 1;
    const table: readonly (readonly [what: string, ready: Partial<Ready>, by: string, expected: string])[] = [
      ['an epoch that was not yet', { epoch: 1 }, 'new', 'ready-epoch'],
      ['a height above the block', { height: now + 1 }, 'new', 'ready-height'],
      ['another protocol', { protocolVersion: 2 }, 'new', 'ready-version'],
      ['another application', { application: 'other' }, 'new', 'ready-version'],
      ['an older application', { applicationVersion: 0 }, 'new', 'ready-version'],
      ['another key', { key: memberKey('x') }, 'x', 'not-ready'],
      ['another peer key', { peerKey: memberKey('x') }, 'new', 'not-ready'],
      ['by another key', {}, 'x', 'ready-signature'],
    ];
    for (const [what, ready, by, expected] of table) {
      const { receipts, changes } = chain.try([chain.activation(add(fresh), [chain.ready(fresh, ready, by)])]);
      assert.equal(outcomeOf(receipts[0]!), expected, what);
      assert.deepEqual(changes, []);
    }
    assert.equal(chain.activate(add(fresh)), 'effective');
  });

  it('E5: what was ready too long ago, or in another epoch, is not ready', () => {
    for (const [height, expected] of [
      [3, 'ready-height'],
      [4, 'effective'],
    ] as const) {
      const chain = new GovernanceChain(4, { readyWindow: 16 });
      chain.decide(add(fresh));
      while (chain.height < 19) chain.run([]);
      // In block 20.
      assert.equal(chain.activate(add(fresh), [chain.ready(fresh, { height })]), expected);
    }
    const chain = new GovernanceChain();
    chain.decide(add(fresh));
    const early = chain.ready(fresh);
    assert.equal(chain.decide(parameters(chain, { window: 4 })), 'effective');
    assert.equal(chain.activate(add(fresh), [early]), 'ready-epoch');
    assert.equal(chain.activate(add(fresh)), 'effective');
  });

  it('E5: all of them, in their order, and only what was decided', () => {
    const chain = new GovernanceChain(7);
    const [a, b] = [candidateOf('a'), candidateOf('b')];
    const change = set([a, b], []);
    assert.equal(chain.activate(change), 'not-passed');
    chain.approve('g1', change);
    assert.equal(chain.activate(change), 'not-passed');
    for (const by of ['a1', 'a2', 'i1']) chain.approve(by, change);
    const [readyA, readyB] = [chain.ready(a), chain.ready(b)];
    assert.equal(chain.activate(change, [readyA]), 'not-ready');
    assert.equal(chain.activate(change, [readyB, readyA]), 'not-ready');
    assert.equal(chain.activate(change, [readyA, readyB, readyB]), 'not-ready');
    assert.equal(chain.activate(change, [readyA, readyB]), 'effective');
    assert.deepEqual(chain.names.slice(-2), ['a', 'b']);
    assert.equal(chain.activate(change, [readyA, readyB]), 'already-effective');
  });

  it('E4: are judged again by the set of the moment', () => {
    const chain = new GovernanceChain(7);
    const two = set([candidateOf('a'), candidateOf('b')], []);
    assert.equal(chain.decide(two), 'passed');
    assert.equal(chain.decide(remove('v0', 6)), 'effective');
    assert.equal(chain.activate(two), 'too-many-changes');
    const named = set([candidateOf('a')], ['v1']);
    assert.equal(chain.decide(named), 'too-many-changes');
  });

  it('E2: are not taken in a block that has ended the epoch', () => {
    const chain = new GovernanceChain();
    chain.decide(add(fresh));
    const other = parameters(chain, { window: 4 });
    for (const by of ['a1', 'a2', 'g1']) chain.approve(by, other);
    const activation = chain.activation(add(fresh));
    const { receipts } = chain.run([chain.approval('i1', other), activation]);
    assert.deepEqual(receipts.map(outcomeOf), ['effective', 'epoch-ends']);
    assert.equal(chain.activate(add(fresh)), 'effective');
  });

  it('are known to the leader from the bytes of what would add them', () => {
    const chain = new GovernanceChain();
    const { body } = chain.activation(add(fresh));
    assert.deepEqual(quorateApplication.candidates(body), [fresh.peerKey]);
    assert.equal(quorateApplication.endsEpoch(body), true);
    assert.equal(quorateApplication.endsEpoch(chain.approval('g1', observer('w')).body), true);
    assert.deepEqual(quorateApplication.candidates(chain.approval('g1', add(fresh)).body), []);
    const retraction = chain.transaction('g1', [
      chain.call('governance', 'retract', { proposal: `0x${'00'.repeat(32)}` }),
    ]);
    assert.equal(quorateApplication.endsEpoch(retraction.body), false);
  });

  it('says to everybody what has passed, what has changed and in which epoch', () => {
    const chain = new GovernanceChain();
    for (const by of ['a1', 'a2', 'g1']) chain.approve(by, add(fresh));
    const passed = chain.run([chain.approval('i1', add(fresh))]).receipts[0]!.events;
    assert.deepEqual(
      passed.map(({ name }) => name),
      ['approved', 'passed'],
    );
    const proposal = idOf(add(fresh));
    assert.deepEqual(decode(governance.events.passed, passed[1]!.data), { proposal, change: add(fresh) });
    const [changed] = chain.run([chain.activation(add(fresh))]).receipts[0]!.events;
    const expected = { number: 1, proposal, change: add(fresh), epoch: 1 };
    assert.deepEqual(decode(governance.events.changed, changed!.data), expected);
  });
});

describe('the keys of a validator', () => {
  it('are changed by its own organisation: the cure for a lost disk', () => {
    const chain = new GovernanceChain();
    const change = rotate(validatorOf(0), 'v0 next');
    assert.equal(chain.approve('g1', change), 'other-organisation');
    assert.equal(chain.approve('a1', change), 'open');
    assert.equal(chain.approve('a3', change), 'effective');
    assert.deepEqual(chain.names, ['v0', 'v1', 'v2', 'v3']);
    assert.deepEqual(chain.epoch.validators[0], { ...validatorOf(0), key: memberKey('v0 next') });
    assert.equal(chain.epoch.number, 1);
    assert.deepEqual(keyRow(chain, 'v0'), { from: 0, until: 1, changed: chain.timestamp });
    assert.deepEqual(keyRow(chain, 'v0 next'), { from: 1, until: 0, changed: chain.timestamp });
  });

  it('are both, one, or the other', () => {
    const chain = new GovernanceChain();
    const peer = memberKey('peer next');
    assert.equal(chain.approve('g1', rotate(validatorOf(1), 'v1', { peerKey: peer })), 'effective');
    assert.deepEqual(chain.epoch.validators[1], { ...validatorOf(1), peerKey: peer });
    assert.deepEqual(keyRow(chain, 'v1'), { from: 0, until: 0, changed: chain.timestamp });
    chain.timestamp += ROTATION_PAUSE_MS;
    // Onto the machine of an observer.
    chain.decide(observer('spare', 'globex'));
    const both = rotate({ ...validatorOf(1), peerKey: peer }, 'v1 next', { peerKey: memberKey('spare') });
    assert.equal(chain.approve('g1', both), 'effective');
    const now = { ...validatorOf(1), key: memberKey('v1 next'), peerKey: memberKey('spare') };
    assert.deepEqual(chain.epoch.validators[1], now);
    assert.deepEqual(guestsOf(chain), []);
  });

  it('are refused if they are of another use, not shown, or too new', () => {
    const chain = new GovernanceChain();
    const v1 = validatorOf(1);
    chain.decide(observer('w'));
    assert.equal(chain.decide(remove('v3', 3)), 'effective');
    const table: readonly (readonly [what: string, change: GovernanceChange, expected: string])[] = [
      ['no validator', rotate(candidateOf('x', 'globex'), 'y'), 'no-such-validator'],
      ['one that was', rotate(validatorOf(3), 'y'), 'no-such-validator'],
      ['nothing', rotate(v1, 'v1'), 'no-change'],
      ['a key of the set', rotate(v1, 'v2'), 'key-taken'],
      ['a key that was in a set', rotate(v1, 'v3'), 'key-taken'],
      ['an account', rotate(v1, 'ann'), 'key-taken'],
      ['an administrator', rotate(v1, 'g1'), 'key-taken'],
      ['its peer key', rotate(v1, 'p1'), 'key-taken'],
      ['one key for both', rotate(v1, 'y', { peerKey: memberKey('y') }), 'key-taken'],
      ['another peer key of the set', rotate(v1, 'y', { peerKey: memberKey('p2') }), 'key-taken'],
      ['an observer of another organisation', rotate(v1, 'y', { peerKey: memberKey('w') }), 'key-taken'],
      ['a bad peer key', rotate(v1, 'y', { peerKey: BAD_KEY }), 'bad-key'],
      ['shown by the old key', rotate(v1, 'y', { by: 'v1' }), 'bad-possession'],
      ['shown for another name', rotate(v1, 'y', { signed: { name: 'v2' } }), 'bad-possession'],
      ['shown for another peer key', rotate(v1, 'y', { signed: { peerKey: memberKey('x') } }), 'bad-possession'],
      ['shown for another chain', rotate(v1, 'y', { genesisId: new Uint8Array(32) }), 'bad-possession'],
    ];
    for (const [what, change, expected] of table) assert.equal(chain.approve('g1', change), expected, what);
    const bad = rotate(v1, 'y');
    assert(bad.kind === 'rotate');
    const small: GovernanceChange = { kind: 'rotate', value: { ...bad.value, next: BAD_KEY } };
    assert.equal(chain.approve('g1', small), 'bad-key');
    assert.equal(chain.approve('g1', rotate(v1, 'y')), 'effective');
    const again = rotate({ ...v1, key: memberKey('y') }, 'z');
    chain.timestamp += ROTATION_PAUSE_MS - 11;
    assert.equal(chain.approve('g1', again), 'rotated-recently');
    assert.equal(chain.approve('g1', again), 'effective');
  });
});
