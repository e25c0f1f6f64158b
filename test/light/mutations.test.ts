import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Bundle, bundleCodec, handoffOf, type StateFact } from '../../ledger/bundle.ts';
import { decode } from '../../ledger/codec.ts';
import { sha256 } from '../../ledger/hash.ts';
import { balances } from '../../ledger/modules/assets.ts';
import { entries } from '../../ledger/modules/records.ts';
import { decodeStateProof, statePath } from '../../ledger/state-proof.ts';
import { printSteps, type StepName, verifyBundle } from '../../light/index.ts';
import {
  ACCOUNTS,
  type Chain,
  changedChain,
  encodeBundle,
  type Forgery,
  growTo,
  rememberingVerify,
  smallChain,
} from '../support/chain.ts';
import { randomFrom } from '../support/mutate.ts';
import { fieldOf, isOtherAbsence, type Mutation, mutationsOf, SEEN_AT, stepOfByte } from '../support/mutations.ts';
import { outcome } from '../support/report.ts';
import { type Span, spansOf } from '../support/spans.ts';

/** Picks bits and positions; another one gives other mutations. */
const SEED = 20_251_125;
/** Different single mutations of every kind of bundle, at least. */
const MUTATIONS_MIN = 50;

const verify = rememberingVerify();
const [ann, ben] = ACCOUNTS;
const plain = growTo(smallChain(), 40);
const changed = changedChain();
const elsewhere = growTo(smallChain(4, 'other-chain'), 40);

/** Of the same genesis, without any hand-off and with all three. */
const ways = [plain.blockBundle(4, plain.certify(5)), changed.blockBundle(4)];

/** A bundle of a chain, and sound ones whose pieces are put into it. */
interface Kind {
  readonly chain: Chain;
  readonly bundle: Bundle;
  readonly others: readonly Bundle[];
}

const KINDS: Readonly<Record<string, Kind>> = Object.fromEntries(
  Object.entries({ 'without hand-offs': plain, 'after three hand-offs': changed }).flatMap(([way, chain]) =>
    Object.entries(kindsOf(chain)).map(([kind, value]) => [`${kind}, ${way}`, { chain, ...value }]),
  ),
);

function kindsOf(chain: Chain): Record<string, Omit<Kind, 'chain'>> {
  const far = chain.certify(39);
  const state = (name: string, certificate = chain.certify()) => chain.stateBundle(entries, [name], certificate);
  const blocks = [chain.blockBundle(3), chain.blockBundle(21), chain.blockBundle(2, far), elsewhere.blockBundle(2)];
  blocks.push(chain.blockBundle(0, chain.certify(0)), ...ways);
  const transactions = [
    chain.transactionBundle(2, 1),
    chain.transactionBundle(2, 4),
    chain.transactionBundle(1, 0),
    chain.transactionBundle(2, 3, far),
    elsewhere.transactionBundle(2, 3),
    chain.transactionBundle(1, 1, chain.certify(1)),
    ...ways,
  ];
  const rows = [
    chain.stateBundle(balances, [ann.key, 'gold']),
    state('deed 1'),
    state('no deed'),
    state(absent(chain, 'self', 1)),
    state(absent(chain, 'other', 1)),
    chain.stateBundle(balances, [ben.key, 'gold'], far),
    elsewhere.stateBundle(balances, [ben.key, 'gold']),
    ...ways,
  ];
  return {
    'transaction deep in the history': { bundle: chain.transactionBundle(2, 3), others: transactions },
    'last transaction of an odd number': { bundle: chain.transactionBundle(2, 4), others: transactions },
    'failed transaction': { bundle: chain.transactionBundle(1, 0), others: transactions },
    'transaction in the certified block': { bundle: chain.transactionBundle(40, 1), others: transactions },
    'block deep in the history': { bundle: chain.blockBundle(2), others: blocks },
    'block of genesis': { bundle: chain.blockBundle(0), others: blocks },
    'certified block': { bundle: chain.blockBundle(40), others: blocks },
    'state, present': { bundle: chain.stateBundle(balances, [ben.key, 'gold']), others: rows },
    'state, absent: nothing there (self)': { bundle: state(absent(chain, 'self')), others: rows },
    'state, absent: another row there (other)': { bundle: state(absent(chain, 'other')), others: rows },
  };
}

