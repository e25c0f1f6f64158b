import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { toHex, utf8Encode } from '../../ledger/bytes.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import { createLightClient, type LightClient, readGenesis, verifyBundle, verifyState } from '../../light/index.ts';
import { chooseSignatures } from '../../node/signatures.ts';
import {
  type Dev,
  eventually,
  getJson,
  quorate,
  startDev,
  startValidator,
  stopProcess,
  temporaryFolder,
} from '../support/processes.ts';
import { signRecords } from '../support/sign-records.ts';

const { verify } = chooseSignatures();
const TABLE = 'records.entries';

describe('a light client over four validators as real processes', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dev: Dev;
  let genesis: string;
  let urls: readonly string[];
  let client: LightClient;

  before(async () => {
    folder = await temporaryFolder();
    dev = await startDev(join(folder.path, 'network'));
    genesis = await readFile(dev.ready.genesisFile, 'utf8');
    urls = dev.ready.validators.map(({ url }) => url);
    client = createLightClient({ genesis, urls, maxAge: 60_000 });
  });

  after(async () => {
    await dev?.stop();
    await folder?.remove();
  });

  async function send(transaction: Transaction, url = urls[0]!): Promise<string> {
    const body = transaction.bytes as Uint8Array<ArrayBuffer>;
    const headers = { 'content-type': 'application/octet-stream' };
    const response = await fetch(`${url}/v1/transactions?wait=final`, { method: 'POST', headers, body });
    const answer = (await response.json()) as { status?: string; code?: string };
    return answer.code ?? answer.status!;
  }

  it('finds all nodes on one chain, and proves a transaction, a row and that another is not there', async () => {
    const [one] = await signRecords(dev.ready, 1, 'light');
    assert.equal(await send(one!), 'final');
    const { sources, validators } = await client.follow();
    assert.equal(validators.length, 4);
    for (const { url, problem, compared } of sources) assert(compared, `${url}: ${problem}`);
    const proven = await client.transaction(one!.id);
    assert.deepEqual(proven!.value.id, one!.id);
    const [{ key }] = JSON.parse(
      JSON.stringify((await getJson<{ items: { key: string }[] }>(`${urls[1]}/v1/state/${TABLE}?limit=1`)).items),
    ) as [{ key: string }];
    const row = await client.state(TABLE, utf8Encode(key));
    assert(row.value !== undefined && row.ageMs < 60_000);
    assert(verifyState(row.proof, genesis, { table: TABLE, key: utf8Encode(key) }, { verify }).ok);
    assert.equal((await client.state(TABLE, utf8Encode('nobody wrote this'))).value, undefined);
    const block = await client.block(proven!.facts.block!.height);
    assert.deepEqual(block!.value.hash, proven!.facts.block!.hash);
  });

  it('quorate follow compares the nodes, keeps its way, and tells what is too old or not there', async () => {
    const store = join(folder.path, 'followed');
    const flags = ['--genesis', dev.ready.genesisFile, ...urls.flatMap((url) => ['--url', url])];
    const shown = await quorate('follow', ...flags, '--store', store);
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, /^certified {2}block \d+ of /m);
    assert.equal([...shown.stdout.matchAll(/ yes$/gm)].length, 4, shown.stdout);
    const again = await quorate('follow', ...flags, '--store', store, '--json');
    assert.equal((JSON.parse(again.stdout) as { continues: boolean }).continues, true);
    const old = await quorate('follow', ...flags, '--max-age', '0');
    assert.deepEqual([old.code, /STALE/i.test(old.stderr)], [1, true], old.stderr);
    const nobody = await quorate('follow', '--genesis', dev.ready.genesisFile, '--url', 'http://127.0.0.1:9');
    assert.equal(nobody.code, 3, nobody.stderr);
  });

  it('C4, C5: that a transaction can never execute is said by f+1 validators, although nobody ever had it', async () => {
    const [late] = await signRecords(dev.ready, 1, 'too late', 50);
    const said = await client.replies(late!.bytes);
    assert(!said.ok, 'it may still be submitted');
    await eventually(async () => {
      await send((await signRecords(dev.ready, 1, `tick ${Date.now()}`))[0]!);
      const replies = await client.replies(late!.bytes);
      return replies.ok && replies.reply.status === 'expired' && replies.signers.length === 4;
    }, 'all say that it has expired');
    assert.equal(await send(late!), 'expired');
    const [one] = await signRecords(dev.ready, 1, 'executed');
    await send(one!);
    await eventually(async () => {
      const replies = await client.replies(one!.bytes);
      return replies.ok && replies.reply.status === 'final' && replies.signers.length === 4;
    }, 'all say that it is final');
  });

  it('an archive proves a row as it was at every height since it was turned on, across a restart; others say that they do not keep it', async () => {
    const victim = dev.ready.validators[3]!;
    process.kill(victim.pid, 'SIGTERM');
    await eventually(
      () =>
        fetch(`${victim.url}/livez`).then(
          () => false,
          () => true,
        ),
      'it has stopped',
    );
    let archive = await startValidator(victim, '--archive');
    try {
      const { height: since } = await getJson<{ height: number }>(`${victim.url}/v1/chain`);
      const heights: number[] = [];
      for (const name of ['first', 'second', 'third']) {
        const [one] = await signRecords(dev.ready, 1, name);
        assert.equal(await send(one!, victim.url), 'final');
        const { block } = await getJson<{ block: { height: number } }>(
          `${victim.url}/v1/transactions/${toHex(one!.id)}`,
        );
        heights.push(block.height);
      }
      await stopProcess(archive);
      archive = await startValidator(victim, '--archive');
      const { items } = await getJson<{ items: { key: string }[] }>(`${victim.url}/v1/state/${TABLE}?prefix=second`);
      const key = items[0]!.key;
      const ask = (url: string, at: number) =>
        fetch(`${url}/v1/state/${TABLE}/${encodeURIComponent(key)}?at=${at}&proof=true`, {
          headers: { accept: 'application/octet-stream' },
        });
      const read = readGenesis(genesis, verify);
      assert(read.ok);
      const seen: boolean[] = [];
      for (const at of heights) {
        const bytes = new Uint8Array(await (await ask(victim.url, at)).arrayBuffer());
        const report = verifyBundle(bytes, read.genesis, { verify });
        assert(report.ok, JSON.stringify(report.steps));
        assert.equal(report.facts!.certified.height, at);
        seen.push(report.facts!.state!.value !== undefined);
      }
      assert.deepEqual(seen, [false, true, true]);
      assert.equal((await ask(victim.url, since - 1)).status, 410, 'before it was turned on');
      assert.equal((await ask(urls[0]!, heights[0]!)).status, 410, 'no archive');
    } finally {
      await stopProcess(archive, 'SIGKILL');
    }
  });
});
