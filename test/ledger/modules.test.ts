import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toHex } from '../../ledger/bytes.ts';
import { decode, encode, type Json } from '../../ledger/codec.ts';
import { genesisState } from '../../ledger/execution.ts';
import { accountCodec, accounts, organisations, permissionProblem } from '../../ledger/modules/accounts.ts';
import { balances, definitions } from '../../ledger/modules/assets.ts';
import { parametersTable, validatorsTable } from '../../ledger/modules/epoch.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { consensusKeys, summary } from '../../ledger/modules/node-keys.ts';
import { entries } from '../../ledger/modules/records.ts';
import { defaultParameters } from '../../ledger/parameters.ts';
import { keyOf, MemoryState, TestChain, verdict } from '../support/execution.ts';

const hex = (name: string): string => toHex(keyOf(name));
const MOST = ((1n << 128n) - 1n).toString();

/** Steps on one chain, each with its expected verdict. */
type Step = readonly [sender: string, action: string, args: Json, expected: string];

function play(chain: TestChain, module: string, steps: readonly Step[]): void {
  for (const [index, [sender, action, args, expected]] of steps.entries()) {
    const rows = new Map(chain.state.rows);
    assert.equal(verdict(chain.send(sender, module, action, args)), expected, `step ${index}: ${sender} ${action}`);
    if (expected !== 'ok') assert.deepEqual(chain.state.rows, rows, `step ${index} changed something`);
  }
}

const issue = (amount: string, to = 'ann', asset = 'gold'): Json => ({ asset, to: hex(to), amount });
const transfer = issue;

test('K12: assets: who may issue, what may be transferred, and every refusal', () => {
  const chain = new TestChain();
  play(chain, 'assets', [
    ['ann', 'issue', issue('5'), 'not-permitted'],
    ['nobody', 'issue', issue('5'), 'unknown-account'],
    ['ben', 'issue', issue('0'), 'zero-amount'],
    ['ben', 'issue', issue('5', 'nobody'), 'unknown-recipient'],
    ['ben', 'issue', issue('100'), 'ok'],
    ['dora', 'issue', issue('5'), 'not-owner'],
    ['ben', 'issue', issue('50'), 'ok'],
    ['ben', 'issue', issue(MOST), 'overflow'],
    ['ann', 'transfer', transfer('0', 'cleo'), 'zero-amount'],
    ['ann', 'transfer', transfer('151', 'cleo'), 'insufficient-balance'],
    ['ann', 'transfer', transfer('1', 'nobody'), 'unknown-recipient'],
    ['cleo', 'transfer', transfer('1', 'ann'), 'insufficient-balance'],
    ['ann', 'transfer', transfer('1', 'cleo', 'silver'), 'insufficient-balance'],
    ['ann', 'transfer', transfer('30', 'cleo'), 'ok'],
    ['ann', 'transfer', transfer('120', 'ann'), 'ok'],
    ['cleo', 'transfer', transfer('30', 'dora'), 'ok'],
  ]);
  assert.deepEqual(chain.state.row(balances, [keyOf('ann'), 'gold']), { amount: 120n });
  assert.deepEqual(chain.state.row(balances, [keyOf('dora'), 'gold']), { amount: 30n });
  assert.equal(chain.state.row(balances, [keyOf('cleo'), 'gold']), undefined, 'a balance of zero has no row');
  const definition = chain.state.row(definitions, ['gold']);
  assert.equal(definition?.supply, 150n);
  assert.deepEqual(new Uint8Array(definition!.owner), keyOf('ben'));
});

test('K12: the supply reaches u128 exactly and goes no further', () => {
  play(new TestChain(), 'assets', [
    ['ben', 'issue', issue(MOST), 'ok'],
    ['ben', 'issue', issue('1', 'cleo'), 'overflow'],
    ['ann', 'transfer', transfer(MOST, 'ann'), 'ok'],
    ['ann', 'transfer', transfer(MOST, 'cleo'), 'ok'],
  ]);
});

