import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Context, createApplication, defineModule } from '../../ledger/application.ts';
import { receiptCodec, receiptsRoot } from '../../ledger/block.ts';
import { compareBytes, toHex } from '../../ledger/bytes.ts';
import { blob, bytes32, decode, encode, type Json, struct, text, u32, u64 } from '../../ledger/codec.ts';
import { executeBatch, StateError } from '../../ledger/execution.ts';
import { accounts, organisations } from '../../ledger/modules/accounts.ts';
import { governance } from '../../ledger/modules/governance.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { members } from '../../ledger/modules/members.ts';
import { entries, records } from '../../ledger/modules/records.ts';
import { defineTable, textPart } from '../../ledger/table.ts';
import type { Call } from '../../ledger/transaction.ts';
import { GENESIS_ID, keyOf, START, TestChain, verdict } from '../support/execution.ts';

const cells = defineTable('probe.cells', [textPart(64)], struct({ data: blob(1_024) }));
const foreign = defineTable('probe.elsewhere', [textPart(8)], u64);

/** What a probe action does, by name. */
const BEHAVIOURS: Readonly<Record<string, (ctx: Context, count: number) => unknown>> = {
  nothing: () => undefined,
  'type-error': () => (undefined as unknown as { x: () => void }).x(),
  'divide-by-zero': () => 1n / 0n,
  'throw-text': () => {
    throw 'a secret';
  },
  'return-promise': async () => {},
  'return-value': () => 1,
  'unknown-event': (ctx) => ctx.emit('nonsense' as never, {} as never),
  'bad-code': (ctx) => ctx.fail('Not A Code'),
  'foreign-table': (ctx) =>
    ctx.set(accounts, [keyOf('ann')], { id: keyOf('ann'), name: 'x', organisation: 'x', roles: [], active: true }),
  'unlisted-table': (ctx) => ctx.get(foreign, ['a']),
  'long-key': (ctx) => ctx.set(cells, ['x'.repeat(65)], { data: new Uint8Array(0) }),
  'prototype-key': (ctx) => ctx.set(cells, ['__proto__'], { data: new Uint8Array(1) }),
  'write-then-fail': (ctx, count) => {
    for (let i = 0; i < count; i++) ctx.set(cells, [`fail${i}`], { data: new Uint8Array(1) });
    ctx.delete(cells, ['kept']);
    ctx.emit('noted' as never, { at: 1 } as never);
    return ctx.fail('chosen');
  },
  'swallow-failure': (ctx) => {
    try {
      ctx.set(cells, ['swallowed'], { data: new Uint8Array(1) });
      ctx.fail('swallowed');
    } catch {
      ctx.set(cells, ['after'], { data: new Uint8Array(1) });
    }
  },
  'swap-failure': (ctx) => {
    try {
      ctx.fail('first');
    } catch {
      throw new Error('second');
    }
  },
  read: (ctx, count) => {
    for (let i = 0; i < count; i++) ctx.get(cells, [`r${i % 7}`]);
  },
  write: (ctx, count) => {
    for (let i = 0; i < count; i++) ctx.set(cells, ['same'], { data: Uint8Array.of(i & 255) });
  },
  'write-bytes': (ctx, count) => ctx.set(cells, ['k'], { data: new Uint8Array(count) }),
  emit: (ctx, count) => {
    for (let i = 0; i < count; i++) ctx.emit('noted' as never, { at: i } as never);
  },
  'read-for-ever': (ctx) => {
    for (;;) ctx.has(cells, ['x']);
  },
  'read-for-ever-swallowing': (ctx) => {
    for (let i = 0; i < 1_000; i++) {
      try {
        ctx.has(cells, ['x']);
      } catch {}
    }
  },
  recurse: (ctx, count) => BEHAVIOURS.recurse!(ctx, count + 1) as number | undefined,
  'read-kept': (ctx) => ctx.has(cells, ['kept']) && undefined,
  keep: (ctx) => ctx.set(cells, ['kept'], { data: new Uint8Array(1) }),
  'write-named': (ctx) => ctx.set(organisations, ['acme'], { ...ctx.get(organisations, ['acme'])!, changes: 7 }),
  where: (ctx) => ctx.emit('placed' as never, { height: ctx.height, chain: ctx.genesisId } as never),
  'set-and-undo': (ctx) => {
    ctx.set(cells, ['kept'], { data: new Uint8Array(9) });
    ctx.set(cells, ['kept'], { data: new Uint8Array(1) });
    ctx.set(cells, ['passing'], { data: new Uint8Array(1) });
    ctx.delete(cells, ['passing']);
  },
};