/** The key of a record that is not there, of which a proof of this form shows it; `skip` that many. */
function absent(chain: Chain, form: StateFact['proof']['end']['kind'], skip = 0): string {
  const certificate = chain.certify();
  const names = Array.from({ length: 300 }, (_, i) => `no deed ${i}`).filter((name) => {
    const { fact } = chain.stateBundle(entries, [name], certificate);
    return fact.kind === 'state' && fact.value.proof.end.kind === form;
  });
  const name = names[skip];
  assert(name !== undefined, `no absence by ${form} among 300 keys`);
  return name;
}

/** What only holders of keys can make, and one fact shown as another. */
function forgeries(chain: Chain, bundle: Bundle): Mutation[] {
  const { epoch } = chain;
  const zeros = new Uint8Array(32);
  const q = bundle.certificate.proof.signatures.length;
  const certificates: Record<string, Forgery> = {
    'signed by one too few': { signers: Array.from({ length: q - 1 }, (_, index) => index) },
    'signed by nobody': { signers: [] },
    'signed for another chain': { genesisId: elsewhere.genesis.id },
    'of the next epoch': { checkpoint: { epoch: epoch + 1, nextEpoch: epoch + 1 } },
    'of another set': { checkpoint: { validatorsHash: zeros, nextValidatorsHash: zeros } },
    'with a next epoch two further': { checkpoint: { nextEpoch: epoch + 2 } },
    ...(epoch > 0 && { 'with a next epoch before its own': { checkpoint: { nextEpoch: epoch - 1 } } }),
    'with another set inside the epoch': { checkpoint: { nextValidatorsHash: zeros } },
  };
  const forged = Object.entries(certificates).map(([name, forgery]) =>
    mutation(`certificate ${name}`, { ...bundle, certificate: chain.certify(40, forgery) }, 'certificate'),
  );
  // It ends no epoch: with its own set beside it, it would change nothing, and be noise in what is kept.
  const ordinary = handoffOf(plain.certify(3), plain.genesis.validators);
  forged.push(
    mutation('an ordinary certificate as hand-off', { ...bundle, handoffs: [ordinary, ...bundle.handoffs] }, 'epochs'),
  );
  if (bundle.fact.kind !== 'state') return forged;
  const { table, key, value, proof } = bundle.fact.value;
  const shown = (name: string, change: Partial<StateFact>): Mutation =>
    mutation(name, { ...bundle, fact: { kind: 'state', value: { table, key, value, proof, ...change } } }, 'state');
  if (value.kind === 'present') {
    const own = { path: statePath(table, key), valueHash: sha256(value.value) };
    const absence = { ...proof, end: { kind: 'other', value: own } } as const;
    forged.push(
      shown('the row itself as the other that stands there', { value: { kind: 'absent', value: {} }, proof: absence }),
    );
  }
  if (proof.siblings.length < proof.depth)
    forged.push(shown('an empty sibling spelled out', { proof: spelledOut(proof) }));
  return forged;
}

function mutation(name: string, bundle: Bundle, step: StepName): Mutation {
  return { name, bundle, bytes: encodeBundle(bundle), step };
}

/** The same path to the same root with its empty siblings in the list. */
function spelledOut(proof: StateFact['proof']): StateFact['proof'] {
  const { siblings } = decodeStateProof(proof)!;
  const bitmap = new Uint8Array(proof.bitmap.length);
  for (let depth = 0; depth < proof.depth; depth++) bitmap[depth >> 3]! |= 1 << (depth & 7);
  return { ...proof, bitmap, siblings };
}

