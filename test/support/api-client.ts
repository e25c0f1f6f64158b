import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { startApi } from '../../api/index.ts';
import type { ServerLimits } from '../../api/limits.ts';
import type { BuiltPage } from '../../api/ports.ts';
import { PROBLEMS, type ProblemCode } from '../../api/problems.ts';
import { COMMON_PROBLEMS, problemsOf, type Route } from '../../api/route.ts';
import { routes } from '../../api/routes/index.ts';
import { problem } from '../../api/schemas.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { checkEvent, parseEvents } from './events.ts';
import { type FakeNode, fakeNode } from './fake-node.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  /** `{}` when the body is no JSON. */
  readonly json: Record<string, unknown>;
}

export interface TestApi {
  readonly url: string;
  /** Fresh after `reset`. */
  readonly node: FakeNode;
  /** What the server logged as its own failures. */
  readonly errors: object[];
  /** `name status` and `name code` of every answer so far. */
  readonly seen: Set<string>;
  reset(): void;
  call(path: string, init?: RequestInit): Promise<Answer>;
  /** Sends exactly these bytes and reads one answer. `method` and `path` say which documented answers are right. */
  raw(text: string, method?: string, path?: string): Promise<Answer>;
  close(): Promise<void>;
}

/** A page that a browser would show as nothing. */
const EMPTY_PAGE: BuiltPage = { html: Buffer.from('<!doctype html>'), policy: "default-src 'none'" };

export interface TestApiOptions {
  readonly verifyPage?: BuiltPage;
  readonly docsPage?: BuiltPage;
  readonly origins?: readonly string[];
}

/** A server over a fake node, and a client that holds every answer against the route table. */
export async function startTestApi(
  limits: Partial<ServerLimits> = {},
  { verifyPage, docsPage, origins = [] }: TestApiOptions = { verifyPage: EMPTY_PAGE, docsPage: EMPTY_PAGE },
): Promise<TestApi> {
  let node = fakeNode();
  const errors: object[] = [];
  const seen = new Set<string>();
  const port = new Proxy({} as FakeNode, { get: (_, name) => Reflect.get(node, name) });
  const log = { error: (fields: object) => void errors.push(fields) };
  const application = quorateApplication;
  const options = { node: port, application, verifyPage, docsPage, host: '127.0.0.1', port: 0, origins, log, limits };
  const api = await startApi(options);

  const check = (method: string, path: string, answer: Answer): Answer => {
    for (const name of checkAnswer(method, path, answer, node.broken, origins)) seen.add(name);
    return answer;
  };
  return {
    url: api.url,
    errors,
    seen,
    get node() {
      return node;
    },
    reset() {
      node = fakeNode();
      errors.length = 0;
    },
    async call(path, init = {}) {
      const response = await fetch(`${api.url}${path}`, init);
      const bytes = await bodyOf(response, init.method === 'HEAD');
      const answer = { status: response.status, headers: response.headers, bytes, json: jsonOf(bytes) };
      return check(init.method ?? 'GET', path, answer);
    },
    async raw(text, method, path) {
      const [ownMethod, ownPath] = text.split(' ');
      return check(method ?? ownMethod!, path ?? ownPath!, parseAnswer(await exchange(api.url, text)));
    },
    close: () => api.close(),
  };
}

/** A GET that ends its connection. */
export function plainGet(path: string, ...headers: readonly string[]): string {
  return ['GET', path, 'HTTP/1.1\r\nHost: x\r\nConnection: close'].join(' ') + lines(headers);
}

function lines(headers: readonly string[]): string {
  return `${headers.map((header) => `\r\n${header}`).join('')}\r\n\r\n`;
}

