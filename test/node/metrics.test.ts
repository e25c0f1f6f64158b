import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { ApiCounts } from '../../api/index.ts';
import { routes } from '../../api/routes/index.ts';
import { parseConfig } from '../../node/config.ts';
import { METRICS, type MetricsSource } from '../../node/metrics/catalogue.ts';
import { DataFolder } from '../../node/metrics/data-folder.ts';
import { watchLoopDelay } from '../../node/metrics/loop-delay.ts';
import { type MetricsOptions, type MetricsServer, startMetrics } from '../../node/metrics/server.ts';
import { plainGet, startTestApi } from '../support/api-client.ts';
import { type FakeNode, FINAL, fakeNode, NEWEST } from '../support/fake-node.ts';
import { REPOSITORY, temporaryFolder } from '../support/processes.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

describe('metrics', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let node: FakeNode;
  let api: Mutable<ApiCounts>;
  let server: MetricsServer;
  let broken: boolean;
  let now: number;
  const loop = watchLoopDelay();
  const warnings: object[] = [];
  const counters = { viewChanges: 3, refusedBatches: 4, blamed: 5, evidence: 0, epochs: 0 };
  const executed = { blocks: 6, transactions: 70 };

  const start = (more: Partial<MetricsOptions> = {}): Promise<MetricsServer> => {
    const chainTime = node.chain().time;
    const source = {
      get node() {
        if (broken) throw new Error('a secret path /var/lib/secret');
        return node;
      },
      validator: {
        state: { executed: { timestamp: chainTime - 2_500 } },
        counters,
        catchUps: { catchUps: 1, snapshots: 2 },
        executed,
      },
      data: new DataFolder(folder.path, () => now),
      loop,
      api: async () => api,
    } as unknown as MetricsSource;
    const log = { warn: (fields: object) => void warnings.push(fields) };
    return startMetrics({ host: '127.0.0.1', port: 0, source, log, ...more });
  };
  const scrape = async (): Promise<string> => {
    const response = await fetch(`${server.url}/metrics`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/);
    return response.text();
  };
  /** The values of one metric, by their labels as they are printed. */
  const valuesOf = (text: string, name: string): Record<string, number> =>
    Object.fromEntries(
      [...text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))].map(([, labels = '', value]) => [
        labels,
        Number(value),
      ]),
    );

  before(async () => {
    folder = await temporaryFolder();
    node = fakeNode();
    broken = false;
    now = 0;
    api = { connections: 1, requests: 2, waits: 3, bodyBytes: 4, connectionsRefused: 5, requestsRefused: 6 };
    server = await start();
  });
  beforeEach(() => {
    broken = false;
    warnings.length = 0;
  });
  after(async () => {
    await server.close();
    loop.stop();
    await folder.remove();
  });

  it('are those that docs/operations.md lists, with its words', async () => {
    const docs = readFileSync(join(REPOSITORY, 'docs/operations.md'), 'utf8');
    const documented = [...docs.matchAll(/^\| `(quorate_\w+)` \| (\w+) \| (.*?) ?\| (.*) \|$/gm)].map((row) =>
      row.slice(1),
    );
    const own = METRICS.map(({ name, type, labels = [], help }) => {
      return [name, type, labels.map((label) => `\`${label}\``).join(', '), help];
    });
    assert.deepEqual(documented, own);
    const text = await scrape();
    const served = [...text.matchAll(/^# TYPE (quorate_\w+) (\w+)$/gm)].map(([, name, type]) => [name, type]);
    assert.deepEqual(
      served,
      own.map(([name, type]) => [name, type]),
    );
    for (const { name, type } of METRICS) {
      assert(Object.keys(valuesOf(text, name)).length > 0, `${name} has a value`);
      assert.equal(name.endsWith('_total'), type === 'counter', name);
    }
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'nodejs_eventloop_lag_p99_seconds',
    ])
      assert.equal(Object.keys(valuesOf(text, name)).length, 1, name);
  });

  it('say how late the loop was since they were last asked for, and forget it then', async () => {
    loop.p99();
    // A first look: from it on it is known how long the next one took.
    await setTimeout(30);
    // Long enough that it is more than one look in a hundred.
    const until = performance.now() + 150;
    while (performance.now() < until);
    await setTimeout(30);
    const late = loop.p99();
    assert(late > 0.1 && late < 1, `${late} s`);
    await setTimeout(100);
    assert(loop.p99() < late);
    assert.equal(Object.keys(valuesOf(await scrape(), 'quorate_loop_delay_p99_seconds')).length, 1);
  });

  it('are what alerts ask for: every name in examples/alerts.yml is served', async () => {
    const text = await scrape();
    const alerts = readFileSync(join(REPOSITORY, 'examples/alerts.yml'), 'utf8');
    const rules = [...alerts.matchAll(/^ {8}expr: (.*)$/gm)].map(([, rule]) => rule!);
    assert(rules.length >= 5, `${rules.length} rules`);
    for (const rule of rules) {
      const names = rule.match(/\b(?:quorate|nodejs|process)_\w+/g) ?? [];
      assert(names.length > 0 || /^up\{/.test(rule), rule);
      for (const name of names) assert(Object.keys(valuesOf(text, name)).length > 0, `${name} of ${rule}`);
    }
  });

  it('say what stands in the node at the moment they are asked for', async () => {
    node.mode = 'active';
    node.connected = 4;
    const first = await scrape();
    for (const [name, value] of [
      ['quorate_height', NEWEST],
      ['quorate_final_height', FINAL],
      ['quorate_block_age_seconds', 2.5],
      ['quorate_view_timeout_seconds', 2],
      ['quorate_members', 4],
      ['quorate_quorum_members', 3],
      ['quorate_connected_members', 4],
      ['quorate_mempool_transactions_max', 10],
      ['quorate_evidence_pieces', 1],
      ['quorate_blocks_executed_total', 6],
      ['quorate_transactions_executed_total', 70],
      ['quorate_view_changes_total', 3],
      ['quorate_batches_refused_total', 4],
      ['quorate_peer_messages_refused_total', 5],
      ['quorate_catch_ups_total', 1],
      ['quorate_snapshots_total', 2],
      ['quorate_api_connections', 1],
      ['quorate_api_requests', 2],
      ['quorate_api_waits', 3],
      ['quorate_api_body_bytes', 4],
      ['quorate_api_connections_refused_total', 5],
      ['quorate_api_requests_refused_total', 6],
    ] as const) {
      assert.deepEqual(valuesOf(first, name), { '': value }, name);
    }
    assert.deepEqual(valuesOf(first, 'quorate_peer_connected'), { 'peer="node-1"': 1, 'peer="node-2"': 0 });
    assert.deepEqual(valuesOf(first, 'quorate_peer_received_bytes_total'), { 'peer="node-1"': 2, 'peer="node-2"': 0 });
    assert.deepEqual(Object.keys(valuesOf(first, 'quorate_info')), [
      'node="node-0",version="0.0.0",chain="test-chain"',
    ]);
    assert.equal(valuesOf(first, 'quorate_mode')['mode="active"'], 1);

    node.mode = 'halted';
    node.connected = 2;
    executed.transactions = 71;
    api.requests = 9;
    node.peers = () => [];
    const second = await scrape();
    assert.deepEqual(valuesOf(second, 'quorate_transactions_executed_total'), { '': 71 });
    assert.deepEqual(valuesOf(second, 'quorate_connected_members'), { '': 2 });
    assert.deepEqual(valuesOf(second, 'quorate_api_requests'), { '': 9 });
    assert.deepEqual(valuesOf(second, 'quorate_peer_connected'), {}, 'who has left the set is gone here too');
    const modes = valuesOf(second, 'quorate_mode');
    assert.deepEqual([modes['mode="active"'], modes['mode="halted"']], [0, 1]);
    node = fakeNode();
  });

  it('measure the data directory once a minute', async () => {
    writeFileSync(join(folder.path, 'a'), 'x'.repeat(1_000));
    now = 60_000;
    assert.deepEqual(valuesOf(await scrape(), 'quorate_data_bytes'), { '': 1_000 });
    writeFileSync(join(folder.path, 'b'), 'x'.repeat(500));
    now = 119_999;
    assert.deepEqual(valuesOf(await scrape(), 'quorate_data_bytes'), { '': 1_000 });
    now = 120_000;
    assert.deepEqual(valuesOf(await scrape(), 'quorate_data_bytes'), { '': 1_500 });
    assert(valuesOf(await scrape(), 'quorate_data_free_bytes')['']! > 0);
  });

  it('H14: that can not be read are 500 without a word of why, which is logged', async () => {
    broken = true;
    const response = await fetch(`${server.url}/metrics`);
    assert.equal(response.status, 500);
    assert.doesNotMatch(await response.text(), /secret/);
    assert.match(String((warnings[0] as { err: unknown }).err), /secret/);
    broken = false;
    await scrape();
  });

  it('H08, H09: nothing else is on their listener, and nothing there can be changed', async () => {
    for (const path of ['/', '/metrics/', '/metrics?x=1', '//metrics', '/v1/chain', '/livez', '/%2e%2e/etc/passwd'])
      assert.equal((await fetch(`${server.url}${path}`)).status, 404, path);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      const { status, headers } = await fetch(`${server.url}/metrics`, { method });
      assert.deepEqual([status, headers.get('allow')], [405, 'GET, HEAD'], method);
    }
    const { headers } = await fetch(`${server.url}/metrics`, { headers: { origin: 'https://app.example' } });
    assert.equal(headers.get('access-control-allow-origin'), null);
    const head = await fetch(`${server.url}/metrics`, { method: 'HEAD' });
    assert.deepEqual([head.status, await head.text()], [200, '']);
  });

  it('H09: they are served at the one address that is configured, by default this machine alone', async () => {
    assert.equal(parseConfig('', '/x/node.toml').metrics, undefined, 'off unless it is said');
    assert.deepEqual(parseConfig('[metrics]\n', '/x/node.toml').metrics, { host: '127.0.0.1', port: 7_900 });
    const environment = { QUORATE_METRICS_PORT: '1' };
    assert.deepEqual(parseConfig('', '/x/node.toml', {}, environment).metrics, { host: '127.0.0.1', port: 1 });
    const flags = { metricsHost: '::1' };
    assert.deepEqual(parseConfig('', '/x/node.toml', flags, environment).metrics, { host: '::1', port: 1 });
    assert.throws(() => parseConfig('[metrics]\npath = "/"\n', '/x/node.toml'), { code: 'CONFIG' });
    const port = Number(new URL(server.url).port);
    const others = Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .filter(({ address, internal, family }) => !internal && family === 'IPv4' && address !== '127.0.0.1')
      .map(({ address }) => address);
    for (const host of ['127.0.0.2', ...others]) {
      await assert.rejects(once(connect(port, host), 'connect'), { code: 'ECONNREFUSED' }, host);
    }
  });

  it('H09: no route of the public listener shows them, or changes more than that a transaction is there', async () => {
    const open = await startTestApi();
    try {
      assert.equal((await open.raw(plainGet('/metrics'))).status, 404);
      for (const { method, path } of routes) {
        assert.doesNotMatch(path, /metrics|admin|debug|config|shutdown/);
        if (method !== 'GET') assert.match(path, /^\/v1\/transactions(?:\/|$)/, `${method} ${path}`);
      }
    } finally {
      await open.close();
    }
  });

  it('H01, H05: connections, headers and time are bounded here as well', async () => {
    const narrow = await start({
      limits: { connectionsMax: 1, headersTimeoutMs: 30, timeoutCheckMs: 10, headerBytesMax: 1_024 },
    });
    try {
      const { hostname, port } = new URL(narrow.url);
      const slow = connect(Number(port), hostname, () => slow.write('GET /metrics HTTP/1.1\r\nHost: x\r\n'));
      let received = '';
      for await (const chunk of slow) received += chunk;
      assert.match(received, /^HTTP\/1\.1 408 /);
      const long = request(`${narrow.url}/metrics`, { headers: { 'x-long': 'x'.repeat(2_000) }, agent: false }).end();
      const [answer] = await once(long, 'response');
      assert.equal(answer.statusCode, 431);
      answer.resume();
      await once(answer, 'close');
      const first = connect(Number(port), hostname, () =>
        first.write(plainGet('/metrics').replace('close', 'keep-alive')),
      );
      await once(first, 'data');
      const second = connect(Number(port), hostname);
      await once(second, 'close');
      assert.equal(second.bytesRead, 0);
      first.destroy();
    } finally {
      await narrow.close();
    }
  });

  it('are refused at an address that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    await assert.rejects(start({ port }), { code: 'EADDRINUSE' });
    other.close();
  });
});