const probe = defineModule({
  name: 'probe',
  tables: [cells],
  writes: [organisations],
  events: { noted: struct({ at: u64 }), placed: struct({ height: u64, chain: bytes32 }) },
  actions: {
    run: {
      roles: [],
      args: struct({ what: text(64), count: u32 }),
      run: (ctx, { what, count }) => BEHAVIOURS[what]!(ctx, count) as undefined,
    },
  },
});
const application = createApplication({ name: 'probe', version: 1, modules: [members, governance, records, probe] });

const LIMITS = { readsMax: 100, writesMax: 50, stateBytesMax: 1_000, callsMax: 4 };
const probeCall = (chain: TestChain, what: string, count = 0): Call => chain.call('probe', 'run', { what, count });

/** Verdicts of calls made in one transaction each, on a chain that holds the row `kept`. */
function outcomeOf(...calls: readonly (readonly [what: string, count?: number])[]): string {
  const chain = new TestChain(application, LIMITS);
  assert.equal(verdict(chain.send('cleo', 'probe', 'run', { what: 'keep', count: 0 })), 'ok');
  const { receipts, changes } = chain.run([
    chain.transaction(
      'cleo',
      calls.map(([what, count]) => probeCall(chain, what, count)),
    ),
  ]);
  const [receipt] = receipts;
  const outcome = verdict(receipt!);
  if (outcome !== 'ok') assert.deepEqual(changes, [], 'a failed transaction changes nothing');
  return outcome;
}

test('K12: whatever a handler throws, the receipt is failed {internal}, says no more, and nothing changed', () => {
  for (const what of [
    'type-error',
    'divide-by-zero',
    'throw-text',
    'return-promise',
    'return-value',
    'unknown-event',
    'bad-code',
    'foreign-table',
    'unlisted-table',
    'long-key',
  ]) {
    assert.equal(outcomeOf([what]), 'internal', what);
    assert.equal(outcomeOf(['write', 3], [what]), 'internal', `${what} after a write`);
  }
  assert.equal(outcomeOf(['prototype-key']), 'ok');
});

test('a module may write the tables of others that it names, and no more of theirs', () => {
  assert.equal(outcomeOf(['write-named']), 'ok');
  assert.equal(outcomeOf(['foreign-table']), 'internal');
});

test('handlers know the height of the block and the chain', () => {
  const chain = new TestChain(application);
  chain.send('cleo', 'probe', 'run', { what: 'nothing', count: 0 });
  const { events } = chain.send('cleo', 'probe', 'run', { what: 'where', count: 0 });
  assert.deepEqual(decode(probe.events.placed, events[0]!.data), { height: 2, chain: GENESIS_ID });
});

test('all or nothing: a failing call undoes the calls before it and drops their events', () => {
  assert.equal(outcomeOf(['emit', 3], ['write', 5], ['write-then-fail', 3]), 'chosen');
});

test('a handler can not survive its own failure by catching it', () => {
  assert.equal(outcomeOf(['swallow-failure']), 'swallowed');
  assert.equal(outcomeOf(['swap-failure']), 'first');
  assert.equal(outcomeOf(['read-for-ever-swallowing']), 'limit');
});

test('rule N10: calls, reads, writes, bytes and events are metered over the whole transaction, to the exact number', () => {
  const table: readonly (readonly [string, ...(readonly [string, number?])[]])[] = [
    ['ok', ['nothing'], ['nothing'], ['nothing'], ['nothing']],
    ['limit', ['nothing'], ['nothing'], ['nothing'], ['nothing'], ['nothing']],
    ['ok', ['read', 100]],
    ['limit', ['read', 101]],
    ['ok', ['read', 60], ['read', 40]],
    ['limit', ['read', 60], ['read', 41]],
    ['ok', ['write', 50]],
    ['limit', ['write', 51]],
    // One key byte, a length of two and the data.
    ['ok', ['write-bytes', 997]],
    ['limit', ['write-bytes', 998]],
    ['limit', ['write-bytes', 900], ['write-bytes', 900]],
    // Eight bytes each.
    ['ok', ['emit', 125]],
    ['limit', ['emit', 126]],
    ['limit', ['read-for-ever']],
  ];
  for (const [expected, ...calls] of table) assert.equal(outcomeOf(...calls), expected, JSON.stringify(calls));
});

