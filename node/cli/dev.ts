import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, renameSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { toHex } from '../../ledger/bytes.ts';
import { createSigner } from '../signatures.ts';
import { DEV_ACCOUNTS, devAdministrator, devSeed } from './accounts.ts';
import { curlLine } from './dev-curl.ts';
import { type DevHome, type DevValidator, openDevHome } from './dev-home.ts';
import { CliError, EXIT } from './errors.ts';
import { ask } from './http.ts';
import { table } from './output.ts';

export interface DevOptions {
  readonly home: string | undefined;
  readonly port: number;
  readonly nodes: number;
  readonly json: boolean;
  readonly readyFile: string | undefined;
}

interface Running {
  readonly validator: DevValidator;
  child: ChildProcess | undefined;
}

const READY_WITHIN_MS = 60_000;

/** `quorate dev`: a network of real validator processes on this machine, until q, Ctrl-C or SIGTERM. */
export async function dev(options: DevOptions): Promise<number> {
  const started = performance.now();
  const home = await openDevHome(
    options.home ?? (await mkdtemp(join(tmpdir(), 'quorate-dev-'))),
    options.nodes,
    options.port,
  );
  await Promise.all(home.validators.map((validator) => assertFree(validator, home.home)));
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stopping.abort());
  const running: Running[] = home.validators.map((validator) => ({ validator, child: undefined }));
  try {
    for (const one of running) launch(one, stopping.signal);
    await Promise.all(running.map((one) => untilReady(one, running.length, stopping.signal)));
    if (!stopping.signal.aborted) {
      await announce(home, running, options, performance.now() - started);
      await untilQuit(running, stopping, options.json);
    }
    return EXIT.ok;
  } finally {
    stopping.abort();
    await Promise.all(running.map(stop));
  }
}

/** Two networks in one home would fight for files and ports, and the second would take the first's answers for its own. */
async function assertFree({ url }: DevValidator, home: string): Promise<void> {
  try {
    await fetch(`${url}/livez`);
  } catch {
    return;
  }
  throw new CliError(
    EXIT.failed,
    'IN_USE',
    `${url} answers already: is a network running in ${home}? Stop it, or take another --home and --port`,
  );
}

function launch(one: Running, stopping: AbortSignal): void {
  const { name, config } = one.validator;
  const log = openSync(join(config, '../node.log'), 'a');
  const args = [process.argv[1]!, 'start', '--config', config, '--with-parent'];
  // Its stdin is our pipe: when this process is gone, however, the child sees its end and stops.
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', log] });
  one.child = child;
  child.once('exit', (code, signal) => {
    if (one.child === child) one.child = undefined;
    if (!stopping.aborted)
      process.stderr.write(`${name} ended (${signal ?? `exit ${code}`}); its log: ${join(config, '../node.log')}\n`);
  });
}

/** It votes and has a channel to all others. */
async function untilReady({ validator, child }: Running, count: number, stopping: AbortSignal): Promise<void> {
  const end = Date.now() + READY_WITHIN_MS;
  while (!stopping.aborted) {
    if (child !== undefined && (child.exitCode !== null || child.signalCode !== null))
      throw notStarted(validator, 'it ended');
    if (Date.now() > end) throw notStarted(validator, `not ready within ${READY_WITHIN_MS / 1_000} s`);
    try {
      const { connected } = await ask<{ connected: number }>(validator.url, '/readyz');
      if (connected === count) return;
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
    }
    await delay(25);
  }
}

function notStarted({ name, config }: DevValidator, reason: string): CliError {
  return new CliError(
    EXIT.failed,
    'NOT_STARTED',
    `validator ${name} did not start: ${reason}; see ${join(config, '../node.log')}`,
  );
}

