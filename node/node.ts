import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startApi } from '../api/index.ts';
import { type Genesis, readGenesis } from '../genesis/genesis.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import { quorateApplication } from '../ledger/modules/index.ts';
import { signBytes } from '../ledger/sign-bytes.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import { type Log, type Network, startNetwork } from '../p2p/index.ts';
import type { NodeConfig } from './config.ts';
import { installFastHashing } from './hashing.ts';
import { openJournal } from './journal/journal.ts';
import { type KeyFile, readKeyFile } from './key-file.ts';
import { startLedger } from './ledger/client.ts';
import { createNodePort } from './node-port.ts';
import { readText } from './read-text.ts';
import { processScheduler } from './scheduler.ts';
import { chooseSignatures, createSigner } from './signatures.ts';
import { Validator } from './validator.ts';
import { createVerifyPool } from './verify/pool.ts';
import { readVerifyPage } from './verify-page.ts';

export interface NodeOptions {
  readonly config: NodeConfig;
  /** Of the package. */
  readonly version: string;
  readonly log: Log;
  /** Stands between this validator and the network; tests put a faulty one there. */
  readonly wrapNetwork?: (network: Network) => Network;
  /** Disk, ledger or a thread failed: the process must end, and starts again from what is durable. Called once. */
  onFatal(error: unknown): void;
}

export interface RunningNode {
  readonly url: string;
  readonly name: string;
  readonly index: number;
  readonly p2pAddresses: readonly string[];
  readonly genesisId: Uint8Array;
  close(): Promise<void>;
}

export type StartErrorCode = 'GENESIS' | 'NOT_A_VALIDATOR' | 'PEER_KEY' | 'APPLICATION';

/** Why a node does not start: the files it is given do not fit together. */
export class StartError extends Error {
  readonly code: StartErrorCode;

