import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { packTransactions } from '../ledger/transaction.ts';
import { type BenchNetwork, restartValidator, startNetwork } from './network.ts';
import { median, type Row } from './row.ts';
import { accountOf, signCall } from './transfers.ts';

type Validator = BenchNetwork['validators'][number];

/** One transaction this often, so that there is always a reason to wait for the leader. */
const LOAD_EVERY_MS = 20;
/** Each fault ends with everybody at the same height again. */
const SETTLED_MS = 60_000;

/**
 * How long nothing is committed when the leader of four real processes is killed (kill -9), and when it only falls silent
 * (SIGSTOP), under a light load: from the signal until a node that is left has executed a new block.
 */
export async function failover(trials: number, log: (text: string) => void): Promise<readonly Row[]> {
  const network = await startNetwork();
  const children = new Map<string, ChildProcess>();
  const load = startLoad(network);
  try {
    const { parameters } = await json<{ parameters: { viewTimeoutMs: number } }>(network.validators[0]!, '/v1/genesis');
    const timeout = Number(parameters.viewTimeoutMs);
    const killed: number[] = [];
    const silent: number[] = [];
    for (let trial = 0; trial < trials; trial++) {
      killed.push(await killLeader(network, children));
      log(`kill -9 of the leader: ${killed.at(-1)} ms`);
      await settled(network);
      silent.push(await stopLeader(network, children));
      log(`SIGSTOP of the leader: ${silent.at(-1)} ms`);
      await settled(network);
    }
    return [
      { name: 'viewTimeout', value: timeout, unit: 'ms' },
      { name: 'killed median', value: median(killed), unit: 'ms' },
      { name: 'killed worst', value: Math.max(...killed), unit: 'ms' },
      { name: 'killed', value: ratio(median(killed), timeout), unit: 'ratio', ratioOf: 'viewTimeout' },
      { name: 'silent median', value: median(silent), unit: 'ms' },
      { name: 'silent worst', value: Math.max(...silent), unit: 'ms' },
      { name: 'silent', value: ratio(median(silent), timeout), unit: 'ratio', ratioOf: 'viewTimeout' },
    ];
  } finally {
    load.stop();
    for (const child of children.values()) child.kill('SIGKILL');
    await network.stop();
  }
}

async function killLeader(network: BenchNetwork, children: Map<string, ChildProcess>): Promise<number> {
  const { leader, others } = await roles(network);
  const pid = children.get(leader.name)?.pid ?? leader.pid;
  process.kill(pid, 'SIGKILL');
  const ms = await nextCommit(others);
  children.set(leader.name, await restartValidator(leader));
  return ms;
}

async function stopLeader(network: BenchNetwork, children: Map<string, ChildProcess>): Promise<number> {
  const { leader, others } = await roles(network);
  const pid = children.get(leader.name)?.pid ?? leader.pid;
  process.kill(pid, 'SIGSTOP');
  try {
    return await nextCommit(others);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}

async function roles(network: BenchNetwork): Promise<{ leader: Validator; others: readonly Validator[] }> {
  const { leader } = await json<{ leader: number }>(network.validators[0]!, '/v1/consensus');
  return { leader: network.validators[leader]!, others: network.validators.filter((_, index) => index !== leader) };
}

/** From now until a node has executed what none had. In flight at the time of the signal counts for nothing. */
async function nextCommit(others: readonly Validator[]): Promise<number> {
  const start = performance.now();
  // What was in flight executes within a few ms; after that nothing does before there is a new leader.
  await delay(30);
  const before = Math.max(...(await Promise.all(others.map(height))));
  while (performance.now() - start < SETTLED_MS) {
    const heights = await Promise.all(others.map(height));
    if (Math.max(...heights) > before) return Math.round(performance.now() - start);
    await delay(2);
  }
  throw new Error(`no commit within ${SETTLED_MS} ms`);
}

async function settled(network: BenchNetwork): Promise<void> {
  const end = performance.now() + SETTLED_MS;
  for (;;) {
    const states = await Promise.all(
      network.validators.map((one) => json<{ view: number; mode: string; connected: number }>(one, '/v1/consensus')),
    ).catch(() => []);
    const views = new Set(states.map(({ view }) => view));
    const good = states.every(({ mode, connected }) => mode === 'active' && connected === network.validators.length);
    if (states.length > 0 && views.size === 1 && good) break;
    if (performance.now() > end) throw new Error(`not settled: ${JSON.stringify(states)}`);
    await delay(50);
  }
  await delay(500);
}

function startLoad(network: BenchNetwork): { stop(): void } {
  const account = accountOf(network, 'issuer');
  let nonce = Date.now() % 1_000_000_000;
  let stopped = false;
  const loop = async (): Promise<void> => {
    const { time } = await json<{ time: number }>(network.validators[0]!, '/v1/chain');
    const offset = time - Date.now();
    while (!stopped) {
      const to = `0x${Buffer.from(accountOf(network, 'bob').publicKey).toString('hex')}`;
      const validUntil = Date.now() + offset + 60_000;
      const transaction = signCall(network, account, 'issue', { asset: 'bench', to, amount: '1' }, nonce, validUntil);
      const { url } = network.validators[nonce++ % network.validators.length]!;
      const body = packTransactions([transaction.bytes]);
      const headers = { 'content-type': 'application/octet-stream' };
      fetch(`${url}/v1/transactions/batch`, { method: 'POST', body, headers, signal: AbortSignal.timeout(3_000) })
        .then((response) => response.arrayBuffer())
        .catch(() => undefined);
      await delay(LOAD_EVERY_MS);
    }
  };
  void loop();
  return {
    stop() {
      stopped = true;
    },
  };
}

async function height(validator: Validator): Promise<number> {
  return (await json<{ height: number }>(validator, '/v1/chain')).height;
}

async function json<T>({ url }: Validator, path: string): Promise<T> {
  const response = await fetch(url + path, { signal: AbortSignal.timeout(2_000) });
  return (await response.json()) as T;
}

function ratio(value: number, of: number): number {
  return Math.round((1_000 * value) / of) / 1_000;
}
