import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { buildPage } from '../../build/pages.ts';
import { PROOF_BYTES_MAX } from '../../explorer/verify/files.ts';
import { GENESIS_BYTES_MAX } from '../../genesis/file.ts';
import { blockHash } from '../../ledger/block.ts';
import { type Bundle, bundleCodec } from '../../ledger/bundle.ts';
import { toHex } from '../../ledger/bytes.ts';
import { entries } from '../../ledger/modules/records.ts';
import { verifyBundle } from '../../light/sync.ts';
import { policyOf } from '../../node/pages.ts';
import { chooseSignatures } from '../../node/signatures.ts';
import { startTestApi } from '../support/api-client.ts';
import { ACCOUNTS, type Chain, encodeBundle, GENESIS_TIME, smallChain } from '../support/chain.ts';
import { launchChromium, noChromium, removeWebCrypto } from '../support/chromium.ts';
import { VerifyPageDriver } from '../support/verify-page.ts';

const chain = smallChain();
const other = smallChain(4, 'another-chain');
const [ann, ben] = ACCOUNTS;
const idOf = (height: number, index: number): string => toHex(chain.blocks[height]!.transactions[index]!.id);
const DAY_MS = 86_400_000;

/** What stands on the page under every proof of the chain. */
const COMMON_ROWS = {
  'Which chain: Name': 'test-chain',
  'Which chain: Genesis id': toHex(chain.genesis.id),
  'Who signed: Validators': 'node-0, node-1, node-2',
  'Who signed: How many': '3 of 4 signed, 3 are needed',
  'Who signed: Validator set': 'that of the genesis file',
  'When: Certified at height 5': '2023-11-14 22:13:25.000 UTC | here: 15 November 2023 at 06:13:25 GMT+08:00',
  'When: Age of the certificate': '2 days 3 hours, by the clock of this device',
};

const annHex = `${toHex(ann.key)} | ann of acme, says the genesis file`;
const digestOf = (key: string): string => {
  const found = chain.rows.get(`records.entries/${toHex(Buffer.from(key))}`)!;
  return toHex(found.subarray(0, 32));
};

interface Kind {
  readonly bundle: Bundle;
  readonly form: (bundle: Bundle) => Uint8Array;
  readonly tone: string;
  readonly verdict: string;
  readonly sentence: string;
  readonly rows: Readonly<Record<string, string>>;
}

const asPrint = (bundle: Bundle): Uint8Array =>
  Buffer.from(`${JSON.stringify(bundleCodec.toJson(bundle), undefined, 2)}\n`);
const asLine = (bundle: Bundle): Uint8Array => Buffer.from(JSON.stringify(bundleCodec.toJson(bundle)));

