import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { concatBytes, toHex } from '../ledger/bytes.ts';
import { packTransactions } from '../ledger/transaction.ts';
import { assertAgreement, assertAllFinal, executedIn, lackingBlocks } from './checks.ts';
import { Connections } from './connections.ts';
import { type Cost, measureCost } from './cpu.ts';
import { watchFinality } from './finality.ts';
import { chain, fund, percentile, submitAll, sum } from './load.ts';
import { type BenchNetwork, startNetwork } from './network.ts';
import { OFFERED, offeredRow } from './overload-rows.ts';
import { inPairs, medianRow, type Options, pairsOf, type Row, rounded } from './row.ts';
import { untilAllExecuted } from './single.ts';
import { signTransfers } from './transfers.ts';

const TIMES = OFFERED.at(-1)!;
/** For how long is offered; the first part does not count: the pools fill. */
const OFFERED_MS = 12_000;
const QUICK_OFFERED_MS = 3_000;
const UNCOUNTED = 0.4;
const PEAK_TRANSACTIONS = 20_000;
const QUICK_PEAK_TRANSACTIONS = 2_000;
/** As in the peak's load. */
const PER_REQUEST = 250;
/** At most as many requests at a time: a server holds 2,000 connections. What is due above that is not offered. */
const CONNECTIONS_PER_NODE = 1_000;

interface Offered {
  /** Transactions in requests that were sent. */
  readonly sent: number;
  /** Those that were due while all connections waited for answers. */
  readonly notSent: number;
  readonly sentSeconds: number;
  /** Ids of what was acknowledged, and when, on this process's clock. */
  readonly admitted: ReadonlyMap<string, number>;
  /** Of requests without an answer: they may have been admitted. */
  readonly unanswered: ReadonlySet<string>;
  /** Refused transactions, by code. */
  readonly refused: ReadonlyMap<string, number>;
}

interface Overloaded {
  readonly offered: Offered;
  /** Final transactions per second while it is offered, the first part left out. */
  readonly goodput: number;
  /** And over all the time until the last one is final: what is admitted faster than it is ordered counts here. */
  readonly drained: number;
  /** From acknowledgement to finality, in ms, of each that was admitted. */
  readonly latencies: readonly number[];
  readonly unansweredExecuted: number;
  readonly cost: Cost<Offered>;
}

/**
 * Ten times as much is offered as the network can do, at a constant rate whatever it answers, and what is refused is not sent
 * again. Goodput is what becomes final in that time, as a ratio to the peak of the same load by clients who wait. Less is offered
 * once each, for the curve.
 */
export async function overload(options: Options, log: (text: string) => void): Promise<readonly Row[]> {
  const network = await startNetwork();
  try {
    const validUntil = (await chain(network, 0)).time + 3_300_000;
    await fund(network, validUntil);
    const perPeak = options.transactions ?? (options.quick ? QUICK_PEAK_TRANSACTIONS : PEAK_TRANSACTIONS);
    const warm = signTransfers(network, perPeak, 1_000, validUntil);
    await submitAll(network, warm);
    const peakAt = async (pair: number): Promise<number> => {
      const load = signTransfers(network, perPeak, (pair + 1) * 10_000_000, validUntil);
      const { seconds } = await measureCost(network, () => submitAll(network, load));
      log(`peak: ${rounded(perPeak / seconds)} tx/s`);
      return perPeak / seconds;
    };
    // What ten times the peak is must be known before the first pair, which may begin with either.
    const peak = await peakAt(200);
    const offeredMs = options.quick ? QUICK_OFFERED_MS : OFFERED_MS;
    let executed = 0;
    const offering = async (times: number, firstNonce: number): Promise<Overloaded> => {
      const count = Math.ceil((times * peak * offeredMs) / 1_000);
      const one = await overloaded(network, signRequests(network, count, firstNonce, validUntil), offeredMs);
      executed += one.latencies.length + one.unansweredExecuted;
      log(`${times} x ${rounded(peak)} tx/s: ${describe(one)}`);
      return one;
    };
    const pairs = await inPairs(pairsOf(options), peakAt, (pair) => offering(TIMES, 1_000_000_000 + pair * 10_000_000));
    const less: Row[] = [];
    for (const [i, times] of OFFERED.slice(0, -1).entries()) {
      const { offered, goodput } = await offering(times, 3_000_000_000 + i * 10_000_000);
      less.push(
        { name: offeredRow(times, 'offered'), value: rounded(offered.sent / offered.sentSeconds), unit: 'tx/s' },
        { name: offeredRow(times, 'goodput'), value: rounded(goodput), unit: 'tx/s' },
      );
    }
    const own = 2 + warm.length + perPeak * (pairs.length + 1);
    await assertAllFinal(network, own + executed);
    log(`checked: all ${executed} that were acknowledged are final, none twice, and none that was refused`);
    const lacking = await lackingBlocks(network, await assertAgreement(network));
    const runs = pairs.map(({ a, b }) => ({ peak: a, ...b }));
    return [
      medianRow('peak finalPerSecond', 'tx/s', runs, (one) => one.peak),
      medianRow(offeredRow(TIMES, 'offered'), 'tx/s', runs, ({ offered }) => offered.sent / offered.sentSeconds),
      medianRow(offeredRow(TIMES, 'goodput'), 'tx/s', runs, ({ goodput }) => goodput),
      medianRow('goodput', 'ratio', runs, (one) => one.goodput / one.peak, {
        digits: 3,
        ratioOf: 'peak finalPerSecond',
      }),
      ...less,
      medianRow(
        'refused',
        '% of transactions',
        runs,
        ({ offered }) => (100 * sum([...offered.refused.values()])) / offered.sent,
        { digits: 1 },
      ),
      medianRow('due while all connections waited, not sent', 'transactions', runs, ({ offered }) => offered.notSent),
      medianRow('requests without an answer', 'transactions', runs, ({ offered }) => offered.unanswered.size),
      medianRow('admitted, acknowledged to final p50', 'ms', runs, ({ latencies }) => percentile(latencies, 0.5)),
      medianRow('admitted, acknowledged to final p99', 'ms', runs, ({ latencies }) => percentile(latencies, 0.99)),
      medianRow('finalPerSecond from the first offer until all admitted are final', 'tx/s', runs, (one) => one.drained),
      { name: 'validators that lack blocks afterwards (R8)', value: lacking, unit: 'of 4' },
      medianRow('cpu generator', 'us per offered tx', runs, ({ cost, offered }) => cost.generatorUs / offered.sent),
    ];
  } finally {
    await network.stop();
  }
}

