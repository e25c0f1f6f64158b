import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { routes } from '../../api/routes/index.ts';
import { fromHex, utf8Encode } from '../../ledger/bytes.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { packTransactions, type Transaction } from '../../ledger/transaction.ts';
import { readKeyFile } from '../../light/keystore/key-file.ts';
import { NO_ID } from '../support/api-requests.ts';
import { endProcess, makeNode } from '../support/dev-nodes.ts';
import {
  assertSameChain,
  type Dev,
  getJson,
  quorate,
  startDev,
  startValidator,
  stopProcess,
  temporaryFolder,
} from '../support/processes.ts';
import { signIssues, signRecords } from '../support/sign-records.ts';

/** Stands in the environment of every node. */
const CANARY = `canary-${'0123456789abcdef'.repeat(2)}`;
const OCTETS = { 'content-type': 'application/octet-stream' };
const HONEST = 25;
/** Requests that flood at a time. */
const FLOODS = 4;

describe('a network as its operators see it', { timeout: 300_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dev: Dev;

  before(async () => {
    folder = await temporaryFolder();
    process.env.QUORATE_TEST_CANARY = CANARY;
    dev = await startDev(join(folder.path, 'network'));
  });

  after(async () => {
    await dev?.stop();
    await folder?.remove();
  });

  it('H09: metrics are at their own address, for this machine only, and nowhere else', async () => {
    for (const { url, metrics, name } of dev.ready.validators) {
      assert.notEqual(new URL(url).port, new URL(metrics).port);
      assert.equal(new URL(metrics).hostname, '127.0.0.1');
      const text = await (await fetch(`${metrics}/metrics`)).text();
      assert.match(text, new RegExp(`^quorate_info\\{node="${name}",version="[^"]+",chain="quorate-dev"\\} 1$`, 'm'));
      assert.match(text, /^quorate_mode\{mode="active"\} 1$/m);
      assert.match(text, /^quorate_connected_members 4$/m);
      assert.match(text, /^quorate_blocks_executed_total \d+$/m);
      assert.equal((await fetch(`${url}/metrics`)).status, 404);
      assert.equal((await fetch(`${metrics}/v1/chain`)).status, 404);
      const elsewhere = connect(Number(new URL(metrics).port), '127.0.0.2');
      await assert.rejects(once(elsewhere, 'connect'), { code: 'ECONNREFUSED' });
    }
  });

  it('a node that can not have its address for metrics or its API says so and ends', async () => {
    const { config } = await makeNode(dev.ready, 'extra');
    const { url, metrics } = dev.ready.validators[0]!;
    for (const [section, flag, taken] of [
      ['metrics', '--metrics-port', new URL(metrics).port],
      ['api', '--api-port', new URL(url).port],
    ] as const) {
      const { code, stderr } = await quorate(
        'start',
        '--config',
        config,
        '--observer',
        flag,
        taken,
        '--log-level',
        'silent',
      );
      assert.equal(code, 1, stderr);
      assert.match(
        stderr,
        new RegExp(`\\[${section}\\] can't be served at 127.0.0.1:${taken}: .*EADDRINUSE.*\\[LISTEN\\]`),
      );
    }
  });

  it('K10: beside floods of one client, and of invalid signatures, an honest client is served in full', async () => {
    const { url } = dev.ready.validators[0]!;
    const honest = await signIssues(dev.ready, HONEST, 'honest');
    const flood = await signRecords(dev.ready, 3_000, 'flood');
    const bad = packTransactions(flood.slice(0, 500).map(spoilt));
    const counts: Record<string, number> = {};
    let isOver = false;
    const post = async (body: Uint8Array): Promise<void> => {
      const answer = await fetch(`${url}/v1/transactions/batch`, {
        method: 'POST',
        headers: OCTETS,
        body: body as Uint8Array<ArrayBuffer>,
      });
      const { results = [], code } = (await answer.json()) as {
        results?: { status?: string; error?: { code: string } }[];
        code?: string;
      };
      for (const what of [code, ...results.map(({ status, error }) => error?.code ?? status)])
        if (what !== undefined) counts[what] = (counts[what] ?? 0) + 1;
    };
    const floods = Array.from({ length: FLOODS }, async (_, i) => {
      for (let from = i * 250; !isOver; from += FLOODS * 250) {
        await post(bad);
        const good = flood.slice(from, from + 250).map(({ bytes }) => bytes);
        if (good.length > 0) await post(packTransactions(good));
      }
    });
    try {
      for (const { bytes } of honest) {
        const answer = await fetch(`${url}/v1/transactions?wait=final&timeoutMs=60000`, {
          method: 'POST',
          headers: OCTETS,
          body: bytes as Uint8Array<ArrayBuffer>,
        });
        const { status } = (await answer.json()) as { status: string };
        assert.deepEqual([answer.status, status], [200, 'final']);
      }
    } finally {
      isOver = true;
      await Promise.all(floods);
    }
    assert(counts['bad-signature']! >= 500, JSON.stringify(counts));
    assert(counts.pending! > 0, JSON.stringify(counts));
    assert.deepEqual(
      Object.keys(counts).filter((what) => !['bad-signature', 'pending', 'known', 'too-many-pending'].includes(what)),
      [],
    );
    for (const { metrics } of dev.ready.validators) {
      const text = await (await fetch(`${metrics}/metrics`)).text();
      assert(Number(/^quorate_transactions_executed_total (\d+)$/m.exec(text)?.[1]) >= HONEST, text);
    }
    await assertSameChain(dev.ready.validators.map(({ url: at }) => at));
  });

  it('H13: no answer, metric or line of a log has a key, a path of the data or a value of the environment', async () => {
    const last = dev.ready.validators[3]!;
    await endProcess(last.pid, 'SIGTERM');
    const debugLog = join(folder.path, 'debug.log');
    const child = await startValidator(last, '--log-level', 'debug', '--log-file', debugLog);
    try {
      const secrets = secretsOf(dev, folder.path);
      const found: string[] = [];
      const scan = (where: string, bytes: Uint8Array): void => {
        const text = Buffer.from(bytes).toString('latin1').toLowerCase();
        for (const [what, forms] of secrets)
          if (forms.some((form) => text.includes(form))) found.push(`${what} in ${where}`);
      };
      scan('a planted place', Buffer.from(`x${CANARY}x`));
      assert.deepEqual(found.splice(0), [`the environment in a planted place`]);
      let answers = 0;
      const ask = async (path: string, init: RequestInit = {}): Promise<void> => {
        const response = await fetch(`${last.url}${path}`, { ...init, signal: AbortSignal.timeout(20_000) });
        scan(`headers of ${path}`, utf8Encode(JSON.stringify([...response.headers])));
        scan(path, await beginning(response));
        answers++;
      };
      const [one] = await signRecords(dev.ready, 1, 'scan');
      await ask('/v1/transactions?wait=final', {
        method: 'POST',
        headers: OCTETS,
        body: one!.bytes as Uint8Array<ArrayBuffer>,
      });
      const paths = await pathsOf(last.url);
      for (const path of paths) {
        await ask(path);
        await ask(path, { headers: { accept: 'application/octet-stream' } });
        await ask(`${path}?unknown=%00`);
        await ask(path, { method: 'DELETE' });
        for (const body of ['{}', '{"transaction":"0x00"}', '\u0000'])
          await ask(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      }
      for (const route of routes.filter(({ method }) => method === 'POST')) {
        for (const body of [one!.bytes, spoilt(one!)])
          await ask(route.path, { method: 'POST', headers: OCTETS, body: body as Uint8Array<ArrayBuffer> });
      }
      assert(answers > 7 * routes.length, `${answers} answers`);
      for (const { metrics, name } of dev.ready.validators)
        scan(`metrics of ${name}`, new Uint8Array(await (await fetch(`${metrics}/metrics`)).arrayBuffer()));
      await stopProcess(child);
      const logs = dev.ready.validators.map(({ config }) => join(dirname(config), 'node.log'));
      for (const log of [...logs, debugLog]) {
        const bytes = readFileSync(log);
        assert(bytes.length > 100, `${log} has something in it`);
        scan(log, bytes);
      }
      assert.deepEqual(found, []);
    } finally {
      await stopProcess(child, 'SIGKILL');
    }
  });
});

/** The same transaction under another signature. */
function spoilt({ bytes }: Transaction): Uint8Array {
  const other = Uint8Array.from(bytes);
  other[other.length - 1]! ^= 1;
  return other;
}

/** What must stand nowhere, in every form in which it could, in lower case. */
function secretsOf({ ready }: Dev, folder: string): readonly (readonly [string, readonly string[]])[] {
  const seeds: [string, Uint8Array][] = [];
  for (const { name, config } of ready.validators) {
    for (const kind of ['consensus', 'peer'] as const)
      seeds.push([`the ${kind} key of ${name}`, readKeyFile(join(dirname(config), 'keys', `${kind}.json`), kind).seed]);
  }
  for (const { name, secretKey } of ready.accounts) seeds.push([`the key of ${name}`, fromHex(secretKey)!]);
  assert.equal(seeds.length, 12);
  const forms = (seed: Uint8Array): string[] => {
    const bytes = Buffer.from(seed);
    // Both encodings of 32 bytes, but for their ends, which depend on what stands beside them.
    return [
      bytes.toString('hex'),
      bytes.toString('base64').slice(0, 40),
      bytes.toString('base64url').slice(0, 40),
      bytes.toString('latin1'),
    ];
  };
  return [
    ...seeds.map(([what, seed]) => [what, forms(seed).map((form) => form.toLowerCase())] as const),
    ['the environment', [CANARY, process.env.PATH!.toLowerCase()]],
    ['a path of the data', [folder.toLowerCase()]],
  ];
}

/** Every path of the route table, with what is there and what is not, in all its parameters. */
async function pathsOf(url: string): Promise<readonly string[]> {
  const { items } = await getJson<{ items: { header: { height: number }; hash: string }[] }>(
    `${url}/v1/blocks?limit=50`,
  );
  const block = await filledBlock(
    url,
    items.map(({ header }) => header.height),
  );
  const tables = quorateApplication.modules.flatMap((module) => module.tables.map(({ name }) => name));
  const values: Record<string, readonly string[]> = {
    id: [block.transactions[0]!.id, NO_ID, 'x'],
    at: [String(block.header.height), block.hash, 'latest', 'final', '0', '999999'],
    height: [String(block.header.height), 'latest', '0', '999999'],
    table: [...tables, 'nothing'],
    code: ['expired', 'nothing', '..%2F..%2Fkeys'],
    key: ['scan%2F0', 'acme', 'current', '..%2F..%2Fkeys%2Fpeer.json'],
  };
  return routes.flatMap(({ path }) => {
    const filled = path.split('/').reduce<string[]>(
      (paths, part) => {
        const options = part.startsWith(':') ? values[part.slice(1)]! : [part];
        assert(options, `values for ${part} of ${path}`);
        return paths.flatMap((before) => options.map((option) => `${before}/${option}`));
      },
      [''],
    );
    return filled.map((one) => one.slice(1) || '/');
  });
}

interface Block {
  readonly hash: string;
  readonly header: { readonly height: number };
  readonly transactions: readonly { readonly id: string }[];
}

async function filledBlock(url: string, heights: readonly number[]): Promise<Block> {
  for (const height of heights) {
    const block = await getJson<Block>(`${url}/v1/blocks/${height}`);
    if (block.transactions.length > 0) return block;
  }
  assert.fail('no block has transactions');
}

/** An answer may go on for ever: of such a one its first second. */
async function beginning({ body }: Response): Promise<Uint8Array> {
  if (body === null) return new Uint8Array(0);
  const reader = body.getReader();
  const late = setTimeout(() => void reader.cancel(), 1_000);
  const chunks: Uint8Array[] = [];
  for (let read = await reader.read(); !read.done; read = await reader.read()) chunks.push(read.value);
  clearTimeout(late);
  return Buffer.concat(chunks);
}
