import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startApi } from '../api/index.ts';
import { type Genesis, readGenesis } from '../genesis/genesis.ts';
import { equalBytes, toHex } from '../ledger/bytes.ts';
import type { Epoch } from '../ledger/modules/epoch.ts';
import { quorateApplication } from '../ledger/modules/index.ts';
import { type Parameters, parametersProblem } from '../ledger/parameters.ts';
import { signBytes } from '../ledger/sign-bytes.ts';
import type { VerifySignature } from '../ledger/signature.ts';
import { type KeyFile, readKeyFile } from '../light/keystore/key-file.ts';
import { type Cipher, type Log, type PeerNetwork, type PeerSet, startNetwork } from '../p2p/index.ts';
import { chooseCipher } from './cipher.ts';
import type { NodeConfig } from './config.ts';
import { peerSetOf, signingIn, startingEpoch } from './epochs.ts';
import { installFastHashing } from './hashing.ts';
import { JournalError } from './journal/error.ts';
import { type JournalOptions, type OpenedJournal, openJournal } from './journal/journal.ts';
import { startLedger } from './ledger/client.ts';
import { DataFolder } from './metrics/data-folder.ts';
import { watchLoopDelay } from './metrics/loop-delay.ts';
import { startMetrics } from './metrics/server.ts';
import { createNodePort } from './node-port.ts';
import { readPage } from './pages.ts';
import { openPendingLog } from './pending-log.ts';
import type { Membership } from './ports.ts';
import { readText } from './read-text.ts';
import { applyRecovery, readRecovery } from './recovery.ts';
import { processScheduler } from './scheduler.ts';
import { chooseSignatures, createSigner, type Signer } from './signatures.ts';
import { Validator } from './validator.ts';
import { createVerifyPool } from './verify/pool.ts';

export interface NodeOptions {
  readonly config: NodeConfig;
  /** Of the package. */
  readonly version: string;
  readonly log: Log;
  /** R10: path of a recovery that is to be taken, if its hash is accepted. */
  readonly recovery?: string | undefined;
  /** Stands between this validator and the network; tests put a faulty one there. */
  readonly wrapNetwork?: (network: PeerNetwork) => PeerNetwork;
  /** Disk, ledger or a thread failed: the process must end, and starts again from what is durable. Called once. */
  onFatal(error: unknown): void;
}

export interface RunningNode {
  readonly url: string;
  /** Where `/metrics` is, if it is served. */
  readonly metricsUrl: string | undefined;
  readonly name: string;
  /** In the set at the start; undefined for a node without a vote. */
  readonly index: number | undefined;
  readonly p2pAddresses: readonly string[];
  readonly genesisId: Uint8Array;
  close(): Promise<void>;
}

