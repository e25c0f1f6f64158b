import { accessSync, constants } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chromium, type Page } from 'playwright-core';
import { bundleLight } from '../build/browser.ts';
import type { Genesis } from '../genesis/genesis.ts';
import { WARM_MS } from './row.ts';

/** The system's Chromium; `CHROMIUM` names another one. */
const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';

export interface PageEngine {
  readonly name: 'WebCrypto' | 'portable';
  /** Milliseconds of each verification, after those of the first WARM_MS. Throws unless every one succeeds. */
  verify(proof: Uint8Array, genesis: Genesis, runs: number): Promise<readonly number[]>;
}

export function hasChromium(): boolean {
  try {
    accessSync(EXECUTABLE, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs `use` with the light client in a page for each engine: as on a page with https, and as on one without. */
export async function inChromium<T>(use: (engines: readonly PageEngine[]) => Promise<T>): Promise<T> {
  const files = new Map((await bundleLight()).map(({ name, code }) => [`/${name}`, code]));
  const server = createServer((request, response) => {
    const code = files.get(request.url ?? '/');
    response.setHeader('content-type', code === undefined ? 'text/html' : 'text/javascript');
    // Isolated pages have the finer clock.
    response.setHeader('cross-origin-opener-policy', 'same-origin');
    response.setHeader('cross-origin-embedder-policy', 'require-corp');
    response.end(code ?? '<!doctype html><title>light</title>');
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox'] });
  try {
    const engines: PageEngine[] = [];
    for (const name of ['WebCrypto', 'portable'] as const) {
      const page = await browser.newPage();
      if (name === 'portable') {
        await page.addInitScript(() => Object.defineProperty(globalThis.crypto, 'subtle', { value: undefined }));
      }
      await page.goto(origin);
      engines.push({ name, verify: (proof, genesis, runs) => verifyIn(page, proof, genesis, runs) });
    }
    return await use(engines);
  } finally {
    await browser.close();
    server.close();
  }
}

function verifyIn(page: Page, proof: Uint8Array, genesis: Genesis, runs: number): Promise<readonly number[]> {
  const validators = genesis.validators.map(({ key, peerKey, ...names }) => ({
    ...names,
    key: [...key],
    peerKey: [...peerKey],
  }));
  return page.evaluate(
    async ({ url, proof, genesis, runs, warmMs }) => {
      const light = await import(url);
      const bytes = Uint8Array.from(proof);
      const id = Uint8Array.from(genesis.id);
      const set = genesis.validators.map((validator) => ({
        ...validator,
        key: Uint8Array.from(validator.key),
        peerKey: Uint8Array.from(validator.peerKey),
      }));
      const times: number[] = [];
      const begin = performance.now();
      while (times.length < runs) {
        const start = performance.now();
        const { ok } = await light.verifyBundleAsync(bytes, { ...genesis, id, validators: set });
        if (!ok) throw new Error('a sound proof was refused');
        if (start - begin > warmMs) times.push(performance.now() - start);
      }
      return times;
    },
    {
      url: '/light-full.js',
      proof: [...proof],
      genesis: { chain: genesis.chain, id: [...genesis.id], validators },
      runs,
      warmMs: WARM_MS,
    },
  );
}
