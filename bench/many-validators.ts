import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { toHex } from '../ledger/bytes.ts';
import { DEV_ACCOUNTS, devSeed } from '../node/cli/accounts.ts';
import { makeDevHome, openDevHome } from '../node/cli/dev-home.ts';
import { createSigner } from '../node/signatures.ts';
import { type BenchNetwork, BIN } from './network.ts';

/** Many processes on few cores take their time, more than `quorate dev` gives them. */
const READY_MS = 600_000;
/** All at once they would be so slow that they give up on each other. */
const STARTED_AT_ONCE = 4;

/** A development network of n validators, which `quorate dev` makes up to seven of, in a fresh directory. */
export async function startMany(n: number): Promise<BenchNetwork> {
  const home = await mkdtemp(join(tmpdir(), 'quorate-bench-'));
  const names = Array.from({ length: n }, (_, i) => `validator-${i}`);
  const start = performance.now();
  await makeDevHome(home, names, 0);
  const { genesisId, genesisFile, nodes } = await openDevHome(home, n, 0);
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(end));
    await rm(home, { recursive: true, force: true });
  };
  try {
    for (let at = 0; at < n; at += STARTED_AT_ONCE) {
      const some = nodes.slice(at, at + STARTED_AT_ONCE);
      children.push(...some.map(({ config }) => launch(config)));
      await Promise.all(some.map(({ url }, i) => answers(url!, children[at + i]!)));
    }
    await Promise.all(nodes.map(({ url }, i) => connected(url!, n, children[i]!)));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    genesisId: toHex(genesisId),
    genesisFile,
    validators: nodes.map(({ name, url, config }, index) => {
      return { name, url: url!, pid: children[index]!.pid!, leader: index === 0, index, config };
    }),
    accounts: DEV_ACCOUNTS.map(({ name }) => {
      const seed = devSeed('account', name);
      return { name, publicKey: toHex(createSigner(seed).publicKey), secretKey: toHex(seed) };
    }),
    startMs: performance.now() - start,
    stop,
  };
}

function launch(config: string): ChildProcess {
  const args = [BIN, 'start', '--config', config, '--with-parent', '--log-level', 'error'];
  // Its stdin is our pipe: it ends with us.
  return spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'inherit'] });
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  await until(child, async () => (await fetch(`${url}/livez`)).ok, 'it does not answer');
}

/** It votes, and has channels to all others. */
async function connected(url: string, n: number, child: ChildProcess): Promise<void> {
  const check = async (): Promise<boolean> => {
    const ready = (await (await fetch(`${url}/readyz`)).json()) as { connected?: number };
    return ready.connected === n;
  };
  await until(child, check, `it does not vote, or has not channels to all ${n}`);
}

async function until(child: ChildProcess, check: () => Promise<boolean>, what: string): Promise<void> {
  for (const late = performance.now() + READY_MS; performance.now() < late; await delay(200)) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`a validator ended with ${child.exitCode}`);
    if (await check().catch(() => false)) return;
  }
  throw new Error(`a validator after ${READY_MS / 1_000} s: ${what}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}