test('asset events say what happened', () => {
  const chain = new TestChain();
  const [issued] = chain.send('ben', 'assets', 'issue', issue('7')).events;
  assert.deepEqual(quorateApplication.eventToJson(issued!), {
    ok: true,
    value: { asset: 'gold', by: hex('ben'), to: hex('ann'), amount: '7' },
  });
  const [transferred] = chain.send('ann', 'assets', 'transfer', transfer('7', 'cleo')).events;
  assert.equal(transferred?.name, 'transferred');
  assert.deepEqual(quorateApplication.eventToJson(transferred!), {
    ok: true,
    value: { asset: 'gold', from: hex('ann'), to: hex('cleo'), amount: '7' },
  });
});

test('asset names have one plain spelling', () => {
  for (const asset of ['', ' gold', 'a:b', '..', 'ÄU', 'x'.repeat(33)]) {
    assert.equal(quorateApplication.argsFromJson('assets', 'issue', issue('1', 'ann', asset)).ok, false, asset);
  }
});

test('whatever is issued and transferred, balances sum up to the supply and none is zero', () => {
  const names = ['ann', 'ben', 'cleo', 'dora', 'nobody'];
  const name = fc.constantFrom(...names);
  const step = fc.record({
    sender: name,
    to: name,
    action: fc.constantFrom('issue', 'transfer', 'transfer'),
    asset: fc.constantFrom('gold', 'silver'),
    amount: fc.oneof(fc.bigInt(0n, 40n), fc.bigInt((1n << 128n) - 40n, (1n << 128n) - 1n)),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const chain = new TestChain();
      const transactions = steps.map(({ sender, action, asset, to, amount }) =>
        chain.transaction(sender, [chain.call('assets', action, issue(amount.toString(), to, asset))]),
      );
      chain.run(transactions);
      for (const asset of ['gold', 'silver']) {
        const held = names.map((one) => chain.state.row(balances, [keyOf(one), asset])?.amount);
        assert(!held.includes(0n));
        const sum = held.reduce<bigint>((total, amount) => total + (amount ?? 0n), 0n);
        assert.equal(sum, chain.state.row(definitions, [asset])?.supply ?? 0n);
      }
    }),
    { numRuns: 60 },
  );
});

const register = (key: string, document = 'document'): Json => ({
  key,
  digest: hex(document),
  note: '{"version":"1.0"}',
});

test('records: a key is registered once, by a writer, and revoked by its owner only', () => {
  const chain = new TestChain();
  play(chain, 'records', [
    ['ben', 'register', register('readme'), 'not-permitted'],
    ['nobody', 'register', register('readme'), 'unknown-account'],
    ['ann', 'register', register('readme'), 'ok'],
    ['ann', 'register', register('readme'), 'already-registered'],
    ['dora', 'register', register('readme', 'other'), 'already-registered'],
    ['dora', 'revoke', { key: 'readme' }, 'not-owner'],
    ['ann', 'revoke', { key: 'unknown' }, 'unknown-record'],
  ]);
  const before = chain.state.row(entries, ['readme'])!;
  assert.deepEqual(new Uint8Array(before.digest), keyOf('document'));
  assert.deepEqual(new Uint8Array(before.owner), keyOf('ann'));
  assert.equal(before.note, '{"version":"1.0"}');
  assert.equal(before.revoked, 0);
  play(chain, 'records', [
    ['ann', 'revoke', { key: 'readme' }, 'ok'],
    ['ann', 'revoke', { key: 'readme' }, 'already-revoked'],
    ['ann', 'register', register('readme'), 'already-registered'],
  ]);
  const after = chain.state.row(entries, ['readme'])!;
  assert.equal(after.registered, before.registered);
  assert(after.revoked > after.registered);
});

