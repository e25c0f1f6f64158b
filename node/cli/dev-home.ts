import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createGenesis, possessionMessage } from '../../genesis/ceremony.ts';
import { readGenesis } from '../../genesis/genesis.ts';
import { defaultParameters } from '../../ledger/parameters.ts';
import { readKeyFile, writeKeyFile } from '../../light/keystore/key-file.ts';
import { peerIdOf } from '../../p2p/peer-id.ts';
import { type NodeConfig, parseConfig } from '../config.ts';
import { chooseSignatures, createSigner } from '../signatures.ts';
import { DEV_ACCOUNTS, devAdministrator, devSeed } from './accounts.ts';
import { CliError, EXIT } from './errors.ts';

const NAMES = ['acme', 'globex', 'initech', 'umbrella', 'hooli', 'vandelay', 'stark'];
/** From, and below. */
const PORTS = [20_000, 30_000] as const;

export interface DevNode {
  /** Of its directory: the name that it has in genesis, if it is there. */
  readonly name: string;
  readonly config: string;
  /** Undefined if it takes a free port. */
  readonly url: string | undefined;
  /** Where other nodes find it; undefined if that is another place with every start. */
  readonly address: string | undefined;
  /** In genesis; others have been added to the home since. */
  readonly isOriginal: boolean;
}

export interface DevHome {
  readonly home: string;
  readonly genesisFile: string;
  readonly genesisId: Uint8Array;
  readonly isNew: boolean;
  /** Of genesis, in its order. */
  readonly organisations: readonly string[];
  /** Every node that has its files here: those of genesis first, in its order, then the others by name. */
  readonly nodes: readonly DevNode[];
}

/** A development network's files: those that are in `home`, or new ones. The first API port is `port`; 0 takes free ones. */
export async function openDevHome(home: string, count: number, port: number): Promise<DevHome> {
  const genesisFile = genesisFileIn(home);
  const existing = await readFile(genesisFile, 'utf8').catch(() => undefined);
  const text = existing ?? (await makeHome(home, count, port));
  const read = readGenesis(text, chooseSignatures().verify);
  if (!read.ok) throw new CliError(EXIT.failed, 'GENESIS', `${genesisFile}: ${read.problem}`);
  const original = read.genesis.validators.map(({ name }) => name);
  const nodes: DevNode[] = [];
  for (const name of [...original, ...(await addedTo(home, original))]) {
    const config = join(home, name, 'node.toml');
    const { api, p2p, keys } = parseConfig(await readFile(config, 'utf8'), config);
    const url = api.port === 0 ? undefined : `http://${api.host}:${api.port}`;
    nodes.push({ name, config, url, address: addressOf(p2p, keys.peer), isOriginal: original.includes(name) });
  }
  const organisations = read.genesis.organisations.map(({ name }) => name);
  return { home, genesisFile, genesisId: read.genesis.id, isNew: existing === undefined, organisations, nodes };
}

const genesisFileIn = (home: string): string => join(home, 'genesis.json');

function addressOf({ announce, listen }: NodeConfig['p2p'], peerKeyFile: string): string | undefined {
  const [address] = [...announce, ...listen];
  if (address === undefined || address.endsWith('/tcp/0') || !existsSync(peerKeyFile)) return undefined;
  return `${address}/p2p/${peerIdOf(readKeyFile(peerKeyFile, 'peer').publicKey)}`;
}

/** Directories of nodes that are not of genesis: whoever joined, or observes. */
async function addedTo(home: string, original: readonly string[]): Promise<string[]> {
  const entries = await readdir(home, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isDirectory() && !original.includes(entry.name))
    .map(({ name }) => name);
  return names.filter((name) => existsSync(join(home, name, 'node.toml'))).sort();
}

async function makeHome(home: string, count: number, port: number): Promise<string> {
  if (count < 1 || count > NAMES.length)
    throw new CliError(EXIT.usage, 'USAGE', `--nodes ${count}: expected 1 to ${NAMES.length}`);
  return makeDevHome(home, NAMES.slice(0, count), port);
}

