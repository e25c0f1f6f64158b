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
const READY_MS = 300_000;

/** A development network of n validators, which `quorate dev` makes up to seven of, in a fresh directory. */
export async function startMany(n: number): Promise<BenchNetwork> {
  const home = await mkdtemp(join(tmpdir(), 'quorate-bench-'));
  const names = Array.from({ length: n }, (_, i) => `validator-${i}`);
  const start = performance.now();
  await makeDevHome(home, names, 0);
  const { genesisId, nodes } = await openDevHome(home, n, 0);
  const children = nodes.map(({ config }) =>
    // Its stdin is our pipe: it ends with us.
    spawn(process.execPath, [BIN, 'start', '--config', config, '--with-parent', '--log-level', 'error'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    }),
  );
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(end));
    await rm(home, { recursive: true, force: true });
  };
  try {
    await Promise.all(nodes.map(({ url }, i) => connected(url!, n, children[i]!)));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    genesisId: toHex(genesisId),
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

/** It votes, and has channels to all others. */
async function connected(url: string, n: number, child: ChildProcess): Promise<void> {
  let known = 0;
  for (const late = performance.now() + READY_MS; performance.now() < late; await delay(200)) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`a validator ended with ${child.exitCode}`);
    const ready = await fetch(`${url}/readyz`)
      .then(async (answer) => (await answer.json()) as { connected?: number })
      .catch(() => undefined);
    known = ready?.connected ?? known;
    if (known === n) return;
  }
  throw new Error(`after ${READY_MS / 1_000} s a validator has channels to ${known} of ${n}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}
