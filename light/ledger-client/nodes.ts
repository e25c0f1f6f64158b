import { concatBytes, utf8Decode } from '../../ledger/bytes.ts';
import { BUNDLE_BYTES_MAX } from '../source.ts';
import { QuorateError, type Retry } from './errors.ts';
import { type Timers, within } from './timers.ts';

/** What a node may send at most in an answer, in bytes, if it is no proof. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
const BYTES = 'application/octet-stream';
/** A node can't make anybody wait longer than this by its Retry-After. */
const RETRY_AFTER_MAX_MS = 30_000;

/**
 * What a node said. `proof`: what it says to be a bundle, unread. `lost`: nothing that is an answer; `arrived` is false if the
 * node can't have got the request.
 */
export type Answer =
  | { readonly kind: 'ok'; readonly body: Readonly<Record<string, unknown>>; readonly proof?: Uint8Array }
  | Refusal
  | { readonly kind: 'lost'; readonly arrived: boolean; readonly detail: string };

export interface Refusal {
  readonly kind: 'refused';
  readonly status: number;
  readonly code: string;
  readonly retry: Retry;
  readonly detail: string;
  readonly retryAfterMs: number | undefined;
}

export interface NodesOptions {
  readonly urls: readonly string[];
  readonly fetch: typeof fetch;
  readonly timers: Timers;
  /** For a request that waits for nothing. */
  readonly timeoutMs: number;
}

export interface Request {
  readonly path: string;
  readonly body?: Uint8Array;
  /** The answer may be a bundle in bytes: `proof` of it, with nothing else. */
  readonly takesProof?: boolean;
  /** How long the node itself may wait before it answers, in ms. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** The nodes that a connection may ask, by their place in `urls`; none is trusted. */
export class Nodes {
  readonly urls: readonly string[];
  readonly timers: Timers;
  /** The one to ask first: the last that gave what was asked for. */
  preferred = 0;
  readonly #options: NodesOptions;
  /** What a node's chain time is ahead of `timers.now()`, in ms. */
  readonly #aheadMs: (number | undefined)[];
  readonly #left = new Set<number>();

  constructor(options: NodesOptions) {
    if (options.urls.length === 0) throw new QuorateError('invalid-args', 'expected at least one url');
    this.urls = options.urls.map((url) => url.replace(/\/+$/, ''));
    this.timers = options.timers;
    this.#options = options;
    this.#aheadMs = this.urls.map(() => undefined);
  }

  /** The one after `node` in turn. */
  after(node: number): number {
    return (node + 1) % this.urls.length;
  }

  /**
   * Chain time now, in ms: the median of what the nodes said, moved on by this machine's time since; the lower one of two.
   * Undefined while none has said anything.
   */
  chainTime(): number | undefined {
    const known = this.#aheadMs.filter((one) => one !== undefined).toSorted((a, b) => a - b);
    const median = known[Math.floor((known.length - 1) / 2)];
    return median === undefined ? undefined : Math.floor(this.timers.now() + median);
  }

  /** What a node told of the chain time, in ms. */
  hearTime(node: number, time: number): void {
    if (!this.#left.has(node)) this.#aheadMs[node] = time - this.timers.now();
  }

  /** Its time counts no more: it is of another chain. It is asked all the same; nothing that it says can be proven. */
  leave(node: number): void {
    this.#left.add(node);
    this.#aheadMs[node] = undefined;
  }

  /** Rejects with the signal's reason when the caller ended it, and with nothing else. */
  async ask(node: number, { path, body, takesProof = false, waitMs = 0, signal }: Request): Promise<Answer> {
    const { timers, timeoutMs } = this.#options;
    signal?.throwIfAborted();
    try {
      return await within(timers, timeoutMs + waitMs, signal, async (limited) => {
        const headers = {
          ...(body && { 'content-type': BYTES }),
          ...(takesProof && { accept: `${BYTES}, application/json;q=0.9` }),
        };
        const response = await this.fetch(node, path, { ...(body && post(body)), headers, signal: limited });
        if (takesProof && response.status === 200 && response.headers.get('content-type')?.startsWith(BYTES))
          return { kind: 'ok', body: {}, proof: await readBody(response, BUNDLE_BYTES_MAX) };
        return answerOf(response, await readBody(response));
      });
    } catch (error) {
      signal?.throwIfAborted();
      return { kind: 'lost', arrived: !isUnsent(error), detail: `${this.urls[node]}: ${reasonOf(error)}` };
    }
  }

  /** `fetch` of a node's path, which also hears the time that the node tells. */
  async fetch(node: number, path: string, init: RequestInit): Promise<Response> {
    const response = await this.#options.fetch(`${this.urls[node]}${path}`, { ...init, redirect: 'error' });
    const told = response.headers.get('quorate-time');
    if (told !== null && /^\d{1,15}$/.test(told)) this.hearTime(node, Number(told));
    return response;
  }
}

/** What the answer to a request that was not fulfilled says. */
export async function readRefusal(response: Response): Promise<Refusal> {
  return refusalOf(response, objectOf(utf8Decode(await readBody(response))));
}

function refusalOf(response: Response, body: Readonly<Record<string, unknown>> | undefined): Refusal {
  const { code, retry, detail } = body ?? {};
  const { status } = response;
  const seconds = response.headers.get('retry-after');
  return {
    kind: 'refused',
    status,
    code: typeof code === 'string' && /^[a-z][a-z0-9-]{0,40}$/.test(code) ? code : 'refused',
    retry: isRetry(retry) ? retry : status >= 500 ? 'elsewhere' : 'never',
    detail: typeof detail === 'string' ? detail.slice(0, 500) : `answered ${status}`,
    retryAfterMs:
      seconds !== null && /^\d{1,6}$/.test(seconds) ? Math.min(Number(seconds) * 1_000, RETRY_AFTER_MAX_MS) : undefined,
  };
}

/** An object in JSON, or undefined. */
export function objectOf(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  try {
    const json: unknown = JSON.parse(text ?? '');
    const isObject = typeof json === 'object' && json !== null && !Array.isArray(json);
    return isObject ? (json as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

/** The whole body; rejects beyond `bytesMax`. */
async function readBody(response: Response, bytesMax = ANSWER_BYTES_MAX): Promise<Uint8Array> {
  const reader = response.body?.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  while (reader !== undefined) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > bytesMax) {
      await reader.cancel();
      throw new Error(`an answer of more than ${bytesMax} bytes`);
    }
    parts.push(value);
  }
  return concatBytes(...parts);
}

/** "fetch failed" alone helps nobody: Node says why in the cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}

function answerOf(response: Response, bytes: Uint8Array): Answer {
  const body = objectOf(utf8Decode(bytes));
  if (response.status !== 200 && response.status !== 202) return refusalOf(response, body);
  // A 200 that is not JSON is from whatever else listens there.
  return body === undefined
    ? { kind: 'lost', arrived: true, detail: 'an answer that is not JSON' }
    : { kind: 'ok', body };
}

/** Node tells when there was no connection; a browser does not. */
function isUnsent(error: unknown): boolean {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'].includes(code);
}

function post(body: Uint8Array): RequestInit {
  return { method: 'POST', body: body as Uint8Array<ArrayBuffer> };
}

function isRetry(value: unknown): value is Retry {
  return value === 'never' || value === 'same' || value === 'later' || value === 'elsewhere';
}