  constructor(code: StartErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Starts one validator from its files; rejects with an error that has a `code` if anything does not fit. */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const { config, version, log, onFatal, wrapNetwork = (network) => network } = options;
  let failed = false;
  const fatal = (error: unknown): void => {
    if (failed) return;
    failed = true;
    onFatal(error);
  };
  const hashing = installFastHashing();
  const { name: engine, verify, skipped } = chooseSignatures();
  log.info({ engine, skipped, ...hashing }, 'cryptography chosen');
  const genesis = await loadGenesis(config.genesis, verify);
  for (const warning of genesis.warnings) log.warn({ warning }, 'genesis');
  const consensusKey = readKeyFile(config.keys.consensus, 'consensus');
  const peerKey = readKeyFile(config.keys.peer, 'peer');
  const self = ownIndex(genesis, consensusKey, peerKey, config.genesis);
  const signer = createSigner(consensusKey.seed);

  // The ledger comes first: LevelDB's LOCK keeps a second process with this key out, also of the journal.
  await mkdir(config.data, { recursive: true, mode: 0o700 });
  const directory = join(config.data, 'ledger');
  const { archive } = config.ledger;
  const ledger = startLedger({ directory, genesisText: genesis.text, validatorKey: signer.publicKey, archive }, fatal);
  const verifyPool = createVerifyPool({ workers: config.threads.verify, onFatal: fatal });
  const closing: (() => unknown)[] = [() => verifyPool.close(), () => ledger.close()];
  const closeAll = async (): Promise<void> => {
    // What is cut short by closing is no failure of the node.
    failed = true;
    for (const close of closing.splice(0).reverse()) await close();
  };
  try {
    const opened = await ledger.open();
    let validator: Validator | undefined;
    const { journal, records, doubt } = await openJournal({
      directory: join(config.data, 'journal'),
      genesisId: genesis.id,
      validatorKey: signer.publicKey,
      mark: opened.mark,
      onFatal: fatal,
      onRotate: () => validator?.lastingEntries() ?? [],
    });
    closing.push(() => journal.close());
    if (doubt !== undefined) log.error({ reason: doubt }, 'the journal is in doubt: this validator will not vote');
    const network = wrapNetwork(await connect(config, genesis, self, peerKey, verify, log));
    closing.push(() => network.close());
    const running = new Validator({
      genesis,
      application: quorateApplication,
      self,
      signer,
      verify,
      verifyPool,
      ledger,
      opened,
      journal,
      records,
      doubt,
      network,
      log,
      scheduler: processScheduler,
      now: () => ({ wall: Date.now(), monotonic: performance.now() }),
      fatal,
    });
    validator = running;
    closing.push(() => running.close());
    const { name } = genesis.validators[self]!;
    const info = { name, index: self, version, genesisId: genesis.id, chain: genesis.chain, genesisText: genesis.text };
    const node = createNodePort(info, genesis, running, ledger, network);
    closing.push(() => node.close());
    const { host, port } = config.api;
    const verifyPage = await readVerifyPage(log);
    const api = await startApi({ node, application: quorateApplication, verifyPage, host, port, log });
    closing.push(() => api.close());
    running.start();
    log.info(
      { name, index: self, url: api.url, height: opened.head.height, genesis: toHex(genesis.id) },
      'validator started',
    );
    return {
      url: api.url,
      name,
      index: self,
      p2pAddresses: network.addresses(),
      genesisId: genesis.id,
      close: closeAll,
    };
  } catch (error) {
    // What closing says matters less than why the node did not start.
    await closeAll().catch((second: unknown) => log.warn({ err: second }, 'not closed in good order'));
    throw error;
  }
}

async function loadGenesis(path: string, verify: VerifySignature): Promise<Genesis> {
  let text: string;
  try {
    text = await readText(path);
  } catch (cause) {
    throw new StartError('GENESIS', `genesis file ${path} can't be read: ${(cause as Error).message}`, { cause });
  }
  const read = readGenesis(text, verify);
  if (!read.ok) throw new StartError('GENESIS', `genesis file ${path}: ${read.problem}`);
  const versions = quorateApplication.versionProblem(read.genesis.parameters);
  if (versions !== undefined) throw new StartError('APPLICATION', versions);
  return read.genesis;
}

/** Which validator of the genesis file these keys are. */
function ownIndex(genesis: Genesis, consensus: KeyFile, peer: KeyFile, path: string): number {
  const index = genesis.validators.findIndex(({ key }) => equalBytes(key, consensus.publicKey));
  const own = genesis.validators[index];
  if (own === undefined) {
    const key = toHex(consensus.publicKey);
    throw new StartError(
      'NOT_A_VALIDATOR',
      `consensus key ${key} is of none of the ${genesis.validators.length} validators in ${path}`,
    );
  }
  if (!equalBytes(own.peerKey, peer.publicKey)) {
    const found = toHex(peer.publicKey);
    throw new StartError(
      'PEER_KEY',
      `peer key ${found} is not that of validator ${own.name}, which is ${toHex(own.peerKey)}`,
    );
  }
  return index;
}

function connect(
  { p2p }: NodeConfig,
  genesis: Genesis,
  self: number,
  peerKey: KeyFile,
  verify: VerifySignature,
  log: Log,
): Promise<Network> {
  const message = (body: Uint8Array): Uint8Array => signBytes('peerRecord', genesis.id, body);
  const signer = createSigner(peerKey.seed);
  const peers = genesis.validators.map((validator, index) => ({
    name: validator.name,
    peerKey: validator.peerKey,
    addresses: genesis.addresses[index] ?? [],
  }));
  return startNetwork({
    genesisId: genesis.id,
    set: { epoch: 0, self, peers, guests: [] },
    peerSecret: peerKey.seed,
    listen: p2p.listen,
    bootstrap: p2p.bootstrap,
    announce: p2p.announce,
    signRecord: (body) => signer.sign(message(body)),
    verifyRecord: (signature, body, publicKey) => verify(signature, message(body), publicKey),
    log,
  });
}
