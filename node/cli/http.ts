import type { Json } from '../../ledger/codec.ts';
import { CliError, EXIT } from './errors.ts';

export const DEFAULT_URL = 'http://127.0.0.1:7800';

/** Where to ask: one node, or several, each if those before it do not answer. */
export type Urls = string | readonly string[];

/** Above the longest wait that a node offers. */
const TIMEOUT_MS = 90_000;
/** Where there is another node to ask. */
const NEXT_AFTER_MS = 3_000;

/** A refusal of a node: problem+json. */
export class ProblemError extends CliError {
  readonly retry: string;
  readonly status: number;
  readonly retryAfterMs: number;

  constructor(status: number, code: string, detail: string, retry: string, retryAfterMs: number) {
    super(EXIT.failed, code, detail);
    this.status = status;
    this.retry = retry;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface HttpOptions {
  readonly method?: 'GET' | 'POST';
  readonly bytes?: Uint8Array;
  readonly json?: Json;
  /** Ends the wait; then it is as if nothing answered. */
  readonly signal?: AbortSignal;
}

/** Asks the first node that answers, and reads JSON. Throws CliError `UNREACHABLE` or ProblemError. */
export async function ask<T>(urls: Urls, path: string, options: HttpOptions = {}): Promise<T> {
  return readJson<T>(await answerOf(urls, path, options));
}

/** As `ask`: the text as the node sent it, which is JSON. */
export async function askText(urls: Urls, path: string): Promise<string> {
  const answer = await answerOf(urls, path, {});
  readJson(answer);
  return answer.text;
}

async function answerOf(urls: Urls, path: string, options: HttpOptions): Promise<HttpAnswer> {
  const all = [urls].flat();
  for (const [i, url] of all.entries()) {
    const isLast = i === all.length - 1;
    const answer = await send(url, path, options, isLast ? TIMEOUT_MS : NEXT_AFTER_MS);
    if (answer !== undefined) return answer;
  }
  throw unreachable(all);
}

function unreachable(urls: readonly string[]): CliError {
  const hint = 'is a node running? `npm start` starts four; --url names another';
  return new CliError(EXIT.unreachable, 'UNREACHABLE', `nothing answers at ${urls.join(', ')}: ${hint}`);
}

function readJson<T>({ url, response, text }: HttpAnswer): T {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new CliError(
      EXIT.failed,
      'NOT_QUORATE',
      `${url} does not answer as a Quorate node (HTTP ${response.status})`,
    );
  }
  if (response.ok) return body as T;
  const { code = 'unknown', detail = `HTTP ${response.status}`, retry = 'never' } = body as Record<string, string>;
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  throw new ProblemError(response.status, code, detail, retry, seconds * 1_000);
}

interface HttpAnswer {
  readonly url: string;
  readonly response: Response;
  readonly text: string;
}

/** Undefined if nothing answers there, or not to the end. */
async function send(
  url: string,
  path: string,
  { method, bytes, json, signal }: HttpOptions,
  timeoutMs: number,
): Promise<HttpAnswer | undefined> {
  if (!URL.canParse(path, url)) throw new CliError(EXIT.usage, 'USAGE', `--url ${url}: expected like ${DEFAULT_URL}`);
  const contentType = bytes === undefined ? 'application/json' : 'application/octet-stream';
  const body = bytes ?? (json === undefined ? undefined : JSON.stringify(json));
  try {
    const response = await fetch(new URL(path, url), {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]),
      ...(body === undefined
        ? {}
        : { body: body as string | Uint8Array<ArrayBuffer>, headers: { 'content-type': contentType } }),
    });
    return { url, response, text: await response.text() };
  } catch {
    return undefined;
  }
}

export interface Chain {
  readonly chain: string;
  readonly genesisId: string;
  readonly height: number;
  readonly finalHeight: number;
  readonly finalStateRoot: string;
  readonly time: number;
  readonly maxLifetimeMs: number;
}

export interface TransactionAnswer {
  readonly id: string;
  readonly status: string;
  readonly block?: { readonly height: number; readonly index: number };
  readonly receipt?: { readonly status: string; readonly code: string; readonly events: readonly unknown[] };
}

export function askChain(url: Urls): Promise<Chain> {
  return ask<Chain>(url, '/v1/chain');
}
