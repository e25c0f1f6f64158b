import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import Router from '@koa/router';
import Koa from 'koa';
import type { Application } from '../ledger/application.ts';
import { sha256 } from '../ledger/hash.ts';
import {
  CONNECTIONS_MAX,
  HEADER_BYTES_MAX,
  HEADERS_MAX,
  HEADERS_TIMEOUT_MS,
  KEEP_ALIVE_MS,
  REQUEST_TIMEOUT_MS,
  WAITING_MAX,
} from './limits.ts';
import type { NodePort } from './ports.ts';
import { PROBLEMS, Problem, problemBody } from './problems.ts';
import { type ApiContext, noQuery, type Route, type RouteAnswer } from './route.ts';
import { routes } from './routes/index.ts';

export interface ApiOptions {
  readonly node: NodePort;
  readonly application: Application;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly log: { error(fields: object, message: string): void };
}

export interface Api {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves the route table over HTTP. Resolves when it listens; rejects when the address can't be taken. */
export async function startApi(options: ApiOptions): Promise<Api> {
  const app = createApp(options);
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    app.callback(),
  );
  server.maxHeadersCount = HEADERS_MAX;
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const { address, family, port } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
}

function createApp({ node, application, log }: ApiOptions): Koa {
  const app = new Koa({ proxy: false });
  app.silent = true;
  const context: ApiContext = { node, application };
  app.use(async (ctx, next) => {
    try {
      const { height, finalHeight, time } = node.chain();
      ctx.set({
        'quorate-height': String(height),
        'quorate-final-height': String(finalHeight),
        'quorate-time': String(time),
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
      });
      await next();
      // A path without any route; paths with a route for another method have their answer already.
      if (ctx.status === 404 && ctx.body === undefined)
        throw new Problem('not-found', 'no such path; / lists what there is');
    } catch (error) {
      answerProblem(ctx, error, log);
    }
  });
  const router = new Router({ strict: true, sensitive: true });
  const counter = { waiting: 0 };
  for (const one of [...routes, indexRoute]) register(router, one, context, counter);
  app.use(router.routes());
  app.use(async (ctx) => answerOtherMethods(ctx));
  return app;
}

function register(router: Router, route: Route, context: ApiContext, counter: { waiting: number }): void {
  router[route.method === 'GET' ? 'get' : 'post'](route.path, async (ctx) => {
    if (counter.waiting >= WAITING_MAX) throw new Problem('overloaded', `${WAITING_MAX} requests are open`, 1);
    counter.waiting++;
    const abort = new AbortController();
    const gone = () => abort.abort();
    ctx.res.once('close', gone);
    try {
      const answer = await route.handle(context, {
        params: ctx.params as Record<string, string>,
        query: readQuery(route, ctx.querystring),
        contentType: (ctx.get('content-type').split(';')[0] ?? '').trim().toLowerCase(),
        wantsBytes: ctx.accepts('application/json', 'application/octet-stream') === 'application/octet-stream',
        body: await readBody(ctx.req, route.bodyBytesMax),
        raw: ctx.req,
        signal: abort.signal,
      });
      send(ctx, answer);
    } finally {
      counter.waiting--;
      ctx.res.off('close', gone);
    }
  });
}

/** Unknown and repeated parameters are refused: a typo must not be a default. */
function readQuery(route: Route, querystring: string): never {
  const values: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(querystring)) {
    if (Object.hasOwn(values, name))
      throw new Problem('malformed', `query parameter ${name.slice(0, 40)} occurs twice`);
    values[name] = value;
  }
  const parsed = route.query.safeParse({ ...values });
  if (parsed.success && !Object.hasOwn(values, '__proto__')) return parsed.data as never;
  const issue = parsed.error?.issues[0];
  throw new Problem(
    'malformed',
    `query: ${[issue?.path.join('.'), issue?.message ?? 'unknown parameter'].filter(Boolean).join(': ')}`,
  );
}

async function readBody(request: IncomingMessage, max: number): Promise<Uint8Array> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > max) throw new Problem('too-large', `a body of ${announced} bytes, at most ${max}`);
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new Problem('unsupported-media-type', 'compressed bodies are not taken');
  }
  if (announced === 0 && request.headers['transfer-encoding'] === undefined) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > max) throw new Problem('too-large', `a body of more than ${max} bytes`);
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  return new Uint8Array(body.buffer, body.byteOffset, body.length);
}

function send(ctx: Koa.Context, { status, body, headers = {}, immutable = false }: RouteAnswer): void {
  const bytes = body instanceof Uint8Array;
  const content = bytes ? Buffer.from(body) : JSON.stringify(body);
  ctx.status = status;
  ctx.set('content-type', bytes ? 'application/octet-stream' : 'application/json; charset=utf-8');
  ctx.set({ ...headers });
  if (immutable && status === 200) {
    ctx.set('cache-control', 'public, max-age=31536000, immutable');
    ctx.set('etag', `"${Buffer.from(sha256(Buffer.from(content))).toString('base64url')}"`);
    if (ctx.fresh) {
      ctx.status = 304;
      return;
    }
  }
  ctx.body = content;
}

/** Our own failure is logged here and named nowhere else: no text, no stack (H14). */
function answerProblem(ctx: Koa.Context, error: unknown, log: ApiOptions['log']): void {
  let problem: Problem;
  if (error instanceof Problem) problem = error;
  else if (isHttpError(error)) problem = new Problem('malformed', 'the path or a header can not be read');
  else {
    log.error({ method: ctx.method, path: ctx.path, err: error }, 'a request failed');
    problem = new Problem('internal', 'the node has logged why');
  }
  const { code, message, retryAfter } = problem;
  ctx.status = PROBLEMS[code].status;
  if (retryAfter !== undefined) ctx.set('retry-after', String(retryAfter));
  ctx.set('content-type', 'application/problem+json; charset=utf-8');
  ctx.body = JSON.stringify(problemBody(code, message));
  // What is left of an oversized or unread body must not be taken for the next request.
  if (!ctx.req.complete) ctx.set('connection', 'close');
}

function isHttpError(error: unknown): boolean {
  if (error instanceof URIError) return true;
  const status = (error as { status?: unknown } | undefined)?.status;
  return error instanceof Error && typeof status === 'number' && status >= 400 && status < 500;
}

function answerOtherMethods(ctx: Koa.Context): void {
  const allowed = [...new Set(routes.filter(({ path }) => pathMatches(path, ctx.path)).map(({ method }) => method))];
  if (allowed.length === 0) return;
  ctx.set('allow', allowed.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', '));
  throw new Problem('method-not-allowed', `${ctx.method.slice(0, 20)} is not allowed here`);
}

function pathMatches(route: string, path: string): boolean {
  const [expected, parts] = [route.split('/'), path.split('/')];
  return (
    expected.length === parts.length &&
    expected.every((part, i) => part === parts[i] || (part.startsWith(':') && parts[i] !== ''))
  );
}

/** What there is, for whoever opens the address without knowing. */
const indexRoute: Route = {
  method: 'GET',
  path: '/',
  summary: 'This list',
  query: noQuery,
  bodyBytesMax: 0,
  async handle({ node }) {
    const list = routes.map(({ method, path, summary }) => ({ method, path, summary }));
    return { status: 200, body: { name: node.info.name, version: node.info.version, routes: list } };
  },
};
