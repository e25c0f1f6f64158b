import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toHex } from '../../ledger/bytes.ts';
import { encode, type Json } from '../../ledger/codec.ts';
import { OPEN_APPROVALS_MAX, PROPOSAL_LIFETIME_MAX_MS } from '../../ledger/limits.ts';
import {
  accountNames,
  accounts,
  administrators,
  currentKeys,
  organisationHash,
  organisations,
} from '../../ledger/modules/accounts.ts';
import { balances, definitions } from '../../ledger/modules/assets.ts';
import { type Change, history, proposalCodec, proposalId, proposals } from '../../ledger/modules/changes.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { START, verdict } from '../support/execution.ts';
import { change, hexKey, isEffective, MembersChain, memberKey } from '../support/members.ts';

const { enrol, grant, withdraw, revoke, rotate } = change;

/** `open`: an approval that is not the last one; `effective`: the last one; else the code of a failure. */
type Step = readonly [by: string, change: Change, expected: string];

function play(chain: MembersChain, steps: readonly Step[]): void {
  for (const [index, [by, change, expected]] of steps.entries()) {
    const rows = new Map(chain.state.rows);
    const receipt = chain.approve(by, change);
    const came = verdict(receipt);
    const what = `step ${index}: ${by} ${change.kind}`;
    assert.equal(came !== 'ok' ? came : isEffective(receipt) ? 'effective' : 'open', expected, what);
    if (came !== 'ok') assert.deepEqual(chain.state.rows, rows, `${what} changed something`);
  }
}

const numbered = (number: number): Uint8Array => Uint8Array.of(0, 0, 0, 0, 0, 0, 0, number);
const rolesOf = (chain: MembersChain, name: string): readonly string[] =>
  chain.state.row(accounts, [memberKey(name)])!.roles;

