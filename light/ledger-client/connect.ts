import type { Genesis } from '../../genesis/genesis.ts';
import type { Module } from '../../ledger/application.ts';
import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import { CALLS_MAX, MEMO_BYTES_MAX } from '../../ledger/limits.ts';
import { assets } from '../../ledger/modules/assets.ts';
import { records } from '../../ledger/modules/records.ts';
import { type Call, decodeTransaction, type TransactionBody, transactionId } from '../../ledger/transaction.ts';
import { readGenesisAsync } from '../async.ts';
import { createLightClient, type LightClient, type LightClientOptions } from '../client.ts';
import { type Actions, actionsOf, bytesOf, callsOf, type Hex } from './calls.ts';
import { asQuorateError, QuorateError } from './errors.ts';
import { type ChainEvent, type EventsOptions, readEvents } from './events.ts';
import { Nodes } from './nodes.ts';
import { signBody } from './sign.ts';
import type { Signer } from './signer.ts';
import { createStateReader, type Seen, type StateReader } from './state.ts';
import { createSubmission, type Desk, type Final, idText, proofOf, type Submission } from './submission.ts';
import { abortable, type CallOptions, systemTimers, type Timers } from './timers.ts';

const LIFETIME_MS = 5 * 60_000;
const TIMEOUT_MS = 10_000;
/** How long `connect` waits for more nodes when one has told the time. */
const MORE_NODES_MS = 2_000;
/** What chain time at a node and here may differ by, without anybody being wrong: a heartbeat and some delay. */
const TIME_SLACK_MS = 60_000;

const DEFAULT_MODULES = [assets, records] as const;

/** The calls of modules `assets` and `records`. */
export const calls = callsOf(DEFAULT_MODULES);

export interface ConnectOptions<M extends readonly Module[] = typeof DEFAULT_MODULES>
  extends Omit<LightClientOptions, 'genesis' | 'now' | 'urls'>,
    CallOptions {
  /** The genesis file's text, or what was read from it: all that is trusted. */
  readonly genesis: string | Genesis;
  /** REST addresses of nodes, like `https://node.example`; none is trusted. f+1 of different organisations or more. */
  readonly urls: readonly string[];
  /** None: nothing can be signed, all else works. */
  readonly signer?: Signer;
  /** Whose actions there are. Default: assets and records. */
  readonly modules?: M;
  /** In ms of chain time, from signing to `validUntil`. Default: five minutes, or what the chain allows. */
  readonly lifetimeMs?: number;
  readonly timers?: Timers;
}

export interface SendOptions {
  /** At most 256 bytes; text is sent as UTF-8. */
  readonly memo?: Uint8Array | string;
  /** In ms of chain time. Default: chain time and `lifetimeMs`. */
  readonly validUntil?: number;
  /** 8 bytes. Default: random. With the same calls, memo and `validUntil` the same nonce makes the same transaction. */
  readonly nonce?: Uint8Array | Hex;
}

interface LedgerMethods {
  readonly genesis: Genesis;
  /** What proves everything here; for `follow`, `block`, and the position. */
  readonly light: LightClient;
  readonly state: StateReader;
  /** Chain time now, in ms, as the nodes tell it. */
  now(): number;
  /** One transaction with these calls: all of them happen, or none. Nothing is sent yet. Throws `invalid-args`. */
  send(calls: readonly Call[], options?: SendOptions): Submission;
  /** A transaction that was signed before, by this account or another. Throws `invalid-args`. */
  resume(bytes: Uint8Array): Submission;
  /** A final transaction with its proof, also one that was rejected; undefined if no node has one, which proves nothing. */
  proof(id: Uint8Array | Hex, options?: CallOptions): Promise<Final | undefined>;
  /** Follows the chain's events over all nodes. Their word: prove what matters. */
  events(options?: EventsOptions): AsyncGenerator<ChainEvent, void, undefined>;
}

/** A ledger as one account uses it: `ledger.assets.transfer({ … })` and so on, for each module and action. */
export type Ledger<M extends readonly Module[] = typeof DEFAULT_MODULES> = LedgerMethods &
  Actions<M, Submission, [options?: SendOptions]>;

/**
 * Reads the genesis file and asks the nodes for the time. Rejects with QuorateError `genesis`, `wrong-chain`, `unreachable`,
 * `invalid-args` or `aborted`.
 */
export async function connect<const M extends readonly Module[] = typeof DEFAULT_MODULES>(
  options: ConnectOptions<M>,
): Promise<Ledger<M>> {
  return abortable(connected(options), options.signal);
}

