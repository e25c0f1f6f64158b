import { constants, setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { chain, fund, percentile, submitAll, sum } from './load.ts';
import { type BenchNetwork, cpuUs, startNetwork } from './network.ts';
import { admitObservers, endObserver, type RunningObserver, startObserver } from './observer-nodes.ts';
import { median, type Row, rounded } from './row.ts';
import { signTransfers } from './transfers.ts';

const OBSERVERS = 10;
/** Without and with observers in turn; the transactions are divided among them. */
const ROUNDS = 6;
/** Less than would fill the machine with the validators alone, so that whoever observes finds some time too. */
const SHAPE = { batchSize: 50, openBatches: 8 };
const IDLE_MS = 10_000;
const STARTED_MS = 120_000;

interface Measured {
  readonly committedPerSecond: number;
  readonly finalP50: number;
  /** All validators together, until every observer has what was sent. */
  readonly cpuPerTransaction: number;
  /** All validators together, on the idle network: ms of CPU in a second. */
  readonly idleCpu: number;
  /** One observer. */
  readonly observerCpu: number;
}

/**
 * What observers cost the validators: the same load on four of them with 0 and with 10 observers, in turn, in one run. All are
 * real processes on one machine. Observers have the lowest priority there, as if they ran on machines of their own: what they
 * cost the validators is what they ask of them.
 */
export async function observers(transactions: number, log: (text: string) => void): Promise<readonly Row[]> {
  const network = await startNetwork();
  const running: RunningObserver[] = [];
  try {
    const { time } = await chain(network, 0);
    const validUntil = time + 1_800_000;
    await fund(network, validUntil);
    const homes = await admitObservers(network, OBSERVERS, validUntil);
    const size = Math.ceil(transactions / ROUNDS);
    await submitAll(network, signTransfers(network, size, 1_000, validUntil), SHAPE);
    const without: Measured[] = [];
    const withThem: Measured[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const isWith = round % 2 === 1;
      if (isWith) running.push(...(await Promise.all(homes.map(startLow))));
      const load = signTransfers(network, size, (round + 1) * 1_000_000, validUntil);
      const measured = await measure(network, running, load);
      (isWith ? withThem : without).push(measured);
      log(`${isWith ? OBSERVERS : 0} observers: ${JSON.stringify(measured)}`);
      for (const one of running.splice(0)) await endObserver(one);
    }
    return rowsOf(without, withThem);
  } finally {
    for (const { child } of running) child.kill('SIGKILL');
    await network.stop();
  }
}

async function measure(
  network: BenchNetwork,
  running: readonly RunningObserver[],
  load: Parameters<typeof submitAll>[1],
): Promise<Measured> {
  await caughtUp(network, running);
  const validators = network.validators.map(({ pid }) => pid);
  const observing = running.map(({ child }) => child.pid!);
  const idleBefore = await cpuOf(validators);
  const idleStart = performance.now();
  await delay(IDLE_MS);
  const idleCpu = (await cpuOf(validators)) - idleBefore;
  const idleSeconds = (performance.now() - idleStart) / 1_000;
  const [before, observingBefore] = [await cpuOf(validators), await cpuOf(observing)];
  const start = performance.now();
  const answered = await submitAll(network, load, SHAPE);
  const committedSeconds = (Math.max(...answered.map(({ committedAt }) => committedAt)) - start) / 1_000;
  await caughtUp(network, running);
  const cpu = (await cpuOf(validators)) - before;
  const observingCpu = (await cpuOf(observing)) - observingBefore;
  return {
    committedPerSecond: load.length / committedSeconds,
    finalP50: percentile(
      answered.map(({ finalMs }) => finalMs),
      0.5,
    ),
    cpuPerTransaction: cpu / load.length,
    idleCpu: idleCpu / 1_000 / idleSeconds,
    observerCpu: running.length === 0 ? 0 : observingCpu / load.length / running.length,
  };
}

function rowsOf(without: readonly Measured[], withThem: readonly Measured[]): Row[] {
  const row = (name: string, unit: string, of: (one: Measured) => number, digits = 0): Row[] =>
    [without, withThem].map((measured, i) => ({
      name: `${name}, ${i === 0 ? 0 : OBSERVERS} observers`,
      value: rounded(median(measured.map(of)), digits),
      unit,
      runs: measured.length,
    }));
  return [
    ...row('committedPerSecond', 'tx/s', ({ committedPerSecond }) => committedPerSecond),
    ...row('submit to final p50', 'ms', ({ finalP50 }) => finalP50, 1),
    ...row('cpu all validators', 'us/tx', ({ cpuPerTransaction }) => cpuPerTransaction),
    ...row('cpu all validators, idle', 'ms/s', ({ idleCpu }) => idleCpu, 1),
    row('cpu of one observer', 'us/tx', ({ observerCpu }) => observerCpu)[1]!,
  ];
}

/** Follows what the network does. */
async function startLow(home: string): Promise<RunningObserver> {
  const one = await startObserver(home);
  setPriority(one.child.pid!, constants.priority.PRIORITY_LOW);
  for (const end = performance.now() + STARTED_MS; performance.now() < end; await delay(100)) {
    if ((await fetch(`${one.url}/readyz`)).ok) return one;
  }
  one.child.kill('SIGKILL');
  throw new Error(`${home} does not follow after ${STARTED_MS / 1_000} s`);
}

/** Every observer has all that is final now. */
async function caughtUp(network: BenchNetwork, running: readonly RunningObserver[]): Promise<void> {
  const { finalHeight } = await chain(network, 0);
  for (const { url } of running) {
    for (;;) {
      const answer = (await (await fetch(`${url}/v1/chain`)).json()) as { finalHeight: number };
      if (answer.finalHeight >= finalHeight) break;
      await delay(20);
    }
  }
}

async function cpuOf(pids: readonly number[]): Promise<number> {
  return sum(await Promise.all(pids.map((pid) => cpuUs(pid))));
}
