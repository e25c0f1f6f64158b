import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { BrowserFile } from '../../build/browser.ts';
import * as light from '../../light/index.ts';
import { type BrowserBundle, browserBundle, gzipBytes } from '../support/browser-bundle.ts';
import { encodeBundle, smallChain } from '../support/chain.ts';
import { outcome } from '../support/report.ts';

/** Bytes gzipped. */
const CORE_MAX = 10_000;
const CLIENT_MAX = 15_000;
const PORTABLE_MAX = 15_000;
const TEXTS_MAX = 6_200;
const WEBCRYPTO_MAX = 4_000;

describe('the light client as a browser bundle', () => {
  let bundle: BrowserBundle;
  before(async () => {
    bundle = await browserBundle();
  });

  /** A file of the bundle as on a page of its own: the engine is chosen once. */
  async function load(t: TestContext, name: string): Promise<Partial<typeof light>> {
    const folder = await mkdtemp(join(tmpdir(), 'quorate-light-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    for (const file of bundle.files) await writeFile(join(folder, file.name), file.code);
    return import(pathToFileURL(join(folder, name)).href);
  }

  test('holds nothing of Node', () => {
    for (const { code, name, modules } of bundle.files) {
      for (const path of modules) assert.match(path, /^(light|ledger|genesis)\/|(^|\/)node_modules\/@noble\//, name);
      assert.doesNotMatch(
        new TextDecoder().decode(code),
        /\beval\(|\bFunction\(|\brequire\(|["']node:|\bBuffer\b/,
        name,
      );
    }
  });

  test('has a small core, and what is needed only sometimes in small files apart', (t) => {
    const core = bundle.loadedWith('light.js');
    const modules = core.flatMap((file) => file.modules);
    assert(modules.includes('light/verify-bundle.ts'));
    for (const path of modules) assert.doesNotMatch(path, /^genesis\/|edge-vectors|portable|@noble\/curves|describe/);
    /** What the core loads for a module. */
    const lazy = (module: string): BrowserFile[] =>
      bundle.files.filter(
        ({ source, loads }) => source === module && loads.every((name) => core.some((file) => file.name === name)),
      );
    const sizes: readonly (readonly [string, readonly BrowserFile[], number])[] = [
      ['core', core, CORE_MAX],
      ['core and client', bundle.loadedWith('light-client.js'), CLIENT_MAX],
      ['portable verifier', lazy('ledger/portable.ts'), PORTABLE_MAX],
      ['reading of texts', lazy('light/texts.ts'), TEXTS_MAX],
      ['WebCrypto by rule S5', lazy('light/webcrypto.ts'), WEBCRYPTO_MAX],
    ];
    t.diagnostic(`gzipped: ${sizes.map(([what, files]) => `${what} ${gzipBytes(files)}`).join(', ')} bytes`);
    t.diagnostic(`gzipped: all of light/index.ts ${gzipBytes(bundle.loadedWith('light-full.js'))} bytes`);
    for (const [what, files, max] of sizes) {
      assert(files.length > 0, what);
      assert(gzipBytes(files) <= max, `${what}: ${gzipBytes(files)} bytes, at most ${max}`);
    }
  });

  test('has every name of light/index.ts in light-full.js, and in the core those that wait for an engine', async (t) => {
    assert.deepEqual(Object.keys(await load(t, 'light-full.js')).sort(), Object.keys(light).sort());
    assert.deepEqual(Object.keys(await load(t, 'light.js')).sort(), ['readGenesisAsync', 'verifyBundleAsync']);
  });

  for (const [engine, hasWebCrypto] of [
    ['WebCrypto', true],
    ['the portable verifier, as on a page without https', false],
  ] as const) {
    for (const name of ['light.js', 'light-full.js']) {
      test(`${name} runs by itself: verifies a proof and refuses a changed one by ${engine}`, async (t) => {
        const { subtle } = globalThis.crypto;
        let asked = 0;
        const verify: SubtleCrypto['verify'] = (...args) => {
          asked++;
          return subtle.verify(...args);
        };
        const importKey = subtle.importKey.bind(subtle);
        const value = hasWebCrypto ? { verify, importKey } : undefined;
        Object.defineProperty(globalThis.crypto, 'subtle', { value, configurable: true });
        t.after(() => Reflect.deleteProperty(globalThis.crypto, 'subtle'));

        const { verifyBundleAsync, readGenesisAsync } = await load(t, name);
        const chain = smallChain();
        const sound = chain.transactionBundle(2, 3);
        assert.equal(outcome(await verifyBundleAsync!(encodeBundle(sound), chain.genesis.text)), 'verified');
        const certificate = chain.certify(5, { genesisId: new Uint8Array(32) });
        const forged = encodeBundle({ ...sound, certificate });
        assert.equal(outcome(await verifyBundleAsync!(forged, chain.genesis.text)), 'certificate');
        const read = await readGenesisAsync!(chain.genesis.text);
        assert(read.ok);
        assert.equal(outcome(await verifyBundleAsync!(encodeBundle(sound), read.genesis)), 'verified');
        assert.equal(outcome(await verifyBundleAsync!(forged, read.genesis)), 'certificate');
        assert.equal(asked > 0, hasWebCrypto);
      });
    }
  }
});
