import { setTimeout as delay } from 'node:timers/promises';
import type { ProblemCode } from '../../api/problems.ts';
import { toHex } from '../../ledger/bytes.ts';
import type { Transaction } from '../../ledger/transaction.ts';

/** What became of a transaction: where the chain has it and with what code ('' is ok), or that it can never execute. */
export type Outcome =
  | { readonly kind: 'executed'; readonly height: number; readonly index: number; readonly code: string }
  | { readonly kind: 'expired' };

/** An answer about state. */
export interface Answer<T> {
  /** The state is that after this block. */
  readonly height: number;
  readonly body: T;
}

interface StatusBody {
  readonly status: 'pending' | 'committed' | 'final' | 'rejected' | 'expired';
  readonly block?: { readonly height: number; readonly index: number };
  readonly receipt?: { readonly status: 'ok' | 'failed'; readonly code: string };
  readonly code?: ProblemCode;
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

const WAIT_MS = 1_500;
const TIMEOUT_MS = 4_000;
const PAUSE_MS = 50;
/** Refusals of which the reference says that another time or another node may take the same bytes. */
const TEMPORARY: readonly ProblemCode[] = [
  ...(['too-late', 'expiry-too-far', 'overloaded', 'too-many-pending', 'too-fast', 'internal', 'busy'] as const),
  ...(['syncing', 'no-quorum', 'draining', 'not-permitted'] as const),
];

/** The nodes' API, by plain requests. Every method tries other nodes until one gives an answer, or until the signal ends it. */
export class Rest {
  readonly urls: readonly string[];
  readonly #fetch: Fetch;
  /** Newest block time of any answer, in ms. */
  chainTime = 0;
  requests = 0;
  /** Requests without an answer, or with one to try elsewhere, by the reason. */
  readonly failures = new Map<string, number>();

  constructor(urls: readonly string[], ask: Fetch = fetch) {
    this.urls = urls;
    this.#fetch = ask;
  }

  /** Sends the same bytes until what became of them is known. */
  async submit(
    { bytes }: Transaction,
    first: number,
    wait: 'committed' | 'final',
    signal: AbortSignal,
  ): Promise<Outcome> {
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: bytes as Uint8Array<ArrayBuffer>,
    };
    for (let i = first; ; i++) {
      const answer = await this.#ask<StatusBody>(i, `/v1/transactions?wait=${wait}&timeoutMs=${WAIT_MS}`, init, signal);
      const outcome = answer && outcomeOf(answer.body, wait);
      if (outcome !== undefined) return outcome;
      if (answer !== undefined && answer.status >= 400) this.#refused(answer.body);
      await delay(PAUSE_MS, undefined, { signal });
    }
  }

  /** State at or above `height`, from whichever node has executed so much; `onLag` hears of those that have not. */
  async read<T extends { readonly height: number }>(
    path: string,
    first: number,
    height: number,
    signal: AbortSignal,
    onLag: () => void,
  ): Promise<Answer<T> & { readonly invokedAt: number }> {
    for (let i = first; ; i++) {
      const invokedAt = performance.now();
      const answer = await this.#ask<T>(i, path, {}, signal);
      if (answer?.status === 200) {
        const { body } = answer;
        if (body.height >= height) return { height: body.height, body, invokedAt };
        onLag();
      }
      await delay(PAUSE_MS, undefined, { signal });
    }
  }

  async #ask<T>(
    node: number,
    path: string,
    init: RequestInit,
    until: AbortSignal,
  ): Promise<{ status: number; body: T } | undefined> {
    const url = this.urls[node % this.urls.length]!;
    this.requests++;
    try {
      const signal = AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), until]);
      const response = await this.#fetch(`${url}${path}`, { ...init, signal });
      this.chainTime = Math.max(this.chainTime, Number(response.headers.get('quorate-time') ?? 0));
      return { status: response.status, body: (await response.json()) as T };
    } catch (error) {
      until.throwIfAborted();
      this.#count((error as Error).name === 'TimeoutError' ? 'timeout' : 'connection');
      return undefined;
    }
  }

  #refused({ code }: StatusBody): void {
    if (code === undefined || !TEMPORARY.includes(code)) throw new Error(`refused for good: ${code}`);
    this.#count(code);
  }

  #count(reason: string): void {
    this.failures.set(reason, (this.failures.get(reason) ?? 0) + 1);
  }
}

/** Undefined: not known yet. */
function outcomeOf({ status, block, receipt, code }: StatusBody, wait: 'committed' | 'final'): Outcome | undefined {
  // As a status, and as the refusal of bytes whose time is over by a certificate.
  if (status === 'expired' || code === 'expired') return { kind: 'expired' };
  const isDecided = status === 'final' || status === 'rejected' || (wait === 'committed' && status === 'committed');
  if (!isDecided || block === undefined || receipt === undefined) return undefined;
  return {
    kind: 'executed',
    height: block.height,
    index: block.index,
    code: receipt.status === 'ok' ? '' : receipt.code,
  };
}

/** Every executed transaction in the blocks above `from` up to `to`, by id; throws if one is there twice. */
export async function executedIn(url: string, from: number, to: number): Promise<ReadonlyMap<string, Outcome>> {
  const executed = new Map<string, Outcome>();
  for (let height = from + 1; height <= to; height++) {
    const response = await fetch(`${url}/v1/blocks/${height}`);
    if (!response.ok) throw new Error(`block ${height} of ${url}: ${response.status}`);
    const { transactions } = (await response.json()) as {
      transactions: readonly { id: string; receipt: NonNullable<StatusBody['receipt']> }[];
    };
    for (const [index, { id, receipt }] of transactions.entries()) {
      if (executed.has(id)) throw new Error(`${id} was executed twice, the second time at ${height}.${index}`);
      executed.set(id, { kind: 'executed', height, index, code: receipt.status === 'ok' ? '' : receipt.code });
    }
  }
  return executed;
}

export function idOf({ id }: Transaction): string {
  return toHex(id);
}
