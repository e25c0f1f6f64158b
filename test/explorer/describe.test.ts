import assert from 'node:assert/strict';
import { describe as suite, test } from 'node:test';
import { type DescribeOptions, type Description, describe } from '../../explorer/verify/describe.ts';
import { readExpectedId, readMaxAge } from '../../explorer/verify/settings.ts';
import { ago, duration, moment, size, visible } from '../../explorer/verify/words.ts';
import type { Bundle } from '../../ledger/bundle.ts';
import { toHex } from '../../ledger/bytes.ts';
import { balances } from '../../ledger/modules/assets.ts';
import { validatorsTable } from '../../ledger/modules/epoch.ts';
import { entries } from '../../ledger/modules/records.ts';
import { verifyBundle } from '../../light/sync.ts';
import { chooseSignatures } from '../../node/signatures.ts';
import { ACCOUNTS, Chain, encodeBundle, GENESIS_TIME, memberOf, seedOf, smallChain } from '../support/chain.ts';

const chain = smallChain();
const [ann, ben] = ACCOUNTS;

function say(bundle: Bundle, options: Partial<DescribeOptions> = {}, of = chain): Description {
  const { genesis } = of;
  const report = verifyBundle(encodeBundle(bundle), genesis, { verify: chooseSignatures().verify });
  return describe(report, { genesis, expected: { kind: 'none' }, nowMs: GENESIS_TIME + 65_000, ...options });
}

/** `group: name` to value, and its note after a bar. */
function rowsOf({ groups }: Description): Record<string, string> {
  return Object.fromEntries(
    groups.flatMap(({ title, rows }) =>
      rows.map(({ name, value, note }) => [`${title}: ${name}`, note === undefined ? value : `${value} | ${note}`]),
    ),
  );
}

suite('a report in plain words', () => {
  test('an amount, a key and its owner are said as the application writes them', () => {
    const rows = rowsOf(say(chain.stateBundle(balances, [ben.key, 'gold'])));
    assert.equal(rows['What: Key'], `${toHex(ben.key)}:gold`);
    assert.equal(rows['What: Row'], 'exists');
    assert.equal(rows['The row: amount'], '15');
    const transfer = rowsOf(say(chain.transactionBundle(2, 3)));
    assert.equal(transfer['Its call: Action'], 'assets.transfer');
    assert.equal(transfer['Its call: to'], `${toHex(ben.key)} | ben of acme, says the genesis file`);
    assert.equal(transfer['What: Sender'], `${toHex(ann.key)} | ann of acme, says the genesis file`);
  });

  test('a row that is a list is shown with its structure', () => {
    const { groups } = say(chain.stateBundle(validatorsTable, ['current']));
    const row = groups.find(({ title }) => title === 'The row')!.rows[0]!;
    assert.equal(row.form, 'code');
    assert.deepEqual(
      (JSON.parse(row.value) as { name: string }[]).map(({ name }) => name),
      ['node-0', 'node-1', 'node-2', 'node-3'],
    );
  });

  test('what another application wrote is shown as bytes, with the reason', () => {
    const { genesis } = chain;
    const other = { ...genesis, parameters: { ...genesis.parameters, applicationVersion: 2 } };
    const call = rowsOf(say(chain.transactionBundle(2, 3), { genesis: other }));
    const bytes = chain.blocks[2]!.transactions[3]!.body.calls[0]!.args;
    assert.equal(call[`Its call: Arguments (${bytes.length} bytes)`], toHex(bytes));
    assert.match(call['What: Not decoded']!, /the chain runs application quorate version 2/);
    const row = rowsOf(say(chain.stateBundle(entries, ['deed 1']), { genesis: other }));
    assert.equal(row['What: Key'], toHex(Buffer.from('deed 1')));
    assert.match(Object.keys(row).at(-1)!, /^The row: Value \(\d+ bytes\)$/);
  });

  test('a call that the application does not know is shown as bytes', () => {
    const report = verifyBundle(encodeBundle(chain.transactionBundle(2, 3)), chain.genesis, {
      verify: chooseSignatures().verify,
    });
    const { facts } = report;
    const calls = [{ module: 'trade', action: 'sell', args: Uint8Array.of(1, 2) }];
    const changed = { ...report, facts: { ...facts!, transaction: { ...facts!.transaction!, calls } } };
    const rows = rowsOf(describe(changed, { genesis: chain.genesis, expected: { kind: 'none' }, nowMs: 0 }));
    assert.equal(rows['Its call: Arguments (2 bytes)'], '0x0102 | not decoded: unknown action trade.sell');
  });

  test('characters that hide or turn what is read are spelt out', () => {
    const own = new Chain();
    const note = 'paid\u202e001\u0000\u200b\nreceipt';
    const args = { key: 'a\u2066b', digest: toHex(seedOf('x')), note };
    own.append(own.transaction(ann, own.call('records', 'register', args)));
    const rows = rowsOf(say(own.transactionBundle(1, 0), {}, own));
    assert.equal(rows['Its call: note'], 'paid\\u{202e}001\\u{0}\\u{200b}\nreceipt');
    assert.equal(rows['Its call: key'], 'a\\u{2066}b');
    const absent = rowsOf(say(own.stateBundle(entries, ['line\nbreak\u202e']), {}, own));
    assert.equal(absent['What: Key'], 'line\nbreak\\u{202e}');
    assert.equal(visible('name\n'), 'name\\u{a}');
  });

  test('a set that follows from hand-offs is said to be one', () => {
    const own = smallChain();
    own.handOver([...own.members.slice(0, 3), memberOf('new', 'globex')]);
    own.append();
    const { groups, proven } = say(own.transactionBundle(1, 2), {}, own);
    const signed = groups.find(({ title }) => title === 'Who signed')!.rows;
    assert.match(signed.find(({ name }) => name === 'Validator set')!.value, /^that of epoch 1, handed over/);
    assert.match(proven, /3 of the 4 validators that follow from the genesis file/);
  });

  test('a certified time ahead of the clock, and one beyond the calendar, are said to be so', () => {
    const rows = rowsOf(say(chain.blockBundle(3), { nowMs: GENESIS_TIME }));
    assert.equal(rows['When: Age of the certificate'], 'none: it is 5 seconds ahead of the clock of this device');
    assert.deepEqual(moment(Number.MAX_SAFE_INTEGER), {
      utc: '9007199254740991 ms after 1970, beyond the calendar',
      local: undefined,
    });
  });

  test('only the expected id makes a proof of a transaction the asked one', () => {
    const [asked, other] = chain.blocks[2]!.transactions.map(({ id }) => id) as [Uint8Array, Uint8Array];
    const expected = { kind: 'given', value: asked } as const;
    const equal = say(chain.transactionBundle(2, 0), { expected });
    assert.deepEqual([equal.tone, equal.verdict], ['good', 'Verified']);
    assert.equal(rowsOf(equal)['What: Transaction id'], `${toHex(asked)} | equals the expected id`);
    const unequal = say(chain.transactionBundle(2, 1), { expected });
    assert.deepEqual([unequal.tone, unequal.verdict], ['bad', 'Verified, but not the expected transaction']);
    assert.equal(rowsOf(unequal)['What: Transaction id'], `${toHex(other)} | expected ${toHex(asked)}`);
    const row = say(chain.stateBundle(entries, ['deed 1']), { expected });
    assert.deepEqual([row.tone, row.verdict], ['bad', 'Verified, but not about a transaction']);
    const unread = say(chain.transactionBundle(2, 0), { expected: { kind: 'problem', problem: '' } });
    assert.equal(unread.tone, 'caution');
  });
});