function describe({ offered, goodput, latencies }: Overloaded): string {
  const refused = [...offered.refused].map(([code, count]) => `${count} ${code}`).join(', ');
  const p99 = rounded(percentile(latencies, 0.99));
  const rate = rounded(offered.sent / offered.sentSeconds);
  return `offered ${rate} tx/s, admitted ${offered.admitted.size}, refused ${refused || 'none'}; final ${rounded(goodput)} tx/s, p99 ${p99} ms`;
}

async function overloaded(network: BenchNetwork, load: readonly Request[], offeredMs: number): Promise<Overloaded> {
  const { height: before } = await chain(network, 0);
  const watch = watchFinality(network.validators[0]!.url);
  const start = performance.now();
  try {
    const cost = await measureCost(network, () => offer(network, load, offeredMs));
    await untilAllExecuted(network);
    const last = await assertAgreement(network);
    // One more question, so that the watch has seen the last block too.
    while (watch.finalAt(last) === undefined) await delay(10);
    const { admitted, unanswered } = cost.result;
    const executed = await executedIn(network, before + 1, last);
    const from = start + UNCOUNTED * offeredMs;
    const until = start + offeredMs;
    let counted = 0;
    const latencies: number[] = [];
    for (const [id, height] of executed) {
      const finalAt = watch.finalAt(height)!;
      if (finalAt >= from && finalAt < until) counted++;
      const acknowledgedAt = admitted.get(id);
      if (acknowledgedAt !== undefined) latencies.push(Math.max(0, finalAt - acknowledgedAt));
      else assert(unanswered.has(id), `${id} was refused, and executed`);
    }
    assert.equal(latencies.length, admitted.size, 'all that was acknowledged is executed');
    const unansweredExecuted = executed.size - latencies.length;
    const drained = (1_000 * executed.size) / (watch.finalAt(last)! - start);
    return {
      offered: cost.result,
      goodput: (1_000 * counted) / (until - from),
      drained,
      latencies,
      unansweredExecuted,
      cost,
    };
  } finally {
    await watch.stop();
  }
}

/** Sends each request when it is due, whatever has become of those before; resolves when all have been answered. */
async function offer(network: BenchNetwork, load: readonly Request[], offeredMs: number): Promise<Offered> {
  const connections = new Connections(CONNECTIONS_PER_NODE);
  const open = network.validators.map(() => 0);
  const admitted = new Map<string, number>();
  const refused = new Map<string, number>();
  const count = (code: string, more: number): void => void refused.set(code, (refused.get(code) ?? 0) + more);
  const answers: Promise<void>[] = [];
  const unanswered = new Set<string>();
  let sent = 0;
  let notSent = 0;
  const start = performance.now();
  const send = async (node: number, { body, ids }: Request): Promise<void> => {
    const size = ids.length / 32;
    open[node]!++;
    sent += size;
    try {
      const answer = await connections.post(`${network.validators[node]!.url}/v1/transactions/batch`, body);
      const now = performance.now();
      const { results, code = String(answer.status) } = JSON.parse(answer.body) as BatchAnswer;
      // A request that is refused as a whole (429, 503).
      if (results === undefined) return count(code, size);
      for (const { id, error } of results) {
        if (error === undefined) admitted.set(id, now);
        else count(error.code, 1);
      }
    } catch {
      for (let at = 0; at < ids.length; at += 32) unanswered.add(toHex(ids.subarray(at, at + 32)));
    } finally {
      open[node]!--;
    }
  };
  for (let due = 0; due < load.length; ) {
    const now = performance.now() - start;
    for (; due < load.length && (due * offeredMs) / load.length <= now; due++) {
      const node = due % network.validators.length;
      if (open[node]! < CONNECTIONS_PER_NODE) answers.push(send(node, load[due]!));
      else notSent += load[due]!.ids.length / 32;
    }
    await delay(1);
  }
  const sentSeconds = (performance.now() - start) / 1_000;
  await Promise.all(answers);
  connections.close();
  return { sent, notSent, sentSeconds, admitted, unanswered, refused };
}

/** Bytes only: as many transactions at ten times the peak would fill the heap. */
interface Request {
  readonly body: Uint8Array;
  /** Of its transactions, 32 bytes each. */
  readonly ids: Uint8Array;
}

function signRequests(network: BenchNetwork, count: number, firstNonce: number, validUntil: number): Request[] {
  return Array.from({ length: Math.ceil(count / PER_REQUEST) }, (_, i) => {
    const transactions = signTransfers(network, PER_REQUEST, firstNonce + i * PER_REQUEST, validUntil);
    const body = packTransactions(transactions.map(({ bytes }) => bytes));
    return { body, ids: concatBytes(...transactions.map(({ id }) => id)) };
  });
}

interface BatchAnswer {
  readonly results?: readonly { readonly id: string; readonly error?: { readonly code: string } }[];
  /** Of the problem that answers the whole request. */
  readonly code?: string;
}
