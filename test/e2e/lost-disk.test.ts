import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fromHex, toHex } from '../../ledger/bytes.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import { writeKeyFile } from '../../light/keystore/key-file.ts';
import { endProcess } from '../support/dev-nodes.ts';
import {
  assertSameChain,
  type Dev,
  type DevValidator,
  eventually,
  type Finished,
  getJson,
  quorate,
  REPOSITORY,
  startDev,
  stopProcess,
  temporaryFolder,
} from '../support/processes.ts';
import { kindOf, runbook } from '../support/runbook.ts';
import { signRecords } from '../support/sign-records.ts';

describe('a validator whose disk is lost, under load', { timeout: 240_000 }, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let dev: Dev;
  let url: string;
  let loading = true;
  let load: Promise<readonly Transaction[]> = Promise.resolve([]);
  const started: ChildProcess[] = [];

  before(async () => {
    folder = await temporaryFolder();
    dev = await startDev(join(folder.path, 'network'));
    url = dev.ready.validators[0]!.url;
    await mkdir(join(folder.path, 'bin'));
    await symlink(join(REPOSITORY, 'bin/quorate.js'), join(folder.path, 'bin/quorate'));
    load = sendWhileLoading(await signRecords(dev.ready, 10_000, 'lost disk'));
  });

  after(async () => {
    loading = false;
    await load;
    for (const child of started) await stopProcess(child, 'SIGKILL');
    await dev?.stop();
    await folder?.remove();
  });

  async function sendWhileLoading(records: readonly Transaction[]): Promise<readonly Transaction[]> {
    const sent: Transaction[] = [];
    for (const one of records) {
      if (!loading) break;
      await eventually(async () => (await send(one)) === 'committed', 'a record is committed');
      sent.push(one);
    }
    return sent;
  }

  async function send({ bytes }: Transaction, wait = 'committed'): Promise<string> {
    const response = await fetch(`${url}/v1/transactions?wait=${wait}`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: bytes as Uint8Array<ArrayBuffer>,
    });
    const { status } = (await response.json()) as { status: string };
    return status === 'final' ? wait : status;
  }

  /** A line of a shell in the validator's directory. */
  function shell(validator: DevValidator, line: string): ChildProcess {
    const env = { ...process.env, NODE: url, PATH: `${join(folder.path, 'bin')}:${process.env.PATH}` };
    const text = line.replaceAll('http://127.0.0.1:7800', validator.url);
    return spawn('sh', ['-c', text.startsWith('quorate start') ? `exec ${text}` : text], {
      cwd: dirname(validator.config),
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  async function type(validator: DevValidator, line: string): Promise<Finished> {
    const child = shell(validator, line);
    let [stdout, stderr] = ['', ''];
    child.stdout!.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr!.on('data', (chunk) => {
      stderr += chunk;
    });
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, stdout, stderr };
  }

  /** Runs on. */
  function leave(validator: DevValidator, line: string): ChildProcess {
    const child = shell(validator, line);
    started.push(child);
    child.stdout!.resume();
    child.stderr!.resume();
    return child;
  }

  async function loseDisk(validator: DevValidator): Promise<void> {
    await endProcess(validator.pid, 'SIGKILL');
    await rm(join(dirname(validator.config), 'data'), { recursive: true });
  }

  async function untilMode(validator: DevValidator, mode: string): Promise<void> {
    await eventually(
      async () => (await getJson<{ mode: string }>(`${validator.url}/v1/consensus`)).mode === mode,
      `${validator.name} is ${mode}`,
    );
  }

  const heightOf = async (at: string): Promise<number> =>
    (await getJson<{ finalHeight: number }>(`${at}/v1/chain`)).finalHeight;

  async function follows(validator: DevValidator): Promise<void> {
    const height = await heightOf(url);
    await eventually(async () => (await heightOf(validator.url)) >= height, `${validator.name} follows`);
  }

  /** With one of the others stopped the three that are left are a quorum, so each of them must vote. */
  async function votes(validator: DevValidator, label: string): Promise<void> {
    const other = dev.ready.validators[3]!;
    assert.notEqual(other.name, validator.name);
    const [record] = await signRecords(dev.ready, 1, label);
    process.kill(other.pid, 'SIGSTOP');
    try {
      await eventually(async () => (await send(record!, 'final')) === 'final', `${validator.name} votes`);
    } finally {
      process.kill(other.pid, 'SIGCONT');
    }
  }

  /** Two administrators act together for an organisation from now on; their key files are in the node's directory. */
  async function appoint({ name, config }: DevValidator): Promise<void> {
    const keys = ['admin', 'second'].map((one) => {
      const { secretKey } = dev.ready.administrators.find(({ organisation }) => organisation === name)!;
      const seed = fromHex(secretKey)!.slice();
      if (one === 'second') seed[0]! ^= 1;
      return toHex(writeKeyFile(join(dirname(config), `${one}.key`), 'account', seed).publicKey);
    });
    const change = ['members', 'administrators', ...keys, '--threshold', '2', '--as', `admin:${name}`];
    const { code, stderr } = await quorate(...change, '--url', url);
    assert.equal(code, 0, stderr);
  }

  it('D11, D13, Q14: is in doubt with its old key, and by the runbook votes again with another one', async () => {
    const globex = dev.ready.validators[1]!;
    await appoint(globex);
    await loseDisk(globex);
    // Whoever watches the process starts it again, before a person has read the runbook.
    const again = leave(globex, 'quorate start --config node.toml');
    await untilMode(globex, 'doubt');
    await follows(globex);
    await untilMode(globex, 'doubt');
    await stopProcess(again);

    const { commands, toml } = runbook('A lost disk');
    assert.equal(toml.length, 1);
    let proposal = '';
    const typed: string[] = [];
    for (const command of commands) {
      typed.push(kindOf(command));
      if (command.startsWith('quorate start')) {
        const file = await readFile(globex.config, 'utf8');
        await writeFile(globex.config, file.replace(/\[keys\]\n(.+\n)+/, toml[0]!));
        leave(globex, command);
        await untilMode(globex, 'observing');
        await eventually(async () => (await fetch(`${globex.url}/readyz`)).ok, 'it is current');
        continue;
      }
      if (command.startsWith('quorate gov show')) await untilMode(globex, 'active');
      const { code, stdout, stderr } = await type(globex, command.replace('<proposal>', proposal));
      assert.equal(code, 0, `${command}: ${stdout}${stderr}`);
      proposal = /proposal (0x[0-9a-f]{64})/.exec(stdout)?.[1] ?? proposal;
      const [, expected] = /# (?:mode )?([a-z]+)/.exec(command) ?? [];
      if (expected !== undefined) assert.match(stdout, new RegExp(`\\b${expected}\\b`), command);
    }
    assert.deepEqual(typed, [
      'mv',
      'keys new',
      'start',
      'status',
      'gov propose rotate',
      'gov approve',
      'gov show',
      'status',
      'rm',
    ]);
    assert(!existsSync(join(dirname(globex.config), 'data.lost')));
    await votes(globex, 'with another key');
  });

  it('D11, Q14: that keeps its key is in doubt until the epoch ends, and then votes again', async () => {
    const [, globex, initech] = dev.ready.validators as [DevValidator, DevValidator, DevValidator];
    // With two at once there would be no quorum.
    await untilMode(globex, 'active');
    await loseDisk(initech);
    leave(initech, 'quorate start --config node.toml');
    await untilMode(initech, 'doubt');
    await follows(initech);
    const change = ['parameters', '--set', 'heartbeatMs=5000'];
    let proposal = '';
    for (const as of ['admin:acme', 'admin:umbrella', 'admin:initech']) {
      const action = proposal === '' ? ['propose', ...change] : ['approve', proposal];
      const { code, stdout, stderr } = await quorate('gov', ...action, '--as', as, '--url', url, '--json');
      assert.equal(code, 0, stderr);
      proposal = JSON.parse(stdout).proposal;
    }
    await untilMode(initech, 'active');
    await votes(initech, 'with the same key');
  });

  it('nothing of the load is lost, and nobody signed twice', async () => {
    loading = false;
    const sent = await load;
    assert(sent.length > 100, `${sent.length} records`);
    for (const { id } of sent) {
      const { status } = await getJson<{ status: string }>(`${url}/v1/transactions/${toHex(id)}?wait=final`);
      assert.equal(status, 'final');
    }
    await assertSameChain(dev.ready.validators.map((one) => one.url));
  });
});
