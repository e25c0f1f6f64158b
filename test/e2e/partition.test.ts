import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { toHex } from '../../ledger/bytes.ts';
import { packTransactions, type Transaction } from '../../ledger/transaction.ts';
import {
  assertAgreement,
  assertSameChain,
  type Chain,
  type DevValidator,
  eventually,
  getJson,
  temporaryFolder,
} from '../support/processes.ts';
import { type ProxiedNetwork, startProxied } from '../support/proxied-network.ts';
import { signRecords } from '../support/sign-records.ts';

interface Consensus {
  readonly view: number;
  readonly leader: number;
}

const SKIP = existsSync('/proc/net/tcp') ? false : 'who dialed a connection is read from /proc/net/tcp';

describe('a network between real processes that fails', { skip: SKIP }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let network: ProxiedNetwork;
  let validators: readonly DevValidator[];
  let loads = 0;

  before(async () => {
    folder = await temporaryFolder();
    network = await startProxied(join(folder.path, 'network'));
    validators = network.dev.ready.validators;
  });

  after(async () => {
    await network?.stop();
    await folder?.remove();
  });

  afterEach(() => {
    for (const proxy of network.proxies) {
      proxy.delayMs = () => 0;
      proxy.tamper = (_, bytes) => bytes;
    }
    network.heal();
  });

  const consensus = ({ url }: DevValidator): Promise<Consensus> => getJson<Consensus>(`${url}/v1/consensus`);
  const heightOf = async ({ url }: DevValidator): Promise<number> => (await getJson<Chain>(`${url}/v1/chain`)).height;
  const load = (count: number): Promise<Transaction[]> => signRecords(network.dev.ready, count, `load ${loads++}`);

  async function submit({ url }: DevValidator, transactions: readonly Transaction[]): Promise<void> {
    const headers = { 'content-type': 'application/octet-stream' };
    const body = packTransactions(transactions.map(({ bytes }) => bytes)) as Uint8Array<ArrayBuffer>;
    await eventually(async () => {
      const response = await fetch(`${url}/v1/transactions/batch`, { method: 'POST', headers, body });
      const { results } = (await response.json()) as { results: readonly { error?: unknown }[] };
      return results.every(({ error }) => error === undefined);
    }, `${url} accepts`);
  }

  async function areFinal({ url }: DevValidator, transactions: readonly Transaction[]): Promise<void> {
    for (const { id } of transactions) {
      await eventually(
        async () => {
          const answer = await getJson<{ status: string }>(
            `${url}/v1/transactions/${toHex(id)}?wait=final&timeoutMs=5000`,
          );
          return answer.status === 'final';
        },
        `${toHex(id)} is final at ${url}`,
      );
    }
  }

  /** Everything is as it was before the fault: one chain, everybody votes, nobody is accused. */
  async function isWhole(): Promise<void> {
    const urls = validators.map(({ url }) => url);
    const transactions = await load(8);
    for (const [i, validator] of validators.entries()) await submit(validator, transactions.slice(2 * i, 2 * i + 2));
    for (const validator of validators) await areFinal(validator, transactions);
    await assertAgreement(urls);
    await assertSameChain(urls);
  }

  it('reaches each other through the proxies only', async () => {
    await isWhole();
    for (const [index, proxy] of network.proxies.entries()) {
      const bytes = [...proxy.connections].reduce((sum, one) => sum + one.bytes.dialer + one.bytes.target, 0);
      const peers = await getJson<{ items: { connected: boolean }[] }>(`${validators[index]!.url}/v1/peers`);
      assert(peers.items.every(({ connected }) => connected));
      if (index > 0) continue;
      assert(bytes > 1_000, `${bytes} bytes through the proxy of validator 0`);
    }
  });

  it('N05, H12: the leader is cut off with its sockets open: the others change the view and go on; it comes back', async () => {
    const { leader, view } = await consensus(validators[1]!);
    const others = validators.filter(({ index }) => index !== leader);
    const [during, alone] = [await load(60), await load(4)];
    await submit(others[0]!, during.slice(0, 20));
    network.cut((a, b) => a === leader || b === leader);
    await submit(others[1]!, during.slice(20, 40));
    await submit(others[2]!, during.slice(40));
    const height = await heightOf(validators[leader]!);
    // What the leader still takes must not be answered committed: it has no quorum.
    const headers = { 'content-type': 'application/octet-stream' };
    const body = packTransactions(alone.map(({ bytes }) => bytes)) as Uint8Array<ArrayBuffer>;
    const query = 'wait=committed&timeoutMs=3000';
    const lonely = fetch(`${validators[leader]!.url}/v1/transactions/batch?${query}`, {
      method: 'POST',
      headers,
      body,
    }).then(async (response) => ((await response.json()) as { results?: { status?: string }[] }).results ?? []);
    for (const validator of others) await areFinal(validator, during);
    for (const { status } of await lonely) assert.notEqual(status, 'committed');
    for (const validator of others) {
      const now = await consensus(validator);
      assert(now.view > view && now.leader !== leader, `view ${now.view} of ${now.leader}`);
    }
    assert((await heightOf(validators[leader]!)) <= height + 1, 'the leader alone orders nothing');
    const written = await heightOf(others[0]!);
    const reads = `${validators[leader]!.url}/v1/state/records.entries?minHeight=${written}`;
    const refused = await fetch(`${reads}&timeoutMs=200`);
    assert.equal(((await refused.json()) as { code: string }).code, 'behind');
    const read = getJson<{ height: number }>(`${reads}&timeoutMs=60000`);
    network.heal();
    assert((await read).height >= written, 'a read waits until the node has what was written elsewhere');
    await areFinal(validators[leader]!, during);
    await isWhole();
    assert((await consensus(validators[leader]!)).view > view);
  });

  it('N05: two and two: nobody goes on, and everybody does when they meet again', async () => {
    const transactions = await load(20);
    network.cut((a, b) => a < 2 && b >= 2);
    // What was under way may still arrive.
    await delay(300);
    const before = await Promise.all(validators.map(heightOf));
    await delay(4_000);
    const later = await Promise.all(validators.map(heightOf));
    assert(Math.max(...later) <= Math.max(...before) + 1, `${before} then ${later}`);
    network.heal();
    await submit(validators[3]!, transactions);
    await areFinal(validators[2]!, transactions);
    await isWhole();
  });

  it('N07: only one sees all the others: no two chains', async () => {
    const transactions = await load(24);
    network.cut((a, b) => a !== 1 && b !== 1);
    await submit(validators[1]!, transactions);
    await delay(3_000);
    await assertSameChain(
      validators.map(({ url }) => url),
      { active: false },
    );
    network.heal();
    await isWhole();
  });

  it('N01, N04: delays with a long tail, as of lost and repeated packets: safe, and live when they end', async () => {
    const transactions = await load(40);
    for (const proxy of network.proxies) {
      proxy.delayMs = () => (Math.random() < 0.03 ? 3_000 * Math.random() : 40 * Math.random());
    }
    for (const [i, validator] of validators.entries()) await submit(validator, transactions.slice(10 * i, 10 * i + 10));
    await delay(6_000);
    for (const proxy of network.proxies) proxy.delayMs = () => 0;
    for (const validator of validators) await areFinal(validator, transactions);
    await isWhole();
  });

  it('N10: every connection is reset in mid-frame, five times under load: they are made again, one each', async () => {
    const transactions = await load(50);
    for (let round = 0; round < 5; round++) {
      await submit(validators[round % 4]!, transactions.slice(10 * round, 10 * round + 10));
      for (const proxy of network.proxies) {
        proxy.tamper = (connection, bytes) => {
          if (bytes.length < 200) return bytes;
          setImmediate(() => connection.reset());
          return bytes.subarray(0, bytes.length >> 1);
        };
      }
      await delay(400);
      for (const proxy of network.proxies) proxy.tamper = (_, bytes) => bytes;
    }
    for (const validator of validators) await areFinal(validator, transactions);
    await isWhole();
    await eventually(async () => {
      const peers = validators.map(({ url }) => getJson<{ items: { connected: boolean }[] }>(`${url}/v1/peers`));
      return (await Promise.all(peers)).every(({ items }) => items.every(({ connected }) => connected));
    }, 'everybody has a channel to everybody');
    const connections = network.proxies.reduce((sum, { connections: open }) => sum + open.size, 0);
    // Each of a pair may have dialed the other at the same moment; the channel is one all the same.
    assert(connections >= 6 && connections <= 12, `${connections} connections between four`);
  });

  for (const pauseMs of [1_000, 6_000]) {
    it(`T03: the leader's process stands still for ${pauseMs} ms: replaced or waited for, and nothing stale after`, async () => {
      const { leader } = await consensus(validators[0]!);
      const other = validators.find(({ index }) => index !== leader)!;
      const transactions = await load(30);
      await submit(other, transactions.slice(0, 10));
      process.kill(validators[leader]!.pid, 'SIGSTOP');
      try {
        await submit(other, transactions.slice(10));
        await delay(pauseMs);
        // Two seconds are the view timeout: after the longer pause the others have gone on without it.
        if (pauseMs > 4_000) await areFinal(other, transactions);
      } finally {
        process.kill(validators[leader]!.pid, 'SIGCONT');
      }
      // What it says the moment it goes on is old at worst, never another chain.
      const stale = await getJson<Chain>(`${validators[leader]!.url}/v1/chain`);
      const block = await getJson<{ hash: string }>(`${other.url}/v1/blocks/${stale.finalHeight}`);
      const own = await getJson<{ hash: string }>(`${validators[leader]!.url}/v1/blocks/${stale.finalHeight}`);
      assert.equal(own.hash, block.hash);
      for (const validator of validators) await areFinal(validator, transactions);
      await isWhole();
    });
  }
});
