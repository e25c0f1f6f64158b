import type { IncomingHttpHeaders } from 'node:http';
import Router from '@koa/router';
import Koa from 'koa';
import type { z } from 'zod';
import { sha256 } from '../ledger/hash.ts';
import { readBody } from './body.ts';
import { chainHeaders, safeChainHeaders } from './chain-headers.ts';
import { admitOrigin, answerPreflight, isPreflight } from './cors.ts';
import { blockEvents } from './events/block-events.ts';
import { HeldBlocks } from './events/held-blocks.ts';
import type { Gate } from './gate.ts';
import type { ApiOptions } from './index.ts';
import type { ServerLimits } from './limits.ts';
import type { OpenRequests } from './open-requests.ts';
import type { NodePort } from './ports.ts';
import { PROBLEMS, Problem, problemBody } from './problems.ts';
import type { ApiContext, Route, WholeAnswer } from './route.ts';
import { routes } from './routes/index.ts';
import { sendStream } from './send-stream.ts';
import { withWhatItWaitsFor } from './waits.ts';

/** What all requests share. */
export interface Gates {
  /** Transactions that requests wait for. */
  readonly waiting: Gate;
  readonly dryRuns: Gate;
  readonly streams: Gate;
  /** Bytes of bodies that are being read or in work. */
  readonly bodies: Gate;
}

/** The route table behind Koa: validation before the handlers, headers and problems after them. */
export function createApp(
  { node, application, verifyPage, docsPage, log, origins = [] }: ApiOptions,
  limits: ServerLimits,
  open: OpenRequests,
  { waiting, dryRuns, streams, bodies }: Gates,
): Koa {
  // H04: nothing here depends on Host or X-Forwarded-*.
  const app = new Koa({ proxy: false });
  app.silent = true;
  const admitted = new Set(origins);
  app.use(async (ctx, next) => {
    try {
      admitOrigin(ctx, admitted);
      ctx.set({
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
        ...chainHeaders(node),
      });
      refuseOddRequest(ctx.req.rawHeaders.length / 2, limits.headersMax, ctx);
      await next();
      // Again, now that the answer is there: it may have waited for later heights.
      ctx.set(chainHeaders(node));
    } catch (error) {
      answerProblem(ctx, error, node, log);
      ctx.set(safeChainHeaders(node));
      if (error instanceof Problem && error.code === 'busy') open.refused++;
    }
    // Also if closing began while this was in work: a connection that is kept alive would hold it up.
    if (open.closing) ctx.set('connection', 'close');
  });
  const router = new Router({ strict: true, sensitive: true });
  const context: ApiContext = {
    node,
    application,
    waiting,
    isClosing: () => open.closing,
    dryRuns,
    verifyPage,
    docsPage,
    eventBlocks: new HeldBlocks((height) => blockEvents(node, application, height), limits.streamBlocksCharsMax),
    limits,
  };
  const streaming = { open, gate: streams, limits, log };
  for (const route of routes) {
    router[route.method === 'GET' ? 'get' : 'post'](route.path, async (ctx) => {
      if (open.size > limits.requestsMax) throw new Problem('busy', `${limits.requestsMax} requests are open`);
      const params = read('path', route.params, Object.entries(ctx.params as Record<string, string>));
      const query = read('query', route.query, new URLSearchParams(ctx.querystring));
      const headers = readHeaders(route.headers, ctx.req.headers);
      const body = await readBody(ctx.req, route.body?.bytesMax ?? 0, bodies);
      try {
        const answer = await route.handle(context, {
          params,
          query,
          headers,
          contentType: (ctx.get('content-type').split(';')[0] ?? '').trim().toLowerCase(),
          wantsBytes: ctx.accepts('application/json', 'application/octet-stream') === 'application/octet-stream',
          wantsPage: ctx.accepts('text/html', 'application/json') !== 'application/json',
          body: body.bytes,
          signal: open.signal(ctx.res),
        });
        if ('stream' in answer) sendStream(ctx, answer, streaming);
        else send(ctx, route, answer);
      } finally {
        body.release();
      }
    });
  }
  app.use(router.routes());
  app.use(async (ctx) => {
    const methods = methodsOf(ctx.path);
    if (methods.length > 0 && isPreflight(ctx, admitted)) answerPreflight(ctx, methods);
    else refuse(ctx, methods);
  });
  return app;
}