test('records carry block time, the only time there is', () => {
  const chain = new TestChain();
  const { timestamp } = chain.run([chain.transaction('ann', [chain.call('records', 'register', register('a'))])]);
  assert.equal(chain.state.row(entries, ['a'])?.registered, timestamp);
});

test('K12: keys like __proto__ are keys', () => {
  const chain = new TestChain();
  for (const key of ['__proto__', 'constructor', 'a:b', '0x', 'ключ']) {
    assert.equal(verdict(chain.send('ann', 'records', 'register', register(key))), 'ok');
    assert.equal(verdict(chain.send('ann', 'records', 'register', register(key))), 'already-registered');
  }
  assert.equal(chain.state.row(entries, ['toString']), undefined);
});

test('permission: an active account with one of the roles', () => {
  const account = { id: keyOf('a'), name: 'a', organisation: 'o', roles: ['writer', 'auditor'], active: true };
  assert.equal(permissionProblem(undefined, []), 'unknown-account');
  assert.equal(permissionProblem(account, []), undefined);
  assert.equal(permissionProblem(account, ['issuer', 'auditor']), undefined);
  assert.equal(permissionProblem(account, ['issuer']), 'not-permitted');
  assert.equal(permissionProblem({ ...account, active: false }, []), 'not-permitted');
  assert.equal(permissionProblem({ ...account, active: false }, ['writer']), 'not-permitted');
});

test('an account that is not active neither sends nor receives', () => {
  const chain = new TestChain();
  play(chain, 'assets', [['ben', 'issue', issue('9', 'cleo'), 'ok']]);
  const cleo = chain.state.row(accounts, [keyOf('cleo')])!;
  const value = encode(accountCodec, { ...cleo, active: false });
  chain.state.apply([{ table: accounts.name, key: keyOf('cleo'), value }]);
  play(chain, 'assets', [
    ['cleo', 'transfer', transfer('1', 'ann'), 'not-permitted'],
    ['ben', 'issue', issue('9', 'cleo'), 'unknown-recipient'],
  ]);
});

test('genesis state: organisations, accounts, parameters and validators are rows, in order', () => {
  const organisation = (name: string) => ({ administrators: [keyOf(name)], threshold: 1, roles: ['writer'] });
  const validators = [{ name: 'v', organisation: 'b', key: keyOf('v'), peerKey: keyOf('p') }];
  const changes = genesisState({
    organisations: [
      { name: 'b', ...organisation('x') },
      { name: 'a', ...organisation('y') },
    ],
    accounts: [{ key: keyOf('ann'), name: 'ann', organisation: 'a', roles: ['writer'] }],
    validators,
    parameters: defaultParameters,
  });
  assert.deepEqual(
    changes.map(({ table }) => table),
    [
      'governance.epoch',
      'governance.keys',
      'governance.parameters',
      'governance.summary',
      'governance.validators',
      'members.accounts',
      'members.administrators',
      'members.administrators',
      'members.names',
      'members.organisations',
      'members.organisations',
    ],
  );
  const state = new MemoryState();
  state.apply(changes);
  assert.deepEqual(state.row(parametersTable, ['current']), defaultParameters);
  assert.deepEqual(state.row(validatorsTable, ['current']), validators);
  assert.deepEqual(state.row(organisations, ['a']), { ...organisation('y'), changes: 0 });
  assert.deepEqual(state.row(accounts, [keyOf('ann')]), {
    id: keyOf('ann'),
    name: 'ann',
    organisation: 'a',
    roles: ['writer'],
    active: true,
  });
  assert.deepEqual(state.row(consensusKeys, [keyOf('v')]), { from: 0, until: 0, changed: 0 });
  assert.deepEqual(state.row(summary, ['current']), { organisations: 2, changes: 0, guests: [] });
  assert.deepEqual(decode(organisations.value, changes[9]!.value!), { ...organisation('y'), changes: 0 });
  assert.deepEqual(String.fromCharCode(...changes[9]!.key), 'a');
});