/**
 * The files of a development network of validators with these names, each of an organisation of its own; the text of its genesis
 * file. Throws CliError for names that a genesis file can't have.
 */
export async function makeDevHome(home: string, names: readonly string[], port: number): Promise<string> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const count = names.length;
  const ports = await freePorts(port === 0 ? 3 * count : 2 * count);
  const apiPorts = names.map((_, i) => (port === 0 ? ports[2 * count + i]! : port + i));
  const chain = 'quorate-dev';
  const members = await Promise.all(names.map((name) => makeKeys(join(home, name), name)));
  const created = createGenesis(
    {
      chain,
      time: Date.now(),
      recovery: 67,
      organisations: names.map((name) => ({
        name,
        administrators: [createSigner(devAdministrator(name).seed).publicKey],
        threshold: 1,
        roles: ['writer', 'issuer'],
      })),
      validators: members.map(({ validator, consensus }) => ({
        ...validator,
        possession: consensus.sign(possessionMessage(chain, validator)),
        addresses: [],
      })),
      accounts: DEV_ACCOUNTS.map(({ name, roles }) => ({
        name,
        organisation: names[0]!,
        key: createSigner(devSeed('account', name)).publicKey,
        roles,
      })),
      parameters: defaultParameters,
    },
    chooseSignatures().verify,
  );
  if (!created.ok) throw new CliError(EXIT.failed, 'GENESIS', created.problem);
  // One reachable address is enough: the others are found over gossip.
  const bootstrap = `/ip4/127.0.0.1/tcp/${ports[0]}/p2p/${peerIdOf(members[0]!.validator.peerKey)}`;
  for (const [i, name] of names.entries()) {
    await writeFile(
      join(home, name, 'node.toml'),
      nodeToml(ports[i]!, i === 0 ? [] : [bootstrap], apiPorts[i]!, ports[count + i]!),
    );
  }
  // Last: a home without a genesis file is no home yet.
  await writeFile(genesisFileIn(home), created.genesis.text);
  return created.genesis.text;
}

async function makeKeys(directory: string, name: string) {
  await mkdir(join(directory, 'keys'), { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const key = (kind: 'consensus' | 'peer') =>
    writeKeyFile(join(directory, 'keys', `${kind}.json`), kind, randomBytes(32)).seed;
  const consensus = createSigner(key('consensus'));
  const peer = createSigner(key('peer'));
  return { consensus, validator: { name, organisation: name, key: consensus.publicKey, peerKey: peer.publicKey } };
}

function nodeToml(p2pPort: number, bootstrap: readonly string[], apiPort: number, metricsPort: number): string {
  return `# A validator of a development network, made by quorate dev.
genesis = "../genesis.json"
data = "data"

[keys]
consensus = "keys/consensus.json"
peer = "keys/peer.json"

[p2p]
listen = ["/ip4/127.0.0.1/tcp/${p2pPort}"]
bootstrap = ${JSON.stringify(bootstrap)}

[api]
host = "127.0.0.1"
port = ${apiPort}

[metrics]
host = "127.0.0.1"
port = ${metricsPort}
`;
}

/**
 * Ports that nobody listens on now. Below those that systems give to outgoing connections (32768 and above, on Linux): one
 * of these could be in use by the time a node listens.
 */
async function freePorts(count: number): Promise<number[]> {
  const servers = new Map<number, Server>();
  for (let tries = 0; servers.size < count; tries++) {
    const port = randomInt(...PORTS);
    if (servers.has(port)) continue;
    const server = createServer();
    try {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      servers.set(port, server);
    } catch (error) {
      if (tries > 100 * count) throw error;
    }
  }
  await Promise.all([...servers.values()].map((server) => new Promise((resolve) => server.close(resolve))));
  return [...servers.keys()];
}
