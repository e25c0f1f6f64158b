import type { Json } from '../../ledger/codec.ts';
import { QuorateError } from './errors.ts';
import { type Nodes, objectOf, type Refusal, readRefusal, reasonOf } from './nodes.ts';
import { SseParser } from './sse.ts';
import { abortable, type CallOptions, within } from './timers.ts';

/** Nodes send a heartbeat every 5 s: one that is silent for this long is left. */
const SILENCE_MS = 15_000;
/** A node whose position does not move for this long is left, whatever it sends. */
const STUCK_MS = 60_000;
/** The greatest event: a receipt with all that it may hold, as JSON. */
const EVENT_CHARS_MAX = 20 * 1024 * 1024;
const PAUSE_MS = 200;
const PAUSE_MAX_MS = 5_000;

/** What a node tells of the chain. It is the node's word: prove what matters (`proof` of the connection, `state`). */
export interface ChainEvent {
  /** `height.index`, the same at every node; undefined for what is a node's own observation. */
  readonly id: string | undefined;
  /** block, transaction, event, checkpoint, epoch, view-change, heartbeat. */
  readonly topic: string;
  /** As in the API's reference: bytes are 0x hex, amounts decimal strings. */
  readonly data: Readonly<Record<string, Json>>;
}

export interface EventsOptions extends CallOptions {
  /** As in the API's reference: `block`, `transaction`, `account:0x…`, `event:assets.transferred`, …. Default: the node's. */
  readonly topics?: readonly string[];
  /** Id of the last event that was seen: begins behind it. */
  readonly after?: string;
  /** Height to begin at, where nothing was seen yet. Default: what becomes final from now on. */
  readonly from?: number;
  /** Yields heartbeats too; their id is how far the stream is, for `after`. */
  readonly heartbeats?: boolean;
}

interface Position {
  readonly height: number;
  readonly index: number;
}

/**
 * Events of the chain, each once and in order, as long as the nodes keep to the protocol: when one ends, fails, falls silent or
 * stands still, the next goes on behind the last id. Ends only by the caller, or with QuorateError: `aborted`; `pruned` or another refusal
 * when all nodes that answer refuse.
 */
export async function* readEvents(nodes: Nodes, options: EventsOptions): AsyncGenerator<ChainEvent, void, undefined> {
  const { signal, heartbeats = false } = options;
  if (options.after !== undefined && options.from !== undefined)
    throw new QuorateError('invalid-args', 'after and from: expected one of them');
  const state = { last: options.after === undefined ? undefined : afterOf(options.after), first: firstQuery(options) };
  let pauseMs = PAUSE_MS;
  for (let node = nodes.preferred; ; ) {
    let refusal: Refusal | undefined;
    let isOpen = false;
    for (let asked = 0; asked < nodes.urls.length; asked++) {
      const end = new AbortController();
      try {
        const stream = await abortable(open(nodes, node, state, anyOf(signal, end)), signal);
        if ('kind' in stream) {
          // A node that is busy may have what others do not keep.
          if (stream.status >= 500 || stream.retry === 'same' || stream.retry === 'later') isOpen = true;
          else refusal = stream;
        } else {
          isOpen = true;
          for await (const event of follow(nodes, stream, state, signal, end)) {
            if (event.topic !== 'heartbeat') pauseMs = PAUSE_MS;
            if (event.topic !== 'heartbeat' || heartbeats) yield event;
          }
        }
      } catch (error) {
        if (error instanceof QuorateError) throw error;
      } finally {
        end.abort();
      }
      node = nodes.after(node);
    }
    if (refusal !== undefined && !isOpen)
      throw new QuorateError(refusal.code, refusal.detail, { retry: refusal.retry });
    await abortable(nodes.timers.sleep(pauseMs, signal), signal);
    pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS);
  }
}

interface StreamState {
  /** Of the last event that was yielded, or the last heartbeat. */
  last: Position | undefined;
  /** What a first request asks for; later ones go on behind `last`. */
  readonly first: string;
}

/** The stream behind `last`, or why there is none. Rejects if the node gives no answer. */
async function open(
  nodes: Nodes,
  node: number,
  { last, first }: StreamState,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array> | Refusal> {
  return within(nodes.timers, SILENCE_MS, signal, async () => {
    // Not with the signal of `within`, which is only for the answer's beginning.
    const response = await nodes.fetch(node, `/v1/events${first}`, {
      headers: {
        accept: 'text/event-stream',
        ...(last && { 'last-event-id': textOf(last) }),
      },
      signal,
    });
    if (response.status !== 200) return readRefusal(response);
    if (response.body === null || !/^text\/event-stream\b/.test(response.headers.get('content-type') ?? ''))
      throw new Error('no event stream');
    return response.body;
  });
}

/** Events of one node behind `state.last`, which moves with them, until it ends. Throws when it fails or falls silent. */
async function* follow(
  nodes: Nodes,
  stream: ReadableStream<Uint8Array>,
  state: StreamState,
  signal: AbortSignal | undefined,
  end: AbortController,
): AsyncGenerator<ChainEvent> {
  const { timers } = nodes;
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  const parser = new SseParser(EVENT_CHARS_MAX);
  let movedAt = timers.now();
  try {
    for (;;) {
      const { done, value } = await abortable(
        within(timers, SILENCE_MS, anyOf(signal, end), () => reader.read()),
        signal,
      );
      if (done) return;
      for (const { name, data, id } of parser.push(decoder.decode(value, { stream: true }))) {
        const position = id === undefined ? undefined : positionOf(id);
        if (id !== undefined && position === undefined) throw new Error(`no position: ${id.slice(0, 40)}`);
        if (position !== undefined && !isBehind(state.last, position)) continue;
        const json = objectOf(data);
        if (json === undefined) throw new Error('the data of an event is no object');
        if (position !== undefined) {
          state.last = position;
          movedAt = timers.now();
        }
        yield { id, topic: name, data: json as ChainEvent['data'] };
        // How long the caller took is not the node's fault.
        if (position !== undefined) movedAt = timers.now();
      }
      if (timers.now() - movedAt > STUCK_MS) throw new Error('the node stands still');
    }
  } catch (error) {
    if (error instanceof QuorateError) throw error;
    throw new Error(reasonOf(error));
  } finally {
    reader.cancel().catch(() => {});
  }
}

function firstQuery({ topics, from, after }: EventsOptions): string {
  const query = new URLSearchParams();
  if (topics !== undefined) query.set('topics', topics.join(','));
  if (from !== undefined && after === undefined) {
    if (!Number.isSafeInteger(from) || from < 0) throw new QuorateError('invalid-args', `from: ${from} is no height`);
    query.set('from', String(from));
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

function afterOf(id: string): Position {
  const position = positionOf(id);
  if (position === undefined) throw new QuorateError('invalid-args', 'after: expected an id, like 12.0');
  return position;
}

function positionOf(id: string): Position | undefined {
  const [, height, index] = /^(\d{1,15})\.(\d{1,15})$/.exec(id) ?? [];
  return height === undefined ? undefined : { height: Number(height), index: Number(index) };
}

function textOf({ height, index }: Position): string {
  return `${height}.${index}`;
}

/** Whether `next` comes behind `last`. */
function isBehind(last: Position | undefined, next: Position): boolean {
  return last === undefined || next.height > last.height || (next.height === last.height && next.index > last.index);
}

function anyOf(signal: AbortSignal | undefined, end: AbortController): AbortSignal {
  return signal === undefined ? end.signal : AbortSignal.any([signal, end.signal]);
}
