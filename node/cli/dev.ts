import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { toHex } from '../../ledger/bytes.ts';
import { createSigner } from '../signatures.ts';
import { DEV_ACCOUNTS, devAdministrator, devSeed } from './accounts.ts';
import { curlLine } from './dev-curl.ts';
import { type DevHome, type DevNode, openDevHome } from './dev-home.ts';
import { isUp, newestSet, type Running, readyFileOf, untilAnswers, untilReady } from './dev-ready.ts';
import { CliError, EXIT } from './errors.ts';
import { table } from './output.ts';

export interface DevOptions {
  readonly home: string | undefined;
  readonly port: number;
  readonly nodes: number;
  readonly json: boolean;
  readonly readyFile: string | undefined;
}

/**
 * `quorate dev`: a network of real processes on this machine, every node of a home, until q, Ctrl-C or SIGTERM. Where no
 * keys are read it also ends, and fails, when the last of them has ended.
 */
export async function dev(options: DevOptions): Promise<number> {
  const started = performance.now();
  const home = await openDevHome(
    options.home ?? (await mkdtemp(join(tmpdir(), 'quorate-dev-'))),
    options.nodes,
    options.port,
  );
  await Promise.all(home.nodes.map((node) => assertFree(node, home.home)));
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stopping.abort());
  const running: Running[] = home.nodes.map((node) => ({
    node,
    child: undefined,
    logFrom: 0,
    url: node.url ?? '',
    metrics: undefined,
    name: node.name,
  }));
  try {
    for (const one of running) launch(one, home, stopping.signal);
    await Promise.all(running.map((one) => untilAnswers(one, stopping.signal)));
    if (!stopping.signal.aborted) await untilReady(running, stopping.signal);
    if (!stopping.signal.aborted) {
      await announce(home, running, options, performance.now() - started);
      await untilQuit(home, running, stopping, options.json);
      if (!stopping.signal.aborted) throw new CliError(EXIT.failed, 'ENDED', 'all nodes have ended');
    }
    return EXIT.ok;
  } finally {
    stopping.abort();
    await Promise.all(running.map(stop));
  }
}

/** Two networks in one home would fight for files and ports, and the second would take the first's answers for its own. */
async function assertFree({ url }: DevNode, home: string): Promise<void> {
  if (url === undefined) return;
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

function launch(one: Running, home: DevHome, stopping: AbortSignal): void {
  const { name, config } = one.node;
  const log = openSync(join(config, '../node.log'), 'a');
  const readyFile = readyFileOf(one.node);
  rmSync(readyFile, { force: true });
  one.logFrom = fstatSync(log).size;
  // Whoever the set names votes, and whoever it does not name any more, or not yet, follows.
  const args = [
    process.argv[1]!,
    'start',
    '--config',
    config,
    '--observer',
    '--ready-file',
    readyFile,
    '--with-parent',
  ];
  // The one whose address all were made with may have been removed since.
  const known = home.nodes.flatMap(({ address }) => (address === undefined || home.isNew ? [] : address));
  if (known.length > 0) args.push('--bootstrap', ...known);
  // Its stdin is our pipe: when this process is gone, however, the child sees its end and stops.
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', log] });
  closeSync(log);
  one.child = child;
  child.once('exit', (code, signal) => {
    if (one.child === child) one.child = undefined;
    if (!stopping.aborted)
      process.stderr.write(`${name} ended (${signal ?? `exit ${code}`}); its log: ${join(config, '../node.log')}\n`);
  });
}

async function announce(
  home: DevHome,
  running: readonly Running[],
  options: DevOptions,
  startMs: number,
): Promise<void> {
  const set = await newestSet(running);
  const up = running.filter(isUp).map(({ node, name, url, metrics, child }) => {
    return {
      name,
      url,
      metrics,
      pid: child?.pid ?? 0,
      config: node.config,
      member: set.find((one) => one.name === name),
    };
  });
  const validators = up
    .flatMap(({ member, ...one }) =>
      member === undefined ? [] : { ...one, index: member.index, leader: member.leader },
    )
    .sort((a, b) => a.index - b.index);
  const observers = up
    .filter(({ member }) => member === undefined)
    .map(({ name, url, metrics, pid, config }) => ({
      name: name === 'observer' ? basename(dirname(config)) : name,
      url,
      metrics,
      pid,
      config,
    }));
  const accounts = DEV_ACCOUNTS.map(({ name, roles }) => {
    const seed = devSeed('account', name);
    return { name, roles, publicKey: toHex(createSigner(seed).publicKey), secretKey: toHex(seed) };
  });
  // Each organisation of a development network has one administrator.
  const administrators = home.organisations.map((organisation) => {
    const { name, seed } = devAdministrator(organisation);
    return { organisation, as: name, publicKey: toHex(createSigner(seed).publicKey), secretKey: toHex(seed) };
  });
  const curl = await curlLine(validators[0]!.url);
  const genesisId = toHex(home.genesisId);
  const ready = {
    genesisId,
    genesisFile: home.genesisFile,
    home: home.home,
    startMs: Math.round(startMs),
    validators,
    observers,
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
      ['node', 'API', 'process', ''],
      [
        ...validators.map(({ name, url, pid, leader }) => [name, url, String(pid), leader ? 'leader' : '']),
        ...observers.map(({ name, url, pid }) => [name, url, String(pid), 'no vote']),
      ],
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

/** Name of the validator that leads now. */
async function leaderOf(running: readonly Running[]): Promise<string | undefined> {
  return (await newestSet(running)).find(({ leader }) => leader)?.name;
}

async function untilQuit(
  home: DevHome,
  running: readonly Running[],
  stopping: AbortController,
  quiet: boolean,
): Promise<void> {
  const { stdin } = process;
  const hasKeys = !quiet && stdin.isTTY;
  if (hasKeys) {
    process.stdout.write('keys: k kill the leader, r restart it, t send a transaction, q quit\n');
    stdin.setRawMode(true);
    stdin.on('data', (key) => void onKey(String(key), home, running, stopping));
  }
  const quit = new Promise<void>((resolve) => {
    if (stopping.signal.aborted) resolve();
    stopping.signal.addEventListener('abort', () => resolve());
  });
  // Without keys nobody can start a node again.
  await (hasKeys ? quit : Promise.race([quit, allEnded(running)]));
  if (stdin.isTTY) stdin.setRawMode(false);
  stdin.pause();
}

async function allEnded(running: readonly Running[]): Promise<void> {
  await Promise.all(running.map(({ child }) => child && once(child, 'exit')));
}

async function onKey(
  key: string,
  home: DevHome,
  running: readonly Running[],
  stopping: AbortController,
): Promise<void> {
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  try {
    if (key === 'q' || key === '\u0003') return stopping.abort();
    if (key === 'k') {
      if (running.some(({ child }) => child === undefined)) return say('one is down already; r starts it');
      const leader = await leaderOf(running);
      say(`${leader} was the leader`);
      running.find(({ name }) => name === leader)?.child?.kill('SIGKILL');
    } else if (key === 'r') {
      const down = running.find(({ child }) => child === undefined);
      if (down === undefined) return say('all nodes are running');
      launch(down, home, stopping.signal);
      say(`${down.node.name} starts`);
      await untilAnswers(down, stopping.signal);
    } else if (key === 't') {
      const { tx } = await import('./tx.ts');
      const args = ['--key', `dev/${Date.now()}`, '--digest', `0x${'00'.repeat(32)}`];
      await tx('records', 'register', args, {
        url: running.filter(isUp).map(({ url }) => url),
        genesis: home.genesisFile,
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
