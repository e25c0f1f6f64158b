import assert from 'node:assert/strict';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

/** A file as it is dropped or chosen. */
export interface PageFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** One result as it stands on the page. */
export interface ShownResult {
  readonly tone: string;
  readonly verdict: string;
  readonly sentence: string;
  readonly file: string;
  readonly steps: readonly { readonly name: string; readonly status: string; readonly detail: string }[];
  /** `group: name` to value, with its note after a bar. */
  readonly rows: Readonly<Record<string, string>>;
}

/** The page in a context of its own, which notes all it asks for and all it is refused. */
export class VerifyPageDriver {
  readonly page: Page;
  readonly requested: string[] = [];
  readonly complaints: string[] = [];
  readonly #address: string;

  private constructor(page: Page, address: string) {
    this.page = page;
    this.#address = address;
    page.context().on('request', (request) => this.requested.push(request.url()));
    page.on('console', (message) => this.complaints.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => this.complaints.push(String(error)));
  }

  /** `before` runs in the page before its own script. */
  static async open(
    browser: Browser,
    address: string,
    options: BrowserContextOptions = {},
    before: () => void = () => {},
  ): Promise<VerifyPageDriver> {
    const context = await browser.newContext({ timezoneId: 'Asia/Singapore', ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    const driver = new VerifyPageDriver(page, address);
    await page.addInitScript(noteViolations);
    await page.addInitScript(before);
    await page.goto(address);
    return driver;
  }

  /** Through the file dialogue. */
  async choose(zone: 'genesis' | 'proof', ...files: readonly PageFile[]): Promise<void> {
    const payloads = files.map(({ name, bytes }) => ({
      name,
      mimeType: 'application/octet-stream',
      buffer: Buffer.from(bytes),
    }));
    await this.page.setInputFiles(`#${zone}-input`, payloads);
  }

  /** By a drop on the element; returns whether the browser would still have opened the file. */
  drop(selector: string, ...files: readonly PageFile[]): Promise<boolean> {
    return this.page.evaluate(dropFiles, {
      selector,
      files: files.map(({ name, bytes }) => ({ name, bytes: [...bytes] })),
    });
  }

  async chooseGenesis(text: string): Promise<void> {
    await this.choose('genesis', { name: 'genesis.json', bytes: Buffer.from(text) });
    await this.page.locator('#genesis-found .chosen').waitFor();
  }

  /** The newest result, once `verdict` stands in it. */
  async result(verdict: string | RegExp): Promise<ShownResult> {
    const newest = this.page.locator('.result').first();
    await newest.locator('.verdict', { hasText: verdict }).waitFor();
    return newest.evaluate(readResult);
  }

  /** Drops a proof and reads its result. */
  async check(bytes: Uint8Array, verdict: string | RegExp, name = 'a.proof.json'): Promise<ShownResult> {
    await this.drop('#proof-zone', { name, bytes });
    await this.page.locator('.result').first().locator('.file', { hasText: name }).waitFor();
    return this.result(verdict);
  }

  /** Nothing was asked for but the page, nothing refused, nothing logged. */
  async close(): Promise<void> {
    const violations = await this.page.evaluate(() => (globalThis as { violations?: unknown[] }).violations);
    await this.page.context().close();
    assert.deepEqual(this.requested, [this.#address], 'the page asks for nothing');
    assert.deepEqual(violations, [], 'the policy refuses nothing');
    assert.deepEqual(this.complaints, []);
  }
}

function noteViolations(): void {
  const violations: string[] = [];
  Object.assign(globalThis, { violations });
  document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
    violations.push(`${violatedDirective} ${blockedURI}`),
  );
}

function dropFiles({
  selector,
  files,
}: {
  selector: string;
  files: readonly { name: string; bytes: readonly number[] }[];
}): boolean {
  const dataTransfer = new DataTransfer();
  for (const { name, bytes } of files) dataTransfer.items.add(new File([Uint8Array.from(bytes)], name));
  const target = document.querySelector(selector)!;
  const event = (name: string) => new DragEvent(name, { bubbles: true, cancelable: true, dataTransfer });
  target.dispatchEvent(event('dragenter'));
  target.dispatchEvent(event('dragover'));
  return target.dispatchEvent(event('drop'));
}

function readResult(node: Element): ShownResult {
  const text = (of: Element | null): string => of?.textContent ?? '';
  const steps = [...node.querySelectorAll<HTMLElement>('.steps li')].map((item) => ({
    name: item.dataset.step!,
    status: item.dataset.status!,
    detail: text(item.querySelector('.detail')),
  }));
  const rows: Record<string, string> = {};
  for (const group of node.querySelectorAll('.group')) {
    for (const row of group.querySelectorAll('.row')) {
      const name = `${text(group.querySelector('h4'))}: ${text(row.querySelector('dt'))}`;
      rows[name] = [...row.querySelectorAll('dd > *')].map(text).join(' | ');
    }
  }
  return {
    tone: (node as HTMLElement).dataset.tone!,
    verdict: text(node.querySelector('.verdict')),
    sentence: text(node.querySelector('.sentence')),
    file: text(node.querySelector('.file')),
    steps,
    rows,
  };
}
