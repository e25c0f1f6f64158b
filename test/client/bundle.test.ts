import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type * as browser from '../../light/ledger-client/browser.ts';
import { memorySigner } from '../../light/ledger-client/memory-signer.ts';
import { type BrowserBundle, browserBundle, gzipBytes } from '../support/browser-bundle.ts';
import { ACCOUNTS } from '../support/chain.ts';
import { ClientNetwork } from '../support/client-network.ts';

/** Bytes gzipped, noble included: what a page loads in all. */
const WITH_WEBCRYPTO_MAX = 40_000;
/** Where there is no WebCrypto (plain http), noble's curve comes in its place. */
const WITHOUT_WEBCRYPTO_MAX = 43_000;
const AT_ONCE_MAX = 25_000;

describe('the client library as a browser bundle', () => {
  let bundle: BrowserBundle;
  before(async () => {
    bundle = await browserBundle();
  });

  async function load(t: TestContext): Promise<typeof browser> {
    const folder = await mkdtemp(join(tmpdir(), 'quorate-client-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    for (const file of bundle.files) await writeFile(join(folder, file.name), file.code);
    return import(pathToFileURL(join(folder, 'ledger-client.js')).href);
  }

  test('holds nothing of Node, and no curve before it is needed', () => {
    const atOnce = bundle.loadedWith('ledger-client.js').flatMap(({ modules }) => modules);
    assert(atOnce.includes('light/ledger-client/delivery.ts'));
    for (const path of bundle.files.flatMap(({ modules }) => modules))
      assert.match(path, /^(light|ledger|genesis)\/|(^|\/)node_modules\/@noble\//);
    for (const path of atOnce) assert.doesNotMatch(path, /@noble\/curves|keystore|edge-vectors|ledger\/ed25519/);
  });

  test('stays small', (t) => {
    const atOnce = bundle.loadedWith('ledger-client.js');
    const names = new Set(atOnce.map(({ name }) => name));
    const lazy = (module: string) => {
      const [file] = bundle.files.filter(
        ({ source, loads }) => source === module && loads.every((one) => names.has(one)),
      );
      assert(file, module);
      return file;
    };
    const texts = lazy('light/texts.ts');
    const sizes: readonly (readonly [string, number, number])[] = [
      ['at once', gzipBytes(atOnce), AT_ONCE_MAX],
      ['all with WebCrypto', gzipBytes([...atOnce, texts, lazy('light/webcrypto.ts')]), WITH_WEBCRYPTO_MAX],
      ['all without', gzipBytes([...atOnce, texts, lazy('ledger/portable.ts')]), WITHOUT_WEBCRYPTO_MAX],
    ];
    t.diagnostic(`gzipped: ${sizes.map(([what, bytes]) => `${what} ${bytes}`).join(', ')} bytes`);
    for (const [what, bytes, max] of sizes) assert(bytes <= max, `${what}: ${bytes} bytes, at most ${max}`);
  });

  for (const [engine, hasWebCrypto] of [
    ['with WebCrypto', true],
    ['as on a page without https', false],
  ] as const) {
    test(`runs by itself, ${engine}: sends, proves, reads`, async (t) => {
      if (!hasWebCrypto) {
        Object.defineProperty(globalThis.crypto, 'subtle', { value: undefined, configurable: true });
        t.after(() => Reflect.deleteProperty(globalThis.crypto, 'subtle'));
      }
      const { connect, balances, QuorateError } = await load(t);
      const network = new ClientNetwork();
      const { fetch, urls, chain } = network;
      const [ann, ben] = ACCOUNTS;
      const ledger = await connect({ genesis: chain.genesis.text, urls, fetch, signer: memorySigner(ann.seed) });
      const { height } = await ledger.assets.transfer({ asset: 'gold', to: ben.key, amount: 5n }).final();
      assert.equal(height, chain.height);
      assert.deepEqual(await ledger.state.get(balances, [ben.key, 'gold']), { amount: 20n });
      const tooMuch = ledger.assets.transfer({ asset: 'gold', to: ben.key, amount: 5_000n }).final();
      await assert.rejects(tooMuch, (error: unknown) => error instanceof QuorateError && error.code === 'rejected');
    });
  }
});
