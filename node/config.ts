import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'smol-toml';
import { z } from 'zod';

/** A configuration that can't be used: unknown key, wrong type, missing file. The message names file and key. */
export class ConfigError extends Error {
  readonly code = 'CONFIG';
}

/** H06: as a browser writes it, since it is compared as text. */
const origin = z.string().check(({ value, issues }) => {
  const problem = originProblem(value);
  if (problem !== undefined) issues.push({ code: 'custom', message: problem, input: value });
});

const fileSchema = z.strictObject({
  /** Paths are relative to the file. */
  genesis: z.string().default('genesis.json'),
  data: z.string().default('data'),
  keys: z
    .strictObject({
      consensus: z.string().default('keys/consensus.json'),
      /** Takes over at the epoch whose set names it instead. */
      next: z.string().optional(),
      peer: z.string().default('keys/peer.json'),
    })
    .prefault({}),
  /** Starts although the validator set does not name this node: it follows, and votes as soon as the set does. */
  observer: z.boolean().default(false),
  p2p: z
    .strictObject({
      listen: z.array(z.string()).min(1).default(['/ip4/0.0.0.0/tcp/7700']),
      bootstrap: z.array(z.string()).default([]),
      announce: z.array(z.string()).default([]),
    })
    .prefault({}),
  api: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: z.int().min(0).max(65_535).default(7_800),
      /** Web pages of these origins may use the API; of no other if it is empty. */
      origins: z.array(origin).default([]),
    })
    .prefault({}),
  /** Where metrics are served; nowhere without this section. */
  metrics: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: z.int().min(0).max(65_535).default(7_900),
    })
    .optional(),
  ledger: z
    .strictObject({
      /** Keeps the state provable at every height from now on. */
      archive: z.boolean().default(false),
    })
    .prefault({}),
  recovery: z
    .strictObject({
      /** R10: hashes of recoveries that this node follows, of which its operator was told by people. */
      accept: z.array(z.string().regex(/^0x[0-9a-f]{64}$/, 'expected 0x and 64 hex digits')).default([]),
    })
    .prefault({}),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') }).prefault({}),
  threads: z
    .strictObject({
      /** Threads that verify client signatures; 0 verifies on the main thread. */
      verify: z.int().min(0).max(64).default(1),
    })
    .prefault({}),
});

/** How one process runs; nothing here is agreed on with others. Paths are absolute. */
export type NodeConfig = z.infer<typeof fileSchema>;

/** Values from flags, which win over environment, file and defaults. */
export interface ConfigOverrides {
  readonly genesis?: string;
  readonly data?: string;
  readonly listen?: readonly string[];
  readonly bootstrap?: readonly string[];
  readonly apiHost?: string;
  readonly apiPort?: number;
  readonly apiOrigins?: readonly string[];
  readonly metricsHost?: string;
  readonly metricsPort?: number;
  readonly logLevel?: string;
  readonly verifyThreads?: number;
  readonly archive?: boolean;
  readonly observer?: boolean;
  readonly acceptRecovery?: readonly string[];
}

/** Reads a node's TOML file; flags > environment (QUORATE_…) > file > defaults. Throws ConfigError. */
export async function readConfig(
  path: string,
  flags: ConfigOverrides = {},
  environment: NodeJS.ProcessEnv = process.env,
): Promise<NodeConfig> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`config file ${path} can't be read: ${(error as Error).message}`, { cause: error });
  }
  return parseConfig(text, path, flags, environment);
}

