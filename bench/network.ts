import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** A development network of real processes: `quorate dev`. */
export interface BenchNetwork {
  readonly genesisId: string;
  readonly validators: readonly {
    readonly name: string;
    readonly url: string;
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

/** Starts four validators, or those that `prepare` makes the files of, in a fresh directory, which `stop` removes. */
export async function startNetwork(prepare: (home: string) => Promise<void> = async () => {}): Promise<BenchNetwork> {
  const home = await mkdtemp(join(tmpdir(), 'quorate-bench-'));
  try {
    await prepare(join(home, 'network'));
    return await startIn(home);
  } catch (error) {
    await rm(home, { recursive: true, force: true });
    throw error;
  }
}

async function startIn(home: string): Promise<BenchNetwork> {
  const start = performance.now();
  const child = spawn(process.execPath, [BIN, 'dev', '--json', '--home', join(home, 'network'), '--port', '0'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const line = await Promise.race([
    firstLine(child.stdout),
    exited.then((code) => Promise.reject(new Error(`dev ended with ${code}`))),
  ]);
  const { genesisId, validators, accounts } = JSON.parse(line);
  return {
    genesisId,
    validators,
    accounts,
    startMs: performance.now() - start,
    async stop() {
      child.kill('SIGTERM');
      await exited;
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Starts one validator of the network again; ready when it votes. */
export async function restartValidator({ url, config }: BenchNetwork['validators'][number]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [BIN, 'start', '--config', config], { stdio: ['ignore', 'ignore', 'ignore'] });
  for (let tries = 0; tries < 600; tries++) {
    const ready = await fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (ready) return child;
    await delay(50);
  }
  child.kill('SIGKILL');
  throw new Error(`${url} is not ready after 30 s`);
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

/** CPU time that a process has used so far, in us (Linux). */
export async function cpuUs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // Behind the parenthesised name: state is field 3, utime 14, stime 15, in ticks of 10 ms.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** Memory that a process takes now, what it shares with others in parts, in bytes (Linux). */
export async function memoryBytes(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)![1]) * 1_024;
}
