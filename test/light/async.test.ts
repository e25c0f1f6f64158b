import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundleCodec } from '../../ledger/bundle.ts';
import { fromHex } from '../../ledger/bytes.ts';
import { decode, type Json } from '../../ledger/codec.ts';
import { EDGE_VECTORS } from '../../ledger/edge-vectors.ts';
import { verdictsOf } from '../../light/engine.ts';
import {
  planBundle,
  readGenesis,
  readGenesisAsync,
  verifyBundle,
  verifyBundleAsync,
  withEngine,
} from '../../light/index.ts';
import { checkedWebCrypto, type Subtle } from '../../light/webcrypto.ts';
import { encodeBundle, memberOf, rememberingVerify, smallChain } from '../support/chain.ts';
import { outcome } from '../support/report.ts';

const verify = rememberingVerify();
const chain = smallChain();
const text = chain.genesis.text;
const changed = smallChain();
changed.handOver([...changed.members, memberOf('node-4')]);
changed.append();
const bytes = encodeBundle(changed.transactionBundle(2, 3));

test('a plan lists every signature: possession at genesis, hand-offs, certificate, transaction', () => {
  const plan = planBundle(bytes, text);
  assert.equal(plan.checks.length, 4 + 3 + 4 + 1);
  for (const { signature, message, publicKey } of plan.checks) assert(verify(signature, message, publicKey));
  const verdicts = plan.checks.map(() => true);
  assert.deepEqual(plan.finish(verdicts), verifyBundle(bytes, text, { verify }));
  // A genesis that was read before brings no signatures of its own.
  assert.equal(planBundle(bytes, changed.genesis).checks.length, 3 + 4 + 1);
});

test('one false verdict, or a missing one, ends at the step whose signature it is', () => {
  const plan = planBundle(bytes, text);
  const steps = ['genesis', 'genesis', 'genesis', 'genesis', 'epochs', 'epochs', 'epochs'];
  steps.push('certificate', 'certificate', 'certificate', 'certificate', 'signature');
  for (const [index, step] of steps.entries()) {
    assert.equal(outcome(plan.finish(plan.checks.map((_, at) => at !== index))), step, `verdict ${index}`);
    assert.equal(outcome(plan.finish(plan.checks.slice(0, index).map(() => true))), step, `${index} verdicts`);
  }
  const truthy = plan.checks.map(() => 1) as unknown as boolean[];
  assert.equal(outcome(plan.finish(truthy)), 'genesis');
});

test('a proof that is changed after it was planned does not come under its verdicts', () => {
  const mine = bytes.slice();
  const plan = planBundle(mine, text);
  mine.fill(0, 40);
  assert.deepEqual(plan.finish(plan.checks.map(() => true)), verifyBundle(bytes, text, { verify }));

  const json = bundleCodec.toJson(decode(bundleCodec, bytes)) as Record<string, Json>;
  const planned = planBundle(json, text);
  json.fact = null;
  assert.deepEqual(planned.finish(planned.checks.map(() => true)), verifyBundle(bytes, text, { verify }));
});

test('a proof that fails before any signature matters asks for none further', () => {
  assert.equal(planBundle(bytes.subarray(1), changed.genesis).checks.length, 0);
  assert.equal(outcome(planBundle(bytes.subarray(1), changed.genesis).finish([])), 'format');
});

test('verifyBundleAsync gives the reports of verifyBundle', async () => {
  const bad = bytes.slice();
  bad[bad.length - 1]! ^= 1;
  const forged = encodeBundle({ ...changed.blockBundle(1), certificate: chain.certify(5) });
  for (const proof of [bytes, bad, forged, bytes.subarray(1), 'x', new Uint8Array(0)]) {
    assert.deepEqual(await verifyBundleAsync(proof, text), verifyBundle(proof, text, { verify }));
  }
  assert.deepEqual(await verifyBundleAsync(bytes, ''), verifyBundle(bytes, '', { verify }));
});

