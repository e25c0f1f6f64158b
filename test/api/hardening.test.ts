import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientRequest, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { SERVER_LIMITS, type ServerLimits, SINGLE_BODY_BYTES_MAX } from '../../api/limits.ts';
import { routes } from '../../api/routes/index.ts';
import { toHex } from '../../ledger/bytes.ts';
import { packTransactions } from '../../ledger/transaction.ts';
import { plainGet, startTestApi, type TestApi } from '../support/api-client.ts';
import { examplePath, freshTransaction, postBytes, postJson } from '../support/api-requests.ts';

const BYTES = 'Content-Type: application/octet-stream';
const one = freshTransaction(1);

describe('hardening of the REST API', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi();
  });
  beforeEach(() => api.reset());
  after(() => api.close());

  it('H01, K05, L17: a body of the limit is read, one byte more is not, announced or not', async () => {
    const fits = await api.call('/v1/transactions', postBytes(new Uint8Array(SINGLE_BODY_BYTES_MAX)));
    assert.equal(fits.json.code, 'malformed');
    const announced = await api.call('/v1/transactions', postBytes(new Uint8Array(SINGLE_BODY_BYTES_MAX + 1)));
    assert.equal(announced.json.code, 'too-large');
    const head = `POST /v1/transactions HTTP/1.1\r\nHost: x\r\n${BYTES}\r\n`;
    const unread = await api.raw(`${head}Content-Length: 1000000000000\r\n\r\n`);
    assert.deepEqual([unread.status, unread.headers.get('connection')], [413, 'close']);
    assert.equal((await api.raw(`${head}Transfer-Encoding: chunked\r\n\r\n`.concat(chunks(9)))).status, 413);
  });

  it('H01: chunks without end are cut off at the limit', async () => {
    const { port } = new URL(api.url);
    const headers = { 'content-type': 'application/octet-stream' };
    const endless = httpRequest({ port, path: '/v1/transactions', method: 'POST', headers });
    assert.equal(await answerWhileSending(endless), 413);
  });

  it('H01: compressed bodies and other media types are refused', async () => {
    const zipped = {
      ...postBytes(one.bytes),
      headers: { 'content-encoding': 'gzip', 'content-type': 'application/json' },
    };
    assert.equal((await api.call('/v1/transactions', zipped)).status, 415);
    for (const type of ['text/plain', 'application/jsonx', '', 'multipart/form-data']) {
      for (const path of ['/v1/transactions', '/v1/transactions/batch', '/v1/transactions/encode']) {
        const init = { method: 'POST', body: '{}', headers: { 'content-type': type } };
        assert.equal((await api.call(path, init)).json.code, 'unsupported-media-type', `${path} ${type}`);
      }
    }
    const charset = { 'content-type': 'application/json; charset=utf-8' };
    const init = { ...postJson({ transaction: toHex(one.bytes) }), headers: charset };
    assert.equal((await api.call('/v1/transactions', init)).status, 202);
  });

  it('unknown and repeated query parameters are refused on every route', async () => {
    for (const { method, path } of routes) {
      const at = examplePath(path);
      for (const query of [
        'unknown=1',
        '__proto__=1',
        'constructor=1',
        'wait=final&wait=final',
        '=',
        'limit=2&limit=2',
      ]) {
        const { status, json } = await api.call(`${at}?${query}`, method === 'GET' ? {} : postBytes(one.bytes));
        assert.deepEqual([status, json.code], [400, 'malformed'], `${at}?${query}`);
      }
    }
  });

  it('H02: odd JSON is refused by every route that takes JSON', async () => {
    const bytes = toHex(one.bytes);
    for (const { path, body } of routes) {
      if (body === undefined) continue;
      for (const text of [
        `{"transaction":"${bytes}","transaction":"${bytes}"}`,
        `{"transaction":"${bytes}","__proto__":{}}`,
        `{"transaction":"${bytes}","more":1}`,
        `{"transactions":["${bytes}"],"constructor":{"prototype":1}}`,
        `\ufeff{"transaction":"${bytes}"}`,
        '{"transaction":1e400}',
        '{"transaction":"\\ud800"}',
        '{"transaction":"0xZZ"}',
        '{"transactions":["0x1"]}',
        '['.repeat(10_000),
        'null',
        '',
      ]) {
        const { status, json } = await api.call(path, postJson(text));
        assert.deepEqual([status, json.code], [400, 'malformed'], `${path} ${text.slice(0, 80)}`);
      }
    }
  });

  it('H03: paths that go elsewhere find nothing', async () => {
    for (const path of [
      '/v1/../etc/passwd',
      '/v1/%2e%2e/x',
      '/v1/%252e%252e/chain',
      '/v1/blocks/%00',
      '/v1/blocks/..%2f..%2fetc',
      '/v1//blocks',
      '//evil.example/v1/chain',
      '/v1/chain;a=b',
      '/V1/chain',
      '/v1/chain/',
      '/v1/state/records.entries/',
      '/%zz',
      '/v1/blocks/%zz',
      '/v1/state/%ff/%ff',
      `/v1/${'x'.repeat(8_000)}`,
    ]) {
      const { status } = await api.raw(plainGet(path));
      assert([400, 404].includes(status), `${path}: ${status}`);
    }
    assert.equal((await api.raw(plainGet(`/v1/${'x'.repeat(20_000)}`))).json.code, 'headers-too-large');
  });

  it('H04: forwarding headers and Host change nothing; smuggling, line breaks and floods of headers are refused', async () => {
    const forwarded = ['X-Forwarded-Host: evil.example', 'X-Forwarded-Proto: https', 'Forwarded: host=evil.example'];
    const plain = await api.raw(plainGet('/v1/chain'));
    assert.deepEqual((await api.raw(plainGet('/v1/chain', ...forwarded))).json, plain.json);
    assert.deepEqual((await api.raw(plainGet('/v1/chain').replace('Host: x', 'Host: user@evil'))).json, plain.json);
    assert.equal((await api.raw(plainGet('/v1/chain').replace('Host: x\r\n', ''))).json.code, 'malformed');
    const many = Array.from({ length: 1_000 }, (_, i) => `X-${i}: 1`);
    assert.equal(
      (await api.raw(plainGet('/v1/chain', ...many.slice(0, SERVER_LIMITS.headersMax - 1)))).json.code,
      'headers-too-large',
    );
    assert.equal((await api.raw(plainGet('/v1/chain', ...many))).json.code, 'headers-too-large');
    const smuggled = `POST /v1/transactions HTTP/1.1\r\nHost: x\r\n${BYTES}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`;
    assert.equal((await api.raw(`${smuggled}0\r\n\r\nGET /v1/chain HTTP/1.1\r\n\r\n`)).status, 400);
    assert.equal((await api.raw(plainGet('/v1/chain', 'A: b\rc'))).status, 400);
    assert.equal((await api.raw('GET /v1/chain\r\n\r\n', 'GET', '/v1/chain')).status, 400);
    assert.equal((await api.raw('GET /v1/chain HTTP/1.1 more\r\n\r\n')).status, 400);
  });

  it('H06: no other origin is let in, whatever it says it is', async () => {
    for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1']) {
      const { headers } = await api.call('/v1/chain', { headers: { origin } });
      assert.deepEqual(
        [...headers.keys()].filter((name) => name.startsWith('access-control')),
        [],
      );
    }
    const preflight = plainGet(
      '/v1/transactions',
      'Origin: https://evil.example',
      'Access-Control-Request-Method: POST',
    );
    assert.equal((await api.raw(preflight.replace('GET', 'OPTIONS'))).status, 405);
  });

  it('H08: other methods are 405 with what is allowed, on every path', async () => {
    for (const path of new Set(routes.map((route) => examplePath(route.path)))) {
      for (const method of ['DELETE', 'PUT', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND']) {
        const answer = await api.raw(plainGet(path).replace('GET', method));
        assert.equal(answer.json.code, 'method-not-allowed', `${method} ${path}`);
      }
    }
    const allow = async (method: string, path: string) =>
      (await api.raw(plainGet(path).replace('GET', method))).headers.get('allow');
    assert.equal(await allow('HEAD', '/v1/transactions'), 'POST');
    assert.equal(await allow('POST', '/v1/chain'), 'GET, HEAD');
    assert.equal(await allow('PUT', '/v1/transactions/batch'), 'POST, GET, HEAD');
    assert.equal((await api.raw(plainGet('/').replace('GET', 'BREW'), 'BREW', '/')).status, 405);
    assert.equal((await api.raw(plainGet('/nowhere').replace('GET', 'PUT'))).status, 404);
  });

  it('HEAD is GET without a body', async () => {
    const head = await api.raw(plainGet('/v1/chain').replace('GET', 'HEAD'));
    assert.deepEqual([head.status, head.bytes.length], [200, 0]);
    assert(Number(head.headers.get('content-length')) > 0);
  });

  it('H14: a failure of the node itself is 500 without a word of why, and logged', async () => {
    api.node.broken = true;
    const { status, json } = await api.call('/v1/chain');
    assert.deepEqual([status, json.code], [500, 'internal']);
    assert.doesNotMatch(JSON.stringify(json), /secret/);
    assert.equal(api.errors.length, 1);
    const noHttp = await api.raw('GET /nowhere FTP/7\r\n\r\n');
    assert.equal(noHttp.status, 400, 'what is no HTTP is answered all the same');
  });

  it('a client that goes away while it waits or sends leaves nothing behind and is no failure of ours', async () => {
    const gone = new AbortController();
    const waits = api.call('/v1/transactions?wait=final', { ...postBytes(one.bytes), signal: gone.signal });
    await api.node.waitingBegins;
    gone.abort();
    await assert.rejects(waits);
    const { hostname, port } = new URL(api.url);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write(`POST /v1/transactions HTTP/1.1\r\nHost: x\r\n${BYTES}\r\nContent-Length: 100\r\n\r\nabc`);
        socket.end();
      });
      socket.on('close', () => resolve()).resume();
    });
    while (api.node.waiting > 0) await new Promise(setImmediate);
    assert.deepEqual(api.errors, []);
  });
});

