import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { checkLinearizable } from './checker.ts';
import type { History, Model, Operation } from './history.ts';
import {
  type Balances,
  type BankInput,
  type BankOutput,
  bankModel,
  type RegisterInput,
  type RegisterOutput,
  type RegisterState,
  registerModel,
} from './models.ts';

type RegisterOperation = Operation<RegisterInput, RegisterOutput>;
type BankOperation = Operation<BankInput, BankOutput>;

/** A line of a history made by hand: who, what, from when to when; without an end the outcome is unknown. */
function write(process: string, value: string, invokedAt: number, at?: number): RegisterOperation {
  return one(process, { kind: 'write', value }, { kind: 'written' }, invokedAt, at);
}

function read(process: string, value: string | undefined, invokedAt: number, at?: number): RegisterOperation {
  return one(process, { kind: 'read' }, { kind: 'value', value }, invokedAt, at);
}

function cas(process: string, from: string, to: string, isDone: boolean, invokedAt: number, at?: number) {
  return one(
    process,
    { kind: 'cas' as const, from, to },
    { kind: isDone ? ('written' as const) : ('refused' as const) },
    invokedAt,
    at,
  );
}

function transfer(from: string, to: string, amount: number, isDone: boolean, invokedAt: number, at?: number) {
  const output = { kind: isDone ? ('transferred' as const) : ('insufficient' as const) };
  return one(`of ${from}`, { kind: 'transfer' as const, from, to, amount }, output, invokedAt, at);
}

function snapshot(balances: Balances, invokedAt: number, at: number): BankOperation {
  return one('auditor', { kind: 'snapshot' }, { kind: 'snapshot', balances }, invokedAt, at);
}

function one<I, O>(process: string, input: I, output: O, invokedAt: number, at?: number): Operation<I, O> {
  return { process, key: 'x', input, invokedAt, returned: at === undefined ? undefined : { at, output } };
}

const EMPTY: readonly RegisterState[] = [{ value: undefined }];
const BANK: readonly Balances[] = [{ a: 10, b: 0 }];

const REGISTER_HISTORIES: readonly (readonly [string, boolean, readonly RegisterOperation[]])[] = [
  ['nothing at all', true, []],
  ['reads of the value that was there', true, [read('p', undefined, 0, 1), read('q', undefined, 2, 3)]],
  ['a read during a write sees the value before it', true, [write('p', '1', 0, 10), read('q', undefined, 2, 3)]],
  ['a read during a write sees the value of it', true, [write('p', '1', 0, 10), read('q', '1', 2, 3)]],
  [
    'a planted stale read: the value of before a write that had returned',
    false,
    [write('p', '1', 0, 1), read('q', undefined, 2, 3)],
  ],
  [
    'a stale read between two writes',
    false,
    [write('p', '1', 0, 1), write('p', '2', 2, 3), read('q', '1', 4, 5), read('q', '2', 6, 7)],
  ],
  [
    'two reads during a write that see it come and go',
    false,
    [write('p', '1', 0, 10), read('q', '1', 1, 2), read('r', undefined, 3, 4)],
  ],
  [
    'two reads at the same time during a write see different values',
    true,
    [write('p', '1', 0, 10), read('q', '1', 1, 4), read('r', undefined, 3, 6)],
  ],
  ['a value that nobody wrote', false, [write('p', '1', 0, 1), read('q', '2', 0, 1)]],
  [
    'a planted lost write: it returned, and was never there',
    false,
    [write('p', '1', 0, 1), write('q', '2', 2, 3), read('r', '1', 4, 5)],
  ],
  [
    'a write of unknown outcome that took effect much later',
    true,
    [write('p', '1', 0), read('q', undefined, 5, 6), read('q', '1', 100, 101)],
  ],
  ['a write of unknown outcome that never did', true, [write('p', '1', 0), read('q', undefined, 100, 101)]],
  [
    'a write of unknown outcome that took effect twice',
    false,
    [write('p', '1', 0), read('q', '1', 1, 2), write('r', '2', 3, 4), read('q', '1', 5, 6)],
  ],
  ['a read before a write of unknown outcome was invoked sees it', false, [read('q', '1', 0, 1), write('p', '1', 2)]],
  ['a refused cas that could not have been refused', false, [write('p', '1', 0, 1), cas('q', '1', '2', false, 2, 3)]],
  [
    'two cas from one value, and both are done',
    false,
    [write('p', '1', 0, 1), cas('q', '1', '2', true, 2, 5), cas('r', '1', '3', true, 2, 5)],
  ],
  [
    'two cas from one value, and one is done',
    true,
    [write('p', '1', 0, 1), cas('q', '1', '2', true, 2, 5), cas('r', '1', '3', false, 2, 5)],
  ],
  ['one ends when the other begins: any order', true, [write('p', '1', 0, 5), read('q', undefined, 5, 6)]],
];