async function connected<M extends readonly Module[]>(options: ConnectOptions<M>): Promise<Ledger<M>> {
  const {
    signer,
    urls,
    timers = systemTimers,
    timeout = TIMEOUT_MS,
    fetch = globalThis.fetch.bind(globalThis),
  } = options;
  const modules = (options.modules ?? DEFAULT_MODULES) as M;
  const genesis = await readGenesis(options.genesis);
  const nodes = new Nodes({ urls, fetch, timers, timeoutMs: timeout });
  const maxLifetimeMs = await askTime(nodes, genesis, options.signal);
  const lightOptions = { ...options, genesis, fetch, timeout, now: timers.now };
  const light = createLightClient(lightOptions);
  const seen: Seen = { height: 0 };
  const desk: Desk = {
    nodes,
    light,
    saw: (height) => {
      seen.height = Math.max(seen.height, height);
    },
  };
  const lifetimeMs = Math.min(options.lifetimeMs ?? LIFETIME_MS, maxLifetimeMs);
  const now = (): number => nodes.chainTime()!;

  function send(
    some: readonly Call[],
    { memo = '', validUntil = now() + lifetimeMs, nonce }: SendOptions = {},
  ): Submission {
    if (signer === undefined) throw new QuorateError('invalid-args', 'connect was given no signer');
    if (some.length < 1 || some.length > CALLS_MAX)
      throw new QuorateError('invalid-args', `expected 1 to ${CALLS_MAX} calls, got ${some.length}`);
    if (!Number.isSafeInteger(validUntil) || validUntil > now() + maxLifetimeMs + TIME_SLACK_MS)
      throw new QuorateError(
        'invalid-args',
        `validUntil ${validUntil}: expected at most ${maxLifetimeMs} ms after chain time ${now()}`,
      );
    const body: TransactionBody = {
      sender: bytesOf(signer.publicKey, 32, 'the public key of the signer'),
      nonce: nonce === undefined ? globalThis.crypto.getRandomValues(new Uint8Array(8)) : bytesOf(nonce, 8, 'nonce'),
      validUntil,
      calls: some.map(({ module, action, args }) => ({ module, action, args: args.slice() })),
      memo: memoOf(memo),
    };
    const id = idText(idOf(genesis.id, body));
    return createSubmission(desk, { id, validUntil }, () => signBody(genesis.id, body, signer));
  }

  const methods: LedgerMethods = {
    genesis,
    light,
    state: createStateReader(light, lightOptions, seen, timers),
    now,
    send,
    resume(bytes) {
      const copy = bytes.slice();
      const decoded = decodeTransaction(genesis.id, copy);
      if (!decoded.ok) throw new QuorateError('invalid-args', `no signed transaction: ${decoded.problem}`);
      const { id, body } = decoded.value;
      return createSubmission(desk, { id: idText(id), validUntil: body.validUntil }, async () => copy);
    },
    async proof(id, { signal } = {}) {
      const text = idText(bytesOf(id, 32, 'id'));
      const proven = proofOf(desk, text).catch((error: unknown) => Promise.reject(asQuorateError(error, text)));
      return abortable(proven, signal, text);
    },
    events: (events = {}) => readEvents(nodes, events),
  };
  const actions = actionsOf(modules, (call, sendOptions?: SendOptions) => send([call], sendOptions));
  const taken = Object.keys(actions).find((name) => Object.hasOwn(methods, name));
  if (taken !== undefined)
    throw new QuorateError('invalid-args', `a module can not have the name ${taken} here; use send`);
  return { ...actions, ...methods } as Ledger<M>;
}

async function readGenesis(given: string | Genesis): Promise<Genesis> {
  if (typeof given !== 'string') return given;
  const read = await readGenesisAsync(given);
  if (!read.ok) throw new QuorateError('genesis', read.problem);
  return read.genesis;
}

/** Hears the chain time of the nodes; gives the longest life that a transaction may have, the median of what they say. */
async function askTime(nodes: Nodes, genesis: Genesis, signal: AbortSignal | undefined): Promise<number> {
  const wanted = toHex(genesis.id);
  const lifetimes: number[] = [];
  const problems: string[] = [];
  let isOther = false;
  const asks = nodes.urls.map(async (url, node) => {
    const answer = await nodes.ask(node, { path: '/v1/chain', signal });
    if (answer.kind !== 'ok') return void problems.push(answer.detail);
    const { genesisId, time, maxLifetimeMs } = answer.body;
    if (genesisId !== wanted) {
      isOther = true;
      nodes.leave(node);
      return void problems.push(`${url} is of the chain ${String(genesisId).slice(0, 70)}`);
    }
    if (!isMs(maxLifetimeMs) || !isMs(time)) return void problems.push(`${url}: no chain time`);
    nodes.hearTime(node, time);
    lifetimes.push(maxLifetimeMs);
    return undefined;
  });
  const all = Promise.allSettled(asks);
  const heard = new AbortController();
  const ended = signal === undefined ? heard.signal : AbortSignal.any([signal, heard.signal]);
  // A node that hangs is not waited for; one that lies about the time shall not be the only one.
  await Promise.race([all, nodes.timers.sleep(MORE_NODES_MS, ended)]);
  // Else the timer would keep a process that is done.
  heard.abort();
  if (lifetimes.length === 0) await all;
  if (lifetimes.length === 0) {
    const detail = `no node of ${wanted} tells the time: ${problems.join('; ')}`;
    throw new QuorateError(isOther ? 'wrong-chain' : 'unreachable', detail);
  }
  return lifetimes.toSorted((a, b) => a - b)[Math.floor((lifetimes.length - 1) / 2)]!;
}

function isMs(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function memoOf(memo: Uint8Array | string): Uint8Array {
  const bytes = typeof memo === 'string' ? utf8Encode(memo) : memo.slice();
  if (bytes.length <= MEMO_BYTES_MAX) return bytes;
  throw new QuorateError('invalid-args', `memo: expected at most ${MEMO_BYTES_MAX} bytes, got ${bytes.length}`);
}

function idOf(genesisId: Uint8Array, body: TransactionBody): Uint8Array {
  try {
    return transactionId(genesisId, body);
  } catch (cause) {
    throw new QuorateError('invalid-args', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
