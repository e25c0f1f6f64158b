import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { assertAllFinal } from './checks.ts';
import { chain, fund, submitAll, sum } from './load.ts';
import { type BenchNetwork, residentBytes, startNetwork } from './network.ts';
import { figure, median, type Options, type Row } from './row.ts';
import { signTransfers } from './transfers.ts';

const FROM = 10_000;
const TO = 200_000;
const QUICK_FROM = 2_000;
const QUICK_TO = 6_000;
/** Signed and sent at a time. */
const PIECE = 10_000;
/** Nothing is sent: what only the work needed can be given back, and LevelDB ends its compactions. */
const QUIET_MS = 15_000;
const QUICK_QUIET_MS = 3_000;
const MIB = 1_048_576;

/** Of each validator, in bytes. */
interface Sizes {
  readonly memory: readonly number[];
  readonly disk: readonly number[];
}

/**
 * What transactions that are done leave behind: resident memory and files of each validator at two points of one run, each
 * after a quiet time. All go from account to account, so that the state itself stays as small as it is.
 */
export async function growth(options: Options, log: (text: string) => void): Promise<readonly Row[]> {
  const [from, quietMs] = options.quick ? [QUICK_FROM, QUICK_QUIET_MS] : [FROM, QUIET_MS];
  const to = options.transactions ?? (options.quick ? QUICK_TO : TO);
  if (to <= from) throw new RangeError(`expected more than ${from} transactions, got ${to}`);
  const network = await startNetwork();
  try {
    await fund(network, (await chain(network, 0)).time + 1_800_000);
    await grow(network, 0, from, log);
    const before = await sizesAfter(network, quietMs);
    const wireBytes = await grow(network, from, to, log);
    const after = await sizesAfter(network, quietMs);
    await assertAllFinal(network, 2 + to);
    log(`checked: all ${to} transactions final, none twice, none failed, equal state roots on four nodes`);
    return rowsOf(before, after, { from, to, wireBytes });
  } finally {
    await network.stop();
  }
}

function rowsOf(before: Sizes, after: Sizes, run: { from: number; to: number; wireBytes: number }): Row[] {
  const { from, to, wireBytes } = run;
  const count = to - from;
  const grown = after.memory.map((bytes, i) => bytes - before.memory[i]!);
  const diskGrown = after.disk.map((bytes, i) => (bytes - before.disk[i]!) / count);
  const validators = grown.length;
  const row = (name: string, value: number, unit: string, digits = 0): Row => {
    return { ...figure(name, value, unit, digits), runs: validators };
  };
  const span = `${from} to ${to} transactions`;
  const wire = 'wire bytes per transaction';
  return [
    row(`memory at ${from} transactions`, median(before.memory) / MIB, 'MiB', 1),
    row(`memory at ${to} transactions`, median(after.memory) / MIB, 'MiB', 1),
    row(`memory growth, ${span}`, median(grown) / MIB, 'MiB', 1),
    row(`memory growth, ${span}, most`, Math.max(...grown) / MIB, 'MiB', 1),
    row(`memory per transaction, ${span}`, median(grown) / count, 'bytes/tx', 1),
    row(`disk per transaction, ${span}`, median(diskGrown), 'bytes/tx'),
    figure(wire, wireBytes / count, 'bytes/tx'),
    { ...row(`disk, ${span}`, (median(diskGrown) * count) / wireBytes, 'ratio', 2), ratioOf: wire },
  ];
}

/** Sends the transactions `from` to `to`; the bytes of all, as they are sent. */
async function grow(network: BenchNetwork, from: number, to: number, log: (text: string) => void): Promise<number> {
  let bytes = 0;
  for (let next = from; next < to; next += PIECE) {
    const validUntil = (await chain(network, 0)).time + 1_800_000;
    const piece = signTransfers(network, Math.min(PIECE, to - next), 1_000 + next, validUntil);
    bytes += sum(piece.map((one) => one.bytes.length));
    await submitAll(network, piece);
    log(`${next + piece.length} of ${to}`);
  }
  return bytes;
}

async function sizesAfter({ validators }: BenchNetwork, quietMs: number): Promise<Sizes> {
  await delay(quietMs);
  return {
    memory: await Promise.all(validators.map(({ pid }) => residentBytes(pid))),
    disk: await Promise.all(validators.map(({ config }) => bytesOnDisk(join(dirname(config), 'data')))),
  };
}

/** What the files of a folder take on the disk, in bytes, as `du` counts. */
async function bytesOnDisk(folder: string): Promise<number> {
  const files = await readdir(folder, { recursive: true });
  const taken = files.map(async (file) => {
    // One that was removed since it was listed takes nothing.
    const found = await stat(join(folder, file)).catch(() => undefined);
    return found === undefined ? 0 : found.blocks * 512;
  });
  return sum(await Promise.all(taken));
}
