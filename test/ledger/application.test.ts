import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Action,
  type ActionArgs,
  createApplication,
  defineModule,
  type EventCodecs,
  type EventData,
  type Module,
} from '../../ledger/application.ts';
import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import { blob, bytes32, encode, list, struct, text, u64 } from '../../ledger/codec.ts';
import { accounts } from '../../ledger/modules/accounts.ts';
import { type assets, balances } from '../../ledger/modules/assets.ts';
import { quorateApplication as application } from '../../ledger/modules/index.ts';
import { entries, type records } from '../../ledger/modules/records.ts';
import { defaultParameters } from '../../ledger/parameters.ts';
import {
  bytesPart,
  defineTable,
  type Table,
  tableKeyFromText,
  tableKeyToText,
  tablePrefixFromText,
  textPart,
} from '../../ledger/table.ts';
import type { Call } from '../../ledger/transaction.ts';
import { keyOf } from '../support/execution.ts';

const ann = keyOf('ann');
const hexKey = toHex(ann);

/** The hex of a key text's bytes, or the problem. */
function keyOfText(table: Table<never>, key: string, read = tableKeyFromText): string {
  const decoded = read(table, key);
  return decoded.ok ? toHex(decoded.value) : decoded.problem;
}

test('a table key in text: parts joined with a colon, a single text key as it is', () => {
  const gold = `${hexKey}676f6c64`;
  const cases: readonly [Table<never>, string, string][] = [
    [balances, `${hexKey}:gold`, gold],
    [balances, `${hexKey}:a:b`, `${hexKey}613a62`],
    [accounts, hexKey, hexKey],
    [entries, 'read:me', toHex(utf8Encode('read:me'))],
    [entries, '0x12', toHex(utf8Encode('0x12'))],
  ];
  for (const [table, key, expected] of cases) {
    assert.equal(keyOfText(table, key), expected);
    const bytes = tableKeyFromText(table, key);
    assert(bytes.ok);
    assert.equal(tableKeyToText(table, bytes.value), key);
  }
});

test('texts that are no key are refused with the part that is wrong', () => {
  const hex64 = 'expected 0x and 64 lower-case hex digits';
  const cases: readonly [Table<never>, string, string][] = [
    [balances, '', `key "" of assets.balances: part 1: ${hex64}`],
    [balances, hexKey, `key "${hexKey}" of assets.balances: part 2 is missing`],
    [balances, `${hexKey}:`, `key "${hexKey}:" of assets.balances: part 2: expected 1 to 32 bytes of text`],
    [balances, '0xAB:gold', `key "0xAB:gold" of assets.balances: part 1: ${hex64}`],
    [accounts, `${hexKey}:`, `key "${hexKey}:" of members.accounts: expected 1 parts, found a ':' at the end`],
    [accounts, `${hexKey}:x`, `key "${hexKey}:x" of members.accounts: expected 1 parts, found more`],
    [accounts, `${hexKey}00`, `key "${hexKey}00" of members.accounts: part 1: ${hex64}`],
    [entries, '', 'key "" of records.entries: part 1: expected 1 to 200 bytes of text'],
    [entries, '\ud800', 'key "\\ud800" of records.entries: part 1: expected 1 to 200 bytes of text'],
  ];
  for (const [table, key, expected] of cases) assert.equal(keyOfText(table, key), expected);
  assert.match(keyOfText(entries, 'ü'.repeat(101)), /part 1: expected 1 to 200 bytes of text$/);
});

test('a prefix may end anywhere on a byte', () => {
  const cases: readonly [Table<never>, string, string][] = [
    [balances, '', '0x'],
    [balances, '0x', '0x'],
    [balances, hexKey.slice(0, 10), hexKey.slice(0, 10)],
    [balances, hexKey, hexKey],
    [balances, `${hexKey}:`, hexKey],
    [balances, `${hexKey}:go`, `${hexKey}676f`],
    [entries, 'pa', '0x7061'],
  ];
  for (const [table, key, expected] of cases) assert.equal(keyOfText(table, key, tablePrefixFromText), expected);
  assert.match(keyOfText(balances, '0x1', tablePrefixFromText), /part 1: expected/);
  assert.match(keyOfText(balances, '0x12:go', tablePrefixFromText), /part 1: expected/);
  assert.match(keyOfText(accounts, `${hexKey}:x`, tablePrefixFromText), /found more$/);
});

