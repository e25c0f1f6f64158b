import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fromHex, toHex } from '../../ledger/bytes.ts';
import { decode, type Json } from '../../ledger/codec.ts';
import { accountCodec } from '../../ledger/modules/accounts.ts';
import { type Change, proposalCodec } from '../../ledger/modules/changes.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import { signTransaction, type Transaction } from '../../ledger/transaction.ts';
import { createLightClient, type LightClient, verifyBundle } from '../../light/index.ts';
import { readKeyFile } from '../../light/keystore/key-file.ts';
import { chooseSignatures, createSigner, type Signer } from '../../node/signatures.ts';
import {
  assertSameChain,
  type Dev,
  eventually,
  getJson,
  quorate,
  startDev,
  startValidator,
  stopProcess,
  temporaryFolder,
} from '../support/processes.ts';

const { verify } = chooseSignatures();

interface Status {
  readonly status: string;
  readonly block: { readonly height: number };
  readonly receipt: { readonly status: string; readonly code: string };
}

describe('membership over four validators as real processes', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dev: Dev;
  let urls: readonly string[];
  let genesis: string;
  let client: LightClient;
  let nonce = 0;

  before(async () => {
    folder = await temporaryFolder();
    dev = await startDev(join(folder.path, 'network'));
    urls = dev.ready.validators.map(({ url }) => url);
    genesis = await readFile(dev.ready.genesisFile, 'utf8');
    client = createLightClient({ genesis, urls });
  });

  after(async () => {
    await dev?.stop();
    await folder?.remove();
  });

  async function newKey(name: string): Promise<{ readonly file: string; readonly signer: Signer }> {
    const file = join(folder.path, `${name}.key`);
    assert.equal((await quorate('keys', 'new', file)).code, 0);
    return { file, signer: createSigner(readKeyFile(file, 'account').seed) };
  }

  /** `quorate members …` at one node, as JSON. */
  async function members<T>(expected: number, ...args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await quorate('members', ...args, '--url', urls[1]!, '--json');
    assert.equal(code, expected, `${args.join(' ')}: ${stdout}${stderr}`);
    return (stdout === '' ? undefined : JSON.parse(stdout)) as T;
  }

  async function sign(signer: Signer, module: string, action: string, json: Json): Promise<Transaction> {
    const args = quorateApplication.argsFromJson(module, action, json);
    assert(args.ok, args.ok ? '' : args.problem);
    const { time } = await getJson<{ time: number }>(`${urls[0]}/v1/chain`);
    const nonceBytes = new Uint8Array(8);
    new DataView(nonceBytes.buffer).setUint32(0, nonce++);
    const calls = [{ module, action, args: args.value }];
    const body = {
      sender: signer.publicKey,
      nonce: nonceBytes,
      validUntil: time + 600_000,
      calls,
      memo: new Uint8Array(0),
    };
    return signTransaction(fromHex(dev.ready.genesisId)!, body, (message) => signer.sign(message));
  }

  const record = (signer: Signer, key: string): Promise<Transaction> =>
    sign(signer, 'records', 'register', { key, digest: `0x${'cd'.repeat(32)}`, note: '' });

  /** Status, or the code of a refusal. */
  async function send(url: string, { bytes }: Transaction, wait = 'final'): Promise<string> {
    const response = await fetch(`${url}/v1/transactions?wait=${wait}`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: bytes as Uint8Array<ArrayBuffer>,
    });
    const answer = (await response.json()) as { status?: string; code?: string };
    return answer.code ?? answer.status!;
  }

  async function sendBatch(
    url: string,
    transactions: readonly Transaction[],
  ): Promise<readonly (string | undefined)[]> {
    const response = await fetch(`${url}/v1/transactions/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ transactions: transactions.map(({ bytes }) => toHex(bytes)) }),
    });
    const { results } = (await response.json()) as { results: { status?: string; code?: string }[] };
    return results.map(({ status, code }) => code ?? status);
  }

  async function everywhereAt(height: number): Promise<void> {
    await eventually(async () => {
      const chains = await Promise.all(urls.map((url) => getJson<{ height: number }>(`${url}/v1/chain`)));
      return chains.every((chain) => chain.height >= height);
    }, `height ${height} everywhere`);
  }

  it('an account is enrolled, sends at every node at once, is revoked, and what it had waiting fails everywhere', async () => {
    const zoe = await newKey('zoe');
    const key = zoe.signer.publicKey;
    for (const url of urls) assert.equal(await send(url, await record(zoe.signer, 'too early')), 'not-permitted');
    const enrolled = await members<Status>(
      0,
      ...['enrol', 'zoe', '--key', toHex(key), '--role', 'writer', '--as', 'admin:acme', '--wait', 'final'],
    );
    await everywhereAt(enrolled.block.height);
    for (const [i, url] of urls.entries())
      assert.equal(await send(url, await record(zoe.signer, `by zoe ${i}`)), 'final');
    const before = await client.state('members.accounts', key);

    // With two of four stopped nothing is ordered: the revocation and what comes behind it wait together.
    const { secretKey } = dev.ready.administrators.find(({ organisation }) => organisation === 'acme')!;
    const change: Change = { kind: 'revoke', value: { account: key } };
    const { time } = await getJson<{ time: number }>(`${urls[0]}/v1/chain`);
    const proposal = { organisation: 'acme', nonce: new Uint8Array(8), expires: time + 600_000, change };
    const admin = createSigner(fromHex(secretKey)!);
    const revocation = await sign(admin, 'members', 'approve', proposalCodec.toJson(proposal));
    const waiting = [await record(zoe.signer, 'waiting 0'), await record(zoe.signer, 'waiting 1')];
    const elsewhere = await record(zoe.signer, 'waiting elsewhere');
    const stopped = dev.ready.validators.filter(({ leader }) => !leader).slice(1);
    const running = dev.ready.validators.filter((one) => !stopped.includes(one));
    const signal = (what: NodeJS.Signals): void => {
      for (const { pid } of stopped) process.kill(pid, what);
    };
    const sendTogether = async (): Promise<boolean> => {
      signal('SIGSTOP');
      try {
        const sent = await Promise.all([
          sendBatch(running[0]!.url, [revocation, ...waiting]),
          send(running[1]!.url, elsewhere, 'none'),
        ]);
        // On a slow machine they may have been found missing already: nothing was taken then.
        return sent.flat().every((outcome) => outcome === 'pending');
      } finally {
        signal('SIGCONT');
      }
    };
    await eventually(sendTogether, 'revocation and transactions wait together');
    const verdicts = async ({ id }: Transaction) => {
      const found = new Set<string>();
      for (const url of urls) {
        const { status, block, receipt } = await getJson<Status>(`${url}/v1/transactions/${toHex(id)}?wait=final`);
        found.add(`${status} ${receipt.code} in ${block.height}`);
      }
      return [...found];
    };
    const [done] = await verdicts(revocation);
    assert.match(done!, /^final {2}in \d+$/);
    for (const one of waiting) {
      const found = await verdicts(one);
      assert.equal(found.length, 1, String(found));
      assert.match(found[0]!, /^rejected not-permitted in /);
      const proven = await client.transaction(one.id);
      assert.equal(proven?.value.receipt.code, 'not-permitted');
    }
    assert.equal((await verdicts(elsewhere)).length, 1, 'one verdict, whatever it is');

    const height = Number(done!.split(' ').at(-1));
    const after = await client.state('members.accounts', key);
    // Both states are proven, the earlier one by what was kept of it.
    for (const [{ value, proof }, active] of [
      [before, true],
      [after, false],
    ] as const) {
      const report = verifyBundle(proof, genesis, { verify });
      assert(report.ok, JSON.stringify(report.steps));
      assert.deepEqual(report.facts!.state!.value, value);
      const row = decode(accountCodec, value!);
      assert.deepEqual([row.name, row.organisation, row.roles, row.active], ['zoe', 'acme', ['writer'], active]);
    }
    await everywhereAt(height);
    for (const url of urls) assert.equal(await send(url, await record(zoe.signer, 'too late')), 'not-permitted');

    // Also a node that was killed and comes back.
    const victim = stopped[0]!;
    process.kill(victim.pid, 'SIGKILL');
    const again = await startValidator(victim);
    try {
      await everywhereAt(height);
      assert.equal(await send(victim.url, await record(zoe.signer, 'too late')), 'not-permitted');
      await assertSameChain(urls);
    } finally {
      await stopProcess(again);
    }
  });

  it('two of two administrators run the same command; what is open, who approved, and the history are shown', async () => {
    const [one, two, eve] = [await newKey('one'), await newKey('two'), await newKey('eve')];
    const keys = [one, two].map(({ signer }) => toHex(signer.publicKey));
    const handOver = ['administrators', ...keys, '--threshold', '2', '--as', 'admin:globex', '--wait', 'final'];
    assert.equal((await members<{ effective: boolean }>(0, ...handOver)).effective, true);
    const enrol = (as: string) => ['enrol', 'eve', '--key', toHex(eve.signer.publicKey), '--as', as, '--wait', 'final'];
    await members(1, ...enrol('admin:globex'));
    const first = await members<{ effective: boolean; proposal: string }>(0, ...enrol(one.file));
    assert.equal(first.effective, false);
    type Open = { items: { id: string; threshold: number; approvals: { administrator: string }[] }[] };
    const open = await members<Open>(0, 'approvals');
    assert.deepEqual(
      open.items.map(({ id, threshold, approvals }) => [id, threshold, approvals.map((by) => by.administrator)]),
      [[first.proposal, 2, keys.slice(0, 1)]],
    );
    await members(0, 'retract', first.proposal, '--as', one.file, '--wait', 'final');
    assert.deepEqual((await members<Open>(0, 'approvals')).items, []);
    const again = await members<{ effective: boolean; proposal: string }>(0, ...enrol(one.file));
    const second = await members<{ effective: boolean; proposal: string }>(0, ...enrol(two.file));
    assert.deepEqual([again.effective, second.effective, second.proposal], [false, true, again.proposal]);
    for (const change of [
      ['grant', 'eve', 'writer'],
      ['rotate', 'eve', '--key', toHex((await newKey('eve 2')).signer.publicKey)],
      ['revoke', 'eve'],
    ]) {
      for (const { file } of [two, one]) await members(0, ...change, '--as', file, '--wait', 'final');
    }
    type Approvals = { approvals: { administrator: string }[] };
    type Shown = { key: string; roles: string[]; active: boolean; history: Approvals[] };
    const shown = await members<Shown>(0, 'show', toHex(eve.signer.publicKey));
    assert.deepEqual([shown.roles, shown.active, shown.history.length], [['writer'], false, 4]);
    for (const { approvals } of shown.history)
      assert.deepEqual(approvals.map((by) => by.administrator).sort(), keys.toSorted());
    const { items } = await members<{ items: { proposal: { change: { kind: string } } }[] }>(0, 'history', 'globex');
    assert.deepEqual(
      items.map(({ proposal }) => proposal.change.kind),
      ['administrators', 'enrol', 'grant', 'rotate', 'revoke'],
    );
    // Once, though it had two keys.
    const lists = await members<{ accounts: { name: string; key: string }[] }>(0, 'list', '--organisation', 'globex');
    assert.deepEqual(
      lists.accounts.map(({ name, key }) => [name, key]),
      [['eve', shown.key]],
    );
    // Of another organisation's account it knows nothing.
    await members(1, 'revoke', 'writer', '--as', one.file);
  });
});
