import { setImmediate } from 'node:timers/promises';
import { EVENT_CHUNK_CHARS, VIEW_CHANGES_WAITING_MAX } from '../limits.ts';
import type { NodePort, ViewEntered } from '../ports.ts';
import type { ApiContext } from '../route.ts';
import { type BlockEvent, message } from './block-events.ts';
import { type Position, positionText } from './position.ts';
import type { Topics } from './topics.ts';

/** Where a stream begins: behind an event, with a block, or with what becomes final next. */
export type Start =
  | { readonly kind: 'after'; readonly position: Position }
  | { readonly kind: 'from'; readonly height: number }
  | { readonly kind: 'now' };

interface Place {
  /** The last event that was looked at, sent or not; undefined before the first. */
  readonly scanned: Position | undefined;
  readonly next: Position;
}

/**
 * The text of one event stream: what is final from `start` on, block by block, then what becomes final. It ends on `signal`,
 * and where the next block is not kept here: whoever comes back with the last id is told so. `drop` ends it from inside.
 */
export async function* eventStream(
  { node, eventBlocks, limits }: Pick<ApiContext, 'node' | 'eventBlocks' | 'limits'>,
  start: Start,
  topics: Topics,
  signal: AbortSignal,
  drop: () => void,
): AsyncGenerator<string, void, void> {
  const holder = { drop };
  const sleep = new Sleep();
  const changes: ViewEntered[] = [];
  const unwatch = node.watch({
    final: () => sleep.end(),
    viewEntered(change) {
      if (!topics.viewChanges) return;
      changes.push(change);
      if (changes.length > VIEW_CHANGES_WAITING_MAX) changes.shift();
      sleep.end();
    },
  });
  const wake = () => sleep.end();
  signal.addEventListener('abort', wake);
  try {
    // The head of the answer goes out with it, however long the first block takes.
    yield `retry: ${limits.streamRetryMs}\n\n`;
    const { finalHeight } = node.chain();
    // What is final now is read for the place of its last event, which heartbeats name until there is a newer one.
    const newest = start.kind === 'now' ? await eventBlocks.hold(finalHeight, holder, signal) : undefined;
    eventBlocks.release(holder);
    let { scanned, next } = firstPlace(start, finalHeight, newest?.length);
    let heartbeatAt = 0;
    while (!signal.aborted) {
      let text = changes
        .splice(0)
        .map((change) => message('view-change', { ...change }))
        .join('');
      if (performance.now() >= heartbeatAt) {
        text += heartbeat(node, scanned);
        heartbeatAt = performance.now() + limits.heartbeatMs;
      }
      if (text !== '') {
        yield text;
        // Whatever happened while it was taken is looked at before anything is waited for.
        continue;
      }
      const { height, index } = next;
      if (height > node.chain().finalHeight) {
        await sleep.begin(heartbeatAt - performance.now());
        continue;
      }
      const events = await eventBlocks.hold(height, holder, signal);
      if (events === undefined) break;
      yield* pieces(events.slice(index).filter(topics.matches));
      eventBlocks.release(holder);
      // An id beyond the last of its block was never given; it stands behind the block.
      scanned = { height, index: Math.max(index, events.length) - 1 };
      next = { height: height + 1, index: 0 };
      // Blocks that are at hand would leave nobody else a turn.
      await setImmediate();
    }
  } finally {
    unwatch();
    signal.removeEventListener('abort', wake);
    eventBlocks.release(holder);
  }
}

/** Their text, as much at a time as a socket is given. */
function* pieces(events: readonly BlockEvent[]): Generator<string, void, void> {
  let text = '';
  for (const event of events) {
    text += event.text;
    if (text.length < EVENT_CHUNK_CHARS) continue;
    yield text;
    text = '';
  }
  if (text !== '') yield text;
}

function firstPlace(start: Start, finalHeight: number, newestEvents: number | undefined): Place {
  switch (start.kind) {
    case 'after': {
      const { height, index } = start.position;
      return { scanned: start.position, next: { height, index: index + 1 } };
    }
    case 'from':
      return { scanned: undefined, next: { height: start.height, index: 0 } };
    case 'now': {
      const next = { height: finalHeight + 1, index: 0 };
      const scanned = newestEvents === undefined ? undefined : { height: finalHeight, index: newestEvents - 1 };
      return { scanned, next };
    }
  }
}

function heartbeat(node: NodePort, scanned: Position | undefined): string {
  const { height, finalHeight, time } = node.chain();
  return message('heartbeat', { height, finalHeight, time }, scanned && positionText(scanned));
}

/** Waiting for a time or for whatever comes first. */
class Sleep {
  #end: (() => void) | undefined;

  begin(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.end(), Math.max(0, ms));
      this.#end = () => {
        clearTimeout(timer);
        this.#end = undefined;
        resolve();
      };
    });
  }

  end(): void {
    this.#end?.();
  }
}
