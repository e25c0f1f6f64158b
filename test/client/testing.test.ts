import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toHex } from '../../ledger/bytes.ts';
import { accounts, assets, balances, calls, type Hex } from '../../light/ledger-client/index.ts';
import { testLedger } from '../../light/ledger-client/testing.ts';
import { isClientError } from '../support/client-network.ts';

describe('a ledger for unit tests', () => {
  const make = () => testLedger({ accounts: { issuer: ['issuer'], alice: [], writer: ['writer'] } });

  it('executes calls as nodes do: receipts, events, rows, permissions', () => {
    const ledger = make();
    const alice = ledger.account('alice');
    const issued = ledger.as('issuer').assets.issue({ asset: 'gold', to: toHex(alice) as Hex, amount: 10n });
    assert.equal(issued.receipt.status, 'ok');
    assert.deepEqual(issued.events(assets, 'issued'), [
      { asset: 'gold', by: ledger.account('issuer'), to: alice, amount: 10n },
    ]);
    assert.deepEqual(ledger.get(balances, [alice, 'gold']), { amount: 10n });
    const { receipt } = ledger.as('alice').assets.issue({ asset: 'gold', to: alice, amount: 10n });
    assert.deepEqual([receipt.status, receipt.code], ['failed', 'not-permitted']);
    assert.equal(ledger.height, 2);
  });

  it('all calls of a transaction happen, or none', () => {
    const ledger = make();
    const [alice, issuer] = [ledger.account('alice'), ledger.account('issuer')];
    ledger.as('issuer').assets.issue({ asset: 'gold', to: alice, amount: 10n });
    const pay = (amount: bigint) => calls.assets.transfer({ asset: 'gold', to: issuer, amount });
    assert.equal(ledger.as('alice').send([pay(6n), pay(6n)]).receipt.code, 'insufficient-balance');
    assert.deepEqual(ledger.get(balances, [alice, 'gold']), { amount: 10n });
    assert.equal(ledger.as('alice').send([pay(6n), pay(4n)]).receipt.status, 'ok');
    assert.equal(ledger.get(balances, [alice, 'gold']), undefined);
  });

  it('time passes as the test says, and administrators act', () => {
    const ledger = make();
    const digest = new Uint8Array(32);
    const before = ledger.time;
    ledger.pass(60_000);
    ledger.as('writer').records.register({ key: 'a', digest, note: '' });
    assert.equal(ledger.time, before + 61_000);
    const change = { kind: 'revoke', value: { account: ledger.account('alice') } } as const;
    const proposal = {
      organisation: 'test',
      nonce: '0x0000000000000001',
      expires: ledger.time + 60_000,
      change,
    } as const;
    assert.equal(ledger.as(ledger.administrator).members.approve(proposal).receipt.status, 'ok');
    assert.equal(ledger.get(accounts, [ledger.account('alice')])!.active, false);
  });

  it('modules name whose actions there are, and add to those of the release', () => {
    const ledger = testLedger({ accounts: { issuer: ['issuer'] }, modules: [assets] });
    const to = ledger.account('issuer');
    assert.equal(ledger.as('issuer').assets.issue({ asset: 'gold', to, amount: 1n }).receipt.status, 'ok');
    assert.deepEqual(Object.keys(ledger.as('issuer')), ['assets', 'send']);
  });

  it('refuses what no node would order', () => {
    const ledger = make();
    assert.throws(() => ledger.as('nobody'), isClientError('invalid-args'));
    const unknown = { module: 'assets', action: 'steal', args: new Uint8Array(0) };
    assert.throws(() => ledger.as('alice').send([unknown]), isClientError('unknown-action', { retry: 'never' }));
  });
});
