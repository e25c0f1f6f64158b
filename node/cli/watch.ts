import { setTimeout as delay } from 'node:timers/promises';
import { fromHex } from '../../ledger/bytes.ts';
import type { Final } from '../../light/ledger-client/index.ts';
import { CliError, EXIT } from './errors.ts';
import { ask, ProblemError } from './http.ts';
import { type LedgerOptions, type OpenLedger, withLedger } from './ledger.ts';
import { print } from './output.ts';
import { provenJson, receiptJson, signersInWords } from './send.ts';

/** How long a node is asked to wait for the next state. */
const WAIT_MS = 10_000;
const AGAIN_MS = 300;
/** A node that says final may take a moment to have the proof. */
const PROOF_WITHIN_MS = 15_000;

interface NodeStatus {
  readonly status: string;
  readonly block?: { readonly height: number };
}

/** The further, the more is known. */
const STATES = ['unreachable', 'unknown', 'pending', 'committed', 'expired', 'rejected', 'final'];

/**
 * `quorate watch <id>`: each state of a transaction as it comes, with the time since the start, until its end, which is proven.
 * Exit 1 when it was rejected or has expired, 3 when no node answers at the start, 4 when no node has a proof.
 */
export async function watchTransaction(
  id: string,
  options: LedgerOptions & { readonly json: boolean },
): Promise<number> {
  if (fromHex(id)?.length !== 32)
    throw new CliError(EXIT.usage, 'USAGE', `${id}: expected the id of a transaction, 0x and 64 hex digits`);
  const { url: urls, json } = options;
  const start = performance.now();
  const say = (status: string, more: object, words: string): void => {
    const afterMs = Math.round(performance.now() - start);
    print(json, { id, status, afterMs, ...more }, [`${(afterMs / 1_000).toFixed(2).padStart(8)} s  ${words}`]);
  };
  return withLedger(options, undefined, async (open) => {
    let said = '';
    for (;;) {
      const { status, block } = await furthest(urls, id, said);
      if (status === 'final' || status === 'rejected') {
        const found = await proofOf(open, id);
        sayEnd(status, found, open, say);
        return status === 'final' ? EXIT.ok : EXIT.failed;
      }
      if (status !== said) say(status, { ...(block && { block }) }, inWords(status, block));
      if (status === 'expired') return EXIT.failed;
      if (status === said || rank(status) <= rank('unknown')) await delay(AGAIN_MS);
      said = status;
    }
  });
}

function inWords(status: string, block: NodeStatus['block']): string {
  if (status === 'unreachable') return 'no node answers';
  if (status === 'unknown') return 'no node knows it yet';
  if (status === 'expired') return 'expired: the nodes say that it was not executed and never will be';
  return block === undefined ? status : `${status} in block ${block.height}`;
}

function sayEnd(
  status: string,
  { height, receipt, facts }: Final,
  { isTrusted, basis }: OpenLedger,
  say: (status: string, more: object, words: string) => void,
): void {
  const proven = provenJson(facts, isTrusted);
  const why = receipt.code === '' ? '' : ` (${receipt.code})`;
  const more = { block: { height }, receipt: receiptJson(receipt), proven };
  say(status, more, `${status}${why} in block ${height}, ${signersInWords(proven)}, proven with ${basis}`);
}

/** What the first node says that knows more than was said, or the one that knows most, when all have answered. */
async function furthest(urls: readonly string[], id: string, said: string): Promise<NodeStatus> {
  const enough = Math.max(rank(said), rank('unknown'));
  const over = new AbortController();
  let best: NodeStatus = { status: 'unreachable' };
  const found = Promise.withResolvers<void>();
  const asked = urls.map(async (url) => {
    const one = await statusAt(url, id, said, over.signal);
    if (rank(one.status) > rank(best.status)) best = one;
    if (rank(best.status) > enough) found.resolve();
  });
  await Promise.race([Promise.all(asked), found.promise]);
  over.abort();
  return best;
}

function rank(status: string): number {
  return STATES.indexOf(status);
}

/** A node that has only what was said already is asked to wait for more. At the beginning whatever is known is said. */
async function statusAt(url: string, id: string, said: string, signal: AbortSignal): Promise<NodeStatus> {
  const wait = said === 'committed' ? 'final' : 'committed';
  const query = said === '' ? '' : `?wait=${wait}&timeoutMs=${WAIT_MS}`;
  try {
    return await ask<NodeStatus>(url, `/v1/transactions/${id}${query}`, { signal });
  } catch (error) {
    const isAnswer = error instanceof ProblemError && error.status < 500;
    return { status: isAnswer ? 'unknown' : 'unreachable' };
  }
}

async function proofOf({ ledger }: OpenLedger, id: string): Promise<Final> {
  const end = Date.now() + PROOF_WITHIN_MS;
  for (;;) {
    const found = await ledger.proof(id as `0x${string}`);
    if (found !== undefined) return found;
    if (Date.now() > end)
      throw new CliError(EXIT.notVerified, 'UNPROVEN', `a node says that ${id} has ended, and none has a proof of it`);
    await delay(AGAIN_MS);
  }
}
