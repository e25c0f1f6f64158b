import { renameSync, writeFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { pino } from 'pino';
import { toHex } from '../../ledger/bytes.ts';
import { type ConfigOverrides, readConfig } from '../config.ts';
import { startNode } from '../node.ts';
import { EXIT } from './errors.ts';
import { version } from './version.ts';

export interface StartOptions {
  readonly config: string;
  readonly overrides: ConfigOverrides;
  readonly readyFile: string | undefined;
  readonly logFile: string | undefined;
  /** R10: a file that `quorate recover` made. */
  readonly recovery: string | undefined;
  /** End when stdin does: the parent holds the other end. */
  readonly withParent: boolean;
}

/**
 * By how much a heap may grow over what is alive in it until it is collected. V8 lets it become four times as large in the
 * rush, and gives little back; but where it has little memory it is more careful by itself. As much again instead of half of it takes
 * 3 % less CPU at full load, and 18 MiB more.
 */
const HEAP_GROWTH_PERCENT = 50;
const LARGE_HEAP_BYTES = 2 * 1024 ** 3;

/**
 * What waits for its signature to be verified outlives a collection or two, from which V8 concludes that such objects live long:
 * it then makes them old from the start, and with them, until the next full collection, all that they refer to. 4 % of the CPU at
 * full load.
 */
const YOUNG_AT_FIRST = '--no-allocation-site-pretenuring';

/** `quorate start`: one node until SIGINT or SIGTERM; a second signal ends it at once. */
export async function start({
  config: path,
  overrides,
  readyFile,
  logFile,
  recovery,
  withParent,
}: StartOptions): Promise<number> {
  if (getHeapStatistics().heap_size_limit >= LARGE_HEAP_BYTES)
    setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
  setFlagsFromString(YOUNG_AT_FIRST);
  const config = await readConfig(path, overrides);
  const log = pino({ level: config.log.level, base: undefined }, pino.destination({ dest: logFile ?? 2, sync: true }));
  const ended = Promise.withResolvers<number>();
  const node = await startNode({
    config,
    recovery,
    version: version(),
    log,
    onFatal(error) {
      log.fatal({ err: error }, 'this node can not go on');
      // S1: after a failed write nothing may leave any more, so nothing is closed in good order.
      process.exit(EXIT.failed);
    },
  });
  // Otherwise only a process that ends in good order leaves what it compiled to the next.
  flushCompileCache();
  const { name, index, url, metricsUrl: metrics, p2pAddresses, genesisId } = node;
  const ready = { name, index, url, metrics, addresses: p2pAddresses, genesisId: toHex(genesisId), pid: process.pid };
  if (readyFile !== undefined) {
    writeFileSync(`${readyFile}.new`, `${JSON.stringify(ready)}\n`);
    renameSync(`${readyFile}.new`, readyFile);
  }
  process.stdout.write(
    index === undefined
      ? `node ${name} follows without a vote and answers at ${url}\n`
      : `validator ${name} answers at ${url}\n`,
  );
  const stop = (): void => {
    process.once('SIGINT', () => process.exit(EXIT.failed));
    process.once('SIGTERM', () => process.exit(EXIT.failed));
    log.info({}, 'stopping');
    node.close().then(() => ended.resolve(EXIT.ok), ended.reject);
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  if (withParent) process.stdin.once('end', stop).resume();
  const code = await ended.promise;
  process.stdin.pause();
  return code;
}