export function parseConfig(
  text: string,
  path: string,
  flags: ConfigOverrides = {},
  environment: NodeJS.ProcessEnv = {},
): NodeConfig {
  let raw: unknown;
  try {
    raw = parse(text);
  } catch (error) {
    throw new ConfigError(`config file ${path} is not TOML: ${(error as Error).message}`, { cause: error });
  }
  const first = fileSchema.safeParse(raw);
  if (!first.success) throw new ConfigError(`config file ${path}: ${issues(first.error)}`);
  const overrides = { ...fromEnvironment(environment), ...withoutUndefined(flags) };
  const merged = fileSchema.safeParse(merge(first.data, overrides));
  if (!merged.success) throw new ConfigError(`flags or environment: ${issues(merged.error)}`);
  const home = dirname(resolve(path));
  const { genesis, data, keys } = merged.data;
  return {
    ...merged.data,
    genesis: resolve(home, genesis),
    data: resolve(home, data),
    keys: {
      consensus: resolve(home, keys.consensus),
      next: keys.next && resolve(home, keys.next),
      peer: resolve(home, keys.peer),
    },
  };
}

function merge(config: NodeConfig, overrides: ConfigOverrides): unknown {
  return {
    ...config,
    genesis: overrides.genesis === undefined ? config.genesis : resolve(overrides.genesis),
    data: overrides.data === undefined ? config.data : resolve(overrides.data),
    p2p: {
      ...config.p2p,
      listen: overrides.listen ?? config.p2p.listen,
      bootstrap: overrides.bootstrap ?? config.p2p.bootstrap,
    },
    api: {
      host: overrides.apiHost ?? config.api.host,
      port: overrides.apiPort ?? config.api.port,
      origins: overrides.apiOrigins ?? config.api.origins,
    },
    metrics: mergeMetrics(config.metrics, overrides),
    observer: overrides.observer ?? config.observer,
    ledger: { archive: overrides.archive ?? config.ledger.archive },
    recovery: { accept: overrides.acceptRecovery ?? config.recovery.accept },
    log: { level: overrides.logLevel ?? config.log.level },
    threads: { verify: overrides.verifyThreads ?? config.threads.verify },
  };
}

/** H09: any of the two says that metrics are to be served, by default on this machine only. */
function mergeMetrics(
  metrics: NodeConfig['metrics'],
  { metricsHost = metrics?.host, metricsPort = metrics?.port }: ConfigOverrides,
): unknown {
  if (metrics === undefined && metricsHost === undefined && metricsPort === undefined) return undefined;
  return { host: metricsHost, port: metricsPort };
}

function fromEnvironment(environment: NodeJS.ProcessEnv): ConfigOverrides {
  const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
  const list = (text: string | undefined): readonly string[] | undefined =>
    text?.split(',').filter((one) => one !== '');
  const flag = (text: string | undefined): unknown => (text === 'true' ? true : text === 'false' ? false : text);
  return withoutUndefined({
    genesis: environment.QUORATE_GENESIS,
    data: environment.QUORATE_DATA,
    listen: list(environment.QUORATE_LISTEN),
    bootstrap: list(environment.QUORATE_BOOTSTRAP),
    apiHost: environment.QUORATE_API_HOST,
    apiPort: number(environment.QUORATE_API_PORT),
    apiOrigins: list(environment.QUORATE_API_ORIGINS),
    metricsHost: environment.QUORATE_METRICS_HOST,
    metricsPort: number(environment.QUORATE_METRICS_PORT),
    logLevel: environment.QUORATE_LOG_LEVEL,
    verifyThreads: number(environment.QUORATE_VERIFY_THREADS),
    archive: flag(environment.QUORATE_ARCHIVE),
    observer: flag(environment.QUORATE_OBSERVER),
    acceptRecovery: list(environment.QUORATE_ACCEPT_RECOVERY),
  });
}

function originProblem(text: string): string | undefined {
  if (text.includes('*')) return "a '*' would let pages use this node that nobody has named: list each origin";
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    return `expected an origin such as https://app.example, got ${JSON.stringify(text)}`;
  return url.origin === text ? undefined : `expected an origin, ${url.origin}, got ${JSON.stringify(text)}`;
}

function withoutUndefined(values: object): ConfigOverrides {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as ConfigOverrides;
}

function issues(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => `${path.join('.') || 'file'}: ${message}`).join('; ');
}
