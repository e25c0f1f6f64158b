import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fromHex } from '../../ledger/bytes.ts';
import { verifyBundle } from '../../light/index.ts';
import {
  assets,
  balances,
  type ConnectOptions,
  connect,
  type Hex,
  type Ledger,
  memorySigner,
} from '../../light/ledger-client/index.ts';
import { chooseSignatures } from '../../node/signatures.ts';
import { isClientError, isPost } from '../support/client-network.ts';
import { endProcess } from '../support/dev-nodes.ts';
import { type Dev, getJson, startDev, temporaryFolder } from '../support/processes.ts';

const { verify } = chooseSignatures();

describe('the client library over four validators as real processes', { timeout: 180_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dev: Dev;
  let genesis: string;
  let urls: readonly string[];

  before(async () => {
    folder = await temporaryFolder();
    dev = await startDev(join(folder.path, 'network'));
    genesis = await readFile(dev.ready.genesisFile, 'utf8');
    urls = dev.ready.validators.map(({ url }) => url);
  });

  after(async () => {
    await dev?.stop();
    await folder?.remove();
  });

  const account = (name: string) => dev.ready.accounts.find((one) => one.name === name)!;
  const key = (name: string) => account(name).publicKey as Hex;
  const as = (name: string, options: Partial<ConnectOptions> = {}): Promise<Ledger> =>
    connect({ genesis, urls, signer: memorySigner(account(name).secretKey as Hex), ...options });

  /** How often a transaction stands in the blocks of a node. */
  async function executions(url: string, id: string): Promise<number> {
    let found = 0;
    const { height } = await getJson<{ height: number }>(`${url}/v1/chain`);
    for (let at = 0; at <= height; at++) {
      const { transactions } = await getJson<{ transactions: { id: string }[] }>(`${url}/v1/blocks/${at}`);
      found += transactions.filter((one) => one.id === id).length;
    }
    return found;
  }

  it('issues and transfers; what comes back is committed by f+1, final by proof, and read from the state', async () => {
    const issuer = await as('issuer');
    await issuer.assets.issue({ asset: 'gold', to: key('alice'), amount: 100n }).final();
    const alice = await as('alice');
    const sent = alice.assets.transfer({ asset: 'gold', to: key('bob'), amount: 30n });
    const { height } = await sent.committed();
    const final = await sent.final();
    assert.equal(final.height, height);
    assert.deepEqual(final.events(assets, 'transferred')[0]!.to, fromHex(key('bob')));
    assert(verifyBundle(final.proof, genesis, { verify }).ok);
    assert.deepEqual(await alice.state.get(balances, [key('bob'), 'gold']), { amount: 30n });
    const tooMuch = alice.assets.transfer({ asset: 'gold', to: key('bob'), amount: 1_000n });
    await assert.rejects(tooMuch.final(), isClientError('rejected', { id: tooMuch.id }));
  });

  it('many at once, over all nodes, each once', async () => {
    const alice = await as('alice');
    const before = (await alice.state.get(balances, [key('bob'), 'gold']))!.amount;
    const sent = Array.from({ length: 25 }, () => alice.assets.transfer({ asset: 'gold', to: key('bob'), amount: 1n }));
    const finals = await Promise.all(sent.map((one) => one.final()));
    assert.equal(new Set(finals.map(({ id }) => id)).size, 25);
    assert.equal((await alice.state.get(balances, [key('bob'), 'gold']))!.amount, before + 25n);
  });

  it('C4, C5: what was never sent in time is `expired` by the signatures of f+1 validators', async () => {
    const alice = await as('alice');
    const late = alice.assets.transfer({ asset: 'gold', to: key('bob'), amount: 1n }, { validUntil: alice.now() - 1 });
    await assert.rejects(late.final(), isClientError('expired', { retry: 'never' }));
    assert.equal(await executions(urls[0]!, late.id), 0);
  });

  // Last: one validator is gone from here on.
  it('the node that a transaction was given to is killed before it answers: it is final all the same, and executed once', async () => {
    const victim = dev.ready.validators[1]!;
    let isKilled = false;
    const killing: typeof fetch = async (input, init) => {
      const url = new URL(String(input));
      if (!isKilled && url.origin === victim.url && isPost(url.pathname.replace('/v1/', ''))) {
        isKilled = true;
        const taken = await fetch(`${victim.url}/v1/transactions`, init);
        assert.equal(taken.status, 202, 'the node has it');
        await endProcess(victim.pid, 'SIGKILL');
      }
      return fetch(input, init);
    };
    const order = [victim.url, ...urls.filter((url) => url !== victim.url)];
    const alice = await as('alice', { urls: order, fetch: killing });
    const before = (await alice.state.get(balances, [key('bob'), 'gold']))!.amount;
    const sent = alice.assets.transfer({ asset: 'gold', to: key('bob'), amount: 2n });
    const final = await sent.final();
    assert(isKilled);
    assert.equal(await executions(urls[0]!, sent.id), 1);
    assert.equal((await alice.state.get(balances, [key('bob'), 'gold']))!.amount, before + 2n);
    const again = (await as('alice', { urls: urls.slice(2) })).resume(await sent.bytes());
    assert.equal((await again.final()).height, final.height);
  });
});
