import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { assertAllFinal } from './checks.ts';
import { type DelayedNetwork, startDelayed } from './delayed-network.ts';
import { submitAll, submitAndWait } from './load.ts';
import { type BenchSize, interleaved, type LoadSource, startSource } from './load-source.ts';
import { median, type Row, rounded } from './row.ts';

type Validator = DelayedNetwork['validators'][number];

/** A fault that begins with the load and lasts as long as it. */
interface Fault {
  readonly name: string;
  /** Index of the member that has it. Member 0 leads first. */
  readonly member: number;
  /** Begins; what ends it. */
  begin(network: DelayedNetwork, faulty: Validator, byzantine: ChildProcess | undefined): Promise<() => Promise<void>>;
  /** It runs as the faulty node of the tests, and leads when the load begins. */
  readonly equivocates?: true;
  /** The fault costs the leader its view. */
  readonly replaced?: true;
}

const BYZANTINE = fileURLToPath(new URL('../test/support/byzantine-node.ts', import.meta.url));
const SLOW_MS = 100;
/** Of one run. */
const WITHIN_MS = 300_000;
const SETTLED_MS = 60_000;
const FAULT_FREE = 'fault-free';
const LEADER = 0;
const FOLLOWER = 2;

const silence: Fault['begin'] = async (_, { pid }) => {
  process.kill(pid, 'SIGSTOP');
  return async () => void process.kill(pid, 'SIGCONT');
};
const slow: Fault['begin'] = async (network, faulty) => {
  await network.setDelay(SLOW_MS, faulty);
  return () => network.setDelay(0);
};

const FAULTS: readonly Fault[] = [
  { name: FAULT_FREE, member: FOLLOWER, begin: async () => async () => {} },
  { name: 'one silent', member: FOLLOWER, begin: silence },
  { name: 'leader silent, until replaced and after', member: LEADER, begin: silence, replaced: true },
  { name: `one slow by ${SLOW_MS} ms`, member: FOLLOWER, begin: slow },
  { name: `leader slow by ${SLOW_MS} ms`, member: LEADER, begin: slow },
  {
    name: 'leader equivocating, until replaced and after',
    member: 1,
    equivocates: true,
    replaced: true,
    async begin(_network, _faulty, byzantine) {
      byzantine!.kill('SIGUSR2');
      return async () => {};
    },
  },
];

/**
 * Throughput with one faulty validator of four to throughput without a fault. Real processes; a network of its own for each run,
 * since what an equivocator did stays known. Clients know who is faulty and send to the three others, also in the run without a
 * fault.
 */
export async function attacked(size: BenchSize, log: (text: string) => void): Promise<readonly Row[]> {
  const runs = new Map<Fault, (number | string)[]>(FAULTS.map((fault) => [fault, []]));
  for (const round of interleaved(FAULTS, size.pairs)) {
    for (const fault of round) {
      // A fault under which nothing becomes final has no figure, and says why.
      const outcome = await run(fault, size.transactions, log).catch((error: Error) => error.message);
      runs.get(fault)!.push(outcome);
      log(`${fault.name}: ${typeof outcome === 'string' ? outcome : `${rounded(outcome)} tx/s`}`);
    }
  }
  const free = runs.get(FAULTS[0]!)!;
  return FAULTS.flatMap((fault) => rowsOf(fault, runs.get(fault)!, free));
}

function rowsOf({ name }: Fault, outcomes: readonly (number | string)[], free: readonly (number | string)[]): Row[] {
  const ratioOf = FAULT_FREE;
  const failed = [...outcomes, ...free].find((outcome) => typeof outcome === 'string');
  if (failed !== undefined) return [{ name, value: null, unit: 'ratio', ratioOf, skipped: failed }];
  const perSecond = outcomes as readonly number[];
  const runs = perSecond.length;
  const rows: Row[] = [{ name, value: rounded(median(perSecond)), unit: 'tx/s', runs }];
  if (name === FAULT_FREE) return rows;
  const ratios = perSecond.map((one, i) => one / (free as readonly number[])[i]!);
  return [...rows, { name, value: rounded(median(ratios), 3), unit: 'ratio', runs, ratioOf }];
}