describe('an organisation changes itself', () => {
  it('enrols accounts under names and keys that nobody ever had', () => {
    const chain = new MembersChain();
    const raw = (key: string): Change => ({
      kind: 'enrol',
      value: { key: new Uint8Array(Buffer.from(key, 'hex')), name: 'x', roles: [] },
    });
    play(chain, [
      ['g1', enrol('zoe'), 'effective'],
      ['g1', enrol('zoe'), 'name-taken'],
      ['g1', enrol('gus', { key: 'new' }), 'name-taken'],
      ['g1', enrol('x', { key: 'zoe' }), 'key-taken'],
      // Of another organisation's account, of administrators, of a validator, of its connection.
      ['g1', enrol('x', { key: 'ann' }), 'key-taken'],
      ['g1', enrol('x', { key: 'g1' }), 'key-taken'],
      ['g1', enrol('x', { key: 'a1' }), 'key-taken'],
      ['g1', enrol('x', { key: 'validator' }), 'key-taken'],
      ['g1', enrol('x', { key: 'peer' }), 'key-taken'],
      // S5: a point of small order, no point, and y not below the field order.
      ['g1', raw('00'.repeat(32)), 'bad-key'],
      ['g1', raw(`02${'00'.repeat(31)}`), 'bad-key'],
      ['g1', raw('ff'.repeat(32)), 'bad-key'],
      ['g1', enrol('x', { roles: ['issuer'] }), 'role-not-allowed'],
      ['g1', enrol('x', { roles: ['writer'] }), 'effective'],
      // Names are those of one organisation.
      ['g1', enrol('ann', { key: 'another ann' }), 'effective'],
      ['g1', revoke('zoe'), 'effective'],
      ['g1', enrol('zoe', { key: 'new' }), 'name-taken'],
      ['g1', enrol('new', { key: 'zoe' }), 'key-taken'],
    ]);
    const id = memberKey('x');
    const row = { id, name: 'x', organisation: 'globex', roles: ['writer'], active: true };
    assert.deepEqual(chain.state.row(accounts, [id]), row);
    assert.deepEqual(chain.state.row(accountNames, [organisationHash('globex'), 'x']), { account: id });
    assert.equal(verdict(chain.sendAs('x', 'records', 'register', register('by x'))), 'ok');
  });

  it('grants and withdraws the roles that it may give', () => {
    const chain = new MembersChain();
    play(chain, [
      ['g1', grant('gus', 'issuer'), 'role-not-allowed'],
      ['g1', grant('gus', 'auditor'), 'role-not-allowed'],
      ['g1', grant('gus', 'writer', 'issuer'), 'role-not-allowed'],
      ['g1', withdraw('gus', 'writer'), 'role-not-held'],
      ['g1', grant('gus', 'writer'), 'effective'],
      ['g1', grant('gus', 'writer'), 'role-held'],
      ['g1', grant('nobody', 'writer'), 'no-such-account'],
      ['g1', grant('g1', 'writer'), 'no-such-account'],
    ]);
    assert.deepEqual(rolesOf(chain, 'gus'), ['writer']);
    assert.equal(verdict(chain.sendAs('gus', 'records', 'register', register('by gus'))), 'ok');
    play(chain, [
      ['g2', withdraw('gus', 'writer'), 'effective'],
      ['a1', grant('ann', 'issuer'), 'open'],
      ['a2', grant('ann', 'issuer'), 'effective'],
      ['a1', withdraw('ann', 'issuer', 'writer'), 'open'],
    ]);
    assert.equal(verdict(chain.sendAs('gus', 'records', 'register', register('again'))), 'not-permitted');
    assert.deepEqual(rolesOf(chain, 'ann'), ['writer', 'issuer']);
    play(chain, [['a3', withdraw('ann', 'issuer', 'writer'), 'effective']]);
    assert.deepEqual(rolesOf(chain, 'ann'), []);
  });

  it('revokes for ever: the row stays readable, and the account neither acts, receives nor comes back', () => {
    const chain = new MembersChain();
    assert.equal(verdict(chain.sendAs('ben', 'assets', 'issue', give('gus', 5))), 'ok');
    play(chain, [
      ['g1', revoke('gus'), 'effective'],
      ['g1', revoke('gus'), 'account-revoked'],
      ['g1', grant('gus', 'writer'), 'account-revoked'],
      ['g1', withdraw('gus', 'writer'), 'account-revoked'],
      ['g1', rotate('gus', 'new gus'), 'account-revoked'],
      ['g1', revoke('nobody'), 'no-such-account'],
    ]);
    const row = { id: memberKey('gus'), name: 'gus', organisation: 'globex', roles: [], active: false };
    assert.deepEqual(chain.state.row(accounts, [memberKey('gus')]), row);
    assert.equal(verdict(chain.sendAs('gus', 'assets', 'transfer', give('ann', 1))), 'not-permitted');
    assert.equal(verdict(chain.sendAs('ben', 'assets', 'issue', give('gus', 5))), 'unknown-recipient');
    assert.deepEqual(chain.state.row(balances, [memberKey('gus'), 'gold']), { amount: 5n });
  });

  it('rotates a key: name, roles, balances and records are those of the account, whatever its key is', () => {
    const chain = new MembersChain();
    const id = memberKey('ben');
    assert.equal(verdict(chain.sendAs('ben', 'assets', 'issue', give('ben', 10))), 'ok');
    assert.equal(verdict(chain.sendAs('ann', 'records', 'register', register('mine'))), 'ok');
    play(chain, [
      ['a1', rotate('ben', 'ben 2'), 'open'],
      ['a2', rotate('ben', 'ben 2'), 'effective'],
      ['a1', rotate('ben', 'ann'), 'key-taken'],
      ['a1', rotate('ben', 'ben'), 'key-taken'],
      ['a1', rotate('ben', 'a2'), 'key-taken'],
      ['a1', rotate('nobody', 'x'), 'no-such-account'],
      // By any of its keys, or its id: an account, not a key, is what a change is about.
      ['a1', rotate('ben', 'ben 3'), 'open'],
      ['a3', rotate('ben', 'ben 3'), 'effective'],
      ['a1', rotate('ann', 'ann 2'), 'open'],
      ['a3', rotate('ann', 'ann 2'), 'effective'],
    ]);
    for (const [key, active] of [
      ['ben', false],
      ['ben 2', false],
      ['ben 3', true],
    ] as const) {
      const row = { id, name: 'ben', organisation: 'acme', roles: ['issuer'], active };
      assert.deepEqual(chain.state.row(accounts, [memberKey(key)]), row, key);
      const expected = active ? 'ok' : 'not-permitted';
      assert.equal(verdict(chain.sendAs(key, 'assets', 'transfer', give('ben', 10))), expected, key);
    }
    assert.deepEqual(chain.state.row(currentKeys, [id]), { key: memberKey('ben 3') });
    assert.equal(chain.state.row(currentKeys, [memberKey('gus')]), undefined);
    // Still the only one who issues more; who pays it needs to know none of its newer keys, and may.
    assert.equal(verdict(chain.sendAs('ben 3', 'assets', 'issue', give('ben', 1))), 'ok');
    assert.equal(verdict(chain.sendAs('ben 3', 'assets', 'issue', give('ben 2', 1))), 'ok');
    assert.equal(verdict(chain.sendAs('ben 3', 'assets', 'issue', give('ben 3', 1))), 'ok');
    assert.deepEqual(chain.state.row(balances, [id, 'gold']), { amount: 13n });
    assert.equal(chain.state.row(balances, [memberKey('ben 3'), 'gold']), undefined);
    assert.deepEqual(chain.state.row(definitions, ['gold']), { owner: id, supply: 13n });
    assert.equal(verdict(chain.sendAs('ann', 'records', 'revoke', { key: 'mine' })), 'not-permitted');
    assert.equal(verdict(chain.sendAs('ann 2', 'records', 'revoke', { key: 'mine' })), 'ok');
    play(chain, [
      ['a1', revoke('ben'), 'open'],
      ['a2', revoke('ben'), 'effective'],
      ['a1', revoke('ben 2'), 'account-revoked'],
    ]);
    assert.equal(verdict(chain.sendAs('ben 3', 'assets', 'transfer', give('ann', 1))), 'not-permitted');
    assert.equal(verdict(chain.sendAs('ann 2', 'assets', 'transfer', give('ben 3', 1))), 'insufficient-balance');
  });

  it('changes its administrators by the old ones; what was open among them is void', () => {
    const chain = new MembersChain();
    const next = change.administrators(1, 'a3', 'a4');
    play(chain, [
      ['a1', revoke('cleo'), 'open'],
      ['a3', grant('cleo', 'writer'), 'open'],
      ['a1', change.administrators(1, 'g1'), 'key-taken'],
      ['a1', change.administrators(1, 'ann'), 'key-taken'],
      ['a1', change.administrators(1, 'a1', 'validator'), 'key-taken'],
      ['a1', next, 'open'],
      ['a2', next, 'effective'],
      ['a1', revoke('cleo'), 'not-permitted'],
      ['a2', revoke('cleo'), 'not-permitted'],
    ]);
    const acme = chain.state.row(organisations, ['acme'])!;
    assert.deepEqual([acme.administrators.map(toHex), acme.threshold], [['a3', 'a4'].map(hexKey), 1]);
    assert.equal(chain.state.row(administrators, [memberKey('a1')]), undefined);
    assert.deepEqual(chain.state.row(administrators, [memberKey('a3')]), { organisation: 'acme', open: [], votes: [] });
    for (const one of [revoke('cleo'), grant('cleo', 'writer')]) {
      const id = proposalId(chain.proposal(one, {}));
      assert.equal(chain.state.row(proposals, [id]), undefined, 'nothing of it is left');
    }
    play(chain, [
      ['a4', grant('cleo', 'writer'), 'effective'],
      // Administrators that are none any more can be those of others, or accounts.
      ['g1', change.administrators(2, 'g1', 'a1'), 'effective'],
      ['a4', enrol('former', { key: 'a2' }), 'effective'],
      ['a4', change.administrators(1, 'a2'), 'key-taken'],
      ['g1', enrol('g', { key: 'g2' }), 'open'],
    ]);
    assert.equal(verdict(chain.approve('a1', enrol('g', { key: 'g2' }), { organisation: 'globex' })), 'ok');
  });

  it('refuses what is no change by its bytes alone, so that it is never ordered', () => {
    const chain = new MembersChain();
    const key = hexKey('new');
    const bad: readonly [what: string, json: Json, problem: RegExp][] = [
      ['a name', { kind: 'enrol', value: { key, name: 'a  b', roles: [] } }, /visible characters/],
      ['no name', { kind: 'enrol', value: { key, name: '', roles: [] } }, /1 to 32/],
      ['a role twice', { kind: 'enrol', value: { key, name: 'a', roles: ['x', 'x'] } }, /each role once/],
      ['no role', { kind: 'grant', value: { account: key, roles: [] } }, /1 to 16 items/],
      ['a role without a name', { kind: 'withdraw', value: { account: key, roles: ['\u200b'] } }, /visible/],
      ['threshold 0', { kind: 'administrators', value: { administrators: [key], threshold: 0 } }, /threshold 0/],
      ['threshold above', { kind: 'administrators', value: { administrators: [key], threshold: 2 } }, /threshold 2/],
      ['nobody', { kind: 'administrators', value: { administrators: [], threshold: 0 } }, /1 to 64 items/],
      ['a key twice', { kind: 'administrators', value: { administrators: [key, key], threshold: 1 } }, /each key once/],
    ];
    for (const [what, json, problem] of bad) {
      const args = { organisation: 'acme', nonce: '0x0000000000000000', expires: START, change: json };
      const read = quorateApplication.argsFromJson('members', 'approve', args);
      assert(!read.ok, what);
      assert.match(read.problem, problem, what);
    }
    const call = chain.call('members', 'approve', proposalCodec.toJson(chain.proposal(enrol('zoe'), {})));
    const args = call.args.slice();
    // The first letter of the name, as a control character.
    args[args.length - 4] = 1;
    const problem = quorateApplication.staticProblem(
      chain.transaction(memberKey('a1'), [{ ...call, args }]).body,
      chain.parameters,
    );
    assert.equal(problem?.code, 'invalid-args');
  });
});

