import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { toHex } from '../../ledger/bytes.ts';
import type { Json } from '../../ledger/codec.ts';
import { packTransactions, type Transaction } from '../../ledger/transaction.ts';
import { type DescribedRequest, type OpenApi, requestsOf } from '../support/openapi-requests.ts';
import {
  assertAgreement,
  type Chain,
  type Dev,
  eventually,
  getJson,
  startAlone,
  startDev,
  stopProcess,
  temporaryFolder,
} from '../support/processes.ts';
import { signRecords } from '../support/sign-records.ts';

/** Of the answers of a run, at most; what is seen later takes the place of what was seen first. */
const TEXTS_MAX = 2_000;
/** No answer may take longer, whatever was asked for; the waits that are asked for are much shorter. */
const HANG_MS = 10_000;

interface Status {
  readonly id: string;
  readonly status: string;
  readonly block?: { readonly height: number; readonly index: number };
}

describe('the REST API of four real validators', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dev: Dev;
  let urls: readonly string[];

  before(async () => {
    folder = await temporaryFolder();
    dev = await startDev(join(folder.path, 'network'));
    urls = dev.ready.validators.map(({ url }) => url);
  });

  after(async () => {
    await dev?.stop();
    await folder?.remove();
  });

  it('H11: the same bytes, submitted a hundred times at once to four nodes, are one transaction and a hundred good answers', async () => {
    const [one] = await signRecords(dev.ready, 1, 'identical');
    const before = await getJson<Chain>(`${urls[0]}/v1/chain`);
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const wait = ['none', 'committed', 'final'][i % 3]!;
        const response = await submit(urls[i % 4]!, one!, `?wait=${wait}`);
        return { code: response.status, wait, status: (await response.json()) as Status };
      }),
    );
    const places = new Set<string>();
    for (const { code, wait, status } of answers) {
      assert(wait === 'none' ? [200, 202].includes(code) : code === 200, `${wait}: ${code} ${JSON.stringify(status)}`);
      assert.equal(status.id, toHex(one!.id));
      if (wait === 'final') assert.equal(status.status, 'final');
      if (status.block !== undefined) places.add(JSON.stringify(status.block));
    }
    assert.equal(places.size, 1);
    const { height } = await assertAgreement(urls, before.height + 1);
    let executions = 0;
    for (let at = before.height + 1; at <= height; at++) {
      const { transactions } = await getJson<{ transactions: { id: string }[] }>(`${urls[0]}/v1/blocks/${at}`);
      executions += transactions.filter(({ id }) => id === toHex(one!.id)).length;
    }
    assert.equal(executions, 1);
  });

  it('a wait that is too short for a halted network is 202 with the id; when it goes on, the same URL gives 200', async () => {
    const [one, other] = await signRecords(dev.ready, 2, 'halted');
    const stopped = dev.ready.validators.slice(2);
    const [url] = urls as [string];
    for (const { pid } of stopped) process.kill(pid, 'SIGSTOP');
    let asked: string;
    try {
      const submitted = `${url}/v1/transactions?wait=final&timeoutMs=1`;
      const response = await submit(url, one!, '?wait=final&timeoutMs=1');
      asked = new URL(`${response.headers.get('location')}?wait=final&timeoutMs=1`, url).href;
      assert.equal(response.status, 202);
      assert.deepEqual(((await response.json()) as Status).id, toHex(one!.id));
      for (let i = 0; i < 5; i++) {
        const again = await fetch(asked);
        assert.equal(again.status, 202, submitted);
        assert.equal(((await again.json()) as Status).status, 'pending');
        await delay(200);
      }
      assert.equal((await submit(url, one!, '?wait=final&timeoutMs=1')).status, 202);
    } finally {
      for (const { pid } of stopped) process.kill(pid, 'SIGCONT');
    }
    await eventually(async () => (await fetch(asked)).status === 200, `${asked} gives 200`);
    assert.equal((await getJson<Status>(asked)).status, 'final');
    assert.equal((await submit(url, one!, '?wait=final&timeoutMs=1')).status, 200);
    assert.equal((await submit(url, other!, '?wait=final')).status, 200);
  });

  it('any request that the OpenAPI document describes, or nearly, gets an answer that it documents', async (t) => {
    const [url] = urls as [string];
    const document = await getJson<OpenApi>(`${url}/openapi.json`);
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema(document as object, 'openapi');
    const [sound, more] = [await signRecords(dev.ready, 40, 'openapi'), await signRecords(dev.ready, 40, 'packed')];
    const texts = ['records.entries', 'assets.balances', 'members.accounts', 'latest', 'final', '0', '1', 'openapi/3'];
    const bodies = [...sound.map(({ bytes }) => bytes), packTransactions(more.map(({ bytes }) => bytes))];
    const seen = new Map<string, number>();
    const property = fc.asyncProperty(requestsOf(document, { texts, bodies }), async (request) => {
      const answer = await ask(url, request);
      if (answer === undefined) return;
      const key = `${request.method} ${request.path} ${answer.status}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
      assertDocumented(document, ajv, request, answer);
      for (const text of textsOf(answer.json))
        texts[texts.length < TEXTS_MAX ? texts.length : seen.size % TEXTS_MAX] = text;
    });
    const seed = Date.now() % 2 ** 31;
    await fc.assert(property, { numRuns: 3_000, seed, endOnFailure: true });
    t.diagnostic(`seed ${seed}: ${seen.size} pairs of operation and status`);
    const asked = new Set([...seen.keys()].map((key) => key.slice(0, key.lastIndexOf(' '))));
    const all = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    assert.deepEqual([...asked].sort(), all.sort());
    assert(2 * seen.size > 3 * all.length, `only ${[...seen.keys()].join()}`);
    // Nobody fell over, and nobody says so of himself.
    const [last] = await signRecords(dev.ready, 1, 'after the storm');
    assert.equal((await submit(url, last!, '?wait=final')).status, 200);
    for (const { config, url: one } of dev.ready.validators) {
      assert.equal((await fetch(`${one}/readyz`)).status, 200);
      assert.doesNotMatch(await readFile(join(dirname(config), 'node.log'), 'utf8'), /a request failed/);
    }
  });

  it('H11: what a node has acknowledged it knows for ever, also if all nodes are killed before anybody has ordered it', async () => {
    const [first, ...rest] = dev.ready.validators as [
      (typeof dev.ready.validators)[0],
      ...(typeof dev.ready.validators)[0][],
    ];
    const sent = await signRecords(dev.ready, 40, 'acknowledged');
    // Nobody can order anything: the others do not hear of it.
    for (const { pid } of rest) process.kill(pid, 'SIGSTOP');
    const single = await submit(first.url, sent[0]!);
    assert.equal(single.status, 202);
    const batch = await fetch(`${first.url}/v1/transactions/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: packTransactions(sent.slice(1).map(({ bytes }) => bytes)) as Uint8Array<ArrayBuffer>,
    });
    assert.equal(batch.status, 202);
    const running = [first, ...rest];
    for (const { pid } of running) process.kill(pid, 'SIGKILL');
    // The first comes back alone: it knows what it has promised although nobody can order it.
    const again = [await startAlone(first)];
    try {
      for (const { id } of sent) {
        const response = await fetch(`${first.url}/v1/transactions/${toHex(id)}`);
        assert.equal(response.status, 202, `${toHex(id)}: ${await response.text()}`);
      }
      for (const validator of rest) again.push(await startAlone(validator));
      for (const { id } of sent) {
        const path = `/v1/transactions/${toHex(id)}?wait=final&timeoutMs=60000`;
        assert.equal((await getJson<Status>(`${first.url}${path}`)).status, 'final');
      }
      await assertAgreement(urls, 1);
    } finally {
      for (const child of again) await stopProcess(child);
    }
    await dev.stop();
    dev = await startDev(dev.ready.home);
    urls = dev.ready.validators.map(({ url }) => url);
  });
});

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly json: Json | undefined;
}

