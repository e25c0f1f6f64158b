import { type Bundle, bundleCodec, type Handoff, updatesCodec } from '../ledger/bundle.ts';
import { concatBytes } from '../ledger/bytes.ts';
import { type Certificate, certificateCodec } from '../ledger/checkpoint.ts';
import { type Codec, type Json, tryDecode, tryFromJson } from '../ledger/codec.ts';
import { type SignedReply, signedReplyCodec } from '../ledger/reply.ts';

/** What a node may send at most in one answer, in bytes: a bundle with all that a block may hold. */
export const BUNDLE_BYTES_MAX = 64 * 1024 * 1024;
/** A certificate, and a page of hand-offs, of VALIDATORS_MAX members. */
export const CERTIFICATE_BYTES_MAX = 16 * 1024;
export const UPDATES_BYTES_MAX = 2 * 1024 * 1024;

/** A node that is asked; nothing it says is believed. Its methods throw SourceError. */
export interface Source {
  readonly url: string;
  updates(fromEpoch: number): Promise<readonly Handoff[]>;
  /** Undefined while nothing is final there. */
  latest(): Promise<Certificate | undefined>;
  /** Encoded bundles, or undefined where the node says that it has none. */
  transaction(idHex: string): Promise<Uint8Array | undefined>;
  state(table: string, keyHex: string): Promise<Uint8Array | undefined>;
  block(height: number, under?: number): Promise<Uint8Array | undefined>;
  /** C5: undefined where it signs nothing about these bytes. */
  reply(transaction: Uint8Array): Promise<SignedReply | undefined>;
}

/** A node that can't be reached, refuses, or answers what is no answer. */
export class SourceError extends Error {}

export interface SourceOptions {
  readonly fetch: typeof fetch;
  readonly timeoutMs: number;
}

export function createSource(url: string, { fetch, timeoutMs }: SourceOptions): Source {
  const base = url.replace(/\/+$/, '');

  async function ask(
    path: string,
    init: RequestInit = {},
    bytesMax = BUNDLE_BYTES_MAX,
  ): Promise<{ status: number; body: Uint8Array }> {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(`${base}/v1/${path}`, { ...init, signal, redirect: 'error' });
      return { status: response.status, body: await bodyOf(response, bytesMax) };
    } catch (cause) {
      throw new SourceError(reasonOf(cause), { cause });
    }
  }

  /** Undefined for 404, 409 and 410: it is not there, or not yet, or no more. */
  async function bytesOf(path: string, bytesMax?: number): Promise<Uint8Array | undefined> {
    const { status, body } = await ask(path, { headers: { accept: 'application/octet-stream' } }, bytesMax);
    if (status === 404 || status === 409 || status === 410) return undefined;
    if (status !== 200) throw new SourceError(`${path} answered ${status}`);
    return body;
  }

  async function decoded<T>(codec: Codec<T>, path: string, bytesMax: number): Promise<T | undefined> {
    const body = await bytesOf(path, bytesMax);
    if (body === undefined) return undefined;
    const read = tryDecode(codec, body);
    if (!read.ok) throw new SourceError(`${path}: ${read.problem}`);
    return read.value;
  }

  async function json(path: string, init?: RequestInit): Promise<Json | undefined> {
    const { status, body } = await ask(path, init);
    if (status === 404 || status === 409 || status === 410) return undefined;
    if (status !== 200) throw new SourceError(`${path} answered ${status}`);
    try {
      return JSON.parse(new TextDecoder().decode(body)) as Json;
    } catch (cause) {
      throw new SourceError(`${path}: not JSON`, { cause });
    }
  }

  return {
    url,
    async updates(fromEpoch) {
      const page = await decoded(updatesCodec, `light/updates?fromEpoch=${fromEpoch}`, UPDATES_BYTES_MAX);
      return page?.handoffs ?? [];
    },
    latest: () => decoded(certificateCodec, 'light/latest', CERTIFICATE_BYTES_MAX),
    transaction: (idHex) => bytesOf(`transactions/${idHex}/proof`),
    block: (height, under) => bytesOf(`blocks/${height}/proof${under === undefined ? '' : `?under=${under}`}`),
    state: (table, keyHex) => bytesOf(`state/${encodeURIComponent(table)}/${keyHex}?keyAs=bytes&proof=true`),
    async reply(transaction) {
      const answer = await json('transactions/status?signed=true', {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: transaction as BodyInit,
      });
      const signed = member(answer, 'reply');
      if (signed === undefined) return undefined;
      const read = tryFromJson(signedReplyCodec, signed);
      if (!read.ok) throw new SourceError(`reply: ${read.problem}`);
      return read.value;
    },
  };
}

/** "fetch failed" alone helps nobody: Node says why in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no answer';
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}

function member(json: Json | undefined, name: string): Json | undefined {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
    ? (json as { readonly [key: string]: Json })[name]
    : undefined;
}

async function bodyOf(response: Response, bytesMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  if (reader === undefined) return new Uint8Array(0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > bytesMax) {
      await reader.cancel();
      throw new SourceError(`an answer of more than ${bytesMax} bytes`);
    }
    parts.push(value);
  }
  return concatBytes(...parts);
}

/** A bundle, or undefined if the bytes are none. */
export function bundleOf(bytes: Uint8Array | undefined): Bundle | undefined {
  const read = bytes && tryDecode(bundleCodec, bytes);
  return read?.ok ? read.value : undefined;
}
