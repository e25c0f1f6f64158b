import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
export const BIN = join(REPOSITORY, 'bin/quorate.js');

export interface DevValidator {
  readonly name: string;
  readonly index: number;
  readonly url: string;
  readonly metrics: string;
  readonly pid: number;
  readonly leader: boolean;
  readonly config: string;
}

/** What `quorate dev --json` prints when it is ready. */
export interface DevReady {
  readonly genesisId: string;
  readonly genesisFile: string;
  readonly home: string;
  readonly validators: readonly DevValidator[];
  /** Nodes of the home that have no vote now. */
  readonly observers: readonly Pick<DevValidator, 'name' | 'url' | 'pid' | 'config'>[];
  readonly accounts: readonly { readonly name: string; readonly publicKey: string; readonly secretKey: string }[];
  readonly administrators: readonly {
    readonly organisation: string;
    readonly publicKey: string;
    readonly secretKey: string;
  }[];
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `quorate …` to its end. */
export async function quorate(...args: readonly string[]): Promise<Finished> {
  const child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], cwd: REPOSITORY });
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit(child)]);
  return { code, stdout, stderr };
}

/** Starts `quorate …` and leaves it running. */
export function startQuorate(args: readonly string[], bin = BIN): ChildProcess {
  return spawn(process.execPath, [bin, ...args], { stdio: ['pipe', 'pipe', 'pipe'], cwd: REPOSITORY });
}

export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'quorate-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

export interface Dev {
  readonly ready: DevReady;
  readonly process: ChildProcess;
  /** On stderr, so far. */
  said(): string;
  stop(): Promise<void>;
}

/** `quorate dev` with four validators in `home`; the same home again is the same network. */
export async function startDev(home: string, port = 0, bin = BIN): Promise<Dev> {
  const child = startQuorate(['dev', '--json', '--home', home, '--port', String(port)], bin);
  let said = '';
  child.stderr!.on('data', (chunk) => {
    said += chunk;
  });
  const stderr = text(child.stderr!);
  const line = await firstLine(child, stderr);
  const ready = JSON.parse(line) as DevReady;
  const ended = exit(child);
  return {
    ready,
    process: child,
    said: () => said,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Starts one validator of a development network again, and waits until it votes. */
export function startValidator(validator: DevValidator, ...flags: readonly string[]): Promise<ChildProcess> {
  return startUntil('readyz', validator, flags);
}

/** Starts one validator, and waits until it answers, whether it can vote or not. */
export function startAlone(validator: DevValidator): Promise<ChildProcess> {
  return startUntil('livez', validator, []);
}

async function startUntil(
  probe: 'livez' | 'readyz',
  validator: DevValidator,
  flags: readonly string[],
): Promise<ChildProcess> {
  const child = startQuorate(['start', '--config', validator.config, ...flags]);
  child.stdout!.resume();
  let said = '';
  child.stderr!.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-2_000);
  });
  try {
    await eventually(async () => {
      assert(child.exitCode === null && child.signalCode === null, 'it ended');
      return (await fetch(`${validator.url}/${probe}`)).ok;
    }, `${validator.name} says ${probe}`);
  } catch (error) {
    await stopProcess(child, 'SIGKILL');
    throw new Error(`${(error as Error).message}; it said: ${said}`);
  }
  return child;
}

export async function stopProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = exit(child);
  child.kill(signal);
  await ended;
}

/** Until `check` is true; a check that throws is false. Fails with `what` after a minute. */
export async function eventually(check: () => Promise<boolean>, what: string, timeoutMs = 60_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  let last: unknown;
  while (Date.now() < end) {
    try {
      if (await check()) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await delay(50);
  }
  assert.fail(`not within ${timeoutMs} ms: ${what}${last === undefined ? '' : ` (${last})`}`);
}

export async function getJson<T>(url: string, signal?: AbortSignal): Promise<T> {
  const response = await fetch(url, signal && { signal });
  assert(response.ok, `${url}: ${response.status} ${await response.clone().text()}`);
  return (await response.json()) as T;
}

export interface Chain {
  readonly height: number;
  readonly finalHeight: number;
  readonly finalStateRoot: string;
}

/** All nodes have the same final height and state root, at or above `height`. */
export async function assertAgreement(urls: readonly string[], height = 0): Promise<Chain> {
  let agreed: Chain | undefined;
  await eventually(async () => {
    const chains = await Promise.all(urls.map((url) => getJson<Chain>(`${url}/v1/chain`)));
    agreed = chains[0]!;
    return (
      agreed.finalHeight >= height &&
      chains.every(({ finalHeight, finalStateRoot }) => {
        return finalHeight === agreed!.finalHeight && finalStateRoot === agreed!.finalStateRoot;
      })
    );
  }, 'equal final heights and state roots');
  return agreed!;
}

/**
 * No two nodes have different blocks at any height, nobody is accused of signing twice, nobody has halted or is in doubt;
 * `active`: and everybody votes.
 */
export async function assertSameChain(urls: readonly string[], { active = true } = {}): Promise<void> {
  const hashes = new Map<number, string>();
  for (const url of urls) {
    const { height } = await getJson<Chain>(`${url}/v1/chain`);
    let seen = -1;
    for (let next: string | undefined = ''; next !== undefined; ) {
      const cursor = next === '' ? '' : `&cursor=${encodeURIComponent(next)}`;
      const page: BlockPage = await getJson<BlockPage>(`${url}/v1/blocks?order=asc&limit=100${cursor}`);
      for (const block of page.items) {
        assert.equal(block.header.height, ++seen, `heights at ${url}`);
        assert.equal(block.hash, hashes.get(seen) ?? block.hash, `block ${seen} at ${url}`);
        hashes.set(seen, block.hash);
      }
      next = page.cursor;
    }
    assert(seen >= height, `${seen} of ${height} blocks at ${url}`);
    assert.deepEqual((await getJson<{ items: unknown[] }>(`${url}/v1/evidence`)).items, [], `evidence at ${url}`);
    const { mode, reason } = await getJson<{ mode: string; reason?: string }>(`${url}/v1/consensus`);
    assert(active ? mode === 'active' : !['halted', 'doubt'].includes(mode), `${url} is ${mode}: ${reason}`);
  }
}

interface BlockPage {
  readonly items: readonly { readonly hash: string; readonly header: { readonly height: number } }[];
  readonly cursor?: string;
}

function exit(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code));
  });
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let collected = '';
  for await (const chunk of stream) collected += chunk;
  return collected;
}

async function firstLine(child: ChildProcess, stderr: Promise<string>): Promise<string> {
  return new Promise((resolve, reject) => {
    let collected = '';
    child.stdout!.on('data', (chunk) => {
      collected += chunk;
      const end = collected.indexOf('\n');
      if (end >= 0) resolve(collected.slice(0, end));
    });
    child.once('exit', async (code) => reject(new Error(`quorate ended with ${code}: ${collected}${await stderr}`)));
  });
}