/** The steps of a verification that can fail by what is in the bundle, `format` apart. */
function stepsOf({ fact, handoffs }: Bundle): StepName[] {
  const ends: Record<typeof fact.kind, StepName[]> = {
    transaction: ['block', 'transaction', 'signature', 'receipt'],
    block: ['block'],
    state: ['state'],
  };
  return ['chain', ...(handoffs.length > 0 ? (['epochs'] as const) : []), 'certificate', ...ends[fact.kind]];
}

for (const [kind, { chain, bundle, others }] of Object.entries(KINDS)) {
  describe(kind, () => {
    const genesis = plain.genesis;
    const bytes = encodeBundle(bundle);
    const check = (mutant: Uint8Array) => verifyBundle(mutant, genesis, { verify });

    test('the bundle itself is verified', () => {
      assert.equal(outcome(check(bytes)), 'verified', printSteps(check(bytes)).join('\n'));
    });

    test('every single changed field fails, first at the step that is there to see it', (t) => {
      t.diagnostic(`seed ${SEED}`);
      const mutations = [...mutationsOf(bundle, others, randomFrom(SEED)), ...forgeries(chain, bundle)];
      const counts = new Map<StepName, number>();
      for (const mutation of mutations) {
        const report = check(mutation.bytes);
        const where = `${mutation.name} (seed ${SEED})\n${printSteps(report).join('\n')}`;
        assert.equal(outcome(report), mutation.step, where);
        counts.set(mutation.step, (counts.get(mutation.step) ?? 0) + 1);
      }
      t.diagnostic(
        `${mutations.length} mutations: ${[...counts].map(([step, count]) => `${step} ${count}`).join(', ')}`,
      );
      assert(mutations.length >= MUTATIONS_MIN, `${mutations.length} mutations`);
      for (const step of stepsOf(bundle)) assert((counts.get(step) ?? 0) >= 3, `${counts.get(step)} fail at ${step}`);
    });

    test('every changed byte fails, first at the step that its place says', (t) => {
      t.diagnostic(`seed ${SEED}`);
      const random = randomFrom(SEED);
      const spans = spansOf(bundleCodec, bundle);
      assert.equal(spans.at(-1)!.to, bytes.length);
      let checked = 0;
      for (const span of spans) {
        for (let at = span.from; at < span.to; at++) {
          for (const change of changesOfByte(span, random)) {
            const mutant = bytes.with(at, bytes[at]! ^ change);
            const seen = stepOfByte(span, at, mutant.subarray(span.from, span.to));
            const isTrue = seen === 'state' && isOtherAbsence(bundle, decode(bundleCodec, mutant));
            const step = isTrue ? 'verified' : seen;
            const report = check(mutant);
            const where = `byte ${at} (${span.role} of ${span.path}) xor ${change}, seed ${SEED}`;
            assert.equal(outcome(report), step, `${where}\n${printSteps(report).join('\n')}`);
            if (!isTrue) checked++;
          }
        }
      }
      t.diagnostic(`${checked} changes of ${bytes.length} bytes`);
      assert(checked >= bytes.length);
    });
  });
}

test('each field of a bundle has a step at which its changes are seen, and each such field was changed', () => {
  const paths = Object.values(KINDS).flatMap(({ bundle }) => spansOf(bundleCodec, bundle).map(({ path }) => path));
  const without = paths.filter((path) => fieldOf(path) === undefined);
  assert.deepEqual([...new Set(without)], ['fact.kind']);
  assert.deepEqual(new Set(paths.map(fieldOf).filter(Boolean)), new Set(Object.keys(SEEN_AT)));
});

/** Where a byte decides how others are read, all eight bits; else one. */
function changesOfByte({ role }: Span, random: (below: number) => number): number[] {
  if (role === 'bytes') return [1 << random(8)];
  return Array.from({ length: 8 }, (_, bit) => 1 << bit);
}