const { header } = chain.blocks[3]!;
const KINDS: Readonly<Record<string, Kind>> = {
  'a transaction': {
    bundle: chain.transactionBundle(1, 2),
    form: asPrint,
    tone: 'good',
    verdict: 'Verified',
    sentence: 'This transaction is final on chain test-chain: it took effect.',
    rows: {
      'When: Block': '1',
      'When: Block time': '2023-11-14 22:13:21.000 UTC | here: 15 November 2023 at 06:13:21 GMT+08:00',
      'What: Transaction id': idOf(1, 2),
      'What: Outcome': 'took effect',
      'What: Sender': annHex,
      'Call 1 of 2: Action': 'records.register',
      'Call 1 of 2: key': 'deed 1',
      'Call 1 of 2: digest': digestOf('deed 1'),
      'Call 1 of 2: note': 'note of deed 1',
      'Call 2 of 2: Action': 'records.register',
      'Call 2 of 2: key': 'deed 2',
      'Call 2 of 2: digest': digestOf('deed 2'),
      'Call 2 of 2: note': 'note of deed 2',
    },
  },
  'a transaction that failed': {
    bundle: chain.transactionBundle(1, 0),
    form: encodeBundle,
    tone: 'caution',
    verdict: 'Verified: the transaction failed',
    sentence: 'This transaction is final on chain test-chain: it failed (insufficient-balance) and changed nothing.',
    rows: {
      'When: Block': '1',
      'When: Block time': '2023-11-14 22:13:21.000 UTC | here: 15 November 2023 at 06:13:21 GMT+08:00',
      'What: Transaction id': idOf(1, 0),
      'What: Outcome': 'failed (insufficient-balance): it changed nothing',
      'What: Sender': `${toHex(ben.key)} | ben of acme, says the genesis file`,
      'Its call: Action': 'assets.transfer',
      'Its call: asset': 'gold',
      'Its call: to': annHex,
      'Its call: amount': '1',
    },
  },
  'a block': {
    bundle: chain.blockBundle(3),
    form: encodeBundle,
    tone: 'good',
    verdict: 'Verified',
    sentence: 'Block 3 on chain test-chain is final: this is its header.',
    rows: {
      'When: Block': '3',
      'When: Block time': '2023-11-14 22:13:23.000 UTC | here: 15 November 2023 at 06:13:23 GMT+08:00',
      'What: Block hash': toHex(blockHash(header)),
      'What: Hash of the block below': toHex(header.parent),
      'What: Transactions': '0',
      'What: Root of the transactions': toHex(header.transactionsRoot),
      'What: Root of the receipts': toHex(header.receiptsRoot),
    },
  },
  'a row': {
    bundle: chain.stateBundle(entries, ['deed 3']),
    form: asLine,
    tone: 'good',
    verdict: 'Verified',
    sentence: 'At height 5 on chain test-chain, table records.entries had this row.',
    rows: {
      'What: Table': 'records.entries',
      'What: Key': 'deed 3',
      'What: Row': 'exists',
      'The row: digest': digestOf('deed 3'),
      'The row: owner': annHex,
      'The row: registered': String(GENESIS_TIME + 4_000),
      'The row: note': 'note of deed 3',
      'The row: revoked': '0',
    },
  },
  'a row that does not exist': {
    bundle: chain.stateBundle(entries, ['deed 9']),
    form: asPrint,
    tone: 'good',
    verdict: 'Verified',
    sentence: 'At height 5 on chain test-chain, table records.entries had no row with this key.',
    rows: { 'What: Table': 'records.entries', 'What: Key': 'deed 9', 'What: Row': 'does not exist' },
  },
};

