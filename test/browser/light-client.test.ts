import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { bundleLight } from '../../build/browser.ts';
import { toHex } from '../../ledger/bytes.ts';
import { memberOf, smallChain } from '../support/chain.ts';
import { launchChromium, noChromium, removeWebCrypto } from '../support/chromium.ts';
import { fetchFrom, lightNode } from '../support/light-nodes.ts';

const PAGE = `<!doctype html><title>light</title>`;
/** What both a page and a worker run: follows, proves a transaction and an absence, and says what it found. */
const WORK = `
import { createLightClient } from '/light-client.js';
export async function work({ genesis, id, url }) {
  const client = createLightClient({ genesis, urls: [url] });
  const { epoch, certificate, sources } = await client.follow();
  const transaction = await client.transaction(id);
  const absent = await client.state('records.entries', new TextEncoder().encode('nothing'));
  return {
    epoch,
    height: certificate.checkpoint.height,
    compared: sources[0].compared,
    status: transaction.value.receipt.status,
    absent: absent.value === undefined,
  };
}`;
const WORKER = `
import { work } from '/work.js';
onmessage = async ({ data }) => postMessage(await work(data).catch((error) => String(error)));`;

describe('the light client follows a chain in Chromium, under a strict content security policy', {
  skip: noChromium(),
}, () => {
  const chain = smallChain();
  chain.handOver([...chain.members, memberOf('node-4')]);
  chain.append();
  const expected = { epoch: 1, height: 6, compared: true, status: 'ok', absent: true };
  const ask = fetchFrom({ node: lightNode(chain) });
  let server: Server;
  let browser: Browser;
  let origin: string;

  before(async () => {
    const files = new Map((await bundleLight()).map(({ name, code }) => [`/${name}`, Buffer.from(code)]));
    files.set('/work.js', Buffer.from(WORK)).set('/worker.js', Buffer.from(WORKER));
    server = createServer(async ({ url: path = '/' }, response) => {
      response.setHeader(
        'content-security-policy',
        "default-src 'none'; script-src 'self'; connect-src 'self'; worker-src 'self'",
      );
      if (path.startsWith('/v1/')) {
        const answer = await ask(`http://node${path}`);
        return response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
      }
      const code = files.get(path);
      response.setHeader('content-type', code === undefined ? 'text/html' : 'text/javascript');
      return response.end(code ?? PAGE);
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await launchChromium();
  });

  after(async () => {
    await browser?.close();
    server?.close();
  });

  const given = () => ({
    genesis: chain.genesis.text,
    id: toHex(chain.blocks[1]!.transactions[1]!.id),
    url: origin,
  });

  async function openPage(hasWebCrypto = true): Promise<Page> {
    const page = await browser.newPage();
    if (!hasWebCrypto) await page.addInitScript(removeWebCrypto);
    await page.goto(origin);
    return page;
  }

  for (const hasWebCrypto of [true, false]) {
    test(`in a page, ${hasWebCrypto ? 'by WebCrypto' : 'by the portable verifier'}`, async () => {
      const page = await openPage(hasWebCrypto);
      const found = await page.evaluate(async ({ script, data }) => (await import(script)).work(data), {
        script: `${origin}/work.js`,
        data: given(),
      });
      assert.deepEqual(found, expected);
    });
  }

  test('in a worker', async () => {
    const page = await openPage();
    const found = await page.evaluate(
      ({ script, data }) =>
        new Promise((resolve) => {
          const worker = new Worker(script, { type: 'module' });
          worker.onmessage = (message) => resolve(message.data);
          worker.onerror = (error) => resolve(error.message);
          worker.postMessage(data);
        }),
      { script: `${origin}/worker.js`, data: given() },
    );
    assert.deepEqual(found, expected);
  });
});