test('bytes that are no key of the table have no text', () => {
  assert.equal(tableKeyToText(accounts, ann.subarray(1)), undefined);
  assert.equal(tableKeyToText(accounts, new Uint8Array(33)), undefined);
  assert.equal(tableKeyToText(balances, ann), undefined);
  assert.equal(tableKeyToText(entries, Uint8Array.of(0xff)), undefined);
});

test('every key survives text and back', () => {
  const word = fc.string({ unit: 'binary', minLength: 1, maxLength: 32 }).filter((one) => utf8Encode(one).length <= 32);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), word, (account, asset) => {
      const key = balances.encodeKey([account, asset]);
      const shown = tableKeyToText(balances, key);
      assert(shown !== undefined);
      assert.equal(keyOfText(balances, shown), toHex(key));
    }),
    { numRuns: 200 },
  );
});

const body = (module: string, action: string, args: Uint8Array, calls = 1) => ({
  sender: ann,
  nonce: new Uint8Array(8),
  validUntil: 1,
  calls: Array.from({ length: calls }, () => ({ module, action, args })),
  memo: new Uint8Array(0),
});

test('L14: static validity knows actions, argument bytes and limits, and says what is wrong', () => {
  const args = application.argsFromJson('records', 'revoke', { key: 'a' });
  assert(args.ok);
  const problem = (module: string, action: string, bytes = args.value, calls = 1) =>
    application.staticProblem(body(module, action, bytes, calls), { ...defaultParameters, callsMax: 2 });
  assert.equal(problem('records', 'revoke'), undefined);
  assert.equal(problem('records', 'revoke', args.value, 2), undefined);
  assert.deepEqual(problem('records', 'revoke', args.value, 3), { code: 'too-large', detail: '3 calls, at most 2' });
  assert.deepEqual(problem('records', 'burn'), {
    code: 'unknown-action',
    detail: 'call 0: unknown action records.burn',
  });
  assert.deepEqual(problem('__proto__', 'toString'), {
    code: 'unknown-action',
    detail: 'call 0: unknown action "__proto__"."toString"',
  });
  for (const action of ['constructor', '__proto__', 'hasOwnProperty']) {
    assert.equal(problem('records', action)?.code, 'unknown-action', action);
  }
  assert.deepEqual(problem('records', 'revoke', Uint8Array.of(1, 97, 0)), {
    code: 'invalid-args',
    detail: 'call 0, arguments of records.revoke: expected the end, found 1 more bytes',
  });
  assert.equal(problem('records', 'revoke', new Uint8Array(0))?.code, 'invalid-args');
});

test('JSON forms go to bytes and back, or name the path', () => {
  const json = { asset: 'gold', to: hexKey, amount: '12' };
  const args = application.argsFromJson('assets', 'transfer', json);
  assert(args.ok);
  assert.deepEqual(application.argsToJson({ module: 'assets', action: 'transfer', args: args.value }), {
    ok: true,
    value: json,
  });
  assert.deepEqual(application.argsFromJson('assets', 'burn', {}), {
    ok: false,
    problem: 'unknown action assets.burn',
  });
  const missing = application.argsFromJson('assets', 'transfer', { asset: 'gold' });
  assert.match(missing.ok ? '' : missing.problem, /to: missing/);
  assert.deepEqual(application.valueToJson('assets.balances', new Uint8Array(16).fill(0, 0, 15).fill(5, 15)), {
    ok: true,
    value: { amount: '5' },
  });
  assert.equal(application.valueToJson('assets.balances', new Uint8Array(15)).ok, false);
  assert.deepEqual(application.valueToJson('assets.other', new Uint8Array(0)), {
    ok: false,
    problem: 'unknown table "assets.other"',
  });
  const event = { module: 'records', name: 'burnt', data: new Uint8Array(0) };
  assert.deepEqual(application.eventToJson(event), { ok: false, problem: 'unknown event records.burnt' });
});

