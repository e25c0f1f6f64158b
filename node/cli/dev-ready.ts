import type { ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { DevNode } from './dev-home.ts';
import { CliError, EXIT } from './errors.ts';
import { ask } from './http.ts';

/** A node of the home, and its process while there is one. */
export interface Running {
  readonly node: DevNode;
  child: ChildProcess | undefined;
  /** Where in its log this process begins. */
  logFrom: number;
  /** Once it answers. */
  url: string;
  /** Where it serves metrics, if it does. */
  metrics: string | undefined;
  /** What its chain calls it. */
  name: string;
}

interface Member {
  readonly index: number;
  readonly name: string;
  readonly leader: boolean;
}

/** Of a node's last line, that are shown when it did not start. */
const SAID_BYTES_MAX = 1_000;
const READY_WITHIN_MS = 60_000;
/** How long a node without a vote may take to follow: it may not be admitted any more. */
const FOLLOWS_WITHIN_MS = 10_000;

/** Where a process says at which address it answers. */
export const readyFileOf = ({ config }: DevNode): string => join(config, '../ready.json');

/** It answers. What was added to the home may end without taking the others with it. */
export async function untilAnswers(one: Running, stopping: AbortSignal): Promise<void> {
  const { node } = one;
  const { child } = one;
  const end = Date.now() + READY_WITHIN_MS;
  while (!stopping.aborted) {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
      if (node.isOriginal) throw notStarted(one, 'it ended');
      return;
    }
    if (Date.now() > end) throw notStarted(one, `no answer within ${READY_WITHIN_MS / 1_000} s`);
    try {
      const { url, metrics, name } = JSON.parse(readFileSync(readyFileOf(node), 'utf8'));
      one.url = url;
      one.metrics = metrics;
      one.name = name;
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    await delay(25);
  }
}

/** Whoever is in the set votes and has a channel to all others here; whoever is not follows, or is not admitted. */
export async function untilReady(running: readonly Running[], stopping: AbortSignal): Promise<void> {
  const names = (await newestSet(running)).map(({ name }) => name);
  const members = running.filter((one) => isUp(one) && names.includes(one.name));
  const others = running.filter((one) => isUp(one) && !members.includes(one));
  const until = async (one: Running, count: number, withinMs: number): Promise<string | undefined> => {
    const end = Date.now() + withinMs;
    let problem = '';
    while (!stopping.aborted && isUp(one)) {
      try {
        const { connected } = await ask<{ connected: number }>(one.url, '/readyz');
        if (connected >= count) return undefined;
        problem = `${connected} of ${count} validators are connected`;
      } catch (error) {
        if (!(error instanceof CliError)) throw error;
        problem = error.message;
      }
      if (Date.now() > end) return problem;
      await delay(25);
    }
    return stopping.aborted ? undefined : 'it ended';
  };
  await Promise.all(
    members.map(async (one) => {
      const problem = await until(one, members.length, READY_WITHIN_MS);
      if (problem !== undefined) throw notStarted(one, `not ready within ${READY_WITHIN_MS / 1_000} s: ${problem}`);
    }),
  );
  await Promise.all(
    others.map(async (one) => {
      const problem = await until(one, 1, FOLLOWS_WITHIN_MS);
      if (problem !== undefined) process.stderr.write(`${one.node.name} runs, but does not follow: ${problem}\n`);
    }),
  );
}

export const isUp = ({ child }: Running): boolean => child !== undefined;

/** The set as the node has it that is in the latest epoch: another one may have been away for a while. */
export async function newestSet(running: readonly Running[]): Promise<readonly Member[]> {
  let newest: { readonly epoch: number; readonly url: string } | undefined;
  for (const { url } of running.filter(isUp)) {
    const { epoch } = await ask<{ epoch: number }>(url, '/v1/chain');
    if (newest === undefined || epoch > newest.epoch) newest = { epoch, url };
  }
  return (await ask<{ items: readonly Member[] }>(newest!.url, '/v1/validators')).items;
}

function notStarted({ node: { name, config }, logFrom }: Running, reason: string): CliError {
  const log = join(config, '../node.log');
  const said = lastLine(log, logFrom);
  const last = said === '' ? '' : `, and said last: ${said}`;
  return new CliError(EXIT.failed, 'NOT_STARTED', `${name} did not start: ${reason}${last}; its log: ${log}`);
}

/** The end of a file that may be long, from a place on. */
function lastLine(path: string, from: number): string {
  const file = openSync(path, 'r');
  try {
    const start = Math.max(from, fstatSync(file).size - SAID_BYTES_MAX);
    const end = Buffer.alloc(SAID_BYTES_MAX);
    const length = readSync(file, end, 0, SAID_BYTES_MAX, start);
    return end.toString('utf8', 0, length).trimEnd().split('\n').at(-1)!;
  } finally {
    closeSync(file);
  }
}