/** Final transactions in a second. */
async function run(fault: Fault, transactions: number, log: (text: string) => void): Promise<number> {
  const network = await startDelayed();
  let byzantine: ChildProcess | undefined;
  let end = async (): Promise<void> => {};
  try {
    const source = await startSource(network);
    const faulty = network.validators[fault.member]!;
    const correct = { ...network, validators: network.validators.filter((one) => one !== faulty) };
    if (fault.equivocates) {
      byzantine = await replaceByFaulty(network, faulty);
      await makeLeader(network, source, faulty);
    }
    await submitAll(correct, await source.next(Math.ceil(transactions / 5)));
    const load = await source.next(transactions);
    assert.equal((await consensus(correct.validators[0]!)).leader === faulty.index, fault.member !== FOLLOWER);
    end = await fault.begin(network, faulty, byzantine);
    const start = performance.now();
    await within(submitAll(correct, load), WITHIN_MS);
    const seconds = (performance.now() - start) / 1_000;
    await assertAllFinal(correct, source.made);
    const { leader, view } = await consensus(correct.validators[0]!);
    log(`${fault.name}: in view ${view} afterwards`);
    if (fault.replaced) assert.notEqual(leader, faulty.index, 'the faulty leader was replaced');
    if (fault.equivocates) await assertCaught(correct.validators[0]!, faulty);
    return transactions / seconds;
  } finally {
    // Whoever is stopped hears no other signal.
    await end();
    byzantine?.kill('SIGKILL');
    await network.stop();
  }
}

/** Instead of a validator: the same node, which behaves well until it gets SIGUSR2. */
async function replaceByFaulty(network: DelayedNetwork, faulty: Validator): Promise<ChildProcess> {
  process.kill(faulty.pid, 'SIGKILL');
  const child = spawn(process.execPath, [BYZANTINE, faulty.config, 'equivocate', network.genesisId], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout!, 'data');
  await settled(network);
  return child;
}

/** Leaders before it are stopped until they are replaced. */
async function makeLeader(network: DelayedNetwork, source: LoadSource, wanted: Validator): Promise<void> {
  for (let tries = 0; tries < network.validators.length; tries++) {
    const { leader } = await consensus(wanted);
    if (leader === wanted.index) return;
    const { pid } = network.validators[leader]!;
    const one = await source.next(1);
    process.kill(pid, 'SIGSTOP');
    try {
      // Who has nothing to order does not miss its leader.
      const others = network.validators.filter(({ index }) => index !== leader);
      await submitAndWait({ ...network, validators: others }, 0, one);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await settled(network);
  }
  assert.equal((await consensus(wanted)).leader, wanted.index);
}

async function assertCaught({ url }: Validator, faulty: Validator): Promise<void> {
  await until(async () => {
    const { items } = (await (await fetch(`${url}/v1/evidence`)).json()) as { items: { member: number }[] };
    return items.some(({ member }) => member === faulty.index);
  }, 'evidence of the equivocation');
}

/** Everybody votes in the same view, with channels to all. */
async function settled({ validators }: DelayedNetwork): Promise<void> {
  await until(async () => {
    const states = await Promise.all(validators.map(consensus));
    const isGood = states.every(({ mode, connected }) => mode === 'active' && connected === validators.length);
    return isGood && new Set(states.map(({ view }) => view)).size === 1;
  }, 'everybody votes in one view');
}

interface Consensus {
  readonly view: number;
  readonly leader: number;
  readonly mode: string;
  readonly connected: number;
}

async function consensus({ url }: Validator): Promise<Consensus> {
  const answer = await fetch(`${url}/v1/consensus`, { signal: AbortSignal.timeout(2_000) });
  return (await answer.json()) as Consensus;
}

async function until(check: () => Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + SETTLED_MS;
  while (!(await check().catch(() => false))) {
    if (performance.now() > end) throw new Error(`not within ${SETTLED_MS} ms: ${what}`);
    await delay(50);
  }
}

function within<T>(work: Promise<T>, ms: number): Promise<T> {
  const late = delay(ms, undefined, { ref: false }).then(() => {
    throw new Error(`not all was final within ${ms / 1_000} s`);
  });
  return Promise.race([work, late]);
}
