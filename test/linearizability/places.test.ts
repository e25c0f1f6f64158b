import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Balances, type BankInput, type BankOutput, bankModel } from './models.ts';
import { type Placed, placeViolations, replay } from './places.ts';

type PlacedBank = Placed<BankInput, BankOutput>;

const FROM: ReadonlyMap<string, Balances> = new Map([
  ['gold', { a: 10 }],
  ['silver', { a: 10 }],
]);

function transfer(
  process: string,
  amount: number,
  height: number,
  index: number,
  invokedAt: number,
  at?: number,
): PlacedBank {
  return placed(
    process,
    { kind: 'transfer', from: 'a', to: 'b', amount },
    { kind: 'transferred' },
    height,
    index,
    invokedAt,
    at,
  );
}

function balance(process: string, amount: number, height: number, invokedAt: number, at: number): PlacedBank {
  return placed(
    process,
    { kind: 'balance', account: 'a' },
    { kind: 'balance', amount },
    height,
    undefined,
    invokedAt,
    at,
  );
}

function placed(
  process: string,
  input: BankInput,
  output: BankOutput,
  height: number,
  index: number | undefined,
  invokedAt: number,
  at?: number,
): PlacedBank {
  const returned = at === undefined ? undefined : { at, output };
  return { process, key: 'gold', input, output, invokedAt, returned, place: { height, index } };
}

describe('the places of operations', () => {
  it('are right for a read that is old, and says so by its height', () => {
    const operations = [transfer('p', 4, 5, 0, 0, 1), balance('q', 10, 4, 2, 3), balance('r', 6, 5, 2, 3)];
    assert.deepEqual(placeViolations(bankModel, FROM, operations), []);
  });

  for (const [title, expected, operations] of [
    [
      'a read that is older than its height',
      /its state is \{a=6 b=4\}/,
      [transfer('p', 4, 5, 0, 0, 1), balance('q', 10, 5, 2, 3)],
    ],
    [
      'a read that is newer than its height',
      /its state is \{a=10\}/,
      [transfer('p', 4, 5, 0, 0, 1), balance('q', 6, 4, 0, 3)],
    ],
    ['two writes at one place', /One place for two/, [transfer('p', 4, 5, 0, 0, 5), transfer('q', 4, 5, 0, 0, 5)]],
    [
      'a write that the object could not have done there',
      /its state is \{a=4 b=6\}/,
      [transfer('p', 6, 5, 0, 0, 5), transfer('q', 6, 5, 1, 0, 5)],
    ],
    [
      'a write below one that had returned before',
      /not in a later block/,
      [transfer('p', 4, 6, 0, 0, 1), transfer('q', 4, 5, 0, 2, 3)],
    ],
    [
      'a write in the block of one that had returned before',
      /not in a later block/,
      [transfer('p', 4, 6, 0, 0, 1), transfer('q', 4, 6, 1, 2, 3)],
    ],
    [
      'a write of unknown outcome below one that had returned before',
      /not in a later block/,
      [transfer('p', 4, 6, 0, 0, 1), transfer('q', 4, 5, 0, 2)],
    ],
    [
      'a write in a block that somebody had read before',
      /not in a later block/,
      [balance('p', 6, 7, 0, 1), transfer('q', 4, 7, 0, 2, 3)],
    ],
    [
      'a write below one of another object that had returned before',
      /not in a later block/,
      [transfer('p', 4, 6, 0, 0, 1), { ...transfer('q', 4, 5, 0, 2, 3), key: 'silver' }],
    ],
    [
      'two writes of two objects at one place',
      /One place for two/,
      [transfer('p', 4, 5, 0, 0, 5), { ...transfer('q', 4, 5, 0, 0, 5), key: 'silver' }],
    ],
    [
      'a process that reads an older state than before',
      /a lower height after/,
      [balance('p', 10, 7, 0, 1), balance('p', 10, 6, 2, 3)],
    ],
    [
      'a process that does not read its own write',
      /a lower height after/,
      [transfer('p', 4, 7, 0, 0, 1), balance('p', 10, 6, 2, 3)],
    ],
  ] as const) {
    it(`are wrong: ${title}`, () => {
      const violations = placeViolations(bankModel, FROM, operations);
      assert.equal(violations.length, 1, violations.join('\n'));
      assert.match(violations[0]!, expected);
    });
  }

  it('are right for a process that reads its own write at the height of that', () => {
    assert.deepEqual(placeViolations(bankModel, FROM, [transfer('p', 4, 5, 0, 0, 1), balance('p', 6, 5, 2, 3)]), []);
  });

  it('gives the state after the last in their order, also of those whose outcome their client never learned', () => {
    // After the first there is not enough for the second.
    const states = replay(bankModel, FROM, [transfer('q', 8, 6, 0, 2), transfer('p', 4, 5, 0, 0, 1)]);
    assert.deepEqual(states.get('gold'), { a: 6, b: 4 });
  });
});