test('verifyBundleAsync takes a genesis that was read, and JSON', async () => {
  const json = bundleCodec.toJson(decode(bundleCodec, bytes));
  const expected = verifyBundle(bytes, changed.genesis, { verify });
  assert.equal(outcome(expected), 'verified');
  for (const proof of [bytes, json, JSON.stringify(json)]) {
    assert.deepEqual(await verifyBundleAsync(proof, changed.genesis), expected);
    assert.deepEqual(await verifyBundleAsync(proof, text), expected);
  }
  const cut = bytes.subarray(1);
  assert.deepEqual(await verifyBundleAsync(cut, changed.genesis), verifyBundle(cut, changed.genesis, { verify }));
});

test('bytes that are changed after verifyBundleAsync was called do not come under its verdicts', async () => {
  for (const genesis of [text, changed.genesis]) {
    const mine = bytes.slice();
    const report = verifyBundleAsync(mine, genesis);
    mine.fill(0, 40);
    assert.equal(outcome(await report), 'verified');
  }
});

test('readGenesisAsync gives what readGenesis gives: the genesis, or what is wrong with the file', async () => {
  const [first, second] = changed.genesis.validators;
  const stolen = text.replaceAll(first!.name, 'x').replaceAll(second!.name, first!.name);
  for (const file of [text, '', text.slice(1), stolen]) {
    const expected = readGenesis(file, verify);
    assert.equal(expected.ok, file === text);
    assert.deepEqual(await readGenesisAsync(file), expected);
  }
  const read = readGenesis(stolen, verify);
  assert.equal(!read.ok && read.code, 'bad-possession');
});

test('V09: WebCrypto is used only if it keeps to rule S5 on every edge vector', async () => {
  const real: Subtle = globalThis.crypto.subtle;
  const engine = await checkedWebCrypto(real);
  assert(engine !== undefined, 'the WebCrypto of this Node keeps to S5');
  for (const vector of EDGE_VECTORS) {
    const [signature, message, publicKey] = [vector.signature, vector.message, vector.publicKey].map(
      (hex) => fromHex(hex)!,
    );
    assert.equal(await engine(signature!, message!, publicKey!), vector.valid, vector.name);
  }
  assert.equal(await checkedWebCrypto(undefined), undefined);
  const never = () => Promise.reject(new DOMException('Unrecognized name', 'NotSupportedError'));
  const importKey = real.importKey.bind(real) as Subtle['importKey'];
  assert.equal(await checkedWebCrypto({ importKey: never, verify: never }), undefined);
  assert.equal(await checkedWebCrypto({ importKey, verify: () => Promise.resolve(true) }), undefined);
  assert.equal(await checkedWebCrypto({ importKey, verify: () => Promise.resolve(false) }), undefined);
});

test('a proof with any number of signatures costs a bounded number of checks beyond the first that is not valid', async () => {
  const [good] = planBundle(bytes, text).checks;
  const bad = { ...good!, signature: good!.signature.with(40, good!.signature[40]! ^ 1) };
  const many = (count: number) => Array.from({ length: count }, () => good!);
  for (const before of [0, 1, 63, 64, 100]) {
    const verdicts = await verdictsOf([...many(before), bad, ...many(10_000)]);
    assert.deepEqual(verdicts, [...many(before).map(() => true), false], `${before} before it`);
  }
  assert.deepEqual(
    await verdictsOf(many(130)),
    many(130).map(() => true),
  );
  assert.deepEqual(await verdictsOf([]), []);
});

test('a walk that goes on after a signature that is not valid gets true verdicts on what it asks then', async () => {
  const [good] = planBundle(bytes, text).checks;
  const bad = { ...good!, signature: good!.signature.with(40, good!.signature[40]! ^ 1) };
  const asked = [bad, good!, bad, bad, ...Array.from({ length: 100 }, () => good!), bad, good!];
  const verdicts = await withEngine((verify) => {
    const seen: boolean[] = [];
    for (const check of asked) {
      seen.push(verify(check.signature, check.message, check.publicKey));
      // Asked only when the one before was not valid.
      if (!seen.at(-1)) seen.push(verify(good!.signature, good!.message, good!.publicKey));
    }
    return seen;
  });
  assert.deepEqual(
    verdicts,
    asked.flatMap((check) => (check === bad ? [false, true] : [true])),
  );
});
