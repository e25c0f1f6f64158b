import type { Context } from 'koa';

/** What pages may send; the rest of what a browser sends needs no leave. */
const REQUEST_HEADERS = ['Accept', 'Content-Type', 'If-None-Match', 'Last-Event-ID'].join(', ');
/** What they may read beyond what a browser always shows. */
const RESPONSE_HEADERS = [
  'Quorate-Height',
  'Quorate-Final-Height',
  'Quorate-Time',
  'Allow',
  'ETag',
  'Link',
  'Location',
  'Retry-After',
].join(', ');
/** Seconds for which a browser need not ask again; its list of origins changes by a restart only. */
const PREFLIGHT_SECONDS = 600;

/**
 * H06: pages of exactly these origins may read answers, problems included. There are no cookies and no credentials. The
 * answer to one origin must not be taken from a cache for another, so that Vary says Origin even to those who are not let in.
 */
export function admitOrigin(ctx: Context, origins: ReadonlySet<string>): void {
  if (origins.size === 0) return;
  ctx.vary('Origin');
  if (!isAdmitted(ctx, origins)) return;
  ctx.set('access-control-allow-origin', ctx.get('origin'));
  ctx.set('access-control-expose-headers', RESPONSE_HEADERS);
}

/** Whether this is a browser that asks for one of these pages what it may send to a path that has these methods. */
export function isPreflight(ctx: Context, origins: ReadonlySet<string>): boolean {
  return ctx.method === 'OPTIONS' && isAdmitted(ctx, origins) && ctx.get('access-control-request-method') !== '';
}

/** Says which methods the path has, and which headers; whether that is enough the browser decides. */
export function answerPreflight(ctx: Context, methods: readonly string[]): void {
  ctx.status = 204;
  ctx.set('access-control-allow-methods', methods.join(', '));
  ctx.set('access-control-allow-headers', REQUEST_HEADERS);
  ctx.set('access-control-max-age', String(PREFLIGHT_SECONDS));
}

function isAdmitted(ctx: Context, origins: ReadonlySet<string>): boolean {
  return origins.has(ctx.get('origin'));
}