export type StartErrorCode = 'GENESIS' | 'NOT_A_VALIDATOR' | 'PEER_KEY' | 'APPLICATION' | 'LISTEN';

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
  const { config, version, log, onFatal, recovery, wrapNetwork = (network) => network } = options;
  let failed = false;
  const fatal = (error: unknown): void => {
    if (failed) return;
    failed = true;
    onFatal(error);
  };
  const hashing = installFastHashing();
  const { name: engine, verify, skipped } = chooseSignatures();
  const cipher = chooseCipher();
  log.info({ engine, skipped, ...hashing, cipher: cipher?.name ?? 'libp2p' }, 'cryptography chosen');
  const genesis = await loadGenesis(config.genesis, verify);
  for (const warning of genesis.warnings) log.warn({ warning }, 'genesis');
  const peerKey = readKeyFile(config.keys.peer, 'peer');
  const signers = readSigners(config);

  // The ledger comes first: LevelDB's LOCK keeps a second process with these keys out, also of the journal.
  await mkdir(config.data, { recursive: true, mode: 0o700 });
  const directory = join(config.data, 'ledger');
  const { archive } = config.ledger;
  const ledger = startLedger({ directory, genesisText: genesis.text, peerKey: peerKey.publicKey, archive }, fatal);
  const verifyPool = createVerifyPool({ workers: config.threads.verify, onFatal: fatal });
  const closing: (() => unknown)[] = [() => verifyPool.close(), () => ledger.close()];
  const closeAll = async (): Promise<void> => {
    // What is cut short by closing is no failure of the node.
    failed = true;
    for (const close of closing.splice(0).reverse()) await close();
  };
  try {
    let opened = await ledger.open();
    if (recovery !== undefined) {
      const file = readRecovery(await readText(recovery), recovery);
      opened = await applyRecovery(ledger, opened, file, { genesis, accepted: config.recovery.accept, verify, log });
    }
    const epoch = startingEpoch(opened);
    checkVersions(epoch.parameters);
    checkIdentity(epoch, peerKey, signers, config.observer);
    const { signer, self } = signingIn(epoch, peerKey.publicKey, signers);
    let validator: Validator | undefined;
    const { journal, records, doubt } = await openOwnJournal(
      {
        directory: join(config.data, 'journal'),
        genesisId: genesis.id,
        epoch: epoch.number,
        mark: opened.mark,
        onFatal: fatal,
        onRotate: () => validator?.lastingEntries() ?? [],
      },
      signer?.publicKey,
      [peerKey.publicKey, ...signers.map(({ publicKey }) => publicKey)],
    );
    closing.push(() => journal.close());
    if (doubt !== undefined) log.error({ ...doubt }, 'the journal is in doubt: this validator will not vote');
    const { log: pendingLog, transactions } = await openPendingLog({
      directory: join(config.data, 'pending'),
      onFatal: fatal,
    });
    closing.push(() => pendingLog.close());
    const peerSet = peerSetOf(epoch, peerKey.publicKey, opened.membership, true, genesis);
    const network = wrapNetwork(await connect(config, genesis, peerSet, peerKey, { verify, cipher, log }));
    closing.push(() => network.close());
    const running = new Validator({
      genesis,
      application: quorateApplication,
      peerKey: peerKey.publicKey,
      signers,
      verify,
      verifyPool,
      ledger,
      opened,
      journal,
      records,
      doubt: doubt?.reason,
      pendingLog,
      network,
      acceptRecovery: config.recovery.accept,
      log,
      scheduler: processScheduler,
      now: () => ({ wall: Date.now(), monotonic: performance.now() }),
      fatal,
    });
    validator = running;
    closing.push(() => running.close());
    const restored = await running.intake.restore(transactions);
    if (restored > 0) log.info({ transactions: restored }, 'acknowledged before this start, and pending again');
    const name = nameOf(opened.membership, peerKey.publicKey);
    const info = { name, version, genesisId: genesis.id, chain: genesis.chain, genesisText: genesis.text };
    const node = createNodePort(info, running, ledger, network);
    closing.push(() => node.close());
    const [verifyPage, docsPage] = await Promise.all([readPage('verify', log), readPage('docs', log)]);
    const api = await listening('api', config.api, (at) =>
      startApi({ node, application: quorateApplication, verifyPage, docsPage, ...at, log }),
    );
    closing.push(() => api.close());
    const data = new DataFolder(config.data, () => performance.now());
    const source = { node, validator: running, data, loop: watchLoopDelay(), api: () => api.counts() };
    closing.push(() => source.loop.stop());
    const metrics =
      config.metrics && (await listening('metrics', config.metrics, (at) => startMetrics({ ...at, source, log })));
    closing.push(() => metrics?.close());
    running.start();
    log.info(
      {
        name,
        index: self,
        url: api.url,
        metrics: metrics?.url,
        height: opened.head.height,
        genesis: toHex(genesis.id),
      },
      self === undefined ? 'node started without a vote' : 'validator started',
    );
    return {
      url: api.url,
      metricsUrl: metrics?.url,
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

/** Starts what listens, and says in which section of the configuration the address stands that it can't have. */
async function listening<A extends { readonly host: string; readonly port: number }, T>(
  section: string,
  at: A,
  start: (at: A) => Promise<T>,
): Promise<T> {
  try {
    return await start(at);
  } catch (cause) {
    const { message } = cause as Error;
    const place = `${at.host}:${at.port}`;
    throw new StartError(
      'LISTEN',
      `[${section}] can't be served at ${place}: ${message}. Choose another host or port`,
      {
        cause,
      },
    );
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
  return read.genesis;
}

/** E1: a binary that does not implement what an epoch runs does not take part in it. */
function checkVersions(parameters: Parameters): void {
  const problem = parametersProblem(parameters) ?? quorateApplication.versionProblem(parameters);
  if (problem !== undefined) throw new StartError('APPLICATION', problem);
}

/** What the ledger calls this node, if it knows it. */
function nameOf({ current, guests }: Membership, key: Uint8Array): string {
  return [...current.validators, ...guests].find(({ peerKey }) => equalBytes(peerKey, key))?.name ?? 'observer';
}

/** The consensus keys of this node's files. A node that has no vote yet may have none. */
function readSigners({ keys, observer }: NodeConfig): readonly Signer[] {
  const paths = keys.next === undefined ? [keys.consensus] : [keys.consensus, keys.next];
  const present = observer ? paths.filter((path) => existsSync(path)) : paths;
  return present.map((path) => createSigner(readKeyFile(path, 'consensus').seed));
}

/**
 * R1: the journal of the key that the set names; `keys` are all that this node has had, oldest first. Without a vote it
 * stays whose it is: it may be that of a later epoch than the ledger has, if the ledger was lost.
 */
async function openOwnJournal(
  options: Omit<JournalOptions, 'validatorKey' | 'formerKeys'>,
  key: Uint8Array | undefined,
  keys: readonly Uint8Array[],
): Promise<OpenedJournal> {
  if (key !== undefined) {
    const index = keys.findIndex((one) => equalBytes(one, key));
    return openJournal({ ...options, validatorKey: key, formerKeys: keys.slice(0, index) });
  }
  let refused: unknown;
  for (const validatorKey of keys) {
    try {
      return await openJournal({ ...options, validatorKey, formerKeys: [] });
    } catch (error) {
      if (!(error instanceof JournalError) || error.code !== 'JOURNAL_FOREIGN') throw error;
      refused = error;
    }
  }
  throw refused;
}

/** Files that do not fit the set would leave a validator out without a word. */
function checkIdentity(
  { validators, number }: Epoch,
  peer: KeyFile,
  signers: readonly Signer[],
  observer: boolean,
): void {
  const own = validators.find(({ peerKey }) => equalBytes(peerKey, peer.publicKey));
  const named = validators.find(({ key }) => signers.some(({ publicKey }) => equalBytes(publicKey, key)));
  if (observer || (own !== undefined && own === named)) return;
  if (named !== undefined) {
    const found = toHex(peer.publicKey);
    throw new StartError(
      'PEER_KEY',
      `peer key ${found} is not that of validator ${named.name}, which is ${toHex(named.peerKey)}`,
    );
  }
  const keys = signers.map(({ publicKey }) => toHex(publicKey)).join(', ');
  const set = `the ${validators.length} validators of epoch ${number}`;
  const wanted = own === undefined ? '' : `; ${own.name}, which has this peer key, votes with ${toHex(own.key)}`;
  throw new StartError(
    'NOT_A_VALIDATOR',
    `consensus key ${keys} is of none of ${set}${wanted}. Use --observer to follow without a vote`,
  );
}

function connect(
  { p2p }: NodeConfig,
  genesis: Genesis,
  set: PeerSet,
  peerKey: KeyFile,
  { verify, cipher, log }: { verify: VerifySignature; cipher: Cipher | undefined; log: Log },
): Promise<PeerNetwork> {
  const message = (body: Uint8Array): Uint8Array => signBytes('peerRecord', genesis.id, body);
  const signer = createSigner(peerKey.seed);
  return startNetwork({
    genesisId: genesis.id,
    set,
    peerSecret: peerKey.seed,
    cipher,
    listen: p2p.listen,
    bootstrap: p2p.bootstrap,
    announce: p2p.announce,
    signRecord: (body) => signer.sign(message(body)),
    verifyRecord: (signature, body, publicKey) => verify(signature, message(body), publicKey),
    log,
  });
}
