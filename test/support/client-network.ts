import assert from 'node:assert/strict';
import { toHex } from '../../ledger/bytes.ts';
import { type Reply, signedReplyCodec } from '../../ledger/reply.ts';
import { decodeTransaction, type Transaction } from '../../ledger/transaction.ts';
import { type ConnectOptions, connect, type Ledger } from '../../light/ledger-client/connect.ts';
import { QuorateError } from '../../light/ledger-client/errors.ts';
import { memorySigner } from '../../light/ledger-client/memory-signer.ts';
import type { Timers } from '../../light/ledger-client/timers.ts';
import { ACCOUNTS, type Chain, smallChain } from './chain.ts';
import { fetchFrom, type LightNode, lightNode } from './light-nodes.ts';

/** Shorter waits of a client pass at once and move its clock; longer ones are limits, which pass when a test says so. */
const LIMIT_MS = 10_000;

export interface ManualTimers extends Timers {
  /** All limits that are waited for are over. */
  expire(): void;
  /** Moves the clock. */
  pass(ms: number): void;
  /** What was slept, in ms, without limits. */
  readonly slept: number[];
  /** Limits that were waited for, in ms. */
  readonly limits: number[];
}

export function manualTimers(start: number): ManualTimers {
  let now = start;
  let waiting: (() => void)[] = [];
  const limits: number[] = [];
  const slept: number[] = [];
  return {
    slept,
    limits,
    now: () => now,
    pass(ms) {
      now += ms;
    },
    expire() {
      now += LIMIT_MS;
      const fired = waiting;
      waiting = [];
      for (const fire of fired) fire();
    },
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        signal?.addEventListener('abort', () => reject(signal.reason));
        if (ms >= LIMIT_MS) {
          limits.push(ms);
          return waiting.push(resolve);
        }
        slept.push(ms);
        setImmediate(() => {
          now += ms;
          resolve();
        });
      }),
  };
}

/** What a node makes of a request, in place of what a sound one does. Undefined: that after all. */
export type Script = (request: ClientRequest) => Response | Promise<Response> | undefined;

export interface ClientRequest {
  readonly method: string;
  /** Behind `/v1/`, with its query. */
  readonly path: string;
  readonly body: Uint8Array | undefined;
  readonly headers: Headers;
  readonly signal: AbortSignal | undefined;
}

export interface ClientNode extends LightNode {
  script: Script;
  /** Bytes of transactions that were posted here, in order. */
  readonly received: Uint8Array[];
}

/** Nodes of one chain in memory, whose transactions execute in a block of their own as soon as a node gets them. */
export class ClientNetwork {
  readonly chain: Chain = smallChain();
  readonly timers: ManualTimers = manualTimers(5_000_000);
  readonly nodes: readonly ClientNode[];
  /** What the nodes say about transactions under their signatures, if not the truth. */
  reply: ((id: Uint8Array) => Partial<Reply> | undefined) | undefined;
  /** Keeps what comes without executing it. */
  isStopped = false;
  /** A wait for finality is answered with the proof, if the client takes it. */
  showsProofs = true;
  readonly #start = this.timers.now();

  constructor(count = 4) {
    this.nodes = Array.from({ length: count }, (_, index) =>
      Object.assign(lightNode(this.chain, index), { script: () => undefined, received: [] }),
    );
  }

  get urls(): readonly string[] {
    return this.nodes.map((_, i) => `http://node-${i}`);
  }

  /** Chain time as nodes tell it: that of the newest block, moved on. */
  get time(): number {
    return this.chain.blocks.at(-1)!.header.timestamp + this.timers.now() - this.#start;
  }

  /** How many blocks have this transaction. */
  executions(id: string): number {
    const all = this.chain.blocks.flatMap(({ transactions }) => transactions);
    return all.filter((one) => toHex(one.id) === id).length;
  }

  connect(options: Partial<ConnectOptions> = {}): Promise<Ledger> {
    const { fetch, timers, urls } = this;
    const genesis = this.chain.genesis.text;
    return connect({ genesis, urls, fetch, timers, signer: memorySigner(ACCOUNTS[0].seed), ...options });
  }

  /** A new block, certified at all nodes. */
  append(...transactions: readonly Transaction[]): void {
    this.chain.append(...transactions);
    for (const node of this.nodes) node.certified = this.chain.height;
  }