describe('limits of the server', () => {
  const withLimits = async (limits: Partial<ServerLimits>, work: (api: TestApi) => Promise<void>) => {
    const api = await startTestApi(limits);
    try {
      await work(api);
    } finally {
      await api.close();
    }
  };

  it('too many waits are 503 before anything is submitted; what does not wait is still taken', async () => {
    await withLimits({ waitingMax: 2 }, async (api) => {
      const three = [1, 2, 3].map((nonce) => freshTransaction(nonce).bytes);
      const batch = await api.call('/v1/transactions/batch?wait=final', postBytes(packTransactions(three)));
      assert.deepEqual([batch.status, batch.json.code, batch.headers.get('retry-after')], [503, 'busy', '1']);
      assert.equal((await api.call(`/v1/transactions/${toHex(one.id)}`)).status, 404, 'nothing was submitted');
      const waits = api.call('/v1/transactions/batch?wait=final', postBytes(packTransactions(three.slice(0, 2))));
      await api.node.waitingBegins;
      assert.equal((await api.call('/v1/transactions?wait=committed', postBytes(one.bytes))).status, 503);
      assert.equal((await api.call(`/v1/transactions/${toHex(one.id)}?wait=final`)).status, 503);
      assert.equal((await api.call('/v1/transactions', postBytes(three[2]!))).status, 202);
      for (const nonce of [1, 2]) api.node.decide(freshTransaction(nonce).id, 'final');
      assert.equal((await waits).status, 200);
      assert.equal(
        (await api.call(`/v1/transactions/${toHex(one.id)}?wait=final`)).status,
        200,
        'the room is free again',
      );
    });
  });

  it('too many open requests are 503', async () => {
    await withLimits({ requestsMax: 1 }, async (api) => {
      const waits = api.call('/v1/transactions?wait=final', postBytes(one.bytes));
      await api.node.waitingBegins;
      assert.equal((await api.call('/v1/chain')).json.code, 'busy');
      api.node.decide(one.id, 'final');
      assert.equal((await waits).status, 200);
      assert.equal((await api.call('/v1/chain')).status, 200);
    });
  });

  it('bytes of bodies are bounded over all requests, and given back', async () => {
    await withLimits({ bodiesBytesMax: one.bytes.length }, async (api) => {
      for (let i = 0; i < 3; i++) assert((await api.call('/v1/transactions', postBytes(one.bytes))).status <= 202);
      const more = await api.call('/v1/transactions', postBytes(new Uint8Array(one.bytes.length + 1)));
      assert.equal(more.json.code, 'busy');
      assert((await api.call('/v1/transactions', postBytes(one.bytes))).status <= 202);
    });
  });

  it('H01, H05: headers or a body that do not arrive in time are 408', async () => {
    const limits = { headersTimeoutMs: 20, requestTimeoutMs: 40, timeoutCheckMs: 10 };
    await withLimits(limits, async (api) => {
      const slowBody = `POST /v1/transactions HTTP/1.1\r\nHost: x\r\n${BYTES}\r\nContent-Length: 10\r\n\r\na`;
      assert.equal((await api.raw(slowBody)).json.code, 'request-timeout');
      assert.equal((await api.raw('GET /v1/chain HTTP/1.1\r\nHost: x\r\n')).json.code, 'request-timeout');
      assert.deepEqual(api.errors, []);
    });
  });

  it('H01: a body that comes byte by byte is cut off by the time of the whole request', async () => {
    await withLimits({ headersTimeoutMs: 50, requestTimeoutMs: 100, timeoutCheckMs: 10 }, async (api) => {
      const { hostname, port } = new URL(api.url);
      const socket = connect(Number(port), hostname);
      socket.write(`POST /v1/transactions HTTP/1.1\r\nHost: x\r\n${BYTES}\r\nContent-Length: 100000\r\n\r\n`);
      const drip = setInterval(() => socket.write('a'), 5);
      try {
        let received = '';
        for await (const chunk of socket) received += chunk;
        assert.match(received, /^HTTP\/1.1 408 /);
      } finally {
        clearInterval(drip);
      }
    });
  });

  it('H05: connections beyond their number are dropped, and there is room again when one has gone', async () => {
    await withLimits({ connectionsMax: 2 }, async (api) => {
      const { hostname, port } = new URL(api.url);
      const hoard = [1, 2].map(() => connect(Number(port), hostname));
      await Promise.all(hoard.map((socket) => once(socket, 'connect')));
      // Connected to the kernel is not yet counted by the server.
      for (const socket of hoard) socket.write(plainGet('/livez').replace('close', 'keep-alive'));
      await Promise.all(hoard.map((socket) => once(socket, 'data')));
      const third = connect(Number(port), hostname);
      await once(third, 'close');
      assert.equal(third.bytesRead, 0);
      hoard[0]!.destroy();
      let isServed = false;
      while (!isServed) {
        const more = connect(Number(port), hostname, () => more.write(plainGet('/livez')));
        await once(more.on('error', () => undefined).resume(), 'close');
        isServed = more.bytesRead > 0;
      }
      hoard[1]!.destroy();
    });
  });

  it('H05: requests that one connection sends ahead count each', async () => {
    await withLimits({ requestsMax: 3 }, async (api) => {
      await api.call('/v1/transactions', postBytes(one.bytes));
      const { hostname, port } = new URL(api.url);
      const socket = connect(Number(port), hostname);
      const ahead = `GET /v1/transactions/${toHex(one.id)}?wait=final HTTP/1.1\r\nHost: x\r\n\r\n`;
      socket.write(ahead.repeat(10) + plainGet('/livez'));
      await api.node.waitingBegins;
      assert.equal((await api.call('/v1/chain')).json.code, 'busy');
      assert(api.node.waiting <= 3, `${api.node.waiting} wait`);
      api.node.decide(one.id, 'final');
      let received = '';
      for await (const chunk of socket) received += chunk;
      const statuses = [...received.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status);
      assert.deepEqual(statuses, ['200', '200', '200', ...Array(8).fill('503')]);
    });
  });

  it('H05: a connection on which nothing moves is closed, and nothing waits for it any more', async () => {
    // Long enough for a request to arrive on a machine that has other things to do.
    await withLimits({ idleMs: 300 }, async (api) => {
      await api.node.submit([one.bytes]);
      const waits = api.call(`/v1/transactions/${toHex(one.id)}?wait=final`);
      await api.node.waitingBegins;
      await assert.rejects(waits);
      while (api.node.waiting > 0) await new Promise(setImmediate);
    });
  });

  it('what can not be read behind an answer in work does not become that answer', async () => {
    await withLimits({}, async (api) => {
      const get = `GET /v1/transactions/${toHex(one.id)}?wait=final HTTP/1.1\r\nHost: x\r\n\r\n`;
      await api.call('/v1/transactions', postBytes(one.bytes));
      const { hostname, port } = new URL(api.url);
      const received = await new Promise<string>((resolve) => {
        let text = '';
        const socket = connect(Number(port), hostname, () => socket.write(get));
        socket.on('data', (chunk) => {
          text += chunk;
        });
        socket.on('close', () => resolve(text));
        void api.node.waitingBegins.then(() => socket.write('no http at all\r\n\r\n'));
      });
      assert.equal(received, '');
    });
  });

  it('closing wakes those that wait: they are answered with what is known', async () => {
    const api = await startTestApi();
    const waits = api.call('/v1/transactions?wait=final', postBytes(one.bytes));
    await api.node.waitingBegins;
    const closed = api.close();
    const { status, json } = await waits;
    assert.deepEqual([status, json.status], [202, 'pending']);
    await closed;
    await assert.rejects(fetch(`${api.url}/v1/chain`));
  });
});

/** More than the limit of a single body. */
function chunks(count: number): string {
  const part = 'x'.repeat(SINGLE_BODY_BYTES_MAX / 8);
  return `${part.length.toString(16)}\r\n${part}\r\n`.repeat(count);
}

function answerWhileSending(request: ClientRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    let answered = false;
    const send = (): void => {
      if (!answered) request.write(new Uint8Array(64 * 1024), send);
    };
    request.on('response', (response) => {
      answered = true;
      resolve(response.statusCode!);
      request.destroy();
    });
    request.on('error', (error) => answered || reject(error));
    send();
  });
}
