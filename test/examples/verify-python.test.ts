import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Bundle, bundleCodec } from '../../ledger/bundle.ts';
import { toHex } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { balances } from '../../ledger/modules/assets.ts';
import { entries } from '../../ledger/modules/records.ts';
import { type Report, verifyBundle } from '../../light/index.ts';
import { ACCOUNTS, encodeBundle, memberOf, rememberingVerify, smallChain } from '../support/chain.ts';
import { mutate, randomFrom } from '../support/mutate.ts';
import { REPOSITORY, temporaryFolder } from '../support/processes.ts';
import { runPython, withoutPython } from '../support/python.ts';
import { outcome } from '../support/report.ts';

const VECTORS = join(REPOSITORY, 'test/vectors');
const verify = rememberingVerify();
const chain = smallChain();
const genesis = chain.genesis.text;
const [, ben] = ACCOUNTS;

/** The same chain after a change of the set. */
const grown = smallChain();
grown.handOver([...grown.members.slice(1), memberOf('node-4')]);
grown.append();

const STEPS = 'format chain epochs certificate block transaction signature receipt state'.split(' ');

const BUNDLES: Readonly<Record<string, Bundle>> = {
  transaction: chain.transactionBundle(2, 3),
  'failed transaction': chain.transactionBundle(1, 0),
  block: chain.blockBundle(3),
  'row that is there': chain.stateBundle(balances, [ben.key, 'gold']),
  'row that is not': chain.stateBundle(entries, ['deed 9']),
  'transaction under a later epoch': grown.transactionBundle(2, 4),
};

