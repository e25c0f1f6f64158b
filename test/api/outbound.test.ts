import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import dns from 'node:dns';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { type AddressInfo, createServer, Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { routes } from '../../api/routes/index.ts';
import { plainGet, startTestApi, type TestApi } from '../support/api-client.ts';
import { describedTransaction, examplePath, freshTransaction, postBytes, postJson } from '../support/api-requests.ts';

const API = fileURLToPath(new URL('../../api/', import.meta.url));
/** Modules that can reach another machine, or start something that can. */
const NETWORK = /^node:(?:net|http|https|http2|tls|dns|dns\/promises|dgram|child_process|cluster|worker_threads)$/;
/** What is taken of them: to listen, and a table of words. */
const HARMLESS = ['createServer', 'STATUS_CODES'];
const CLIENTS = /\b(?:fetch|WebSocket|EventSource|XMLHttpRequest|globalThis|eval)\b|\bimport\(|\brequire\(/;

describe('H16: the API asks nobody', () => {
  it('H16: nothing in api/ imports what could open a connection', () => {
    const files = readdirSync(API, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    assert(files.length > 20, 'the sources are found');
    let seen = 0;
    for (const name of files) {
      const text = readFileSync(join(API, name), 'utf8');
      for (const [, type, names = '', from = ''] of text.matchAll(
        /^(?:import|export)\s+(type\s+)?([^;']*?)\s*(?:from\s*)?'([^']+)'/gm,
      )) {
        if (!NETWORK.test(from)) continue;
        seen++;
        if (type !== undefined) continue;
        const taken = names.replace(/[{}]/g, '').split(',');
        for (const one of taken.map((word) => word.trim()).filter((word) => word !== '' && !word.startsWith('type ')))
          assert(HARMLESS.includes(one), `${name} imports ${one} of ${from}`);
      }
      const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'/g, '');
      assert.doesNotMatch(code, CLIENTS, name);
    }
    assert(seen > 2, `${seen} imports looked at`);
  });

  it('H16: no request makes the node connect, send or look up anything, whatever address is in it', async (test) => {
    const api = await startTestApi();
    const there = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(there, 'listening');
    const elsewhere = `http://localhost:${(there.address() as AddressInfo).port}/latest/meta-data`;
    try {
      const outgoing = watchOutgoing(test, new URL(api.url).port);
      await assert.rejects(once(get(elsewhere, { agent: false }), 'response'));
      assert(outgoing.includes('lookup') && outgoing.includes('connect'), 'the watch sees it when somebody is asked');
      outgoing.length = 0;
      await askFor(elsewhere, api);
      assert.deepEqual(outgoing, []);
    } finally {
      there.close();
      await api.close();
    }
  });
});

/** What this process begins to talk to from now on, but for the port of the API itself. */
function watchOutgoing(test: TestContext, own: string): string[] {
  const outgoing: string[] = [];
  const watch = (where: object, name: string, counts: (args: readonly unknown[]) => boolean = () => true): void => {
    const original = Reflect.get(where, name) as (...args: readonly unknown[]) => unknown;
    test.mock.method(where as Record<string, typeof original>, name, function (this: unknown, ...args: unknown[]) {
      if (counts(args)) outgoing.push(name);
      return Reflect.apply(original, this, args);
    });
  };
  watch(Socket.prototype, 'connect', ([first]) => {
    const [options] = [first].flat() as [{ readonly port?: number | string }];
    return String(options.port) !== own;
  });
  for (const name of ['lookup', 'resolve', 'resolve4', 'resolve6', 'resolveAny']) {
    watch(dns, name);
    watch(dns.promises, name);
  }
  watch(dgram, 'createSocket');
  return outgoing;
}

/** Every route, with addresses wherever a client can put one. */
async function askFor(elsewhere: string, api: TestApi): Promise<void> {
  const { host } = new URL(elsewhere);
  const lying = [`Host: ${host}`, `Referer: ${elsewhere}`, `Origin: ${elsewhere}`, `Forwarded: for=${elsewhere}`];
  const one = freshTransaction(1);
  const described = describedTransaction(one) as { calls: { args: { key: string; note: string } }[] };
  described.calls[0]!.args.key = elsewhere;
  described.calls[0]!.args.note = elsewhere;
  for (const { method, path } of routes) {
    const at = examplePath(path);
    if (method === 'GET') {
      const { body } = await fetch(`${api.url}${at}`, { headers: { referer: elsewhere, origin: elsewhere } });
      await body?.cancel();
      await api.call(`${at}?url=${encodeURIComponent(elsewhere)}`);
      await api.raw(plainGet(`${at}?unknown=1`, ...lying).replace('Host: x\r\n', ''));
    } else {
      await api.call(at, postJson({ url: elsewhere, transaction: elsewhere }));
      await api.call(at, postJson(described));
      await api.call(at, postBytes(one.bytes));
    }
  }
  for (const target of [elsewhere, `//${host}/v1/chain`, `/v1/blocks/${encodeURIComponent(elsewhere)}`])
    await api.raw(plainGet(target, ...lying).replace('Host: x\r\n', ''));
  await api.raw(plainGet(host).replace('GET', 'CONNECT'), 'CONNECT', '/nowhere').catch(() => undefined);
}
