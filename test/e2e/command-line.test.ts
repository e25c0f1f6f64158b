import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { toHex } from '../../ledger/bytes.ts';
import { createKeystore } from '../../light/keystore/index.ts';
import { endProcess } from '../support/dev-nodes.ts';
import { type Dev, type Finished, quorate, startDev, temporaryFolder } from '../support/processes.ts';

const DIGEST = `0x${'5f'.repeat(32)}`;

interface Sent {
  readonly id: string;
  readonly status: string;
  readonly block: { readonly height: number };
  readonly receipt: { readonly status: string; readonly code: string; readonly events: readonly { name: string }[] };
  readonly proven?: { readonly signedBy: readonly string[]; readonly of: number; readonly genesis: string };
}

describe('the command line over four validators as real processes', { timeout: 240_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dev: Dev;
  let genesis: readonly string[];
  /** The first is of a node that was killed. */
  let urls: readonly string[];

  before(async () => {
    folder = await temporaryFolder();
    dev = await startDev(join(folder.path, 'network'));
    const { validators, genesisFile } = dev.ready;
    genesis = ['--genesis', genesisFile];
    const dead = validators.find(({ leader }) => !leader)!;
    const alive = validators.filter((one) => one !== dead);
    urls = [dead, ...alive].flatMap(({ url }) => ['--url', url]);
    await endProcess(dead.pid, 'SIGKILL');
  });

  after(async () => {
    await dev?.stop();
    await folder?.remove();
  });

  async function run(expected: number, ...args: readonly string[]): Promise<Finished> {
    const finished = await quorate(...args, ...urls);
    assert.equal(finished.code, expected, `${args.join(' ')}: ${finished.stdout}${finished.stderr}`);
    return finished;
  }

  async function json<T>(expected: number, ...args: readonly string[]): Promise<T> {
    const { stdout } = await run(expected, ...args, '--json');
    return JSON.parse(stdout) as T;
  }

  const said = ({ stderr }: Finished) =>
    stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { id?: string });
  const key = (name: string) => dev.ready.accounts.find((one) => one.name === name)!.publicKey;

  it('tx goes round a node that is down, says the id before the end, and proves the end with the file', async () => {
    const issue = ['tx', 'assets', 'issue', '--asset', 'gold', '--to', 'alice', '--amount', '1000', '--as', 'issuer'];
    const finished = await run(0, ...issue, '--wait', 'final', ...genesis, '--json');
    const sent = JSON.parse(finished.stdout) as Sent;
    assert.deepEqual(
      [sent.status, sent.receipt.status, sent.proven?.genesis, sent.proven?.of],
      ['final', 'ok', 'file', 4],
    );
    assert(sent.proven!.signedBy.length >= 3);
    assert.equal(said(finished).at(-1)?.id, sent.id);

    const committed = await json<Sent>(
      0,
      'tx',
      'records',
      'register',
      '--key',
      'one',
      '--digest',
      DIGEST,
      '--as',
      'writer',
    );
    assert(['committed', 'final'].includes(committed.status), committed.status);
    const people = await run(
      0,
      'tx',
      'records',
      'register',
      '--key',
      'two',
      '--digest',
      DIGEST,
      '--as',
      'writer',
      '--wait',
      'final',
    );
    assert.match(people.stderr, /^sending {2}0x[0-9a-f]{64}$/m);
    assert.match(
      people.stdout,
      /^final {4}by .* \(\d of 4\)\n +proven with the genesis file that the node itself gave/m,
    );
  });

  it('several calls happen together or not at all, and what was rejected is proven too', async () => {
    const file = join(folder.path, 'calls.json');
    const transfer = (amount: string) => ({
      module: 'assets',
      action: 'transfer',
      args: { asset: 'gold', to: 'bob', amount },
    });
    const send = () => ['tx', '--calls', file, '--as', 'alice', '--wait', 'final', ...genesis];
    await writeFile(file, JSON.stringify([transfer('7'), transfer('5000')]));
    const refused = await json<Sent>(1, ...send());
    assert.deepEqual(
      [refused.status, refused.receipt.code, refused.proven?.genesis],
      ['rejected', 'insufficient-balance', 'file'],
    );
    await writeFile(file, JSON.stringify([transfer('7'), transfer('5')]));
    assert.deepEqual(
      (await json<Sent>(0, ...send())).receipt.events.map(({ name }) => name),
      ['transferred', 'transferred'],
    );
    const { balances } = await json<{ balances: Record<string, string> }>(0, 'accounts', 'show', 'bob');
    assert.deepEqual(balances, { gold: '12' });
    for (const wrong of [
      '{}',
      '[]',
      '[{"module":"assets"}]',
      '[{"module":"assets","action":"transfer","args":{}}]',
      'x',
    ]) {
      await writeFile(file, wrong);
      await run(2, ...send());
    }
  });

  it('watch and proof show the same end as the sender was told', async () => {
    const transfer = ['tx', 'assets', 'transfer', '--asset', 'gold', '--to', 'bob', '--amount', '1', '--as', 'alice'];
    const { id, status } = await json<Sent>(0, ...transfer, '--wait', 'none');
    assert.equal(status, 'pending');
    const { stdout } = await run(0, 'watch', id, ...genesis, '--json');
    const states = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Sent & { afterMs: number });
    const order = ['unknown', 'pending', 'committed', 'final'];
    const seen = states.map((one) => order.indexOf(one.status));
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
      stdout,
    );
    assert.deepEqual([states.at(-1)?.status, states.at(-1)?.proven?.genesis], ['final', 'file']);
    const proof = join(folder.path, 'receipt.proof.json');
    await run(0, 'proof', id, '--out', proof);
    assert.equal((await quorate('verify', proof, ...genesis)).code, 0);
    assert.match((await run(0, 'query', 'tx', id)).stdout, /^call +assets\.transfer \{"asset":"gold"/m);
    assert.match((await run(0, 'query', 'block', 'final')).stdout, /^final +yes$/m);
  });

  it('a keystore signs, with the passphrase from a file that nobody else can read', async () => {
    const [keystore, passphrase] = [join(folder.path, 'zoe.keystore'), join(folder.path, 'passphrase')];
    await writeFile(passphrase, 'correct horse\n', { mode: 0o600 });
    const { publicKey } = await createKeystore(keystore, 'correct horse');
    assert.equal((await quorate('keys', 'show', keystore)).stdout.trim(), toHex(publicKey));
    await json(0, 'members', 'enrol', 'zoe', '--key', toHex(publicKey), '--role', 'writer', '--as', 'admin:acme');
    const register = ['tx', 'records', 'register', '--key', 'zoe', '--digest', DIGEST, '--as', keystore];
    assert.match((await run(2, ...register)).stderr, /QUORATE_PASSPHRASE_FILE/);
    process.env.QUORATE_PASSPHRASE_FILE = passphrase;
    try {
      const finished = await run(0, ...register);
      assert.doesNotMatch(finished.stdout + finished.stderr, /correct horse|publicly known/);
      await writeFile(passphrase, 'wrong');
      assert.match((await run(1, ...register)).stderr, /the passphrase is wrong/);
    } finally {
      delete process.env.QUORATE_PASSPHRASE_FILE;
    }
    const { items } = await json<{ items: { name: string; key: string }[] }>(
      0,
      'accounts',
      'list',
      '--organisation',
      'acme',
    );
    assert.equal(items.find(({ name }) => name === 'zoe')?.key, toHex(publicKey));
    assert.match((await run(0, 'accounts', 'show', toHex(publicKey))).stdout, /^account +zoe of acme$/m);
    await run(1, 'accounts', 'show', 'nobody');
  });

  it('query proves a row, and that there is none, and keeps the proof; rows stand in columns', async () => {
    const [row, proof] = [`${key('bob')}:gold`, join(folder.path, 'row.proof')];
    const shown = await run(0, 'query', 'state', 'assets.balances', row, '--out', proof, ...genesis);
    assert.match(shown.stdout, /^amount +\d+$[\s\S]*^final +by .* of 4\)$[\s\S]*proven with .*genesis\.json$/m);
    assert.equal((await quorate('verify', proof, ...genesis)).code, 0);
    type Row = { exists: boolean; value?: unknown; proven: { genesis: string } };
    const none = await json<Row>(0, 'query', 'state', 'assets.balances', `${key('bob')}:silver`, '--proof');
    assert.deepEqual([none.exists, none.value, none.proven.genesis], [false, undefined, 'node']);
    const { stdout } = await run(0, 'query', 'rows', 'assets.balances', '--prefix', key('bob'));
    assert.match(stdout, /^key +amount\n0x[0-9a-f]{64}:gold {2}\d+\n$/);
    assert.match(
      (await run(0, 'query', 'rows', 'members.accounts', '--limit', '2')).stdout,
      /there are more than these 2/,
    );
    await run(2, 'query', 'state', 'assets.nothing', 'x', '--proof');
    await run(1, 'query', 'state', 'assets.nothing', 'x');
    assert.match((await run(0, 'query', 'checkpoint', 'latest')).stdout, /^signed by +validators \d, \d, \d/m);
    const { items } = await json<{ items: { header: { height: number } }[] }>(0, 'query', 'blocks', '--limit', '3');
    assert.equal(items[0]!.header.height - items[2]!.header.height, 2);
  });

  it('a genesis file of another chain proves nothing, and nothing is sent by it', async () => {
    const other = await startDev(join(folder.path, 'other'));
    try {
      const args = ['--key', 'other', '--digest', DIGEST, '--as', 'writer', '--genesis', other.ready.genesisFile];
      const { stderr } = await run(4, 'tx', 'records', 'register', ...args);
      assert.match(stderr, /\[wrong-chain\]$/m);
      await run(4, 'query', 'state', 'records.entries', 'one', '--proof', '--genesis', other.ready.genesisFile);
      assert.doesNotMatch((await run(0, 'query', 'rows', 'records.entries')).stdout, /^other /m);
    } finally {
      await other.stop();
    }
  });
});