test('rule N10: a receipt holds at most 512 events', () => {
  const chain = new TestChain(application);
  assert.equal(verdict(chain.send('cleo', 'probe', 'run', { what: 'emit', count: 512 })), 'ok');
  assert.equal(verdict(chain.send('cleo', 'probe', 'run', { what: 'emit', count: 513 })), 'limit');
});

test('the meter starts anew with every transaction', () => {
  const chain = new TestChain(application, LIMITS);
  const result = chain.run(Array.from({ length: 5 }, () => chain.transaction('cleo', [probeCall(chain, 'read', 100)])));
  assert.deepEqual(result.outcomes, ['ok', 'ok', 'ok', 'ok', 'ok']);
});

test('trap: handler raising TypeError, deep recursion, 256 heavy calls: a receipt each, and no receipt for the stack', () => {
  assert.equal(outcomeOf(['type-error']), 'internal');
  const chain = new TestChain(application);
  const { callsMax, readsMax } = chain.parameters;
  assert.equal(callsMax, 256);
  // As many reads as a transaction may make, and one more in the last of its calls.
  const heavy = (reads: number) => Array.from({ length: callsMax }, () => probeCall(chain, 'read', reads));
  const each = Math.floor(readsMax / callsMax);
  assert.equal(verdict(chain.run([chain.transaction('cleo', heavy(each - 1))]).receipts[0]!), 'ok');
  assert.equal(verdict(chain.run([chain.transaction('cleo', heavy(each + 1))]).receipts[0]!), 'limit');
  assert.throws(() => chain.send('cleo', 'probe', 'run', { what: 'recurse', count: 0 }), /call stack/);
});

test('K12: exhausting the stack is not a receipt: it stops the node', () => {
  const chain = new TestChain(application);
  assert.throws(() => chain.send('cleo', 'probe', 'run', { what: 'recurse', count: 0 }), /call stack/);
});

test('a state that can not be read or decoded stops the node, whoever catches the exception', () => {
  const chain = new TestChain(application);
  const { state } = chain;
  const get = state.get.bind(state);
  state.get = (table, key) => {
    if (table === 'probe.cells') throw new Error('disk');
    return get(table, key);
  };
  for (const what of ['read-kept', 'read-for-ever-swallowing']) {
    assert.throws(() => chain.send('cleo', 'probe', 'run', { what, count: 0 }), StateError);
  }
  state.get = (table, key) => (table === 'members.accounts' ? Uint8Array.of(9) : get(table, key));
  assert.throws(() => chain.send('cleo', 'probe', 'run', { what: 'nothing', count: 0 }), {
    name: 'StateError',
    message: 'a row of members.accounts does not decode',
  });
});

test('what static validity excludes still ends the same way', () => {
  const chain = new TestChain();
  const args = new Uint8Array(0);
  const verdictOf = (call: Call) => verdict(chain.run([chain.transaction('ann', [call])]).receipts[0]!);
  assert.equal(verdictOf({ module: 'nobody', action: 'run', args }), 'unknown-action');
  assert.equal(verdictOf({ module: 'records', action: '__proto__', args }), 'unknown-action');
  assert.equal(verdictOf({ module: 'records', action: 'register', args }), 'invalid-args');
});

const register = (key: string): Json => ({ key, digest: toHex(keyOf(key)), note: '' });

test('N9: block time is the batch timestamp, or one more than the parent', () => {
  const chain = new TestChain();
  assert.equal(chain.try([], START + 7).timestamp, START + 7);
  assert.equal(chain.try([], START).timestamp, START + 1);
  assert.equal(chain.try([], 0).timestamp, START + 1);
});

test('Q04: a transaction executes from validUntil - lifetime to validUntil, by block time, and is skipped outside', () => {
  const chain = new TestChain();
  const life = chain.parameters.maxLifetimeMs;
  const at = START + 100;
  const cases: readonly (readonly [number, string])[] = [
    [at - 1, 'skipped'],
    [at, 'ok'],
    [at + life, 'ok'],
    [at + life + 1, 'skipped'],
  ];
  const transactions = cases.map(([validUntil], i) =>
    chain.transaction('ann', [chain.call('records', 'register', register(`k${i}`))], validUntil),
  );
  const result = chain.try(transactions, at);
  assert.deepEqual(
    result.outcomes,
    cases.map(([, outcome]) => outcome),
  );
  assert.deepEqual(result.executed, [transactions[1], transactions[2]]);
  assert.deepEqual(
    result.receipts.map(({ id }) => id),
    [transactions[1]!.id, transactions[2]!.id],
  );
  // A stale timestamp does not bring one back: block time is what counts.
  chain.timestamp = at;
  assert.deepEqual(chain.try([transactions[1]!], 0).outcomes, ['skipped']);
});