describe('approvals', () => {
  it('are by administrators of the organisation, with an account or without; they are no accounts', () => {
    const chain = new MembersChain();
    const proposal = proposalCodec.toJson(chain.proposal(revoke('cleo'), {}));
    for (const [by, expected] of [
      ['cleo', 'not-permitted'],
      ['nobody', 'not-permitted'],
      ['g1', 'other-organisation'],
    ] as const) {
      assert.equal(verdict(chain.sendAs(by, 'members', 'approve', proposal)), expected, by);
    }
    assert.equal(verdict(chain.sendAs('a1', 'records', 'register', register('x'))), 'unknown-account');
    assert.equal(verdict(chain.sendAs('a1', 'assets', 'transfer', give('ann', 1))), 'unknown-account');
  });

  it('count once each, and only for exactly the same change', () => {
    const chain = new MembersChain();
    play(chain, [
      ['a1', revoke('cleo'), 'open'],
      ['a1', revoke('cleo'), 'already-approved'],
      ['a2', revoke('ann'), 'open'],
    ]);
    // Another nonce, or another end, is another proposal.
    assert.equal(isEffective(chain.approve('a2', revoke('cleo'), { nonce: 9 })), false);
    assert.equal(isEffective(chain.approve('a3', revoke('cleo'), { expires: START + 50_000 })), false);
    assert.equal(chain.state.row(accounts, [memberKey('cleo')])?.active, true);
    play(chain, [['a3', revoke('cleo'), 'effective']]);
    assert.equal(chain.state.row(accounts, [memberKey('cleo')])?.active, false);
  });

  it('are of no use a second time: what was effective once is so never again', () => {
    const chain = new MembersChain();
    const first = { nonce: 0 };
    play(chain, [
      ['a1', grant('cleo', 'writer'), 'open'],
      ['a2', grant('cleo', 'writer'), 'effective'],
      ['a1', withdraw('cleo', 'writer'), 'open'],
      ['a2', withdraw('cleo', 'writer'), 'effective'],
    ]);
    for (const by of ['a1', 'a2', 'a3'])
      assert.equal(verdict(chain.approve(by, grant('cleo', 'writer'), first)), 'already-effective');
    assert.deepEqual(rolesOf(chain, 'cleo'), []);
    play(chain, [
      ['a3', grant('cleo', 'writer'), 'open'],
      ['a2', grant('cleo', 'writer'), 'effective'],
    ]);
  });

  it('end with block time: at the last moment they count, a moment later not, and not too far ahead', () => {
    for (const [at, expected] of [
      [0, 'ok'],
      [1, 'expired'],
    ] as const) {
      const chain = new MembersChain();
      const expires = START + 5_000;
      assert.equal(verdict(chain.approve('a1', revoke('cleo'), { expires })), 'ok');
      chain.timestamp = expires - 10 + at;
      const second = chain.approve('a2', revoke('cleo'), { expires });
      assert.equal(verdict(second), expected);
      assert.equal(chain.state.row(accounts, [memberKey('cleo')])?.active, at !== 0);
    }
    const chain = new MembersChain();
    const most = chain.timestamp + 10 + PROPOSAL_LIFETIME_MAX_MS;
    assert.equal(verdict(chain.approve('a1', revoke('cleo'), { expires: most + 1 })), 'expiry-too-far');
    assert.equal(verdict(chain.approve('a1', revoke('ann'), { expires: most + 10 })), 'ok');
  });

  it('can be taken back until the change is effective, and given again', () => {
    const chain = new MembersChain();
    const id = proposalId(chain.proposal(revoke('cleo'), {}));
    const retract = (by: string) => verdict(chain.sendAs(by, 'members', 'retract', { proposal: toHex(id) }));
    assert.equal(retract('a1'), 'not-approved');
    play(chain, [['a1', revoke('cleo'), 'open']]);
    assert.deepEqual([retract('a2'), retract('g1'), retract('ann')], ['not-approved', 'not-approved', 'not-permitted']);
    assert.equal(retract('a1'), 'ok');
    assert.equal(chain.state.row(proposals, [id]), undefined);
    assert.deepEqual(chain.state.row(administrators, [memberKey('a1')]), { organisation: 'acme', open: [], votes: [] });
    play(chain, [
      ['a2', revoke('cleo'), 'open'],
      ['a1', revoke('cleo'), 'effective'],
    ]);
    assert.equal(retract('a1'), 'not-approved');
  });

  it('that are open are bounded for each administrator, by what only it can fill; what is over makes room', () => {
    const chain = new MembersChain();
    const expires = START + 100_000;
    for (let nonce = 0; nonce < OPEN_APPROVALS_MAX; nonce++)
      assert.equal(verdict(chain.approve('a1', revoke('cleo'), { nonce, expires: expires + nonce })), 'ok');
    assert.equal(verdict(chain.approve('a1', revoke('ann'))), 'too-many-open');
    // The others go on without it, also with what it has approved.
    play(chain, [
      ['a2', revoke('ann'), 'open'],
      ['a3', revoke('ann'), 'effective'],
    ]);
    assert.equal(isEffective(chain.approve('a2', revoke('cleo'), { nonce: 7, expires: expires + 7 })), true);
    assert.equal(chain.state.row(administrators, [memberKey('a1')])?.open.length, OPEN_APPROVALS_MAX - 1);
    play(chain, [['a1', grant('ben', 'writer'), 'open']]);
    assert.equal(verdict(chain.approve('a1', withdraw('ben', 'issuer'))), 'too-many-open');
    // The next block is of `expires` + 3.
    chain.timestamp = expires + 3 - 10;
    const before = chain.state.rows.size;
    play(chain, [['a1', withdraw('ben', 'issuer'), 'open']]);
    assert.equal(chain.state.rows.size, before + 1 - 3, 'three that are over are gone');
  });

  it('are in the state: who approved what and when, while it is open and in the history for ever', () => {
    const chain = new MembersChain();
    const proposal = chain.proposal(revoke('cleo'), {});
    const id = proposalId(proposal);
    const approval = (by: string) => ({ administrator: memberKey(by), time: chain.timestamp });
    const opened = chain.approve('a3', proposal.change);
    const first = approval('a3');
    assert.deepEqual(chain.state.row(proposals, [id]), { kind: 'open', value: { proposal, approvals: [first] } });
    assert.deepEqual(chain.state.row(administrators, [memberKey('a3')])?.open, [id]);
    const closed = chain.approve('a1', proposal.change);
    const approvals = [first, approval('a1')];
    assert.deepEqual(chain.state.row(proposals, [id]), {
      kind: 'effective',
      value: { organisation: 'acme', number: 1 },
    });
    assert.deepEqual(chain.state.row(history, [organisationHash('acme'), numbered(1)]), { proposal, approvals });
    assert.equal(chain.state.row(organisations, ['acme'])?.changes, 1);
    assert.deepEqual(chain.state.row(administrators, [memberKey('a3')])?.open, []);
    const events = [...opened.events, ...closed.events].map((event) => {
      const json = quorateApplication.eventToJson(event);
      assert(json.ok);
      return [event.name, json.value];
    });
    const named = { organisation: 'acme', proposal: toHex(id) };
    assert.deepEqual(events, [
      ['approved', { ...named, by: hexKey('a3'), approvals: 1, threshold: 2 }],
      ['approved', { ...named, by: hexKey('a1'), approvals: 2, threshold: 2 }],
      [
        'changed',
        {
          organisation: 'acme',
          number: 1,
          proposal: toHex(id),
          change: { kind: 'revoke', value: { account: hexKey('cleo') } },
        },
      ],
    ]);
    play(chain, [
      ['g1', enrol('a'), 'effective'],
      ['g2', enrol('b'), 'effective'],
    ]);
    assert.equal(chain.state.row(organisations, ['globex'])?.changes, 2, 'each organisation counts its own');
    const second = chain.state.row(history, [organisationHash('globex'), numbered(2)])!;
    assert.deepEqual(second.approvals, [{ administrator: memberKey('g2'), time: chain.timestamp }]);
    assert.deepEqual(
      encode(proposalCodec, second.proposal),
      encode(proposalCodec, chain.proposal(enrol('b'), { organisation: 'globex', nonce: 0 })),
    );
  });
});