async function announce(
  home: DevHome,
  running: readonly Running[],
  options: DevOptions,
  startMs: number,
): Promise<void> {
  const first = running[0]!.validator.url;
  const leader = await leaderOf(running[0]!.validator);
  const validators = running.map(({ validator, child }, index) => ({
    name: validator.name,
    index,
    url: validator.url,
    pid: child?.pid ?? 0,
    leader: validator.name === leader,
    config: validator.config,
  }));
  const accounts = DEV_ACCOUNTS.map(({ name, roles }) => {
    const seed = devSeed('account', name);
    return { name, roles, publicKey: toHex(createSigner(seed).publicKey), secretKey: toHex(seed) };
  });
  // Each validator of a development network has an organisation of its own name, with one administrator.
  const administrators = validators.map(({ name: organisation }) => {
    const { name, seed } = devAdministrator(organisation);
    return { organisation, as: name, publicKey: toHex(createSigner(seed).publicKey), secretKey: toHex(seed) };
  });
  const curl = await curlLine(first);
  const genesisId = toHex(home.genesisId);
  const ready = {
    genesisId,
    genesisFile: home.genesisFile,
    home: home.home,
    startMs: Math.round(startMs),
    validators,
    accounts,
    administrators,
    curl,
  };
  if (options.readyFile !== undefined) {
    writeFileSync(`${options.readyFile}.new`, `${JSON.stringify(ready)}\n`);
    renameSync(`${options.readyFile}.new`, options.readyFile);
  }
  if (options.json) {
    process.stdout.write(`${JSON.stringify(ready)}\n`);
    return;
  }
  const lines = [
    `Quorate: ${validators.length} validators ready after ${(startMs / 1_000).toFixed(1)} s`,
    '',
    ...table(
      ['validator', 'API', 'process', ''],
      validators.map(({ name, url, pid, leader: leads }) => [name, url, String(pid), leads ? 'leader' : '']),
    ),
    '',
    ...table(
      ['account', 'role', 'secret key'],
      accounts.map(({ name, roles, secretKey }) => [name, roles.join(', ') || '-', secretKey]),
    ),
    '',
    ...table(
      ['administrator', 'secret key'],
      administrators.map(({ as, secretKey }) => [as, secretKey]),
    ),
    'These keys are publicly known: never use them for anything but trying things out.',
    '',
    `genesis   ${genesisId}`,
    `          ${home.genesisFile}`,
    '',
    'Register a record now (works when pasted, for an hour):',
    curl,
    '',
    'Or in a second terminal:',
    '  npx quorate import examples/packages.ndjson --as writer',
    '  npx quorate members list',
    '  npx quorate status',
    '',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Name of the validator that leads now, as this one sees it. */
async function leaderOf({ url }: DevValidator): Promise<string | undefined> {
  const { items } = await ask<{ items: { name: string; leader: boolean }[] }>(url, '/v1/validators');
  return items.find(({ leader }) => leader)?.name;
}

async function untilQuit(running: readonly Running[], stopping: AbortController, quiet: boolean): Promise<void> {
  const { stdin } = process;
  if (!quiet && stdin.isTTY) {
    process.stdout.write('keys: k kill the leader, r restart it, t send a transaction, q quit\n');
    stdin.setRawMode(true);
    stdin.on('data', (key) => void onKey(String(key), running, stopping));
  }
  await new Promise<void>((resolve) => {
    if (stopping.signal.aborted) resolve();
    stopping.signal.addEventListener('abort', () => resolve());
  });
  if (stdin.isTTY) stdin.setRawMode(false);
  stdin.pause();
}

async function onKey(key: string, running: readonly Running[], stopping: AbortController): Promise<void> {
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  try {
    if (key === 'q' || key === '\u0003') return stopping.abort();
    if (key === 'k') {
      if (running.some(({ child }) => child === undefined)) return say('one is down already; r starts it');
      const leader = await leaderOf(running[0]!.validator);
      say(`${leader} was the leader`);
      running.find(({ validator }) => validator.name === leader)?.child?.kill('SIGKILL');
    } else if (key === 'r') {
      const down = running.find(({ child }) => child === undefined);
      if (down === undefined) return say('all validators are running');
      launch(down, stopping.signal);
      say(`${down.validator.name} starts`);
    } else if (key === 't') {
      const { tx } = await import('./tx.ts');
      const args = ['--key', `dev/${Date.now()}`, '--digest', `0x${'00'.repeat(32)}`];
      await tx('records', 'register', args, {
        url: running.find(({ child }) => child !== undefined)!.validator.url,
        json: false,
        as: 'writer',
        wait: 'final',
        memo: '',
      });
    }
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
  }
}

async function stop({ child }: Running): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await ended;
  clearTimeout(late);
}
