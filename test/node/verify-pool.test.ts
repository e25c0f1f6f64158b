import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, fromHex } from '../../ledger/bytes.ts';
import { EDGE_VECTORS } from '../../ledger/edge-vectors.ts';
import { signedMessage } from '../../ledger/transaction.ts';
import { chooseSignatures, createSigner } from '../../node/signatures.ts';
import { workerUrl } from '../../node/start-worker.ts';
import {
  isValid,
  packChecks,
  packTransactionChecks,
  type SignatureCheck,
  unpackChecks,
} from '../../node/verify/packed.ts';
import { createVerifyPool, type VerifyPool, type VerifyPoolError } from '../../node/verify/pool.ts';
import { register, testGenesis } from '../support/genesis.ts';

const signer = createSigner(new Uint8Array(32).fill(7));
const { verify } = chooseSignatures();

/** A check of its own message, valid or with one wrong byte. */
function check(number: number, valid: boolean): SignatureCheck {
  const message = Uint8Array.of(number >> 8, number & 255);
  const signature = signer.sign(message);
  if (!valid) signature[3]! ^= 1;
  return { signature, publicKey: signer.publicKey, message };
}

const edgeChecks: readonly SignatureCheck[] = EDGE_VECTORS.map(({ signature, publicKey, message }) => ({
  signature: fromHex(signature)!,
  publicKey: fromHex(publicKey)!,
  message: fromHex(message)!,
}));

/** A pool that the test closes; any fatal error fails the test unless it is expected. */
function pool(t: TestContext, workers: number, onFatal?: (error: VerifyPoolError) => void): VerifyPool {
  const created = createVerifyPool({ workers, onFatal: onFatal ?? ((error) => assert.fail(error)) });
  t.after(() => created.close());
  return created;
}

for (const workers of [0, 1, 2]) {
  // The timeout ends a lost answer, which would otherwise wait for ever.
  describe(`with ${workers} verify threads`, { timeout: 30_000 }, () => {
    test('the bitmap has the verdict of every check at its place', async (t) => {
      const verify = pool(t, workers);
      const batches = fc.array(fc.array(fc.boolean(), { maxLength: 40 }), { minLength: 1, maxLength: 5 });
      await fc.assert(
        fc.asyncProperty(batches, async (wanted) => {
          const answers = wanted.map((batch) => verify.verify(packChecks(batch.map((valid, i) => check(i, valid)))));
          for (const [b, verdicts] of (await Promise.all(answers)).entries()) {
            assert.equal(verdicts.length, Math.ceil(wanted[b]!.length / 8));
            assert.deepEqual(
              wanted[b]!.map((_, i) => isValid(verdicts, i)),
              wanted[b],
            );
          }
        }),
        { numRuns: 15 },
      );
    });

    test('V09 K04: the edge vectors, wrong lengths among them, have the verdict of S5', async (t) => {
      const verdicts = await pool(t, workers).verify(packChecks(edgeChecks));
      for (const [i, { name, valid }] of EDGE_VECTORS.entries()) assert.equal(isValid(verdicts, i), valid, name);
    });

    test('what is pending when the pool closes is rejected, and so is what comes later', async (t) => {
      const verify = pool(t, workers);
      const checks = Array.from({ length: 300 }, (_, i) => check(i, true));
      const pending = assert.rejects(verify.verify(packChecks(checks)), { code: 'VERIFY_CLOSED' });
      await verify.close();
      await pending;
      await assert.rejects(verify.verify(packChecks([])), { code: 'VERIFY_CLOSED' });
    });
  });
}

test('the checks of transactions are those of what their signatures are made over', () => {
  const chain = testGenesis();
  const transactions = ['a', 'bb', 'ccc'].map((name) => register(chain, name));
  const expected = transactions.map(({ signature, body, bytes }) => {
    return { signature, publicKey: body.sender, message: signedMessage(chain.genesis.id, bytes) };
  });
  const packed = packTransactionChecks(chain.genesis.id, transactions);
  assert.deepEqual([...unpackChecks(packed)], expected);
  for (const { signature, message, publicKey } of unpackChecks(packed)) assert(verify(signature, message, publicKey));
});

test('without threads a long batch lets other events of the loop have their turn', async (t) => {
  const checks = Array.from({ length: 1_500 }, (_, i) => check(i, true));
  let done = false;
  let turns = 0;
  const countTurns = (): void => {
    turns++;
    if (!done) setImmediate(countTurns);
  };
  setImmediate(countTurns);
  const verdicts = await pool(t, 0).verify(packChecks(checks));
  done = true;
  assert(checks.every((_, i) => isValid(verdicts, i)));
  assert(turns > 3, `only ${turns} turns of the loop`);
});

test('a thread that dies is fatal once and rejects everything that was pending', { timeout: 30_000 }, async (t) => {
  const fatal: VerifyPoolError[] = [];
  const verify = pool(t, 2, (error) => fatal.push(error));
  const truncated = { count: 2, bytes: packChecks([check(1, true)]).bytes };
  // One call to each thread, then two more: the thread that dies has at least one waiting behind the broken batch.
  const calls = [truncated, packChecks(many(400)), packChecks(many(5)), packChecks(many(6))].map(verify.verify);
  const outcomes = await Promise.allSettled(calls);
  assert.deepEqual(outcomes[0]!.status, 'rejected');
  assert(outcomes.filter(({ status }) => status === 'rejected').length >= 2);
  await assert.rejects(verify.verify(packChecks([check(1, true)])), { code: 'VERIFY_DIED' });
  assert.equal(fatal.length, 1);
  assert.equal(fatal[0]!.code, 'VERIFY_DIED');
  assert.match(fatal[0]!.message, /packed checks end within check 1 of 2/);
});

function many(count: number): SignatureCheck[] {
  return Array.from({ length: count }, (_, i) => check(i, true));
}

test('packed checks are the same checks again, and anything else is refused', () => {
  const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
  const checks = fc.array(
    fc.record(
      { signature: bytes(64), publicKey: bytes(32), message: fc.uint8Array({ maxLength: 50 }) },
      { noNullPrototype: true },
    ),
    { maxLength: 10 },
  );
  fc.assert(
    fc.property(checks, (list) => {
      const packed = packChecks(list);
      assert.deepEqual([...unpackChecks(packed)], list);
      const longer = concatBytes(new Uint8Array(packed.bytes), Uint8Array.of(0)).buffer as ArrayBuffer;
      assert.throws(() => [...unpackChecks({ count: packed.count, bytes: longer })], RangeError);
      assert.throws(() => [...unpackChecks({ count: packed.count + 1, bytes: packed.bytes })], RangeError);
      if (list.length === 0) return;
      const shorter = packed.bytes.slice(0, packed.bytes.byteLength - 1);
      assert.throws(() => [...unpackChecks({ count: packed.count, bytes: shorter })], RangeError);
    }),
  );
});

test('a worker is started from the same kind of file as the module that starts it', () => {
  assert.equal(workerUrl('worker', 'file:///a/node/verify/threads.ts').href, 'file:///a/node/verify/worker.ts');
  assert.equal(
    workerUrl('worker', 'file:///a/dist/node/verify/threads.js').href,
    'file:///a/dist/node/verify/worker.js',
  );
});