describe('K07: a key is judged by the state in which its transaction finds it', () => {
  it('K07: revoked in the same block: what is ordered before still works, what is ordered behind does not', () => {
    const chain = new MembersChain();
    const approve = chain.call(
      'members',
      'approve',
      proposalCodec.toJson(chain.proposal(revoke('gus'), { organisation: 'globex' })),
    );
    const pay = () => chain.transaction(memberKey('gus'), [chain.call('assets', 'transfer', give('ann', 1))]);
    assert.equal(verdict(chain.sendAs('ben', 'assets', 'issue', give('gus', 9))), 'ok');
    const { receipts } = chain.run([pay(), chain.transaction(memberKey('g1'), [approve]), pay(), pay()]);
    assert.deepEqual(receipts.map(verdict), ['ok', 'ok', 'not-permitted', 'not-permitted']);
    assert.deepEqual(chain.state.row(balances, [memberKey('gus'), 'gold']), { amount: 8n });
  });

  it('K07: rotated with transactions pending: those of the old key fail, those of the new one take effect', () => {
    const chain = new MembersChain();
    const approve = chain.call(
      'members',
      'approve',
      proposalCodec.toJson(chain.proposal(rotate('gus', 'gus 2'), { organisation: 'globex' })),
    );
    const pay = (by: string) => chain.transaction(memberKey(by), [chain.call('assets', 'transfer', give('ann', 1))]);
    assert.equal(verdict(chain.sendAs('ben', 'assets', 'issue', give('gus', 9))), 'ok');
    const pending = [pay('gus'), pay('gus 2')];
    const { receipts } = chain.run([pay('gus 2'), chain.transaction(memberKey('g2'), [approve]), ...pending]);
    assert.deepEqual(receipts.map(verdict), ['unknown-account', 'ok', 'not-permitted', 'ok']);
    assert.deepEqual(chain.state.row(balances, [memberKey('gus'), 'gold']), { amount: 8n });
  });

  it('K07: between the calls of one transaction: an administrator that is removed by a call can do nothing in the next', () => {
    const chain = new MembersChain();
    const call = (one: Change) =>
      chain.call('members', 'approve', proposalCodec.toJson(chain.proposal(one, { organisation: 'globex' })));
    const { receipts } = chain.run([
      chain.transaction(memberKey('g1'), [call(change.administrators(1, 'g2')), call(revoke('gus'))]),
      chain.transaction(memberKey('g1'), [call(enrol('zoe')), call(change.administrators(1, 'g2'))]),
      chain.transaction(memberKey('g1'), [call(revoke('gus'))]),
      chain.transaction(memberKey('g2'), [call(revoke('gus'))]),
    ]);
    assert.deepEqual(receipts.map(verdict), ['not-permitted', 'ok', 'not-permitted', 'ok']);
  });
});

function register(key: string): Json {
  return { key, digest: `0x${'ab'.repeat(32)}`, note: '' };
}

function give(to: string, amount: number): Json {
  return { asset: 'gold', to: hexKey(to), amount: String(amount) };
}