describe('verify.html in Chromium, from a file', { skip: noChromium(), timeout: 180_000 }, () => {
  let folder: string;
  let html: string;
  let address: string;
  let browser: Browser;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-page-'));
    html = await buildPage('verify');
    await writeFile(join(folder, 'verify.html'), html);
    address = pathToFileURL(join(folder, 'verify.html')).href;
    browser = await launchChromium();
  });

  after(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const open = (before?: () => void): Promise<VerifyPageDriver> => VerifyPageDriver.open(browser, address, {}, before);
  const ready = async (of: Chain = chain, before?: () => void): Promise<VerifyPageDriver> => {
    const page = await open(before);
    await page.chooseGenesis(of.genesis.text);
    return page;
  };

  for (const [kind, { bundle, form, rows, ...head }] of Object.entries(KINDS)) {
    test(`${kind}, dropped or chosen: verdict, every step with its detail, and the facts`, async () => {
      const page = await open();
      await page.page.clock.setFixedTime(GENESIS_TIME + 5_000 + 2 * DAY_MS + 3 * 3_600_000);
      await page.chooseGenesis(chain.genesis.text);
      const { steps } = verifyBundle(encodeBundle(bundle), chain.genesis, { verify: chooseSignatures().verify });
      const expected = { ...head, steps, rows: { ...COMMON_ROWS, ...rows } };
      const dropped = await page.check(form(bundle), 'Verified', 'dropped.proof.json');
      assert.deepEqual(dropped, { ...expected, file: 'dropped.proof.json' });
      await page.choose('proof', { name: 'chosen.proof.json', bytes: form(bundle) });
      await page.page.locator('.result').nth(1).waitFor();
      assert.deepEqual(await page.result('Verified'), { ...expected, file: 'chosen.proof.json' });
      await page.close();
    });
  }

  test('a changed byte names the failing step, with too few signers the numbers', async () => {
    const page = await ready();
    const bytes = encodeBundle(chain.transactionBundle(2, 3));
    const sound = await page.check(bytes, 'Verified');
    assert(sound.steps.every(({ status }) => status === 'passed'));
    const changed = await page.check(bytes.with(-1, bytes.at(-1)! ^ 1), 'Not verified', 'changed.proof');
    assert.equal(changed.tone, 'bad');
    assert.match(changed.verdict, /^Not verified: receipt: /);
    assert.deepEqual(changed.rows, {});
    const text = Buffer.from(asPrint(chain.transactionBundle(2, 3))).toString();
    const forged = await page.check(Buffer.from(text.replace(/"height": 5/, '"height": 6')), 'Not verified', 'height');
    assert.match(forged.verdict, /^Not verified: certificate: signature of member 0 \(node-0\) is not valid$/);
    const certificate = chain.certify(5, { signers: [0, 1] });
    const few = await page.check(encodeBundle(chain.transactionBundle(2, 3, certificate)), 'Not verified', 'few');
    assert.equal(few.verdict, 'Not verified: certificate: 2 of 4 members signed, 3 are needed');
    assert.deepEqual(
      few.steps.map(({ name, status }) => `${name} ${status}`),
      [
        'genesis passed',
        'format passed',
        'chain passed',
        'epochs passed',
        'certificate failed',
        'block not-reached',
        'transaction not-reached',
        'signature not-reached',
        'receipt not-reached',
      ],
    );
    assert.equal(await page.page.locator('.result').count(), 4, 'earlier results stay');
    assert.equal(await page.page.locator('.result[open]').count(), 1, 'and only the newest is open');
    await page.close();
  });

  for (const [engine, hasWebCrypto] of [
    ['WebCrypto', true],
    ['the portable verifier, where there is no WebCrypto', false],
  ] as const) {
    test(`signatures are verified by ${engine}`, async () => {
      const page = await ready(chain, hasWebCrypto ? countVerifications : removeWebCrypto);
      const bundle = chain.transactionBundle(2, 3);
      const asked = () => page.page.evaluate(() => (globalThis as { verifications?: number }).verifications ?? 0);
      await page.check(encodeBundle(bundle), 'Verified');
      const before = await asked();
      const forged = chain.certify(5, { genesisId: new Uint8Array(32) });
      const { verdict } = await page.check(encodeBundle({ ...bundle, certificate: forged }), 'Not verified', 'forged');
      assert.match(verdict, /^Not verified: certificate: signature of member 0/);
      // The edge vectors are asked once: what is asked later are signatures of proofs.
      assert.equal((await asked()) > before, hasWebCrypto);
      assert.equal(before > 0, hasWebCrypto);
      await page.close();
    });
  }

  test('a proof of another chain fails, and is checked again under the genesis file chosen then', async () => {
    const page = await ready(other);
    const wrong = await page.check(encodeBundle(chain.blockBundle(3)), 'Not verified');
    assert.equal(wrong.steps.find(({ status }) => status === 'failed')?.name, 'chain');
    await page.chooseGenesis(chain.genesis.text);
    assert.equal((await page.result(/^Verified/)).rows['Which chain: Name'], 'test-chain');
    await page.close();
  });

  test('what is no sound genesis file leaves none chosen', async () => {
    const page = await ready();
    await page.check(encodeBundle(chain.blockBundle(3)), 'Verified');
    for (const [text, expected] of [
      [chain.genesis.text.replace('test-chain', 'best-chain'), /genesis\.json: this is no sound genesis file: /],
      [chain.genesis.text.trimEnd(), /differs from its canonical form/],
      [`\ufeff${chain.genesis.text}`, /no sound genesis file/],
      [Buffer.from(asPrint(chain.blockBundle(3))).toString(), /this is a proof: it belongs into step 2/],
    ] as const) {
      await page.drop('#genesis-zone', { name: 'genesis.json', bytes: Buffer.from(text) });
      await page.page.locator('#genesis-found .problem', { hasText: expected }).waitFor();
      assert.equal((await page.result('Not checked yet')).tone, 'waiting');
      await page.chooseGenesis(chain.genesis.text);
      await page.result(/^Verified/);
    }
    await page.drop('#genesis-zone', { name: 'genesis.json', bytes: Uint8Array.of(0xff, 0xfe, 0) });
    await page.page.locator('#genesis-found .problem', { hasText: 'not UTF-8 text' }).waitFor();
    await page.close();
  });

  test('a genesis file is taken only where one is chosen: not as a proof, not from a drop beside', async () => {
    const page = await open();
    const file = { name: 'genesis.json', bytes: Buffer.from(other.genesis.text) };
    assert.equal(await page.drop('h1', file), false, 'the browser does not leave the page for it');
    const { verdict } = await page.check(file.bytes, 'Not checked');
    assert.equal(verdict, 'Not checked: this is a genesis file: choose it in step 1');
    await page.check(encodeBundle(other.blockBundle(3)), 'Not checked yet: choose the genesis file', 'b');
    assert.equal(await page.page.locator('#genesis-found').textContent(), '');
    await page.chooseGenesis(other.genesis.text);
    await page.result('Verified');
    await page.close();
  });

  test('files that are too large, empty, or no proofs at all are refused with the reason', async () => {
    const page = await ready();
    for (const [name, bytes, expected] of [
      [
        'large',
        new Uint8Array(PROOF_BYTES_MAX + 1),
        'Not checked: the file has 16.0 MiB; a proof has at most 16.0 MiB',
      ],
      ['empty', new Uint8Array(0), 'Not checked: the file is empty'],
      ['text', Buffer.from('hello'), /^Not verified: format: not JSON: /],
      ['json', Buffer.from('{"a":1}'), /^Not verified: format: value\.a: unknown field/],
      ['deep', Buffer.from('['.repeat(100_000)), /^Not verified: format: not JSON: /],
      ['bytes', Uint8Array.from({ length: 999 }, (_, i) => i % 256), /^Not verified: format: /],
      ['not utf-8', Uint8Array.of(0x7b, 0xff, 0xfe), /^Not verified: format: /],
    ] as const) {
      const file = { name, mimeType: 'application/octet-stream', buffer: Buffer.from(bytes) };
      await page.page.setInputFiles('#proof-input', file);
      await page.page.locator('.result').first().locator('.file', { hasText: name }).waitFor();
      const { verdict } = await page.result(/^Not (checked|verified):/);
      if (typeof expected === 'string') assert.equal(verdict, expected);
      else assert.match(verdict, expected);
    }
    const large = { name: 'g', mimeType: 'text/plain', buffer: Buffer.alloc(GENESIS_BYTES_MAX + 1, 'x') };
    await page.page.setInputFiles('#genesis-input', large);
    await page.page.locator('#genesis-found', { hasText: 'a genesis file has at most 1.0 MiB' }).waitFor();
    await page.close();
  });

  test('many files at once are checked up to a number, which is said', async () => {
    const page = await ready();
    const bytes = encodeBundle(chain.blockBundle(3));
    await page.drop('#proof-zone', ...Array.from({ length: 25 }, (_, i) => ({ name: `file ${i}`, bytes })));
    await page.page.locator('.result').first().locator('.file', { hasText: 'file 19' }).waitFor();
    await page.result('Verified');
    assert.equal(await page.page.locator('.result').count(), 20);
    assert.equal(await page.page.textContent('#proof-problem'), '25 files came, and the first 20 are checked.');
    await page.close();
  });

  test('the expected id is compared with that of every result', async () => {
    const page = await ready();
    await page.check(encodeBundle(chain.transactionBundle(2, 3)), 'Verified');
    await page.page.fill('#expected', idOf(2, 3).toUpperCase());
    const row = page.page.locator('.result .note', { hasText: 'equals the expected id' });
    await row.waitFor();
    await page.page.fill('#expected', idOf(2, 2));
    const { tone } = await page.result('Verified, but not the expected transaction');
    assert.equal(tone, 'bad');
    await page.page.fill('#expected', '0x12');
    await page.result('Verified, but not compared');
    assert.equal(await page.page.getAttribute('#expected', 'aria-invalid'), 'true');
    await page.page.fill('#expected', '');
    await page.result(/^Verified$/);
    await page.close();
  });

  test('a certificate above the maximum age fails, in words; an age that can not be read judges nothing', async () => {
    const page = await open();
    await page.page.clock.setFixedTime(GENESIS_TIME + 5_000 + 3 * 3_600_000);
    await page.chooseGenesis(chain.genesis.text);
    await page.check(encodeBundle(chain.blockBundle(3)), 'Verified');
    await page.page.fill('#max-age', '2');
    const { verdict } = await page.result('Not verified');
    assert.equal(verdict, 'Not verified: certificate: the certificate is 3 hours old, at most 2 hours is accepted');
    await page.page.selectOption('#max-age-unit', 'days');
    await page.result(/^Verified/);
    await page.page.fill('#max-age', '1.5');
    await page.result('Not checked: the maximum age can not be read');
    await page.close();
  });

  test('is used by keyboard alone, and says each result to whoever hears it', async () => {
    const page = await open();
    const files = [
      { name: 'genesis.json', mimeType: '', buffer: Buffer.from(chain.genesis.text) },
      { name: 'row.proof.json', mimeType: '', buffer: Buffer.from(asPrint(chain.stateBundle(entries, ['deed 9']))) },
    ];
    page.page.on('filechooser', (chooser) => void chooser.setFiles(files.shift()!));
    // The listener must stand before a key is pressed; this question is answered after it does.
    assert.equal(await page.page.evaluate(() => document.activeElement?.tagName), 'BODY');
    await page.page.keyboard.press('Tab');
    assert.equal(await page.page.evaluate(() => document.activeElement?.id), 'genesis-zone');
    await page.page.keyboard.press('Enter');
    await page.page.locator('#genesis-found .chosen').waitFor();
    await page.page.keyboard.press('Tab');
    await page.page.keyboard.press(' ');
    await page.result('Verified');
    assert.equal(
      await page.page.textContent('[role=status][aria-live=polite]'),
      'row.proof.json: Verified. At height 5 on chain test-chain, table records.entries had no row with this key.',
    );
    for (let i = 0; i < 4; i++) await page.page.keyboard.press('Tab');
    await page.page.keyboard.press('Enter');
    assert.equal(await page.page.locator('.result[open]').count(), 0, 'the result closes');
    await page.close();
  });

  test('fits a narrow screen', async () => {
    const page = await VerifyPageDriver.open(browser, address, { viewport: { width: 360, height: 640 } });
    await page.chooseGenesis(chain.genesis.text);
    await page.check(encodeBundle(chain.transactionBundle(1, 2)), 'Verified', `${'long'.repeat(40)}.proof.json`);
    assert.equal(await page.page.evaluate(() => document.documentElement.scrollWidth), 360);
    await page.close();
  });

  test('a script that is not the one of the hash does not run', async () => {
    const changed = html.replace('Choose another genesis file', 'Choose another gemesis file');
    assert.notEqual(changed, html);
    await writeFile(join(folder, 'changed.html'), changed);
    const page = await VerifyPageDriver.open(browser, address.replace('verify.html', 'changed.html'));
    assert(await page.page.locator('#unsupported').isVisible());
    assert(await page.page.locator('#inputs').isHidden());
    await assert.rejects(page.close(), /the policy refuses nothing/);
  });

  test('works as a node serves it, and says that it was served', async (t) => {
    const bytes = new Uint8Array(Buffer.from(html));
    const api = await startTestApi({}, { verifyPage: { html: bytes, policy: policyOf(bytes)! } });
    t.after(() => api.close());
    const page = await VerifyPageDriver.open(browser, `${api.url}/verify`);
    assert(await page.page.locator('#served').isVisible());
    await page.chooseGenesis(chain.genesis.text);
    await page.check(encodeBundle(chain.transactionBundle(2, 3)), 'Verified');
    await page.close();
  });
});

/** Runs in the page: notes how often WebCrypto verifies. */
function countVerifications(): void {
  const { subtle } = globalThis.crypto;
  const verify = subtle.verify.bind(subtle);
  const counted = globalThis as { verifications?: number };
  counted.verifications = 0;
  subtle.verify = (...args: Parameters<SubtleCrypto['verify']>) => {
    counted.verifications! += 1;
    return verify(...args);
  };
}