describe('the verifier in Python', { skip: withoutPython }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let genesisFile: string;

  before(async () => {
    folder = await temporaryFolder();
    genesisFile = join(folder.path, 'genesis.json');
    await writeFile(genesisFile, genesis);
  });

  after(() => folder?.remove());

  /** Its report about a proof, as `verify.py --json` prints it. */
  async function report(proof: Uint8Array | string, ...flags: readonly string[]) {
    const file = join(folder.path, 'some.proof.json');
    await writeFile(file, proof);
    const { code, output } = await runPython('verify.py', '--genesis', genesisFile, file, '--json', ...flags);
    const { ok, steps, facts } = JSON.parse(output) as Printed;
    assert.equal(code, ok ? 0 : 4);
    for (const { status, detail } of steps) assert.equal(detail === '', status === 'not-reached');
    return { ok, steps: steps.map(({ name, status }) => ({ name, status })), facts };
  }

  it('gives the verdict of every vector, and fails every bad case where the vectors say', async () => {
    const { code, output } = await runPython('check_vectors.py', VECTORS);
    assert.equal(code, 0, output);
    const files = (await readdir(VECTORS)).filter((name) => name.endsWith('.json'));
    assert.equal(output.match(/ cases$/gm)?.length, files.length, output);
  });

  for (const [name, bundle] of Object.entries(BUNDLES)) {
    it(`reports the steps and facts of light/ about a proof of a ${name}, in all forms`, async () => {
      const bytes = encodeBundle(bundle);
      const json = bundleCodec.toJson(bundle);
      const expected = shown(verifyBundle(bytes, genesis, { verify }));
      assert(expected.ok);
      for (const form of [bytes, JSON.stringify(json), `${JSON.stringify(json, undefined, 2)}\n`]) {
        assert.deepEqual(await report(form), expected);
      }
    });

    it(`reports the same failing step about a changed proof of a ${name}`, async () => {
      const bytes = encodeBundle(bundle);
      for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 4)) {
        const changed = bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));
        assert.deepEqual(await report(changed), shown(verifyBundle(changed, genesis, { verify })), `byte ${at}`);
      }
    });
  }

  it('ends where light/ ends on 400 mutants of proofs, in bytes and in JSON', async () => {
    const mutants = join(folder.path, 'mutants');
    await mkdir(mutants);
    const { cases, ends } = mutantCases(400);
    for (const step of STEPS) assert(ends.has(step), `a mutant that ends at ${step}`);
    const good = cases.filter(({ step }) => step === 'passed').map(({ step: _, ...one }) => one);
    const bad = cases.filter(({ step }) => step !== 'passed');
    await writeFile(join(mutants, 'bundles.json'), JSON.stringify({ about: '', genesis, good, bad }));
    const { code, output } = await runPython('check_vectors.py', mutants);
    assert.equal(code, 0, output);
    assert.match(output, /bundles\.json +400 cases/);
  });

  it('judges the age of the certificate only when asked, by the clock', async () => {
    const bytes = encodeBundle(BUNDLES.block!);
    const old = await report(bytes, '--max-age', '60000');
    assert.deepEqual(old.steps.at(-2), { name: 'certificate', status: 'failed' });
    assert.equal((await report(bytes, '--max-age', '999999999999999')).ok, true);
  });

  it('ends with 2 when the command line or a file is wrong, and with 4 when the genesis file is not sound', async () => {
    const file = join(folder.path, 'a.proof.json');
    await writeFile(file, encodeBundle(BUNDLES.block!));
    const code = async (...args: readonly string[]) => (await runPython('verify.py', ...args)).code;
    assert.equal(await code(), 2);
    assert.equal(await code('--genesis', genesisFile), 2);
    assert.equal(await code('--genesis', genesisFile, join(folder.path, 'none')), 2);
    assert.equal(await code('--genesis', join(folder.path, 'none'), file), 2);
    assert.equal(await code('--genesis', genesisFile, file, '--max-age', '-1'), 2);
    assert.equal(await code('--genesis', genesisFile, file), 0);
    assert.equal(await code('--genesis', file, file), 4);
    assert.equal(await code('--genesis', genesisFile, genesisFile), 4);
  });

  it('prints text of a proof without what would change the terminal', async () => {
    const file = join(folder.path, 'terminal.proof.json');
    await writeFile(file, encodeBundle(chain.stateBundle(entries, ['\u009b2J\u202eñ'])));
    const { code, output } = await runPython('verify.py', '--genesis', genesisFile, file);
    assert.equal(code, 0);
    assert.match(output, /^what +records\.entries "\\x9b2J\\u202eñ" does not exist$/m);
  });

  it('checks nothing silently: vectors that differ, and whatever it does not know, are named', async () => {
    const changes: readonly (readonly [file: string, from: string | RegExp, to: string, said: RegExp])[] = [
      ['bundles.json', '"step": "receipt"', '"step": "block"', /MISMATCH .*found 'receipt', expected 'block'/],
      ['bundles.json', '"step": "format"', '"note": "", "step": "format"', /MISMATCH .*not known \['note'\]/],
      ['certificates.json', '"step": "quorum"', '"step": "signature"', /MISMATCH signed by one too few/],
      ['genesis.json', '"code": "bad-key"', '"code": "duplicate"', /MISMATCH a consensus key of small order/],
      ['primitives.json', '"type": "u8"', '"type": "u9"', /MISMATCH the type u9 is not known/],
      ['signatures.json', '"step": 6', '"step": 5', /MISMATCH one bit of the message flipped/],
      ['structures.json', '"type": "Header"', '"type": "Footer"', /MISMATCH the type Footer is not known/],
      ['transactions.json', /"id": "0x./, '"id": "0x', /MISMATCH id of/],
      ['list-tree.json', /"root": "0x../, '"root": "0xff', /MISMATCH/],
      ['state-tree.json', '"step": "end"', '"step": "form"', /MISMATCH/],
      ['history.json', /"root": "0x../, '"root": "0xee', /MISMATCH/],
      ['application.json', '"step": "match"', '"step": "decode"', /MISMATCH/],
      ['sign-bytes.json', '"kind": "ready"', '"kind": "steady"', /MISMATCH the kinds/],
    ];
    for (const [index, [file, from, to, said]] of changes.entries()) {
      const copy = join(folder.path, `changed-${index}`);
      await mkdir(copy);
      const text = await readFile(join(VECTORS, file), 'utf8');
      const changed = text.replace(from, to);
      assert.notEqual(changed, text, file);
      await writeFile(join(copy, file), changed);
      const { code, output } = await runPython('check_vectors.py', copy);
      assert.equal(code, 1, `${file}: ${output}`);
      assert.match(output, said, file);
    }
    const unknown = join(folder.path, 'unknown');
    await mkdir(unknown);
    await writeFile(join(unknown, 'receipts.json'), '{}');
    const { code, output } = await runPython('check_vectors.py', unknown);
    assert.equal(code, 1);
    assert.match(output, /receipts\.json +MISMATCH this file is not known/);
  });
});

interface Printed {
  readonly ok: boolean;
  readonly steps: readonly { readonly name: string; readonly status: string; readonly detail: string }[];
  readonly facts: Json;
}

/** What both reports must agree on; details are prose. */
function shown({ ok, steps, facts }: Report) {
  const json = JSON.stringify(facts ?? null, (_, value) => (value instanceof Uint8Array ? toHex(value) : value));
  return { ok, steps: steps.map(({ name, status }) => ({ name, status })), facts: JSON.parse(json) as Json };
}

/** Mutants of all bundles, with where light/ ends on them. */
function mutantCases(count: number) {
  const random = randomFrom(1);
  const utf8 = { encoder: new TextEncoder(), decoder: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }) };
  const bytes = Object.values(BUNDLES).map(encodeBundle);
  const texts = Object.values(BUNDLES).map((bundle) => utf8.encoder.encode(JSON.stringify(bundleCodec.toJson(bundle))));
  const ends = new Set<string>();
  const cases: { name: string; step: string; bytes: string }[] = [];
  while (cases.length < count) {
    const pool = random(3) === 0 ? texts : bytes;
    const mutant = mutate(pool[random(pool.length)]!, pool[random(pool.length)]!, random);
    let proof: Uint8Array | string = mutant;
    if (mutant[0] === 0x7b) {
      try {
        proof = utf8.decoder.decode(mutant);
      } catch {
        continue; // light/ takes text, which is UTF-8 already
      }
    }
    const end = outcome(verifyBundle(proof, genesis, { verify }));
    const step = end === 'verified' ? 'passed' : end;
    ends.add(step);
    cases.push({ name: `mutant ${cases.length}`, step, bytes: toHex(mutant) });
  }
  return { cases, ends };
}

it('examples/verify-python has the layouts of docs/formats.md, word for word', () => {
  const read = (path: string) => readFileSync(join(REPOSITORY, path), 'utf8');
  const [, layouts] = /read_layouts\('''\n([\s\S]*)'''\)/.exec(
    read('examples/verify-python/quorate_verify/layouts.py'),
  )!;
  const blocks = [...read('docs/formats.md').matchAll(/^```\n([\s\S]*?)^```$/gm)].flatMap(([, block]) =>
    block!.trimEnd().split('\n\n'),
  );
  const definitions = layouts!.trimEnd().split('\n\n');
  assert(definitions.length > 20);
  for (const definition of definitions) assert(blocks.includes(definition), definition);
});
