import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { toHex } from '../../ledger/bytes.ts';
import { packTransactions, type Transaction } from '../../ledger/transaction.ts';
import {
  assertAgreement,
  assertSameChain,
  type DevReady,
  getJson,
  startDev,
  startValidator,
  stopProcess,
  temporaryFolder,
} from '../support/processes.ts';
import { signRecords } from '../support/sign-records.ts';

const ROUNDS = 20;
const PER_ROUND = 100;
const SEED = Number(process.env.QUORATE_SEED ?? Math.floor(Math.random() * 1e9));
/** How long after the first submission the power fails at the latest. */
const LATEST_CUT_MS = 450;

interface Place {
  readonly height: number;
  readonly index: number;
}

interface Answer {
  readonly id: string;
  readonly status?: string;
  readonly block?: Place;
  readonly error?: unknown;
}

describe('all four validators killed at once (N13, D01, I7)', () => {
  it(`N13, D01, D15: ${ROUNDS} times under load: nothing that was answered is lost or contradicted, nothing executes twice (seed ${SEED})`, async () => {
    const folder = await temporaryFolder();
    const home = join(folder.path, 'network');
    /** Where what was answered committed or final was said to stand. */
    const acknowledged = new Map<string, Place>();
    const all: Transaction[] = [];
    const random = randomOf(SEED);
    let running: ChildProcess[] = [];
    // Eighty-odd processes of the same code: what each compiles anew is a third of its start.
    process.env.NODE_COMPILE_CACHE ??= join(folder.path, 'compiled');
    try {
      const first = await startDev(home);
      const { ready } = first;
      await first.stop();
      const urls = ready.validators.map(({ url }) => url);
      for (let round = 0; round < ROUNDS; round++) {
        running = await startAll(ready);
        const load = await signRecords(ready, PER_ROUND, `round ${round}`);
        all.push(...load);
        const sending = Promise.all(
          urls.map((url, node) =>
            sendUntilCut(
              url,
              load.filter((_, i) => i % urls.length === node),
              acknowledged,
            ),
          ),
        );
        await delay(20 + random(LATEST_CUT_MS));
        // One signal after the other, in the same turn: no process hears that another is gone.
        const ended = running.map((child) => stopProcess(child, 'SIGKILL'));
        await Promise.all([...ended, sending]);
      }
      running = await startAll(ready);
      // The same signed bytes again, all of them: never an error.
      for (let at = 0; at < all.length; at += 100) {
        const results = await submit(urls[(at / 100) % urls.length]!, all.slice(at, at + 100));
        for (const result of results) assert.equal(result.error, undefined, JSON.stringify(result));
      }
      for (let at = 0; at < all.length; at += 20) {
        const asked = all.slice(at, at + 20).map(async ({ id }) => {
          const answer = await getJson<Answer>(`${urls[0]}/v1/transactions/${toHex(id)}?wait=final`);
          assert.equal(answer.status, 'final', toHex(id));
        });
        await Promise.all(asked);
      }
      const { finalHeight } = await assertAgreement(urls);
      await assertSameChain(urls);
      const seen = await placesOf(urls[1]!, finalHeight);
      for (const { id } of all) assert.equal(seen.get(toHex(id))?.length, 1, `${toHex(id)} executed once`);
      for (const [id, place] of acknowledged) assert.deepEqual(seen.get(id), [place], `${id} is where it was answered`);
      assert(acknowledged.size > ROUNDS, `${acknowledged.size} were acknowledged before a cut`);
    } finally {
      await Promise.all(running.map((child) => stopProcess(child, 'SIGKILL')));
      await folder.remove();
    }
  });
});

const startAll = ({ validators }: DevReady): Promise<ChildProcess[]> =>
  Promise.all(validators.map((one) => startValidator(one)));

/** Numbers below `end`, the same for the same seed. */
function randomOf(seed: number): (end: number) => number {
  let state = seed % 2_147_483_648;
  return (end) => {
    state = Number((BigInt(state) * 1_103_515_245n + 12_345n) % 2_147_483_648n);
    return Math.floor((state / 2_147_483_648) * end);
  };
}

async function submit(url: string, part: readonly Transaction[]): Promise<readonly Answer[]> {
  const response = await fetch(`${url}/v1/transactions/batch?wait=committed&timeoutMs=5000`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: packTransactions(part.map(({ bytes }) => bytes)) as Uint8Array<ArrayBuffer>,
  });
  return ((await response.json()) as { results: readonly Answer[] }).results;
}

/** Sends in small batches and notes what was answered committed or final, until the node is gone. */
async function sendUntilCut(
  url: string,
  load: readonly Transaction[],
  acknowledged: Map<string, Place>,
): Promise<void> {
  try {
    for (let at = 0; at < load.length; at += 5) {
      for (const { id, status, block } of await submit(url, load.slice(at, at + 5))) {
        if (status === 'committed' || status === 'final') acknowledged.set(id, block!);
      }
    }
  } catch {
    // Killed: what was not answered is nobody's promise.
  }
}

/** Where each transaction stands in the chain, every time it does. */
async function placesOf(url: string, finalHeight: number): Promise<ReadonlyMap<string, readonly Place[]>> {
  const places = new Map<string, Place[]>();
  for (let height = 1; height <= finalHeight; height++) {
    const { transactions } = await getJson<{ transactions: readonly { id: string }[] }>(`${url}/v1/blocks/${height}`);
    for (const [index, { id }] of transactions.entries())
      places.set(id, [...(places.get(id) ?? []), { height, index }]);
  }
  return places;
}
