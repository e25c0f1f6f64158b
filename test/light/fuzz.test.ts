import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzVerifiers, meteredVerifiers, notReached, VerifierFailure } from '../fuzz/verifiers.ts';
import type { Target } from '../support/verifiers.ts';

const SEED = 17;
const INPUTS = 1_000;

test('no verifier throws, works longer than its input is worth, or accepts what is not true, for changed inputs', (t) => {
  const counts = fuzzVerifiers(meteredVerifiers(), SEED, (inputs) => inputs >= INPUTS);
  t.diagnostic(`seed ${SEED}: ${JSON.stringify(counts)}`);
  assert.deepEqual(notReached(counts), [], 'every step was reached');
});

test('a failure names the target and the one seed that repeats it, and an end that was never reached is told', () => {
  const target: Target = {
    name: 'any',
    ends: ['even', 'odd', 'never'],
    run(random) {
      const drawn = random(1_000);
      assert.notEqual(drawn, 7);
      return drawn % 2 === 0 ? 'even' : 'odd';
    },
  };
  const failure = (seed: number, inputs: number): VerifierFailure => {
    let thrown: unknown;
    assert.throws(
      () => fuzzVerifiers([target], seed, (done) => done >= inputs),
      (error) => {
        thrown = error;
        return error instanceof VerifierFailure;
      },
    );
    return thrown as VerifierFailure;
  };
  const { message } = failure(0, 20_000);
  const seed = Number(/--target 'any' --seed (\d+) --inputs 1$/.exec(message)?.[1]);
  assert.equal(failure(seed, 1).message, message);
  assert.deepEqual(notReached(fuzzVerifiers([target], seed + 1, (done) => done >= 50)), ['any: never']);
});
