import { setTimeout as delay } from 'node:timers/promises';
import { assertAllFinal } from './checks.ts';
import { chain, type submitAll, sum } from './load.ts';
import { type BenchSize, startSource } from './load-source.ts';
import { startMany } from './many-validators.ts';
import { type BenchNetwork, cpuUs, memoryBytes } from './network.ts';
import { submitPaced } from './paced.ts';
import { median, type Row, rounded } from './row.ts';

const VALIDATORS = [4, 7, 16, 31] as const;
const PER_SECOND = 50;
const MEMORY_MAX_BYTES = 6 * 1024 ** 3;
/** Unmeasured, before: code that has not run yet is slow. */
const WARM_SECONDS = 5;
const QUIET_MS = 1_000;
/** For each window that is needed. */
const TRIES_MAX = 3;

interface Window {
  readonly cpuMs: number;
  readonly bytes: number;
  readonly blocks: number;
  readonly seconds: number;
}

/**
 * What a block costs each of n validators, real processes on one machine, at a constant low load: 50 transactions in a second.
 * Medians over windows of the same network. More blocks than the machine can make become fewer and larger ones.
 */
export async function scale(size: BenchSize, log: (text: string) => void): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let perValidator = 0;
  for (const n of VALIDATORS) {
    const needed = n * perValidator;
    if (needed > MEMORY_MAX_BYTES) {
      rows.push(skipped(n, `it would need ${rounded(needed / 1024 ** 3, 1)} GiB of memory, at most 6 are taken`));
      continue;
    }
    try {
      const measured = await measure(n, size, log);
      rows.push(...rowsOf(n, measured.windows));
      perValidator = measured.memoryBytes;
    } catch (error) {
      rows.push(skipped(n, (error as Error).message));
    }
  }
  return rows;
}

async function measure(n: number, { pairs, seconds }: BenchSize, log: (text: string) => void) {
  const network = await startMany(n);
  try {
    log(`${n} validators ready after ${rounded(network.startMs)} ms`);
    const source = await startSource(network);
    await submitPaced(network, await source.next(WARM_SECONDS * PER_SECOND), PER_SECOND);
    const windows: Window[] = [];
    for (let tries = 0; windows.length < pairs; tries++) {
      if (tries === TRIES_MAX * pairs)
        throw new Error(`views change in too many windows: ${n} are too many for this machine`);
      const view = await viewOf(network);
      const one = await measureWindow(network, await source.next(seconds * PER_SECOND));
      const now = await viewOf(network);
      log(`${n} validators: ${JSON.stringify(one)}${now === view ? '' : ', the view changed: not counted'}`);
      // What it cost was then not only blocks.
      if (now === view) windows.push(one);
    }
    await assertAllFinal(network, source.made);
    const memory = await Promise.all(network.validators.map(({ pid }) => memoryBytes(pid)));
    return { windows, memoryBytes: sum(memory) / n };
  } finally {
    await network.stop();
  }
}

async function measureWindow(network: BenchNetwork, load: Parameters<typeof submitAll>[1]): Promise<Window> {
  await delay(QUIET_MS);
  const before = await counted(network);
  const start = performance.now();
  await submitPaced(network, load, PER_SECOND);
  const seconds = (performance.now() - start) / 1_000;
  const after = await counted(network);
  const n = network.validators.length;
  const blocks = after.height - before.height;
  return {
    cpuMs: (after.cpuMs - before.cpuMs) / n / blocks,
    bytes: (after.bytes - before.bytes) / n / blocks,
    blocks,
    seconds,
  };
}

async function counted(network: BenchNetwork) {
  const cpu = await Promise.all(network.validators.map(({ pid }) => cpuUs(pid)));
  const bytes = await Promise.all(
    network.validators.map(async ({ url }) => {
      const { items } = (await (await fetch(`${url}/v1/peers`)).json()) as { items: { bytesSent: number }[] };
      return sum(items.map(({ bytesSent }) => bytesSent));
    }),
  );
  return { cpuMs: sum(cpu) / 1_000, bytes: sum(bytes), height: (await chain(network, 0)).height };
}

async function viewOf({ validators }: BenchNetwork): Promise<number> {
  const { view } = (await (await fetch(`${validators[0]!.url}/v1/consensus`)).json()) as { view: number };
  return view;
}

function rowsOf(n: number, windows: readonly Window[]): Row[] {
  const runs = windows.length;
  const of = (what: (one: Window) => number, digits = 0): number => rounded(median(windows.map(what)), digits);
  return [
    { name: `${n} validators: cpu of each and block`, value: of(({ cpuMs }) => cpuMs, 2), unit: 'ms', runs },
    { name: `${n} validators: sent by each and block`, value: of(({ bytes }) => bytes), unit: 'bytes', runs },
    { name: `${n} validators: messages of a block, all`, value: messages(n), unit: 'messages' },
    {
      name: `${n} validators: blocks`,
      value: of(({ blocks, seconds }) => blocks / seconds, 1),
      unit: 'blocks/s',
      runs,
    },
  ];
}

/** PRE-PREPARE of the leader to all others, PREPARE of all others, COMMIT and CHECKPOINT of everybody: 3n(n-1) by the protocol. */
function messages(n: number): number {
  return n - 1 + (n - 1) * (n - 1) + 2 * n * (n - 1);
}

function skipped(n: number, reason: string): Row {
  return { name: `${n} validators`, value: null, unit: 'ms', skipped: reason };
}