/** The contract: documented status, content type and body; headers of the chain; problems of the catalogue only. */
function checkAnswer(
  method: string,
  path: string,
  answer: Answer,
  broken: boolean,
  origins: readonly string[],
): string[] {
  const { status, headers, bytes, json } = answer;
  const where = `${method} ${path}: ${status} ${Buffer.from(bytes).toString().slice(0, 300)}`;
  const [route, known] = routeOf(method, path.split('?')[0]!);
  const type = headers.get('content-type') ?? '';
  if (!broken) {
    for (const name of ['quorate-height', 'quorate-final-height', 'quorate-time']) {
      assert.match(headers.get(name) ?? '', /^\d+$/, `${name} of ${where}`);
    }
  }
  const admitted = headers.get('access-control-allow-origin');
  assert(admitted === null || origins.includes(admitted), `H06: ${admitted} is let in by ${where}`);
  if (method === 'OPTIONS' && status === 204) {
    assert(admitted !== null && known && bytes.length === 0, where);
    return ['preflight 204'];
  }
  if (status >= 400) {
    assert.match(type, /^application\/problem\+json/, where);
    if (method === 'HEAD') return [];
    const body = problem.parse(json);
    const kind: { status: number; title: string; retry: string; retryAfter?: number } = PROBLEMS[body.code];
    assert.deepEqual([body.status, body.title, body.retry], [kind.status, kind.title, kind.retry]);
    assert.equal(status, kind.status, where);
    assert.equal(body.type, `/problems/${body.code}`);
    assert.doesNotMatch(JSON.stringify(json), /node_modules|\.ts:|at \w+ \(/, 'H14: no stack');
    if (kind.retryAfter !== undefined) assert.match(headers.get('retry-after') ?? '', /^\d+$/, where);
    if (body.code === 'method-not-allowed') assert(headers.get('allow'), where);
    assert(allowedProblems(route, known).has(body.code), `undocumented problem: ${where}`);
    return route === undefined ? [] : [`${route.name} ${status}`, `${route.name} ${body.code}`];
  }
  assert(route !== undefined, `no such route: ${where}`);
  if (status === 304) {
    assert(route.cacheable && bytes.length === 0, where);
    return [`${route.name} 304`];
  }
  const form = route.answers[status];
  assert(form !== undefined, `undocumented status: ${where}`);
  if (method === 'HEAD') return [];
  if (type === 'application/octet-stream') {
    assert(form.bytes !== undefined && bytes.length > 0, `undocumented bytes: ${where}`);
    return [`${route.name} ${status}`, `${route.name} bytes`];
  }
  if (type.startsWith('text/html')) {
    assert(form.html !== undefined && bytes.length > 0, `undocumented page: ${where}`);
    return [`${route.name} ${status}`];
  }
  if (type.startsWith('text/event-stream')) {
    const messages = parseEvents(Buffer.from(bytes).toString());
    assert(messages.length > 0, where);
    for (const message of messages) checkEvent(form, message);
    return [`${route.name} ${status}`];
  }
  assert.match(type, /^application\/json/, where);
  const parsed = form.json!.safeParse(json);
  assert(parsed.success, `${where}\n${parsed.error}`);
  return [`${route.name} ${status}`];
}

/** A stream is read up to its first heartbeat. */
async function bodyOf(response: Response, isHead: boolean): Promise<Uint8Array> {
  if (isHead || !response.headers.get('content-type')?.startsWith('text/event-stream'))
    return new Uint8Array(await response.arrayBuffer());
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.body!) {
    chunks.push(chunk);
    if (/^event: heartbeat\n.*\n\n/m.test(Buffer.concat(chunks).toString())) break;
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function allowedProblems(route: Route | undefined, known: boolean): ReadonlySet<ProblemCode> {
  if (route !== undefined) return problemsOf(route);
  return new Set<ProblemCode>([...COMMON_PROBLEMS, known ? 'method-not-allowed' : 'not-found', 'method-not-allowed']);
}

/** The route of a request, and whether its path exists at all. A fixed path comes before one with parameters. */
function routeOf(method: string, path: string): [Route | undefined, boolean] {
  const matching = routes.filter((route) => new RegExp(`^${route.path.replace(/:\w+/g, '[^/]+')}$`).test(path));
  const asked = method === 'HEAD' ? 'GET' : method;
  const own = matching.filter((route) => route.method === asked);
  return [own.find((route) => !route.path.includes(':')) ?? own[0], matching.length > 0];
}

function exchange(url: string, text: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname, () => socket.write(text));
    const received: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    socket.on('end', () => {
      socket.destroy();
      resolve(Buffer.concat(received));
    });
    socket.on('error', reject);
  });
}

function parseAnswer(received: Buffer): Answer {
  const end = received.indexOf('\r\n\r\n');
  const [statusLine = '', ...fields] = received.subarray(0, end).toString('latin1').split('\r\n');
  const headers = new Headers(
    fields.map((field): [string, string] => /^([^:]*): *(.*)$/.exec(field)!.slice(1) as [string, string]),
  );
  const bytes = new Uint8Array(received.subarray(end + 4));
  return { status: Number(statusLine.split(' ')[1]), headers, bytes, json: jsonOf(bytes) };
}

function jsonOf(bytes: Uint8Array): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>;
  } catch {
    return {};
  }
}
