import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { toHex } from '../../ledger/bytes.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import {
  assertAgreement,
  type Dev,
  getJson,
  quorate,
  REPOSITORY,
  startDev,
  startValidator,
  stopProcess,
  temporaryFolder,
} from '../support/processes.ts';
import { runPython, withoutPython } from '../support/python.ts';
import { signRecords } from '../support/sign-records.ts';

const DIGEST = '0x5f78c33274e43fa9de5659265c1d917e25c03722dcb0b8d27db8d5feaa813953';
const PACKAGES = join(REPOSITORY, 'examples/packages.ndjson');

describe('four validators as real processes', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dev: Dev;
  let url: string;

  before(async () => {
    folder = await temporaryFolder();
    dev = await startDev(join(folder.path, 'network'));
    url = dev.ready.validators[0]!.url;
  });

  after(async () => {
    await dev?.stop();
    await folder?.remove();
  });

  it('registers a record, proves it, verifies it offline, and refuses a changed proof', async () => {
    const args = ['--key', 'readme', '--digest', DIGEST, '--as', 'writer', '--wait', 'final', '--url', url, '--json'];
    const sent = await quorate('tx', 'records', 'register', ...args);
    assert.equal(sent.code, 0, sent.stderr);
    const { id, status } = JSON.parse(sent.stdout) as { id: string; status: string };
    assert.equal(status, 'final');

    const proof = await quorate('proof', id, '--url', url);
    assert.equal(proof.code, 0, proof.stderr);
    const file = join(folder.path, 'receipt.proof.json');
    await writeFile(file, proof.stdout);
    const verified = await quorate('verify', file, '--genesis', dev.ready.genesisFile);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    assert.match(verified.stdout, /✓/);

    // Any hex digit of the proof, changed: exit 4 and a named step.
    const text = proof.stdout;
    for (let at = 40; at < text.length; at += Math.ceil(text.length / 25)) {
      const digit = /[0-9a-f]/.exec(text.slice(text.indexOf('0x', at) + 2));
      const place = text.indexOf('0x', at) + 2 + (digit?.index ?? 0);
      if (place < at) break;
      const changed = text.slice(0, place) + (text[place] === '0' ? '1' : '0') + text.slice(place + 1);
      const bad = join(folder.path, 'changed.proof.json');
      await writeFile(bad, changed);
      const refused = await quorate('verify', bad, '--genesis', dev.ready.genesisFile);
      assert.equal(refused.code, 4, `digit ${place}: ${refused.stdout}`);
      assert.match(refused.stdout, /✗ \S+/);
    }
  });

  it('gives proofs of a transaction, a row and a missing row that the verifier in Python verifies', {
    skip: withoutPython,
  }, async () => {
    const [record] = await signRecords(dev.ready, 1, 'python');
    const sent = await fetch(`${url}/v1/transactions?wait=final`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: record!.bytes as Uint8Array<ArrayBuffer>,
    });
    assert.equal(((await sent.json()) as { status: string }).status, 'final');
    const id = toHex(record!.id);
    const proofUrl = `${url}/v1/transactions/${id}/proof`;
    const proofOf = async (table: string, key: string): Promise<string> => {
      const path = `/v1/state/${table}/${encodeURIComponent(key)}?at=final&proof=true`;
      return JSON.stringify((await getJson<{ proof: unknown }>(`${url}${path}`)).proof);
    };
    const genesis = join(folder.path, 'served-genesis.json');
    await writeFile(genesis, await bytesAt(`${url}/v1/genesis`));
    const proofs: readonly (readonly [what: string, proof: Uint8Array | string, said: RegExp])[] = [
      ['a transaction in JSON', await bytesAt(proofUrl), new RegExp(`^id +${id}$`, 'm')],
      ['a transaction in bytes', await bytesAt(proofUrl, 'application/octet-stream'), new RegExp(`^id +${id}$`, 'm')],
      ['a row', await proofOf('records.entries', 'python/0'), /^what +records\.entries "python\/0" is \{"digest"/m],
      ['a missing row', await proofOf('records.entries', 'no such record'), /"no such record" does not exist$/m],
    ];
    for (const [what, proof, said] of proofs) {
      const file = join(folder.path, 'python.proof.json');
      await writeFile(file, proof);
      const { code, output } = await runPython('verify.py', '--genesis', genesis, file, '--max-age', '600000');
      assert.equal(code, 0, `${what}: ${output}`);
      assert.match(output, said, what);
    }
  });

  it('O01: a second process with the same files is refused with the reason, and so is a second network', async () => {
    const second = await quorate('start', '--config', dev.ready.validators[1]!.config);
    assert.equal(second.code, 1);
    assert.match(second.stderr, /another process uses it: is this validator running already\?/);
    const network = await quorate('dev', '--home', dev.ready.home);
    assert.equal(network.code, 1);
    assert.match(network.stderr, /answers already: is a network running in/);
  });

  it('transactions that run out while they wait end expired, and hold nobody up', async () => {
    const send = (transaction: Transaction, query = ''): Promise<Response> =>
      fetch(`${url}/v1/transactions${query}`, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: transaction.bytes as Uint8Array<ArrayBuffer>,
      });
    // Lifetimes around the time that admission and ordering take: some are refused, some wait in vain, some execute.
    const sent: { readonly id: string; readonly response: Response }[] = [];
    for (let i = 0; i < 60; i++) {
      const [late] = await signRecords(dev.ready, 1, `late ${i}`, 1 + (i % 12));
      sent.push({ id: toHex(late!.id), response: await send(late!) });
    }
    const [next] = await signRecords(dev.ready, 1, 'next');
    const answer = (await (await send(next!, '?wait=final')).json()) as { status: string };
    assert.equal(answer.status, 'final');
    for (const { id, response } of sent) {
      if (response.status === 422) continue;
      assert([200, 202].includes(response.status), String(response.status));
      const { status } = await getJson<{ status: string }>(`${url}/v1/transactions/${id}?wait=final`);
      assert(['final', 'expired'].includes(status), `${id} is ${status}`);
    }
  });

  it('a follower killed during the import catches up, verifies everything, and has the same state root', async () => {
    const victim = dev.ready.validators.find(({ leader }) => !leader)!;
    const others = dev.ready.validators.filter(({ name }) => name !== victim.name);
    const running = quorate('import', PACKAGES, '--as', 'writer', '--url', others[0]!.url, '--json');
    await waitForHeight(others[0]!.url, 3);
    process.kill(victim.pid, 'SIGKILL');
    const imported = await running;
    assert.equal(imported.code, 0, imported.stderr);
    const result = JSON.parse(imported.stdout) as { final: number; packages: number };
    assert(result.packages >= 2_000);
    assert.equal(result.final, result.packages);

    const again = await startValidator(victim);
    try {
      const urls = dev.ready.validators.map((validator) => validator.url);
      const { finalHeight } = await getJson<{ finalHeight: number }>(`${others[0]!.url}/v1/chain`);
      await assertAgreement(urls, finalHeight);
      const one = JSON.parse((await readFile(PACKAGES, 'utf8')).split('\n')[1_234]!) as Record<string, string>;
      const key = encodeURIComponent(`${one.name}/${one.version}/${one.architecture}`);
      for (const node of urls) {
        const row = await getJson<{ exists: boolean; value: { digest: string } }>(
          `${node}/v1/state/records.entries/${key}`,
        );
        assert(row.exists, key);
        assert.equal(row.value.digest, `0x${one.sha256}`);
      }
    } finally {
      await stopProcess(again);
    }
  });
});

async function bytesAt(url: string, accept = 'application/json'): Promise<Uint8Array> {
  const response = await fetch(url, { headers: { accept } });
  assert(response.ok, `${url}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function waitForHeight(url: string, above: number): Promise<void> {
  const { height } = await getJson<{ height: number }>(`${url}/v1/chain`);
  const target = height + above;
  for (;;) {
    if ((await getJson<{ height: number }>(`${url}/v1/chain`)).height >= target) return;
  }
}
