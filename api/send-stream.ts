import { Readable } from 'node:stream';
import type Koa from 'koa';
import type { Gate } from './gate.ts';
import type { ServerLimits } from './limits.ts';
import type { OpenRequests } from './open-requests.ts';
import { Problem } from './problems.ts';
import type { StreamAnswer } from './route.ts';

export interface Streams {
  readonly open: OpenRequests;
  /** Those that are open. */
  readonly gate: Gate;
  readonly limits: ServerLimits;
  readonly log: { error(fields: object, message: string): void };
}

/**
 * Answers with server-sent events. One piece is in the socket's hands, one waits for it; the next is made when there is room
 * (H15). Throws the problem `busy` when there are too many streams.
 */
export function sendStream(ctx: Koa.Context, { stream }: StreamAnswer, { open, gate, limits, log }: Streams): void {
  const { res } = ctx;
  const signal = open.signal(res);
  gate.enter(1);
  if (!open.beginStream(res)) {
    gate.leave(1);
    throw new Problem('malformed', 'an event stream is the last request of its connection');
  }
  res.once('close', () => gate.leave(1));
  const drop = (): void => void res.destroy();
  const source = async function* () {
    try {
      for await (const piece of stream(drop)) {
        const timer = setTimeout(drop, limits.streamStallMs);
        signal.addEventListener('abort', drop);
        try {
          yield piece;
        } finally {
          clearTimeout(timer);
          signal.removeEventListener('abort', drop);
        }
      }
    } catch (error) {
      // Whoever has gone, or a node that closes, is no failure.
      if (signal.aborted) return;
      log.error({ path: ctx.path, err: error }, 'an event stream failed');
      drop();
    }
  };
  ctx.status = 200;
  ctx.set({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store, no-transform',
    // Asks proxies to hand on what comes at once.
    'x-accel-buffering': 'no',
    connection: 'close',
  });
  ctx.body = Readable.from(source(), { highWaterMark: 1 });
}
