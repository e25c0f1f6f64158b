import type { Json } from '../../ledger/codec.ts';
import { CliError, EXIT } from './errors.ts';

export const DEFAULT_URL = 'http://127.0.0.1:7800';

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
}

/** Asks a node and reads JSON. Throws CliError `UNREACHABLE` or ProblemError. */
export async function ask<T>(url: string, path: string, options: HttpOptions = {}): Promise<T> {
  const response = await send(url, path, options);
  const text = await response.text();
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

async function send(url: string, path: string, { method, bytes, json }: HttpOptions): Promise<Response> {
  const contentType = bytes === undefined ? 'application/json' : 'application/octet-stream';
  const body = bytes ?? (json === undefined ? undefined : JSON.stringify(json));
  try {
    return await fetch(new URL(path, url), {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      ...(body === undefined
        ? {}
        : { body: body as string | Uint8Array<ArrayBuffer>, headers: { 'content-type': contentType } }),
    });
  } catch (cause) {
    const hint = 'is a node running? `npm start` starts four; --url names another';
    throw new CliError(EXIT.unreachable, 'UNREACHABLE', `nothing answers at ${url}: ${hint}`, { cause });
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

export function askChain(url: string): Promise<Chain> {
  return ask<Chain>(url, '/v1/chain');
}