function submit(url: string, { bytes }: Transaction, query = ''): Promise<Response> {
  return fetch(`${url}/v1/transactions${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: bytes as Uint8Array<ArrayBuffer>,
  });
}

/** Undefined where fetch makes another path of it than the request says. */
async function ask(
  url: string,
  { path, method, pathValues, query, body }: DescribedRequest,
): Promise<Answer | undefined> {
  let next = 0;
  const given = pathValues.map((value) => (value === '' ? 'x' : value));
  if (given.some((value) => /^(\.|%2e){1,2}$/i.test(value) || !value.isWellFormed())) return undefined;
  const target = path.replace(/\{\w+\}/g, () => encodeURIComponent(given[next++]!));
  const search = new URLSearchParams(query.map(([name, value]) => [name, value]));
  const response = await fetch(`${url}${target}?${search}`, {
    method,
    signal: AbortSignal.timeout(HANG_MS),
    ...(body && { headers: { 'content-type': body.type }, body: body.content as string | Uint8Array<ArrayBuffer> }),
  });
  const type = (response.headers.get('content-type') ?? '').split(';')[0]!;
  // A stream has no end: its beginning is its answer.
  if (type === 'text/event-stream') {
    await response.body!.cancel();
    return { status: response.status, type, json: undefined };
  }
  const text = await response.text();
  return { status: response.status, type, json: type.endsWith('json') ? (JSON.parse(text) as Json) : undefined };
}

/** Status, content type and body are what the document says, and no answer is a failure of the node. */
function assertDocumented(
  document: OpenApi,
  ajv: Ajv2020,
  { path, method }: DescribedRequest,
  { status, type, json }: Answer,
): void {
  const where = `${method} ${path}: ${status} ${type} ${JSON.stringify(json)?.slice(0, 300)}`;
  assert.notEqual(status, 500, where);
  const documented = document.paths[path]![method.toLowerCase()]!.responses[status];
  assert(documented !== undefined, `not documented: ${where}`);
  const form = documented.content?.[type];
  assert(form !== undefined, `no such content: ${where}`);
  if (json === undefined) return;
  const pointer = ['paths', path, method.toLowerCase(), 'responses', String(status), 'content', type, 'schema'];
  const reference = pointer.map((step) => encodeURIComponent(step.replace(/~/g, '~0').replace(/\//g, '~1'))).join('/');
  const validate = ajv.getSchema(`openapi#/${reference}`);
  assert(validate !== undefined, where);
  assert(validate(json), `${where}\n${ajv.errorsText(validate.errors)}`);
}

/** Every short text of an answer: ids, keys, hashes and cursors that later requests may ask for. */
function* textsOf(json: Json | undefined): Generator<string> {
  if (typeof json === 'string' && json.length > 0 && json.length <= 800) yield json;
  else if (typeof json === 'number') yield String(json);
  else if (typeof json === 'object' && json !== null) for (const inner of Object.values(json)) yield* textsOf(inner);
}
