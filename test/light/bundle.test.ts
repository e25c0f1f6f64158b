import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { blockHash } from '../../ledger/block.ts';
import { bundleCodec } from '../../ledger/bundle.ts';
import { decode, encode, type Json } from '../../ledger/codec.ts';
import { balances } from '../../ledger/modules/assets.ts';
import { entries } from '../../ledger/modules/records.ts';
import { type Genesis, printSteps, type Report, readGenesis, verifyBundle } from '../../light/index.ts';
import { ACCOUNTS, encodeBundle, GENESIS_TIME, memberOf, rememberingVerify, smallChain } from '../support/chain.ts';
import { outcome } from '../support/report.ts';

const verify = rememberingVerify();
const chain = smallChain();
const text = chain.genesis.text;
const [ann, ben] = ACCOUNTS;

/** After two changes of the set. */
const grown = smallChain();
const members = grown.members;
grown.handOver([...members, memberOf('node-4')]);
grown.append();
grown.handOver([...members.slice(1), memberOf('node-4')]);
grown.append();

const BUNDLES = {
  transaction: encodeBundle(chain.transactionBundle(2, 3)),
  'transaction alone in its block': encodeBundle(chain.transactionBundle(5, 0)),
  'failed transaction': encodeBundle(chain.transactionBundle(1, 0)),
  block: encodeBundle(chain.blockBundle(3)),
  'block of genesis': encodeBundle(chain.blockBundle(0)),
  'row that is there': encodeBundle(chain.stateBundle(balances, [ben.key, 'gold'])),
  'row that is not': encodeBundle(chain.stateBundle(entries, ['deed 9'])),
  'transaction of epoch 0 under a certificate of epoch 2': encodeBundle(grown.transactionBundle(2, 4)),
};

const check = (proof: Uint8Array | string | Json, genesis: string | Genesis = chain.genesis) =>
  verifyBundle(proof, genesis, { verify });

/**
 * What shows that one row is absent also shows that of any other whose path leads to the same place: with another key the
 * proof may be a sound one of another fact, which is then true.
 */
function isOtherAbsence({ facts }: Report): boolean {
  if (facts?.state === undefined || facts.state.value !== undefined) return false;
  const { table, key } = facts.state;
  return (table !== entries.name || Buffer.compare(key, Buffer.from('deed 9')) !== 0) && !chain.hasRow(table, key);
}

for (const [name, bytes] of Object.entries(BUNDLES)) {
  test(`a proof of a ${name} is verified in both forms, and no byte of it can change (${bytes.length} bytes)`, () => {
    assert.equal(outcome(check(bytes)), 'verified', printSteps(check(bytes)).join('\n'));
    const json = bundleCodec.toJson(decode(bundleCodec, bytes));
    assert.deepEqual(check(json), check(bytes));
    assert.deepEqual(check(`${JSON.stringify(json, undefined, 2)}\n`), check(bytes));
    assert.deepEqual(check(JSON.stringify(json)), check(bytes));
    for (const other of [
      ` ${JSON.stringify(json)}`,
      JSON.stringify(json, undefined, 3),
      JSON.stringify(json).replace('{', '{"format":"x",'),
    ]) {
      const { ok, steps } = check(other);
      assert(!ok && steps.find(({ status }) => status === 'failed')?.name === 'format', other.slice(0, 40));
    }

    const ended = new Set<string>();
    for (let at = 0; at < bytes.length; at++) {
      for (const change of [1, 0x80, 1 + ((at * 151) % 255)]) {
        const mutant = bytes.slice();
        mutant[at]! ^= change;
        const report = check(mutant);
        const step = outcome(report);
        if (!isOtherAbsence(report)) assert.notEqual(step, 'verified', `byte ${at} changed by ${change}`);
        ended.add(step);
      }
    }
    assert(ended.has('format') && ended.has('chain') && ended.has('certificate'), [...ended].join());
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(outcome(check(bytes.subarray(0, length))), 'format', `cut to ${length} bytes`);
    }
    assert.equal(outcome(check(Uint8Array.of(...bytes, 0))), 'format');
  });
}

test('the report of a transaction says who signed, when and what', () => {
  const { facts, steps } = check(BUNDLES.transaction);
  assert.deepEqual(
    steps.map(({ name }) => name),
    ['genesis', 'format', 'chain', 'epochs', 'certificate', 'block', 'transaction', 'signature', 'receipt'],
  );
  const { header, transactions, receipts } = chain.blocks[2]!;
  assert.deepEqual(facts, {
    chain: 'test-chain',
    genesisId: chain.genesis.id,
    signedBy: ['node-0', 'node-1', 'node-2'],
    validators: 4,
    certified: { height: 5, time: GENESIS_TIME + 5_000, epoch: 0 },
    recoveries: [],
    block: { height: 2, time: GENESIS_TIME + 2_000, hash: blockHash(header), header },
    transaction: {
      id: transactions[3]!.id,
      sender: ann.key,
      calls: transactions[3]!.body.calls,
      receipt: receipts[3],
    },
  });
});

