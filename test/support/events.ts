import assert from 'node:assert/strict';
import type { AnswerForm } from '../../api/route.ts';

/** One server-sent event. */
export interface SentEvent {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** Messages that are complete in a stream's text. Anything but our own lines is an error. */
export function parseEvents(text: string): readonly SentEvent[] {
  const complete = text.slice(0, text.lastIndexOf('\n\n') + 2);
  return complete
    .split('\n\n')
    .filter((block) => block !== '' && !/^retry: \d+$/.test(block))
    .map((block) => {
      const found = /^(?:id: (\d+\.\d+)\n)?event: ([a-z-]+)\ndata: (.*)$/.exec(block);
      assert(found, JSON.stringify(block));
      return { id: found[1], event: found[2]!, data: JSON.parse(found[3]!) as Record<string, unknown> };
    });
}

/** Holds an event against the table. */
export function checkEvent(form: AnswerForm, { id, event, data }: SentEvent): void {
  const schema = form.events?.[event];
  assert(schema !== undefined, `undocumented event ${event}`);
  const parsed = schema.safeParse(data);
  assert(parsed.success, `${event}: ${parsed.error}`);
  if (event === 'view-change') assert.equal(id, undefined);
  else if (event !== 'heartbeat') assert(id !== undefined, event);
}

/** A stream under way. */
export interface EventReader extends AsyncDisposable {
  readonly status: number;
  /** The next event; undefined when the stream has ended, in whatever way. */
  next(): Promise<SentEvent | undefined>;
  /** Everything up to the event with this id, that one included. */
  until(id: string): Promise<readonly SentEvent[]>;
  close(): Promise<void>;
}

/** Opens `/v1/events` with these parameters (`?topics=…`); throws if it is refused. */
export async function openEvents(url: string, query = '', headers: Record<string, string> = {}): Promise<EventReader> {
  const stop = new AbortController();
  const response = await fetch(`${url}/v1/events${query}`, { headers, signal: stop.signal });
  assert.equal(response.status, 200, response.status === 200 ? '' : await response.text());
  const events = messages(response.body!);
  const next = async (): Promise<SentEvent | undefined> => {
    const { value, done } = await events.next();
    return done === true ? undefined : value;
  };
  const close = async (): Promise<void> => stop.abort();
  return {
    status: response.status,
    next,
    async until(id) {
      const seen: SentEvent[] = [];
      for (;;) {
        const event = await next();
        assert(event !== undefined, `the stream ended before ${id}; ${seen.length} events, last ${seen.at(-1)?.id}`);
        if (event.event !== 'heartbeat') seen.push(event);
        if (event.id === id) return seen;
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function* messages(body: ReadableStream<Uint8Array>): AsyncGenerator<SentEvent, void, void> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let text = '';
  for (;;) {
    // Cut off or ended: what was complete counts.
    const { value, done } = await reader.read().catch(() => ({ value: undefined, done: true }));
    if (done || value === undefined) return;
    text += decoder.decode(value, { stream: true });
    const end = text.lastIndexOf('\n\n') + 2;
    if (end === 1) continue;
    yield* parseEvents(text.slice(0, end));
    text = text.slice(end);
  }
}