const BANK_HISTORIES: readonly (readonly [string, boolean, readonly BankOperation[]])[] = [
  [
    'a transfer and a read of all balances after it',
    true,
    [transfer('a', 'b', 4, true, 0, 1), snapshot({ a: 6, b: 4 }, 2, 3)],
  ],
  ['a lost transfer', false, [transfer('a', 'b', 4, true, 0, 1), snapshot({ a: 10 }, 2, 3)]],
  ['a transfer that was applied twice', false, [transfer('a', 'b', 4, true, 0, 1), snapshot({ a: 2, b: 8 }, 2, 3)]],
  ['half of a transfer', false, [transfer('a', 'b', 4, true, 0, 10), snapshot({ a: 6 }, 2, 3)]],
  ['a refused transfer that took effect', false, [transfer('a', 'b', 11, false, 0, 1), snapshot({ b: 10 }, 2, 3)]],
  [
    'a refusal although any order leaves enough',
    false,
    [transfer('a', 'b', 4, true, 0, 1), transfer('a', 'b', 6, false, 2, 3)],
  ],
  [
    'a refusal because of another transfer that ran',
    true,
    [transfer('a', 'b', 5, true, 0, 9), transfer('a', 'b', 6, false, 2, 3)],
  ],
  ['an overdraft', false, [transfer('a', 'b', 6, true, 0, 9), transfer('a', 'b', 6, true, 0, 9)]],
  [
    'of unknown outcome: once',
    true,
    [transfer('a', 'b', 4, true, 0), snapshot({ a: 10 }, 2, 3), snapshot({ a: 6, b: 4 }, 4, 5)],
  ],
  ['of unknown outcome: never', true, [transfer('a', 'b', 4, true, 0), transfer('a', 'b', 10, true, 4, 5)]],
  ['of unknown outcome: twice', false, [transfer('a', 'b', 4, true, 0), snapshot({ a: 2, b: 8 }, 2, 3)]],
  ['to oneself: nothing changes', true, [transfer('a', 'a', 10, true, 0, 1), snapshot({ a: 10 }, 2, 3)]],
];

describe('the checker of histories', () => {
  for (const [title, isLegal, history] of REGISTER_HISTORIES) {
    it(`${isLegal ? 'accepts' : 'refuses'} of a register: ${title}`, () => {
      assert.equal(checkLinearizable(registerModel, EMPTY, history).kind, isLegal ? 'linearizable' : 'violation');
      assert.equal(bruteForce(registerModel, EMPTY, history), isLegal, 'and so does the brute force');
    });
  }

  for (const [title, isLegal, history] of BANK_HISTORIES) {
    it(`${isLegal ? 'accepts' : 'refuses'} of a bank: ${title}`, () => {
      assert.equal(checkLinearizable(bankModel, BANK, history).kind, isLegal ? 'linearizable' : 'violation');
      assert.equal(bruteForce(bankModel, BANK, history), isLegal, 'and so does the brute force');
    });
  }

  it('tells the contradiction in words, with what ran meanwhile and what was known before', () => {
    const history = [
      write('p', '1', 0, 1),
      write('p', '2', 2, 3),
      write('q', '3', 3.5),
      read('r', '1', 4, 5),
      read('r', '2', 6, 7),
    ];
    const verdict = checkLinearizable(registerModel, EMPTY, history);
    assert(verdict.kind === 'violation');
    const { operation, overlapping, before, text } = verdict.counterexample;
    assert.deepEqual([operation, overlapping, before], [3, [2], ['value 2']]);
    assert.equal(
      text,
      [
        'No order explains',
        '  r on x: read gives 1 [4.0 .. 5.0]',
        'When it was invoked, the state was {value 2}; then',
        '  q on x: write 3 gives unknown [3.5 .. never known]',
        'The last that had returned before it:',
        '  p on x: write 2 gives written [2.0 .. 3.0]',
        '  p on x: write 1 gives written [0.0 .. 1.0]',
      ].join('\n'),
    );
  });

  it('gives the states that are possible at the end, with and without what is unknown', () => {
    const verdict = checkLinearizable(registerModel, EMPTY, [
      write('p', '1', 0, 1),
      write('q', '2', 0),
      write('r', '3', 9),
    ]);
    assert(verdict.kind === 'linearizable');
    assert.deepEqual(verdict.states.map(({ value }) => value).sort(), ['1', '2', '3']);
    const again = checkLinearizable(registerModel, verdict.states, [read('p', '3', 10, 11)]);
    assert.equal(again.kind, 'linearizable');
    assert.equal(checkLinearizable(registerModel, verdict.states, [read('p', '4', 10, 11)]).kind, 'violation');
  });

  it('says that it does not know rather than anything else when there are too many possibilities', () => {
    const many = Array.from({ length: 12 }, (_, i) => write(`p${i}`, `${i}`, 0));
    const verdict = checkLinearizable(registerModel, EMPTY, [...many, read('q', 'none of them', 1, 2)], 1_000);
    assert.equal(verdict.kind, 'undecided');
  });

  it('decides thousands of operations of one object, twelve at a time', () => {
    const history = played({ a: 20, b: 20, c: 20 }, 6_000, (i) => {
      const [from, to] = [['a', 'b', 'c'][i % 3]!, ['b', 'c', 'a'][(i >> 2) % 3]!];
      if (i % 5 === 0) return { kind: 'snapshot' };
      return i % 7 === 0 ? { kind: 'balance', account: from } : { kind: 'transfer', from, to, amount: 1 + (i % 13) };
    });
    assert.equal(checkLinearizable(bankModel, [{ a: 20, b: 20, c: 20 }], history).kind, 'linearizable');
    const at = history.findIndex(({ input }, i) => i > 5_000 && input.kind === 'balance');
    const swapped = history.map((operation, i) => (i === at ? withBalance(operation, 61) : operation));
    assert.equal(checkLinearizable(bankModel, [{ a: 20, b: 20, c: 20 }], swapped).kind, 'violation');
  });
});