function refuseOddRequest(headers: number, headersMax: number, ctx: Koa.Context): void {
  if (headers > headersMax) throw new Problem('headers-too-large', `${headers} headers, at most ${headersMax}`);
  const {
    httpVersion,
    headers: { host },
  } = ctx.req;
  if (httpVersion !== '1.0' && (httpVersion !== '1.1' || host === undefined)) {
    throw new Problem('malformed', `expected HTTP/1.1 with a Host header, got HTTP/${httpVersion}`);
  }
}

/** Unknown and repeated parameters are refused: a typo must not be a default. */
function read(
  place: 'path' | 'query' | 'header',
  schema: z.ZodObject,
  given: Iterable<[string, string]>,
): Record<string, unknown> {
  const values: Record<string, string> = {};
  for (const [name, value] of given) {
    // As a plain key `__proto__` would vanish.
    if (!Object.hasOwn(schema.shape, name)) throw malformed(place, `unknown parameter ${shown(name)}`);
    if (Object.hasOwn(values, name)) throw malformed(place, `parameter ${shown(name)} occurs twice`);
    values[name] = value;
  }
  const parsed = schema.safeParse(values);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw malformed(place, `${issue?.path.join('.')}: ${issue?.message}`);
}

/** Those that the route names; unlike parameters the others are anybody's. */
function readHeaders(schema: z.ZodObject | undefined, given: IncomingHttpHeaders): Record<string, unknown> {
  const named = Object.entries(given).filter(([name]) => schema !== undefined && Object.hasOwn(schema.shape, name));
  return schema === undefined ? {} : read('header', schema, named as [string, string][]);
}

function send(ctx: Koa.Context, route: Route, answer: WholeAnswer): void {
  const { status, body, headers = {}, immutable = false, revalidated = false } = answer;
  const bytes = body instanceof Uint8Array;
  const content = bytes ? Buffer.from(body.buffer, body.byteOffset, body.length) : JSON.stringify(body);
  ctx.status = status;
  ctx.set('content-type', bytes ? 'application/octet-stream' : 'application/json; charset=utf-8');
  if (Object.values(route.answers).some((form) => form.json !== undefined && (form.bytes ?? form.html) !== undefined))
    ctx.vary('accept');
  ctx.set({ ...headers });
  if ((immutable || revalidated) && status === 200) {
    ctx.set('cache-control', immutable ? 'public, max-age=31536000, immutable' : 'no-cache');
    ctx.set('etag', `"${Buffer.from(sha256(Buffer.from(content))).toString('base64url')}"`);
    if (ctx.fresh) {
      ctx.status = 304;
      return;
    }
  }
  ctx.body = content;
}

/** Our own failure is logged here and named nowhere else: no text, no stack (H14). */
function answerProblem(ctx: Koa.Context, error: unknown, node: NodePort, log: ApiOptions['log']): void {
  let problem: Problem;
  if (error instanceof Problem) problem = error;
  else if (isHttpError(error)) problem = malformed('path', 'it or a header can not be read');
  else {
    log.error({ method: ctx.method, path: ctx.path, err: error }, 'a request failed');
    problem = new Problem('internal', 'the node has logged why');
  }
  const { code, message, retryAfter } = problem;
  ctx.status = PROBLEMS[code].status;
  if (retryAfter !== undefined) ctx.set('retry-after', String(retryAfter));
  ctx.set('content-type', 'application/problem+json; charset=utf-8');
  ctx.body = JSON.stringify(problemBody(code, withWhatItWaitsFor(code, message, node)));
  // What is left of an oversized or unread body must not be taken for the next request.
  if (!ctx.req.complete) ctx.set('connection', 'close');
}

function isHttpError(error: unknown): boolean {
  if (error instanceof URIError) return true;
  const status = (error as { status?: unknown } | undefined)?.status;
  return error instanceof Error && typeof status === 'number' && status >= 400 && status < 500;
}

/** Those that a path has; none if there is no such path. */
function methodsOf(path: string): readonly string[] {
  const methods = new Set(routes.filter((route) => pathMatches(route.path, path)).map(({ method }) => method));
  return [...methods].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
}

/** For what no route answered. */
function refuse(ctx: Koa.Context, methods: readonly string[]): never {
  if (methods.length === 0) throw new Problem('not-found', 'no such path; / lists what there is');
  ctx.set('allow', methods.join(', '));
  throw new Problem('method-not-allowed', `${shown(ctx.method)} is not allowed here`);
}

function pathMatches(route: string, path: string): boolean {
  const [expected, parts] = [route.split('/'), path.split('/')];
  return (
    expected.length === parts.length &&
    expected.every((part, i) => part === parts[i] || (part.startsWith(':') && parts[i] !== ''))
  );
}

function malformed(place: string, detail: string): Problem {
  return new Problem('malformed', `${place}: ${detail}`);
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}