test('the report of a row gives its value, of an absent row that there is none', () => {
  const there = check(BUNDLES['row that is there']).facts!;
  assert.deepEqual(there.state?.value, encode(balances.value, { amount: 15n }));
  assert.equal(there.state?.table, 'assets.balances');
  const absent = check(BUNDLES['row that is not']).facts!;
  assert.deepEqual(absent.state?.key, new TextEncoder().encode('deed 9'));
  assert.equal(absent.state?.value, undefined);
});

test('V21: existence is not success: the receipt says failed, and making it say ok fails at step receipt', () => {
  const bundle = chain.transactionBundle(1, 0);
  const report = check(BUNDLES['failed transaction']);
  assert.equal(report.facts?.transaction?.receipt.status, 'failed');
  assert.equal(report.facts?.transaction?.receipt.code, 'insufficient-balance');
  assert.match(report.steps.at(-1)!.detail, /failed \(insufficient-balance\)/);

  assert(bundle.fact.kind === 'transaction');
  const receipt = { ...bundle.fact.value.receipt, status: 'ok', code: '' } as const;
  const forged = { ...bundle, fact: { kind: 'transaction', value: { ...bundle.fact.value, receipt } } } as const;
  assert.equal(outcome(check(encodeBundle(forged))), 'receipt');
});

test('V10: the JSON form has one spelling of each value and no unknown field', () => {
  const json = bundleCodec.toJson(decode(bundleCodec, BUNDLES.transaction)) as { [key: string]: Json };
  const printed = JSON.stringify(json);
  const wrong: Record<string, Json> = {
    'unknown field': { ...json, note: '' },
    'upper-case hex': { ...json, genesisId: (json.genesisId as string).toUpperCase() },
    'no 0x': { ...json, genesisId: (json.genesisId as string).slice(2) },
    'number for hex': { ...json, genesisId: 0 },
    'height as text': JSON.parse(printed.replace('"height":5', '"height":"5"')) as Json,
    'height not an integer': JSON.parse(printed.replace('"height":5', '"height":5.5')) as Json,
    'height beyond 2^53 - 1': JSON.parse(printed.replace('"height":5', '"height":9007199254740992')) as Json,
    'height of 1e400': JSON.parse(printed.replace('"height":5', '"height":1e400')) as Json,
    'height of -0': JSON.parse(printed.replace('"height":0', '"height":-0').replace('"epoch":0', '"epoch":-0')) as Json,
    'field missing': { ...json, handoffs: undefined as unknown as Json },
    'other format': { ...json, format: 'quorate-proof-2' },
    'no object': [json],
  };
  for (const [name, one] of Object.entries(wrong)) assert.equal(outcome(check(one)), 'format', name);
  for (const one of [
    '',
    '{',
    'null',
    '[]',
    '{"__proto__":1}',
    `${printed}x`,
    `\ufeff${printed}`,
    '['.repeat(100_000),
  ]) {
    assert.equal(outcome(check(one)), 'format', one.slice(0, 20));
  }
});

test('a genesis file that is not sound fails at step genesis, another chain’s at step chain', () => {
  for (const bad of ['', 'x', '{}', text.slice(0, -1), `${text} `, text.replace('test-chain', 'text-chain')]) {
    assert.equal(outcome(check(BUNDLES.block, bad)), 'genesis');
  }
  assert.equal(outcome(check(BUNDLES.block, text)), 'verified');
  const other = smallChain(4, 'other-chain');
  assert(readGenesis(other.genesis.text, verify).ok);
  assert.equal(outcome(check(BUNDLES.block, other.genesis.text)), 'chain');
});

test('whatever the input is, verification ends with a named step and never throws', () => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withNullPrototype: true, withTypedArray: true }), (input) => {
      assert.equal(outcome(check(input as Json)), 'format');
    }),
    { numRuns: 300 },
  );
  const trap = new Proxy({}, { get: () => assert.fail('read'), ownKeys: () => assert.fail('listed') });
  assert.equal(outcome(check(trap as Json)), 'format');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
      assert.equal(outcome(check(bytes)), 'format');
    }),
    { numRuns: 300 },
  );
});

test('several bytes changed, cut out, doubled or exchanged never verify', () => {
  const sound = Object.values(BUNDLES);
  const mutation = fc.record({
    bytes: fc.constantFrom(...sound),
    other: fc.constantFrom(...sound),
    from: fc.nat(2_000),
    length: fc.integer({ min: 1, max: 200 }),
    otherFrom: fc.nat(2_000),
    kind: fc.constantFrom('cut', 'double', 'exchange', 'zero'),
  });
  fc.assert(
    fc.property(mutation, ({ bytes, other, from, length, otherFrom, kind }) => {
      const at = from % bytes.length;
      const [head, part, tail] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)];
      const middle = {
        cut: [],
        double: [...part, ...part],
        exchange: [...other.subarray(otherFrom % other.length, (otherFrom % other.length) + part.length)],
        zero: new Array<number>(part.length).fill(0),
      }[kind];
      const mutant = Uint8Array.of(...head, ...middle, ...tail);
      const same = sound.some((one) => Buffer.compare(one, mutant) === 0);
      const report = check(mutant);
      assert.equal(outcome(report) === 'verified', same || isOtherAbsence(report), kind);
    }),
    { numRuns: 1_500 },
  );
});