test('Q02 Q03 L16: an id executes once: twice in a batch, in a later batch, or with another signature', () => {
  const chain = new TestChain();
  const transaction = chain.transaction('ann', [chain.call('records', 'register', register('a'))]);
  const bytes = transaction.bytes.slice();
  bytes.fill(1, bytes.length - 64);
  const otherSignature = { ...transaction, bytes, signature: bytes.subarray(bytes.length - 64) };
  const failing = chain.transaction('ben', [chain.call('records', 'register', register('b'))]);
  const first = chain.run([transaction, failing, otherSignature, transaction, failing]);
  assert.deepEqual(first.outcomes, ['ok', 'failed', 'skipped', 'skipped', 'skipped']);
  assert.equal(first.receipts.length, 2);
  const second = chain.run([otherSignature, failing]);
  assert.deepEqual(second.outcomes, ['skipped', 'skipped']);
  assert.deepEqual([second.executed, second.receipts, second.changes], [[], [], []]);
});

test('Q05, trap: an id at the exact edge of its lifetime, twice: a replayed id is skipped up to its last moment by the ids kept, afterwards by its lifetime', () => {
  const chain = new TestChain();
  const life = chain.parameters.maxLifetimeMs;
  const validUntil = START + life;
  const transaction = chain.transaction('ann', [chain.call('records', 'register', register('a'))], validUntil);
  assert.deepEqual(chain.run([transaction], START + 1).outcomes, ['ok']);
  chain.timestamp = validUntil - 1;
  assert.deepEqual(chain.try([transaction], validUntil).outcomes, ['skipped']);
  chain.executed.clear();
  assert.deepEqual(chain.try([transaction], validUntil).outcomes, ['failed'], 'only the kept ids stop it at the edge');
  assert.deepEqual(chain.try([transaction], validUntil + 1).outcomes, ['skipped'], 'no ids needed any more');
});

test('V21: a receipt that says failed is not the receipt that says ok', () => {
  const id = keyOf('id');
  const ok = { id, status: 'ok', code: '', events: [] } as const;
  const failed = { id, status: 'failed', code: 'limit', events: [] } as const;
  assert.notDeepEqual(receiptsRoot([ok]), receiptsRoot([failed]));
  assert.notDeepEqual(encode(receiptCodec, ok), encode(receiptCodec, { ...ok, status: 'failed' }));
});

test('every receipt has its own events, whatever came before it in the batch', () => {
  const chain = new TestChain(application);
  const { receipts } = chain.run([
    chain.transaction('cleo', [probeCall(chain, 'emit', 2)]),
    chain.transaction('cleo', [probeCall(chain, 'emit', 1), probeCall(chain, 'write-then-fail')]),
    chain.transaction('cleo', [probeCall(chain, 'emit', 1), probeCall(chain, 'emit', 2)]),
    chain.transaction('cleo', [probeCall(chain, 'nothing')]),
  ]);
  assert.deepEqual(
    receipts.map(({ events }) => events.map(({ module, name, data }) => `${module} ${name} ${data[7]}`)),
    [['probe noted 0', 'probe noted 1'], [], ['probe noted 0', 'probe noted 0', 'probe noted 1'], []],
  );
});

test('the account is the one of the moment: permission taken away in a call counts for the next', () => {
  const strict = defineModule({
    ...members,
    actions: {
      retire: {
        roles: ['writer'],
        args: struct({}),
        run(ctx) {
          ctx.set(accounts, [ctx.sender], { ...ctx.account, active: false });
        },
      },
    },
  });
  const chain = new TestChain(createApplication({ name: 'strict', version: 1, modules: [strict, governance, probe] }));
  const retire = chain.call('members', 'retire', {});
  const { receipts } = chain.run([
    chain.transaction('ann', [retire, retire]),
    chain.transaction('ann', [probeCall(chain, 'nothing'), retire]),
    chain.transaction('ann', [probeCall(chain, 'nothing')]),
    chain.transaction('dora', [probeCall(chain, 'nothing')]),
  ]);
  assert.deepEqual(receipts.map(verdict), ['not-permitted', 'ok', 'not-permitted', 'ok']);
  assert.equal(chain.state.row(accounts, [keyOf('ann')])?.active, false);
});

