import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type * as Light from '../../light/index.ts';
import { type BrowserBundle, browserBundle } from '../support/browser-bundle.ts';
import { encodeBundle, smallChain } from '../support/chain.ts';
import { outcome } from '../support/report.ts';

/** Bytes gzipped. */
const CORE_MAX = 14_000;
const PORTABLE_MAX = 15_000;
const EDGE_VECTORS_MAX = 3_000;

describe('the light client as a browser bundle', () => {
  let bundle: BrowserBundle;
  before(async () => {
    bundle = await browserBundle();
  });

  test('holds nothing of Node', () => {
    assert(bundle.core.modules.includes('light/verify-bundle.ts'));
    for (const { code, name, modules } of [bundle.core, ...bundle.lazy.values()]) {
      for (const path of modules) assert.match(path, /^(light|ledger|genesis)\/|(^|\/)node_modules\/@noble\//);
      assert.doesNotMatch(
        new TextDecoder().decode(code),
        /\beval\(|\bFunction\(|\brequire\(|["']node:|\bBuffer\b/,
        name,
      );
    }
  });

  test('keeps the curve and the edge vectors out of the core, and each part small', (t) => {
    assert.deepEqual([...bundle.lazy.keys()].sort(), ['ledger/edge-vectors.ts', 'ledger/portable.ts']);
    const core = bundle.core.gzipBytes;
    const portable = bundle.lazy.get('ledger/portable.ts')!.gzipBytes;
    const vectors = bundle.lazy.get('ledger/edge-vectors.ts')!.gzipBytes;
    t.diagnostic(`gzipped: core ${core}, portable verifier ${portable}, edge vectors ${vectors} bytes`);
    assert(core <= CORE_MAX, `core has ${core} bytes, at most ${CORE_MAX}`);
    assert(portable <= PORTABLE_MAX, `portable verifier has ${portable} bytes, at most ${PORTABLE_MAX}`);
    assert(vectors <= EDGE_VECTORS_MAX, `edge vectors have ${vectors} bytes, at most ${EDGE_VECTORS_MAX}`);
  });

  for (const [engine, hasWebCrypto] of [
    ['WebCrypto', true],
    ['the portable verifier, as on a page without https', false],
  ] as const) {
    test(`runs by itself: verifies a proof and refuses a changed one by ${engine}`, async (t) => {
      const folder = await mkdtemp(join(tmpdir(), 'quorate-light-'));
      t.after(() => rm(folder, { recursive: true, force: true }));
      await writeFile(join(folder, 'package.json'), '{"type":"module"}');
      for (const { name, code } of [bundle.core, ...bundle.lazy.values()]) await writeFile(join(folder, name), code);
      const light = (await import(pathToFileURL(join(folder, 'light.js')).href)) as typeof Light;

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

      const chain = smallChain();
      const sound = chain.transactionBundle(2, 3);
      assert.equal(outcome(await light.verifyBundleAsync(encodeBundle(sound), chain.genesis.text)), 'verified');
      const certificate = chain.certify(5, { genesisId: new Uint8Array(32) });
      const forged = encodeBundle({ ...sound, certificate });
      assert.equal(outcome(await light.verifyBundleAsync(forged, chain.genesis.text)), 'certificate');
      assert.equal(asked > 0, hasWebCrypto);
    });
  }
});
