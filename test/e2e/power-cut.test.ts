import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { toHex } from '../../ledger/bytes.ts';
import { packTransactions, type Transaction } from '../../ledger/transaction.ts';
import { assertAgreement, type Dev, getJson, startDev, temporaryFolder } from '../support/processes.ts';
import { signRecords } from '../support/sign-records.ts';

const ROUNDS = 20;
const PER_ROUND = 100;
const SEED = Number(process.env.QUORATE_SEED ?? Math.floor(Math.random() * 1e9));

describe('all four validators killed at once (N13, D01, I7)', () => {
  it(`nothing that was answered committed or final is lost, nothing executes twice (seed ${SEED})`, async () => {
    const folder = await temporaryFolder();
    const home = join(folder.path, 'network');
    let dev: Dev | undefined;
    const acknowledged = new Map<string, Transaction>();
    const all: Transaction[] = [];
    let random = SEED;
    try {
      for (let round = 0; round < ROUNDS; round++) {
        dev = await startDev(home);
        const { validators } = dev.ready;
        const load = await signRecords(dev.ready, PER_ROUND, `round ${round}`);
        all.push(...load);
        const sending = Promise.all(
          validators.map(({ url }, node) => {
            const part = load.filter((_, i) => i % validators.length === node);
            return sendUntilCut(url, part, acknowledged);
          }),
        );
        random = (random * 1_103_515_245 + 12_345) % 2_147_483_648;
        await delay(20 + (random % 500));
        for (const { pid } of validators) process.kill(pid, 'SIGKILL');
        await sending;
        await dev.stop();
      }
      dev = await startDev(home);
      const urls = dev.ready.validators.map(({ url }) => url);
      // The same signed bytes again, all of them: never an error.
      for (let at = 0; at < all.length; at += 100) {
        const results = await submit(urls[at % urls.length]!, all.slice(at, at + 100));
        for (const result of results) assert.equal(result.error, undefined, JSON.stringify(result));
      }
      for (const { id } of all) {
        const answer = await getJson<{ status: string }>(`${urls[0]}/v1/transactions/${toHex(id)}?wait=final`);
        assert.equal(answer.status, 'final', toHex(id));
      }
      const { finalHeight } = await assertAgreement(urls);
      const seen = new Map<string, number>();
      for (let height = 1; height <= finalHeight; height++) {
        const block = await getJson<{ transactions: { id: string }[] }>(`${urls[1]}/v1/blocks/${height}`);
        for (const { id } of block.transactions) seen.set(id, (seen.get(id) ?? 0) + 1);
      }
      for (const { id } of all) assert.equal(seen.get(toHex(id)), 1, `${toHex(id)} executed once`);
      for (const id of acknowledged.keys()) assert(seen.has(id), `${id} was acknowledged`);
      assert(acknowledged.size > 0, 'something was acknowledged before a cut');
    } finally {
      await dev?.stop();
      await folder.remove();
    }
  });
});

async function submit(
  url: string,
  part: readonly Transaction[],
): Promise<{ id: string; status?: string; error?: unknown }[]> {
  const response = await fetch(`${url}/v1/transactions/batch?wait=committed&timeoutMs=5000`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: packTransactions(part.map(({ bytes }) => bytes)) as Uint8Array<ArrayBuffer>,
  });
  return ((await response.json()) as { results: { id: string; status?: string; error?: unknown }[] }).results;
}

/** Sends in small batches and notes what was answered committed or final, until the node is gone. */
async function sendUntilCut(
  url: string,
  load: readonly Transaction[],
  acknowledged: Map<string, Transaction>,
): Promise<void> {
  try {
    for (let at = 0; at < load.length; at += 10) {
      const part = load.slice(at, at + 10);
      for (const { id, status } of await submit(url, part)) {
        if (status === 'committed' || status === 'final') acknowledged.set(id, part[0]!);
      }
    }
  } catch {
    // Killed: what was not answered is nobody's promise.
  }
}
