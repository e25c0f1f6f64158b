import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { bundleLight } from '../../build/browser.ts';
import { encodeBundle, smallChain } from '../support/chain.ts';
import { launchChromium, noChromium, removeWebCrypto } from '../support/chromium.ts';

interface PageReport {
  readonly ok: boolean;
  readonly steps: readonly { readonly name: string; readonly status: string }[];
}

describe('the light client in Chromium, under a strict content security policy', { skip: noChromium() }, () => {
  const chain = smallChain();
  const proof = [...encodeBundle(chain.transactionBundle(2, 3))];
  const requested: string[] = [];
  let server: Server;
  let browser: Browser;
  let origin: string;

  before(async () => {
    const files = new Map((await bundleLight()).map(({ name, code }) => [`/${name}`, code]));
    server = createServer((request, response) => {
      const path = request.url ?? '/';
      const code = files.get(path);
      requested.push(path);
      response.setHeader('content-security-policy', "default-src 'none'; script-src 'self'");
      response.setHeader('content-type', code === undefined ? 'text/html' : 'text/javascript');
      response.end(code ?? '<!doctype html><title>light</title>');
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await launchChromium();
  });

  after(async () => {
    await browser?.close();
    server?.close();
  });

  async function verify(page: Page, bytes: readonly number[]): Promise<PageReport> {
    await page.goto(origin);
    return page.evaluate(
      async ({ url, bytes, genesis }) => {
        const light = await import(url);
        const { ok, steps } = await light.verifyBundleAsync(Uint8Array.from(bytes), genesis);
        return { ok, steps };
      },
      { url: `${origin}/light.js`, bytes, genesis: chain.genesis.text },
    );
  }

  for (const [engine, hasWebCrypto] of [
    ['WebCrypto', true],
    ['the portable verifier', false],
  ] as const) {
    test(`verifies a proof and names the failing step of a changed one, by ${engine}`, async () => {
      requested.length = 0;
      const page = await browser.newPage();
      if (!hasWebCrypto) await page.addInitScript(removeWebCrypto);
      const report = await verify(page, proof);
      assert(report.ok, JSON.stringify(report.steps));
      const changed = await verify(page, proof.with(-1, proof.at(-1)! ^ 1));
      assert(!changed.ok);
      assert.equal(changed.steps.find(({ status }) => status === 'failed')?.name, 'receipt');
      const loaded = (name: string) => requested.some((path) => path.startsWith(`/light-${name}-`));
      if (!hasWebCrypto) {
        assert(loaded('portable'), 'the portable verifier is loaded where there is no WebCrypto');
        assert(!loaded('webcrypto'), 'and nothing is that only WebCrypto needs');
      }
      await page.close();
    });
  }
});
