import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Browser, Locator, Page } from 'playwright-core';
import { openApiPath } from '../../api/openapi.ts';
import { routes } from '../../api/routes/index.ts';
import { buildPage } from '../../build/pages.ts';
import { policyOf } from '../../node/pages.ts';
import { startTestApi, type TestApi } from '../support/api-client.ts';
import { describedTransaction, freshTransaction } from '../support/api-requests.ts';
import { launchChromium, noChromium } from '../support/chromium.ts';
import { FINAL, NEWEST } from '../support/fake-node.ts';

describe('the page at /docs', { skip: noChromium(), timeout: 120_000 }, () => {
  let browser: Browser;
  let api: TestApi;
  let page: Page;
  let requested: string[];
  let complaints: string[];

  before(async () => {
    const html = new Uint8Array(Buffer.from(await buildPage('docs')));
    api = await startTestApi({}, { docsPage: { html, policy: policyOf(html)! } });
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await api?.close();
  });
  beforeEach(async () => {
    page = await open('/docs');
  });
  afterEach(async () => {
    const violations = await page.evaluate(() => (globalThis as { violations?: unknown[] }).violations);
    await page.context().close();
    assert.deepEqual(violations, [], 'the policy refuses nothing');
    assert.deepEqual(complaints, []);
    for (const url of requested) assert.equal(new URL(url).origin, api.url, 'no request but to this node');
  });

  async function open(path: string, viewport = { width: 1280, height: 900 }): Promise<Page> {
    const context = await browser.newContext({ viewport });
    const opened = await context.newPage();
    opened.setDefaultTimeout(10_000);
    requested = [];
    complaints = [];
    context.on('request', (request) => requested.push(request.url()));
    opened.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
    opened.on('pageerror', (error) => complaints.push(String(error)));
    await opened.addInitScript(() => {
      const violations: string[] = [];
      Object.assign(globalThis, { violations });
      document.addEventListener('securitypolicyviolation', ({ violatedDirective }) =>
        violations.push(violatedDirective),
      );
    });
    await opened.goto(`${api.url}${path}`);
    await opened.locator('.card').first().waitFor();
    return opened;
  }

  const card = (name: string): Locator => page.locator(`#${name}`);
  async function send(name: string): Promise<{ status: string; body: unknown }> {
    await card(name).locator('button').click();
    const status = card(name).locator('.answer .status');
    await status.waitFor();
    const body = (await card(name).locator('.answer .body').textContent()) ?? '';
    return { status: (await status.textContent())!, body: /^[[{]/.test(body) ? JSON.parse(body) : body };
  }
  const unfold = (name: string): Promise<void> => card(name).locator('summary').first().click();

  it('lists every route once, in groups, in the list and on the page', async () => {
    const expected = routes.map(({ method, path }) => `${method} ${openApiPath(path)}`).sort();
    for (const selector of ['#list li', '.card > summary .head']) {
      assert.deepEqual((await page.locator(selector).allTextContents()).sort(), expected);
    }
    const groups = await page.locator('#routes h2').allTextContents();
    assert.deepEqual(groups, ['transactions', 'blocks', 'checkpoints', 'events', 'light', 'state', 'node', 'server']);
  });

  it('sends a GET and shows status, headers and body, and the same for a command line', async () => {
    await unfold('getBlock');
    await page.fill('#getBlock-at', String(FINAL));
    const { status, body } = await send('getBlock');
    assert.match(status, /^200 OK in \d+ ms$/);
    assert.equal((body as { header: { height: number } }).header.height, FINAL);
    await card('getBlock').locator('.answer summary').click();
    assert.match(
      (await card('getBlock').locator('.answer .headers').textContent())!,
      new RegExp(`quorate-height: ${NEWEST}`),
    );
    assert.equal(await card('getBlock').locator('.curl').textContent(), `curl -i '${api.url}/v1/blocks/${FINAL}'`);
  });

  it('sends a POST whose body has the right form already, and bytes', async () => {
    await unfold('dryRunTransaction');
    const example = await page.inputValue('#dryRunTransaction-body');
    assert.deepEqual(Object.keys(JSON.parse(example)).sort(), ['calls', 'memo', 'nonce', 'sender', 'validUntil']);
    const one = freshTransaction(1);
    await page.fill('#dryRunTransaction-body', JSON.stringify(describedTransaction(one)));
    assert.equal(((await send('dryRunTransaction')).body as { height: number }).height, NEWEST);
    await page.selectOption('#dryRunTransaction-type', 'application/octet-stream');
    await page.fill('#dryRunTransaction-body', `0x${Buffer.from(one.bytes).toString('hex')}`);
    assert.match((await send('dryRunTransaction')).status, /^200/);
    await page.fill('#dryRunTransaction-body', '0xzz');
    await card('dryRunTransaction').locator('button').click();
    await card('dryRunTransaction').locator('.status', { hasText: 'expected the bytes' }).waitFor();
    assert.deepEqual(api.node.ran.length, 2);
  });

  it('shows an answer in bytes as hex', async () => {
    await unfold('getCheckpoint');
    await page.fill('#getCheckpoint-height', 'latest');
    await page.selectOption('#getCheckpoint-accept', 'application/octet-stream');
    assert.match(String((await send('getCheckpoint')).body), /^0x[0-9a-f]{200,}$/);
  });

  it('shows a stream while it comes, from where a header says, until it is stopped', async () => {
    await unfold('getEvents');
    await page.fill('#getEvents-topics', 'block,checkpoint');
    await page.fill('#getEvents-last-event-id', '1.0');
    const button = card('getEvents').locator('button');
    await button.click();
    await card('getEvents')
      .locator('.body', { hasText: `"height":${FINAL}` })
      .waitFor();
    assert.equal(await button.textContent(), 'Stop');
    const text = (await card('getEvents').locator('.body').textContent())!;
    assert(!text.includes('id: 1.0\nevent: block') && text.includes('event: block'), text);
    assert.match((await card('getEvents').locator('.curl').textContent())!, /-H 'last-event-id: 1.0'/);
    await button.click();
    await card('getEvents').locator('button', { hasText: 'Send' }).waitFor();
    assert(await card('getEvents').locator('.body').isVisible(), 'what has come stays');
  });

  it('needs no mouse: a route is found, opened, filled in and sent from the keyboard', async () => {
    await page.focus('#filter');
    await page.keyboard.type('records');
    assert.equal(await page.locator('.card:visible').count(), 0);
    await page.fill('#filter', 'rows of a');
    assert.equal(await page.locator('.card:visible').count(), 1);
    assert.deepEqual(await page.locator('h2:visible').allTextContents(), ['state', 'state']);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => location.hash === '#listState');
    await page.locator('#listState[open]').waitFor();
    await page.focus('#listState-table');
    await page.keyboard.type('records.entries');
    await page.keyboard.press('Enter');
    await card('listState').locator('.status', { hasText: '200' }).waitFor();
  });

  it('opens schemas as deep as they go, also one that an address names', async () => {
    await page.context().close();
    page = await open('/docs#getStatus');
    const node = card('getStatus');
    assert.equal(await node.getAttribute('open'), '');
    await node.locator('.response summary', { hasText: '200' }).click();
    const fields = await node.locator('.response[open] > .schema > .fields > dt code').allTextContents();
    assert(fields.includes('consensus') && fields.includes('peers'), String(fields));
    await node.locator('.response[open] dd summary', { hasText: 'Consensus' }).click();
    await node.locator('.fields .fields code', { hasText: 'viewTimeoutMs' }).waitFor();
  });

  it('fits 400 pixels, also with a route open and a long answer', async () => {
    await page.context().close();
    page = await open('/docs', { width: 400, height: 800 });
    await unfold('listCheckpoints');
    await send('listCheckpoints');
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 400);
  });
});