  readonly fetch: typeof fetch = async (input, init) => {
    const url = new URL(String(input));
    const node = this.nodes[Number(url.host.split('-')[1])];
    if (node === undefined) throw new TypeError('fetch failed');
    const request: ClientRequest = {
      method: init?.method ?? 'GET',
      path: url.pathname.replace('/v1/', '') + url.search,
      body: init?.body == null ? undefined : new Uint8Array(init.body as Uint8Array<ArrayBuffer>),
      headers: new Headers(init?.headers),
      signal: init?.signal ?? undefined,
    };
    init?.signal?.throwIfAborted();
    return (await node.script(request)) ?? this.#answer(node, request, input, init);
  };

  async #answer(
    node: ClientNode,
    { method, path, body, headers }: ClientRequest,
    ...args: Parameters<typeof fetch>
  ): Promise<Response> {
    if (path === 'chain') {
      const { id, parameters } = this.chain.genesis;
      return this.json({ genesisId: toHex(id), time: this.time, maxLifetimeMs: parameters.maxLifetimeMs });
    }
    if (method === 'POST' && body !== undefined) {
      if (path.startsWith('transactions/status')) return this.json(this.#signedStatus(node, body));
      node.received.push(body);
      const taken = this.#take(body);
      const wantsProof =
        this.showsProofs &&
        path.includes('wait=final') &&
        headers.get('accept')?.startsWith('application/octet-stream');
      const proof = wantsProof
        ? await this.#ask(`http://node-${node.member}/v1/transactions/${taken.id}/proof`)
        : undefined;
      if (!proof?.ok) return this.json(taken, taken.status === 'pending' ? 202 : 200);
      return new Response(proof.body, { headers: { 'content-type': 'application/octet-stream' } });
    }
    return this.#ask(...args);
  }

  /** Of what a light client asks for. */
  get #ask(): typeof fetch {
    return fetchFrom(Object.fromEntries(this.nodes.map((one, i) => [`node-${i}`, one])));
  }

  json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
    return new Response(JSON.stringify(body), { status, headers: { 'quorate-time': String(this.time), ...headers } });
  }

  problem(status: number, code: string, retry: string, headers: Record<string, string> = {}): Response {
    return this.json({ code, retry, status, detail: `because of ${code}` }, status, headers);
  }

  #take(bytes: Uint8Array) {
    const decoded = decodeTransaction(this.chain.genesis.id, bytes);
    if (!decoded.ok) throw new Error(decoded.problem);
    const id = toHex(decoded.value.id);
    if (!this.isStopped && this.executions(id) === 0) this.append(decoded.value);
    return { id, status: this.#statusOf(decoded.value.id).status };
  }

  #statusOf(id: Uint8Array): Pick<Reply, 'height' | 'receipt'> & { readonly status: Reply['status'] | 'pending' } {
    for (const [height, { transactions, receipts }] of this.chain.blocks.entries()) {
      const index = transactions.findIndex((one) => toHex(one.id) === toHex(id));
      if (index < 0) continue;
      const value = receipts[index]!;
      return { status: value.status === 'ok' ? 'final' : 'rejected', height, receipt: { kind: 'receipt', value } };
    }
    return { status: 'pending', height: 0, receipt: { kind: 'none', value: {} } };
  }

  #signedStatus(node: ClientNode, bytes: Uint8Array) {
    const decoded = decodeTransaction(this.chain.genesis.id, bytes);
    if (!decoded.ok) throw new Error(decoded.problem);
    const { id } = decoded.value;
    const { status, height, receipt } = this.#statusOf(id);
    const said = this.reply?.(id);
    if (status === 'pending' && said === undefined) return { status };
    const blockHash = new Uint8Array(32);
    const truth = { id, status: status as Reply['status'], epoch: this.chain.epoch, height, blockHash, receipt };
    return { status, reply: signedReplyCodec.toJson(this.chain.signReply(node.member, { ...truth, ...said })) };
  }
}

/** A request that nobody answers, until it is given up. */
export function silence({ signal }: ClientRequest): Promise<Response> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason));
  });
}

/** The path of a submission. */
export const isPost = (path: string): boolean => /^transactions(\?|$)/.test(path);

export function isClientError(code: string, more: Partial<QuorateError> = {}) {
  return (error: unknown): boolean => {
    assert(error instanceof QuorateError, String(error));
    assert.equal(error.code, code, error.message);
    for (const [key, value] of Object.entries(more)) assert.deepEqual(error[key as keyof QuorateError], value, key);
    return true;
  };
}