const registerInput: fc.Arbitrary<RegisterInput> = fc.oneof(
  fc.record({ kind: fc.constant('write' as const), value: fc.constantFrom('1', '2', '3') }),
  fc.constant({ kind: 'read' as const }),
  fc.record({ kind: fc.constant('cas' as const), from: fc.constantFrom('1', '2'), to: fc.constantFrom('2', '3') }),
);
const bankInput: fc.Arbitrary<BankInput> = fc.oneof(
  fc.record({
    kind: fc.constant('transfer' as const),
    from: fc.constantFrom('a', 'b', 'c'),
    to: fc.constantFrom('a', 'b', 'c'),
    amount: fc.integer({ min: 1, max: 8 }),
  }),
  fc.record({ kind: fc.constant('balance' as const), account: fc.constantFrom('a', 'b', 'c') }),
  fc.constant({ kind: 'snapshot' as const }),
);

/** How long before and after its effect an operation was under way, and whether its outcome is lost, before or after that. */
const span = fc.record({
  before: fc.integer({ min: 0, max: 40 }),
  after: fc.integer({ min: 0, max: 40 }),
  fate: fc.constantFrom('known', 'known', 'known', 'unknown', 'never'),
});

describe('the checker and a brute force that shares nothing with it', () => {
  it('accepts what a sequential register gave to operations that overlap', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(registerInput, span), { maxLength: 30 }), (calls) => {
        assert.equal(
          checkLinearizable(registerModel, EMPTY, overlapped(registerModel, EMPTY[0]!, calls)).kind,
          'linearizable',
        );
      }),
    );
  });

  it('accepts what a sequential bank gave to operations that overlap', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(bankInput, span), { maxLength: 30 }), (calls) => {
        assert.equal(checkLinearizable(bankModel, BANK, overlapped(bankModel, BANK[0]!, calls)).kind, 'linearizable');
      }),
    );
  });

  it('agree on a register of which one read was given another value', () => {
    const verdicts = { true: 0, false: 0 };
    const calls = fc.array(fc.tuple(registerInput, span), { minLength: 2, maxLength: 7 });
    fc.assert(
      fc.property(calls, fc.nat(), fc.constantFrom(undefined, '1', '2', '3'), (chosen, which, value) => {
        const history = overlapped(registerModel, EMPTY[0]!, chosen);
        const reads = [...history.keys()].filter(
          (i) => history[i]!.input.kind === 'read' && history[i]!.returned !== undefined,
        );
        const at = reads[which % Math.max(1, reads.length)];
        const swapped = history.map((operation, i) => {
          return i !== at
            ? operation
            : { ...operation, returned: { ...operation.returned!, output: { kind: 'value' as const, value } } };
        });
        const isLegal = bruteForce(registerModel, EMPTY, swapped);
        verdicts[`${isLegal}`]++;
        assert.equal(checkLinearizable(registerModel, EMPTY, swapped).kind, isLegal ? 'linearizable' : 'violation');
      }),
      { numRuns: 2_000 },
    );
    assert(verdicts.true > 200 && verdicts.false > 200, JSON.stringify(verdicts));
  });

  it('agree on a bank of which one balance was given another amount', () => {
    const verdicts = { true: 0, false: 0 };
    const calls = fc.array(fc.tuple(bankInput, span), { minLength: 2, maxLength: 7 });
    fc.assert(
      fc.property(calls, fc.nat(), fc.nat({ max: 10 }), (chosen, which, amount) => {
        const history = overlapped(bankModel, BANK[0]!, chosen);
        const reads = [...history.keys()].filter(
          (i) => history[i]!.input.kind === 'balance' && history[i]!.returned !== undefined,
        );
        const at = reads[which % Math.max(1, reads.length)];
        const swapped = history.map((operation, i) => (i === at ? withBalance(operation, amount) : operation));
        const isLegal = bruteForce(bankModel, BANK, swapped);
        verdicts[`${isLegal}`]++;
        assert.equal(checkLinearizable(bankModel, BANK, swapped).kind, isLegal ? 'linearizable' : 'violation');
      }),
      { numRuns: 2_000 },
    );
    assert(verdicts.true > 200 && verdicts.false > 200, JSON.stringify(verdicts));
  });
});