test('later transactions of a batch see what earlier ones wrote, and not what failed ones wrote', () => {
  const chain = new TestChain();
  const call = (action: string, args: Json) => [chain.call('records', action, args)];
  const result = chain.run([
    chain.transaction('dora', [...call('register', register('x')), ...call('revoke', { key: 'y' })]),
    chain.transaction('ann', call('register', register('x'))),
    chain.transaction('ann', [...call('revoke', { key: 'x' }), ...call('register', register('x'))]),
    chain.transaction('ann', call('revoke', { key: 'x' })),
  ]);
  assert.deepEqual(result.receipts.map(verdict), ['unknown-record', 'ok', 'already-registered', 'ok']);
  assert.notEqual(chain.state.row(entries, ['x'])?.revoked, 0);
});

test('changes are net, and sorted by table, then key', () => {
  const chain = new TestChain(application);
  chain.send('cleo', 'probe', 'run', { what: 'keep', count: 0 });
  assert.deepEqual(chain.run([chain.transaction('cleo', [probeCall(chain, 'set-and-undo')])]).changes, []);
  const { changes } = chain.run([
    chain.transaction(
      'ann',
      ['b', 'a', 'ab', 'é', 'B'].map((key) => chain.call('records', 'register', register(key))),
    ),
    chain.transaction('cleo', [probeCall(chain, 'prototype-key')]),
  ]);
  assert.deepEqual(
    changes.map(({ table, key }) => `${table}/${String.fromCharCode(...key)}`),
    [
      'probe.cells/__proto__',
      'records.entries/B',
      'records.entries/a',
      'records.entries/ab',
      'records.entries/b',
      'records.entries/Ã©',
    ],
  );
});

test('transactions that are not those of the batch are our own mistake', () => {
  const chain = new TestChain();
  const [a, b] = ['a', 'b'].map((key) => chain.transaction('ann', [chain.call('records', 'register', register(key))]));
  const input = {
    application: quorateApplication,
    genesisId: GENESIS_ID,
    parameters: chain.parameters,
    idHorizonMs: 1_000_000,
    state: chain.state,
    parentTimestamp: START,
    batch: { height: 1, timestamp: START + 1, transactions: [a!.id] },
    executedBefore: () => false,
  };
  assert.throws(() => executeBatch({ ...input, transactions: [] }), /0 transactions for a batch of 1/);
  assert.throws(() => executeBatch({ ...input, transactions: [b!] }), /transaction 0 is 0x/);
});

/** A random call with its sender: valid, failing and crashing ones. */
const anyCall = fc.record({
  what: fc.constantFrom(...Object.keys(BEHAVIOURS).filter((name) => name !== 'recurse')),
  count: fc.nat(120),
});
const anyBatch = fc.array(
  fc.record({
    sender: fc.constantFrom('ann', 'cleo', 'nobody'),
    calls: fc.array(anyCall, { minLength: 1, maxLength: 5 }),
    validFor: fc.constantFrom(-5, 0, 50, 4_000_000),
    repeat: fc.nat(4),
  }),
  { maxLength: 8 },
);

test('K13: the same batch on the same state gives the same result, and transactions one by one give the same state', () => {
  fc.assert(
    fc.property(anyBatch, (steps) => {
      const chain = new TestChain(application, LIMITS);
      const transactions = steps.flatMap(({ sender, calls, validFor, repeat }) => {
        const made = calls.map(({ what, count }) => probeCall(chain, what, count));
        const one = chain.transaction(sender, made, START + 10 + validFor);
        return repeat === 0 ? [one, one] : [one];
      });
      const before = new Map(chain.state.rows);
      const result = chain.try(transactions);
      assert.deepEqual(chain.state.rows, before, 'executing does not write');
      assert.deepEqual(chain.try(transactions), result);
      assert.deepEqual(
        [...result.changes],
        [...result.changes].sort((a, b) =>
          a.table === b.table ? compareBytes(a.key, b.key) : a.table < b.table ? -1 : 1,
        ),
      );
      assert.equal(result.outcomes.filter((outcome) => outcome !== 'skipped').length, result.receipts.length);

      // A batch is its transactions with a receipt `ok`, in order; the others may as well not be there.
      const ok = transactions.filter((_, index) => result.outcomes[index] === 'ok');
      assert.deepEqual(chain.try(ok).changes, result.changes);
      chain.state.apply(result.changes);
      const rows = new Map(chain.state.rows);
      chain.state.rows.clear();
      for (const [key, value] of before) chain.state.rows.set(key, value);
      for (const one of ok) chain.state.apply(chain.try([one]).changes);
      assert.deepEqual(chain.state.rows, rows);
    }),
    { numRuns: 80 },
  );
});
