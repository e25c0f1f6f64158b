import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createGenesis } from '../genesis/ceremony.ts';
import { type GenesisContent, genesisCodec } from '../genesis/file.ts';
import { openDevHome } from '../node/cli/dev-home.ts';
import { chooseSignatures } from '../node/signatures.ts';

/** A development network of real processes: `quorate dev`. */
export interface BenchNetwork {
  readonly genesisId: string;
  readonly genesisFile: string;
  readonly validators: readonly {
    readonly name: string;
    readonly url: string;
    /** Where its metrics are, if they are served. */
    readonly metrics?: string;
    readonly pid: number;
    readonly leader: boolean;
    /** In the set. */
    readonly index: number;
    /** Its configuration file: `quorate start --config` starts it again. */
    readonly config: string;
  }[];
  readonly accounts: readonly { readonly name: string; readonly publicKey: string; readonly secretKey: string }[];
  /** From spawn to ready, in ms. */
  readonly startMs: number;
  stop(): Promise<void>;
}

export const BIN = fileURLToPath(new URL('../bin/quorate.js', import.meta.url));

const VALIDATORS = 4;

/** What a network has instead of what every development network has. */
export interface NetworkOptions {
  /** Of its genesis file. */
  readonly change?: (genesis: GenesisContent) => GenesisContent;
  /** Makes its files, of whatever validators, in this directory. */
  readonly prepare?: (home: string) => Promise<void>;
}

/** Starts four validators in a fresh directory, which `stop` removes. */
export async function startNetwork({ change, prepare }: NetworkOptions = {}): Promise<BenchNetwork> {
  const folder = await mkdtemp(join(tmpdir(), 'quorate-bench-'));
  try {
    const home = join(folder, 'network');
    if (change !== undefined) await makeHome(home, change);
    await prepare?.(home);
    return await startIn(folder, home);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function startIn(folder: string, home: string): Promise<BenchNetwork> {
  const start = performance.now();
  const child = spawn(process.execPath, [BIN, 'dev', '--json', '--home', home, '--port', '0'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const line = await Promise.race([
    firstLine(child.stdout),
    exited.then((code) => Promise.reject(new Error(`dev ended with ${code}`))),
  ]);
  const { genesisId, genesisFile, validators, accounts } = JSON.parse(line);
  return {
    genesisId,
    genesisFile,
    validators,
    accounts,
    startMs: performance.now() - start,
    async stop() {
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function makeHome(home: string, change: (genesis: GenesisContent) => GenesisContent): Promise<void> {
  const { genesisFile } = await openDevHome(home, VALIDATORS, 0);
  const made = genesisCodec.fromJson(JSON.parse(await readFile(genesisFile, 'utf8')), 'genesis');
  const changed = createGenesis(change(made), chooseSignatures().verify);
  if (!changed.ok) throw new Error(changed.problem);
  await writeFile(genesisFile, changed.genesis.text);
}

/** Starts one validator of the network again; ready when it votes. It ends with this process. */
export async function restartValidator(validator: BenchNetwork['validators'][number]): Promise<ChildProcess> {
  const child = spawnValidator(validator);
  try {
    await untilReady(validator.url);
    return child;
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** `log`: the file for what it logs; nothing of that is kept otherwise. */
export function spawnValidator({ config }: BenchNetwork['validators'][number], log?: string): ChildProcess {
  const args = [BIN, 'start', '--config', config, '--with-parent', ...(log === undefined ? [] : ['--log-file', log])];
  return spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'ignore'] });
}

/** A long chain's state takes a while to read, and four nodes that start at once share the machine. */
const READY_MS = 180_000;

/** Until a node votes. */
export async function untilReady(url: string): Promise<void> {
  for (const end = performance.now() + READY_MS; performance.now() < end; await delay(50)) {
    const ready = await fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (ready) return;
  }
  throw new Error(`${url} is not ready after ${READY_MS / 1_000} s`);
}

async function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) {
    text += chunk;
    const end = text.indexOf('\n');
    if (end >= 0) return text.slice(0, end);
  }
  throw new Error(`expected a line of JSON, got ${JSON.stringify(text)}`);
}

/** CPU time that a process has used so far, in us; NaN where there is no /proc. */
export async function cpuUs(pid: number): Promise<number> {
  const stat = await ofProcess(pid, 'stat');
  // Behind the parenthesised name: state is field 3, utime 14, stime 15, in ticks of 10 ms.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields?.[11]) + Number(fields?.[12])) * 10_000;
}

/** Resident memory of a process, in bytes; NaN where there is no /proc. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await ofProcess(pid, 'status');
  return Number(status?.match(/^VmRSS:\s+(\d+) kB$/m)?.[1]) * 1_024;
}

function ofProcess(pid: number, file: string): Promise<string> | undefined {
  return process.platform === 'linux' ? readFile(`/proc/${pid}/${file}`, 'utf8') : undefined;
}

/** Memory that a process takes now, what it shares with others in parts, in bytes (Linux). */
export async function memoryBytes(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)![1]) * 1_024;
}