function withBalance(operation: BankOperation, amount: number): BankOperation {
  return { ...operation, returned: { at: operation.returned!.at, output: { kind: 'balance', amount } } };
}

/** Runs inputs one after the other, with an effect every 10 ms, and gives every one the time around it that it was under way. */
function overlapped<S, I, O>(
  model: Model<S, I, O>,
  from: S,
  calls: readonly (readonly [I, { before: number; after: number; fate: string }])[],
): History<I, O> {
  let state = from;
  return calls.map(([input, { before, after, fate }], i) => {
    const output = fate === 'never' ? undefined : outputOf(model, state, input);
    if (output !== undefined) state = model.step(state, input, output)!;
    const at = 10 * i;
    const returned = fate === 'known' ? { at: at + after, output: output! } : undefined;
    return { process: `p${i}`, key: 'x', input, invokedAt: at - before, returned };
  });
}

/** The same with made inputs, each under way for up to 60 ms before and after. */
function played(from: Balances, count: number, inputOf: (i: number) => BankInput): History<BankInput, BankOutput> {
  const calls = Array.from({ length: count }, (_, i) => {
    return [inputOf(i), { before: (i * 7) % 61, after: (i * 11) % 59, fate: 'known' }] as const;
  });
  return overlapped(bankModel, from, calls);
}

/** The one output that the sequential object can give. */
function outputOf<S, I, O>(model: Model<S, I, O>, state: S, input: I): O {
  const found = candidates(state, input as RegisterInput | BankInput).filter(
    (output) => model.step(state, input, output as O) !== undefined,
  );
  assert.equal(found.length, 1, 'the object is deterministic');
  return found[0] as O;
}

function candidates(state: unknown, input: RegisterInput | BankInput): readonly (RegisterOutput | BankOutput)[] {
  switch (input.kind) {
    case 'write':
    case 'cas':
      return [{ kind: 'written' }, { kind: 'refused' }];
    case 'read':
      return [{ kind: 'value', value: (state as RegisterState).value }];
    case 'transfer':
      return [{ kind: 'transferred' }, { kind: 'insufficient' }];
    case 'balance':
      return [{ kind: 'balance', amount: (state as Balances)[input.account] ?? 0 }];
    case 'snapshot':
      return [{ kind: 'snapshot', balances: state as Balances }];
  }
}

/** Every order that real time allows, one by one. */
function bruteForce<S, I, O>(model: Model<S, I, O>, from: readonly S[], history: History<I, O>): boolean {
  const endOf = ({ returned }: Operation<I, O>): number => returned?.at ?? Number.POSITIVE_INFINITY;
  const fits = (state: S, left: History<I, O>): boolean => {
    if (left.every(({ returned }) => returned === undefined)) return true;
    return left.some((next) => {
      if (left.some((other) => endOf(other) < next.invokedAt)) return false;
      const after = model.step(state, next.input, next.returned?.output);
      return (
        after !== undefined &&
        fits(
          after,
          left.filter((other) => other !== next),
        )
      );
    });
  };
  return from.some((state) => fits(state, history));
}