suite('what an auditor enters', () => {
  test('an id is read with and without 0x, in either case, and nothing else is one', () => {
    const id = `0x${'ab'.repeat(32)}`;
    for (const text of [id, ` ${id}\n`, id.slice(2), id.toUpperCase()]) {
      const read = readExpectedId(text);
      assert.equal(read.kind === 'given' ? toHex(read.value) : read.kind, id, text);
    }
    assert.equal(readExpectedId('  ').kind, 'none');
    for (const text of [id.slice(0, -1), `${id}00`, 'readme', `${id.slice(0, -1)}g`, `0x${id}`]) {
      assert.equal(readExpectedId(text).kind, 'problem', text);
    }
  });

  test('a maximum age is a whole number of its unit', () => {
    assert.deepEqual(readMaxAge('2', 'hours'), { kind: 'given', value: 7_200_000 });
    assert.deepEqual(readMaxAge(' 36500 ', 'days'), { kind: 'given', value: 36_500 * 86_400_000 });
    assert.deepEqual(readMaxAge('', 'days'), { kind: 'none' });
    for (const text of ['0', '-1', '1.5', '1e3', 'x', '36501']) assert.equal(readMaxAge(text, 'days').kind, 'problem');
    assert.equal(readMaxAge('1', 'weeks').kind, 'problem');
  });
});

test('durations and sizes are said in the units that fit', () => {
  assert.equal(duration(999), 'less than a second');
  assert.equal(duration(1_000), '1 second');
  assert.equal(duration(3_600_000), '1 hour');
  assert.equal(duration(2 * 86_400_000 + 3 * 3_600_000 + 59_000), '2 days 3 hours');
  assert.equal(duration(366 * 86_400_000), '1 year 1 day');
  assert.equal(ago(1_000, 61_000), '1 minute, by the clock of this device');
  assert.equal(size(1), '1 byte');
  assert.equal(size(1_048_576), '1.0 MiB');
});
