import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DevHome, openDevHome } from '../../node/cli/dev-home.ts';
import type { Namespaces } from '../support/namespaces.ts';
import { eventually, getJson, REPOSITORY, stopProcess } from '../support/processes.ts';

const PEER_PORT = 7_700;
const API_PORT = 7_800;

/** Real validators, each a process; in network namespaces of their own, if there are any. */
export interface Cluster {
  readonly genesisId: Uint8Array;
  readonly urls: readonly string[];
  readonly namespaces: Namespaces | undefined;
  /** Ends a process at once, as a power cut would. */
  kill(index: number): Promise<void>;
  /** Starts it again, with what is on its disk. */
  restart(index: number): void;
  /** The process stands still, its sockets open. */
  pause(index: number): void;
  resume(index: number): void;
  /** Index of the validator that leads, as far as any of them knows. */
  leader(): Promise<number>;
  /** All run and vote now. */
  isReady(): Promise<boolean>;
  untilReady(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts validators in `home`, all that the members of the namespaces are, or four of this machine's own. */
export async function startCluster(home: string, namespaces: Namespaces | undefined): Promise<Cluster> {
  const made = await openDevHome(home, namespaces?.peerAddresses.length ?? 4, 0);
  const urls = namespaces === undefined ? made.nodes.map(({ url }) => url!) : await moveInto(namespaces, made);
  const children: ChildProcess[] = [];
  const killAll = (): void => {
    for (const child of children) child.kill('SIGKILL');
  };
  // One that stands still can't see that this process is gone.
  process.once('exit', killAll);
  const start = (index: number): void => {
    children[index] = launch(made.nodes[index]!.config, index, namespaces);
  };
  for (const index of made.nodes.keys()) start(index);
  const cluster: Cluster = {
    genesisId: made.genesisId,
    urls,
    namespaces,
    kill: (index) => stopProcess(children[index]!, 'SIGKILL'),
    restart: start,
    pause: (index) => void children[index]!.kill('SIGSTOP'),
    resume: (index) => void children[index]!.kill('SIGCONT'),
    leader: () => leaderOf(urls),
    async isReady() {
      const ready = await Promise.allSettled(urls.map((url) => isReady(url)));
      return ready.every((one) => one.status === 'fulfilled' && one.value);
    },
    async untilReady() {
      for (const [index, { name, config }] of made.nodes.entries()) {
        await eventually(() => isReady(urls[index]!), `${name} is ready`).catch(async (error: Error) => {
          const log = await readFile(logOf(config), 'utf8');
          throw new Error(`${error.message}; its log ends: ${log.slice(-2_000)}`);
        });
      }
    },
    async stop() {
      process.off('exit', killAll);
      await Promise.all(children.map((child) => stopProcess(child, 'SIGKILL')));
    },
  };
  try {
    await cluster.untilReady();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

function launch(config: string, index: number, namespaces: Namespaces | undefined): ChildProcess {
  const log = openSync(logOf(config), 'a');
  const command = [process.execPath, join(REPOSITORY, 'bin/quorate.js'), 'start', '--config', config, '--with-parent'];
  const [program, args] = namespaces?.inside(index, ...(command as [string, ...string[]])) ?? [
    command[0]!,
    command.slice(1),
  ];
  try {
    return spawn(program, args, { stdio: ['pipe', 'ignore', log] });
  } finally {
    // The child has its own.
    closeSync(log);
  }
}

function logOf(config: string): string {
  return join(config, '../node.log');
}

/** Gives every validator its addresses inside; the URLs for clients. */
async function moveInto({ peerAddresses, clientAddresses }: Namespaces, { nodes }: DevHome): Promise<string[]> {
  for (const [index, { config }] of nodes.entries()) {
    const text = await readFile(config, 'utf8');
    const moved = text
      .replace(/listen = .*/, `listen = ["/ip4/${peerAddresses[index]}/tcp/${PEER_PORT}"]`)
      .replace(/(bootstrap = \["\/ip4\/)[\d.]+(\/tcp\/)\d+/, `$1${peerAddresses[0]}$2${PEER_PORT}`)
      .replace(/host = .*/, `host = "${clientAddresses[index]}"`)
      .replace(/port = .*/, `port = ${API_PORT}`);
    assert.notEqual(moved, text);
    await writeFile(config, moved);
  }
  return clientAddresses.map((address) => `http://${address}:${API_PORT}`);
}

async function leaderOf(urls: readonly string[]): Promise<number> {
  const views = await Promise.allSettled(
    urls.map((url) => getJson<{ view: number; leader: number }>(`${url}/v1/consensus`, AbortSignal.timeout(500))),
  );
  const known = views.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  return known.sort((a, b) => b.view - a.view)[0]?.leader ?? 0;
}

async function isReady(url: string): Promise<boolean> {
  return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok;
}