test('E2, E5: what a transaction may do to the set is known from any of its calls', () => {
  const peers: Action<EventCodecs, { readonly keys: readonly Uint8Array[] }> = {
    roles: [],
    args: struct({ keys: list(bytes32, 4) }),
    endsEpoch: true,
    candidates: ({ keys }) => keys,
    run: () => {},
  };
  const plain: Action<EventCodecs, object> = { roles: [], args: struct({}), run: () => {} };
  const module: Module = defineModule({ name: 'a', tables: [], events: {}, actions: { peers, plain } });
  const small = createApplication({ name: 'x', version: 1, modules: [module] });
  const call = (action: string, args: Uint8Array): Call => ({ module: 'a', action, args });
  const empty = new Uint8Array(0);
  const body = (...calls: readonly Call[]) => ({
    sender: ann,
    nonce: new Uint8Array(8),
    validUntil: 1,
    calls,
    memo: empty,
  });
  const [one, two] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const naming = (...keys: Uint8Array[]) => call('peers', encode(peers.args, { keys }));
  const nothing = call('plain', empty);
  assert.deepEqual([small.endsEpoch(body(nothing)), small.candidates(body(nothing))], [false, []]);
  const both = body(naming(one), nothing, naming(two));
  assert.deepEqual([small.endsEpoch(both), small.candidates(both)], [true, [one, two]]);
  // Nothing of what is statically invalid is believed, and nothing throws.
  assert.deepEqual(small.candidates(body(call('peers', new Uint8Array(3)), call('other', empty))), []);
});

test('the types of arguments and events come from the definition', () => {
  const args: ActionArgs<typeof assets, 'transfer'> = { asset: 'gold', to: ann, amount: 1n };
  const event: EventData<typeof records, 'revoked'> = { key: 'a', owner: ann };
  // @ts-expect-error an amount is a bigint
  const wrong: ActionArgs<typeof assets, 'transfer'> = { asset: 'gold', to: ann, amount: 1 };
  assert.notDeepEqual([args, event], [wrong]);
});

test('E1: an application runs only the chain that names it and its protocol', () => {
  assert.equal(application.versionProblem(defaultParameters), undefined);
  assert.equal(
    application.versionProblem({ ...defaultParameters, applicationVersion: 2 }),
    'the chain runs application quorate version 2, this binary has quorate version 1',
  );
  assert.equal(
    application.versionProblem({ ...defaultParameters, protocolVersion: 2 }),
    'protocolVersion 2, this binary implements 1',
  );
});

test('definitions that the formats can not carry are refused when they are made', () => {
  const refused = (make: () => unknown, message: RegExp) => assert.throws(make, { name: 'RangeError', message });
  refused(() => defineTable('Records.x', [textPart(1)], u64), /expected a name of the form module.table/);
  refused(() => defineTable('a.b.c', [textPart(1)], u64), /expected a name of the form module.table/);
  refused(() => defineTable('a.b', [textPart(8), bytesPart(8)], u64), /only the last key part may be text/);
  refused(() => defineTable('a.b', [], u64), /expected 1 to 256/);
  refused(() => defineTable('a.b', [bytesPart(32), textPart(225)], u64), /keys of up to 257 bytes/);
  refused(() => defineTable('a.b', [textPart(8)], list(bytes32, 2_048)), /values of up to 65538 bytes, at most 65536/);
  const none = { tables: [], events: {}, actions: {} };
  refused(() => defineModule({ name: 'Bad', ...none }), /"Bad" is not a name/);
  refused(() => defineModule({ name: 'a', ...none, tables: [entries] }), /does not belong to module a/);
  refused(
    () => defineModule({ name: 'a', ...none, events: { big: blob(16_384) } }),
    /event a.big may take 16386 bytes/,
  );
  const action = { roles: [], args: text(16_384), run: () => {} };
  refused(
    () => defineModule({ name: 'a', ...none, actions: { long: action } }),
    /arguments of a.long may take 16386 bytes/,
  );
  const module: Module = defineModule({ name: 'a', ...none });
  refused(() => createApplication({ name: 'x', version: 1, modules: [module, module] }), /two modules have the name a/);
  const table = defineTable('a.b', [textPart(8)], struct({ at: u64 }));
  const twice: Module = defineModule({ name: 'a', ...none, tables: [table, table] });
  refused(() => createApplication({ name: 'x', version: 1, modules: [twice] }), /two tables have the name a.b/);
});

test('a key that does not fit its table is refused', () => {
  assert.throws(() => balances.encodeKey([ann.subarray(1), 'gold']), /expected 32 bytes/);
  assert.throws(() => balances.encodeKey([ann, '']), /expected 1 to 32 bytes of text, got 0/);
  assert.throws(() => entries.encodeKey(['x'.repeat(201)]), /expected 1 to 200 bytes of text, got 201/);
  assert.throws(() => entries.encodeKey(['a', 'b'] as unknown as [string]), /expected 1 parts, got 2/);
});
