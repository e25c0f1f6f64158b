import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { toHex } from '../../ledger/bytes.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import { parseConfig } from '../../node/config.ts';
import { endProcess, makeNode } from '../support/dev-nodes.ts';
import {
  type Dev,
  eventually,
  getJson,
  quorate,
  startDev,
  startQuorate,
  stopProcess,
  temporaryFolder,
} from '../support/processes.ts';
import { signRecords } from '../support/sign-records.ts';

const LOST = ['initech', 'umbrella'];

describe('a lost quorum (rule R10), as the runbook says', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dev: Dev;
  const started: ChildProcess[] = [];

  before(async () => {
    folder = await temporaryFolder();
    dev = await startDev(join(folder.path, 'network'));
  });

  after(async () => {
    for (const child of started) await stopProcess(child);
    await dev?.stop();
    await folder?.remove();
  });

  const validator = (name: string) => dev.ready.validators.find((one) => one.name === name)!;

  async function run(expected: number, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await quorate(...args);
    assert.equal(code, expected, `${args.join(' ')}: ${stdout}${stderr}`);
    return stdout + stderr;
  }

  /** Another machine for a validator that is lost, with new keys: its entry, and its configuration. */
  async function replace(name: string): Promise<{ readonly config: string; readonly entry: string }> {
    const { config, key, peerKey } = await makeNode(dev.ready, `${name}-2`);
    return { config, entry: `${name}:${name}:${key}:${peerKey}` };
  }

  async function start(config: string, ...flags: readonly string[]): Promise<string> {
    const child = startQuorate(['start', '--config', config, '--log-level', 'silent', ...flags]);
    started.push(child);
    const said = await new Promise<string>((resolve, reject) => {
      child.stdout!.once('data', (chunk) => resolve(String(chunk)));
      child.once('exit', () => reject(new Error(`${config} ended`)));
    });
    return / answers at (\S+)/.exec(said)![1]!;
  }

  async function send(url: string, { bytes }: Transaction, wait: string): Promise<string> {
    const response = await fetch(`${url}/v1/transactions?wait=${wait}`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: bytes as Uint8Array<ArrayBuffer>,
    });
    const { status, code } = (await response.json()) as { status: string | number; code?: string };
    return code ?? String(status);
  }

  async function proofOf(url: string, { id }: Transaction, name: string): Promise<string> {
    const file = join(folder.path, name);
    await run(0, 'proof', toHex(id), '--out', file, '--url', url);
    return file;
  }

  it('two of four are gone for good: the organisations sign a recovery, and the chain goes on with two others', async () => {
    const { genesisFile } = dev.ready;
    const genesis = ['--genesis', genesisFile];
    const [early, late, last, stuck] = await signRecords(dev.ready, 4, 'recovery');
    assert.equal(await send(validator('acme').url, early!, 'final'), 'final');
    const earlyProof = await proofOf(validator('acme').url, early!, 'early.proof.json');
    const heightOf = async (name: string): Promise<[number, number]> => {
      const { height, final } = await getJson<{ height: number; final: number }>(`${validator(name).url}/v1/status`);
      return [height, final];
    };
    await eventually(async () => {
      const [a, b] = await Promise.all([heightOf('acme'), heightOf('globex')]);
      return a[0] === a[1] && b[0] === b[1] && a[0] === b[0];
    }, 'all is final');
    for (const name of LOST) {
      await endProcess(validator(name).pid, 'SIGKILL');
      await rm(dirname(validator(name).config), { recursive: true });
    }
    await eventually(async () => (await send(validator('acme').url, stuck!, 'none')) === 'no-quorum', 'no quorum');

    // 1. One of those that are left stops, and says what is to be signed.
    await endProcess(validator('acme').pid, 'SIGTERM');
    const replacements = await Promise.all(LOST.map(replace));
    const file = join(folder.path, 'recovery.json');
    const prepare = ['recover', 'prepare', '--config', validator('acme').config, '--reason', 'fire in the data centre'];
    await run(0, ...prepare, '--add', ...replacements.map(({ entry }) => entry), '--out', file);
    // 2. Administrators sign, and each looks whether a node of its own knows anything newer.
    const url = ['--url', validator('globex').url];
    assert.match(await run(0, 'recover', 'show', file, ...genesis, ...url), /Not enough have signed/);
    for (const name of ['acme', 'globex', 'initech'])
      await run(0, 'recover', 'sign', file, ...genesis, ...url, '--as', `admin:${name}`);
    const shown = await run(0, 'recover', 'show', file, ...genesis, ...url);
    const [, hash] = /--accept-recovery (0x[0-9a-f]{64})/.exec(shown)!;
    // 3. Nobody takes it who does not say so.
    const { config } = validator('acme');
    const other = `0x${'7'.repeat(64)}`;
    const starting = ['start', '--config', config, '--log-level', 'silent', '--recovery', file];
    assert.match(await run(1, ...starting), /was not accepted here/);
    assert.match(await run(1, ...starting, '--accept-recovery', other), /was not accepted here/);
    const accept = ['--accept-recovery', hash!];
    const acme = await start(config, '--recovery', file, ...accept);
    // As one that has executed more than what is certified must do.
    await endProcess(validator('globex').pid, 'SIGTERM');
    const { data } = parseConfig(await readFile(validator('globex').config, 'utf8'), validator('globex').config);
    await rename(join(data, 'ledger'), join(data, 'ledger.aside'));
    await start(validator('globex').config, '--observer', ...accept);
    for (const one of replacements) await start(one.config, '--observer', ...accept);
    await eventually(async () => (await send(acme, late!, 'final')) === 'final', 'a record is final');
    // Three of four are a quorum: without one of the new ones the one with the new ledger must vote.
    await stopProcess(started.at(-1)!, 'SIGKILL');
    await eventually(async () => (await send(acme, last!, 'final')) === 'final', 'a record is final without one');
    assert.deepEqual(
      (await getJson<{ items: { name: string }[] }>(`${acme}/v1/validators`)).items.map(({ name }) => name),
      ['acme', 'globex', ...LOST],
    );

    // 4. Whoever verifies sees it, and refuses unless told to accept it.
    const follow = ['follow', ...genesis, '--url', acme];
    assert.match(await run(3, ...follow), new RegExp(`${hash}.*fire in the data centre.*was not accepted here`));
    assert.match(await run(0, ...follow, ...accept), /epoch 0 was ended above block \d+ by a recovery that you accept/);
    assert.match(await run(0, 'verify', earlyProof, ...genesis), /VERIFIED/);
    const lateProof = await proofOf(acme, late!, 'late.proof.json');
    assert.match(await run(4, 'verify', lateProof, ...genesis), /was not accepted here/);
    assert.match(await run(0, 'verify', lateProof, ...genesis, ...accept), /by a recovery that you accept: fire/);
  });
});
