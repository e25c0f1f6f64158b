import { toHex } from '../../ledger/bytes.ts';
import { type Certificate, certificateCodec } from '../../ledger/checkpoint.ts';
import { decode } from '../../ledger/codec.ts';
import { quorateApplication } from '../../ledger/modules/index.ts';
import type { Parameters } from '../../ledger/parameters.ts';
import type { ValidatorSet } from '../../ledger/validators.ts';
import { peerSetOf, signingIn, startingEpoch } from '../../node/epochs.ts';
import { openJournal } from '../../node/journal/journal.ts';
import { Ledger } from '../../node/ledger/ledger.ts';
import type { Now, Ordered } from '../../node/pbft/events.ts';
import type { Evidence } from '../../node/pbft/messages.ts';
import { openPendingLog } from '../../node/pending-log.ts';
import type { Executed, Head, JournalPort, LedgerPort, Scheduler } from '../../node/ports.ts';
import type { Signer } from '../../node/signatures.ts';
import { Validator } from '../../node/validator.ts';
import type { SimChain } from './chain.ts';
import { simVerifyPool } from './crypto.ts';
import { SimDisk } from './disk.ts';
import type { Loop } from './loop.ts';
import type { Endpoint, SimNetwork } from './network.ts';
import type { Random } from './random.ts';

/** The clocks of one machine, against virtual time. */
export interface Clocks {
  wallOffsetMs: number;
  /** Of both clocks: 1 is right. */
  rate: number;
  /** Where `rate` began, and what the clocks showed then. */
  since: number;
  wallThen: number;
  monotonicThen: number;
}

/** What the rest of the simulator hears of one process. */
export interface NodeTap {
  signed(node: SimNode, bytes: Uint8Array): void;
  /** `ordered`: how the core says it was committed, unless it was caught up. */
  executed(node: SimNode, executed: Executed, ordered: Ordered | undefined): void;
  /** A snapshot took the place of all blocks up to its height. */
  installed(node: SimNode, head: Head): void;
  certificate(node: SimNode, certificate: Certificate): void;
  final(node: SimNode, height: number): void;
  /** After something reached the process. */
  touched(node: SimNode): void;
  fatal(node: SimNode, error: unknown): void;
  /** A write point; may crash the node. */
  point(node: SimNode, name: string): void;
  started(node: SimNode, doubt: string | undefined): void;
  log(node: SimNode, fields: object, message: string): void;
}

/** R8: small, so that a member that was away for a second takes a snapshot, in several chunks. */
const SNAPSHOT_BLOCKS = 12;
const SNAPSHOTS = { chunkBytes: 2_048, keptMs: 300 };

export interface SimWorld {
  readonly loop: Loop;
  readonly network: SimNetwork;
  readonly random: Random;
  readonly chain: SimChain;
  readonly tap: NodeTap;
  /** Start of the wall clocks in ms. */
  readonly startWall: number;
}

/** What a process knows of its epoch. */
export interface EpochSeen {
  readonly number: number;
  readonly validators: ValidatorSet;
  readonly parameters: Parameters;
}

interface Process {
  alive: boolean;
  validator: Validator | undefined;
  journal: JournalPort | undefined;
  ledger: LedgerPort | undefined;
}

/** One machine with its disk, and the validator process that runs on it now and then: all of it production code. */
export class SimNode implements Endpoint {
  readonly id: number;
  readonly machine: number;
  readonly peerKey: Uint8Array;
  readonly name: string;
  readonly world: SimWorld;
  disk = new SimDisk();
  /** Of the log of pending transactions: what happens to the journal does not happen to it, but for a power cut. */
  readonly pendingDisk = new SimDisk();
  readonly clocks: Clocks;
  /** Virtual time until which the process stands still. */
  pausedUntil = 0;
  /** Milliseconds of one disk access, at most. */
  diskMs = 0.5;
  /** The next disk accesses that fail. */
  failing = 0;
  /** Why a disk access at this write point fails, if it does: for directed runs. */
  refuses: (point: string) => string | undefined = () => undefined;
  /** Write points are named with their place in the source. */
  exactPoints = false;
  /** T04: timers fire early, late, twice, and after they were cancelled. */
  wildTimers = false;
  #process: Process | undefined;
  #epoch: EpochSeen | undefined;
  /** That it signed with last. */
  #key: string | undefined;
  /** The consensus keys in its files. */
  readonly signers: Signer[];
  /** How often it was started. */
  starts = 0;

  constructor(world: SimWorld, id: number, machine: number, name: string) {
    this.world = world;
    this.id = id;
    this.machine = machine;
    this.peerKey = world.chain.peerKeyOf(machine);
    this.name = name;
    this.signers = [world.chain.signerOf(machine)];
    this.clocks = { wallOffsetMs: 0, rate: 1, since: 0, wallThen: world.startWall, monotonicThen: 0 };
    world.network.add(this);
  }

  get validator(): Validator | undefined {
    return this.#process?.validator;
  }

  /** The epoch that it was in last, as far as it ran. */
  get epoch(): EpochSeen | undefined {
    const config = this.validator?.state.config;
    if (config !== undefined) this.#epoch = { number: config.epoch, ...config };
    return this.#epoch;
  }

  /** A new consensus key in its files: it counts from the next start, which follows if a process runs or boots. */
  addKey(signer: Signer): void {
    this.signers.push(signer);
    if (this.#process === undefined) return;
    this.crash(false);
    this.start();
  }

  get journal(): JournalPort | undefined {
    return this.#process?.journal;
  }

  get ledger(): LedgerPort | undefined {
    return this.#process?.ledger;
  }

  /** Consensus key in hex: who it is in the epochs that it is a member of. */
  get key(): string {
    return this.#key ?? toHex(this.signers[0]!.publicKey);
  }

  /** What the process holds against a machine; nothing if that one is not in the epoch that the process is in. */
  evidenceAgainst(machine: number): readonly Evidence[] {
    const state = this.validator?.state;
    const { machineOf } = this.world.chain;
    const member = state?.config.validators.findIndex(({ key }) => machineOf(toHex(key)) === machine);
    return state?.evidence.get(member ?? -1) ?? [];
  }

  isUp(): boolean {
    return this.#process?.validator !== undefined;
  }

  now(): Now {
    const { wallOffsetMs, rate, since, wallThen, monotonicThen } = this.clocks;
    const passed = (this.world.loop.now - since) * rate;
    return { wall: Math.floor(wallThen + passed + wallOffsetMs), monotonic: monotonicThen + passed };
  }

  setRate(rate: number): void {
    const { wall, monotonic } = this.now();
    this.clocks.wallThen = wall - this.clocks.wallOffsetMs;
    this.clocks.monotonicThen = monotonic;
    this.clocks.since = this.world.loop.now;
    this.clocks.rate = rate;
  }

  /** Boots a process from the disk. */
  start(): void {
    if (this.#process !== undefined) return;
    const process: Process = { alive: true, validator: undefined, journal: undefined, ledger: undefined };
    this.#process = process;
    this.starts++;
    this.world.loop.settle();
    this.#boot(process).catch((error: unknown) => {
      if (process.alive) this.world.tap.fatal(this, error);
    });
  }

  /** The process is gone between two instructions; `power`: so is what was not synced. */
  crash(power: boolean): { readonly lost: boolean; readonly torn: boolean } {
    const process = this.#process;
    if (process !== undefined) {
      process.alive = false;
      this.#process = undefined;
      this.world.network.ended(this, !power);
    }
    this.pendingDisk.crash(power, this.world.random);
    return this.disk.crash(power, this.world.random);
  }

  /** Runs now, or when the pause is over if the process still runs then. */
  touch(run: () => void): void {
    const { loop, tap } = this.world;
    const process = this.#process;
    if (this.pausedUntil > loop.now) {
      loop.at(this.pausedUntil, () => {
        if (process?.alive) this.touch(run);
      });
      return;
    }
    run();
    if (this.isUp()) tap.touched(this);
  }

  async #boot(process: Process): Promise<void> {
    const { loop, network, chain, tap, random } = this.world;
    const { genesis, crypto } = chain;
    const isAlive = (): boolean => process.alive;
    const hooks = {
      isAlive,
      point: (name: string) => tap.point(this, name),
      latencyMs: () => random.between(0.05, this.diskMs) + Math.max(0, this.pausedUntil - loop.now),
      fails: (point: string) => (this.failing > 0 && this.failing-- > 0 ? 'EIO: i/o error' : this.refuses(point)),
      exact: this.exactPoints,
    };
    const fatal = (error: unknown): void => {
      if (process.alive) tap.fatal(this, error);
    };
    const signers = this.signers.map((one) => this.#tappedSigner(one));
    const ledger = new Ledger({
      directory: this.name,
      genesis,
      application: quorateApplication,
      peerKey: this.peerKey,
      openStore: async () => this.disk.openStore(loop, hooks),
      snapshots: SNAPSHOTS,
    });
    const opened = await ledger.open();
    if (!process.alive) return;
    const epoch = startingEpoch(opened);
    const signing = signingIn(epoch, this.peerKey, signers);
    const { journal, records, doubt } = await openJournal({
      directory: this.name,
      genesisId: genesis.id,
      validatorKey: (signing.signer ?? signers[0]!).publicKey,
      formerKeys: signers.map(({ publicKey }) => publicKey),
      epoch: epoch.number,
      mark: opened.mark,
      onFatal: fatal,
      onRotate: () => process.validator?.lastingEntries() ?? [],
      files: this.disk.journalFiles(loop, hooks),
      random: (length) => random.bytes(length),
      segmentBytes: 12 * 1024,
    });
    if (!process.alive) return;
    process.journal = journal;
    const { log: pendingLog, transactions } = await openPendingLog({
      directory: this.name,
      onFatal: fatal,
      files: this.pendingDisk.journalFiles(loop, hooks, 'pending'),
      segmentBytes: 4 * 1024,
      slackBytes: 8 * 1024,
    });
    if (!process.alive) return;
    const peers = peerSetOf(epoch, this.peerKey, opened.membership, true, genesis);
    const port = this.#ledgerPort(ledger, isAlive);
    const validator = new Validator({
      genesis,
      application: quorateApplication,
      peerKey: this.peerKey,
      signers,
      verify: crypto.verify,
      verifyPool: simVerifyPool(loop, crypto, isAlive),
      ledger: port,
      opened,
      journal,
      records,
      doubt: doubt?.reason,
      pendingLog,
      snapshotBlocks: SNAPSHOT_BLOCKS,
      network: network.networkOf(this, peers, isAlive),
      log: this.#log(),
      scheduler: this.#scheduler(process),
      now: () => this.now(),
      fatal,
    });
    await validator.intake.restore(transactions);
    if (!process.alive) return;
    validator.observe({
      executed() {},
      final: (height) => tap.final(this, height),
      expired() {},
    });
    process.validator = validator;
    process.ledger = port;
    tap.started(this, doubt?.reason);
    validator.start();
    network.started(this);
    tap.touched(this);
  }

  #scheduler(process: Process): Scheduler {
    const { loop } = this.world;
    const guarded = (run: () => void): void => {
      if (!process.alive) return;
      loop.settle();
      this.touch(run);
    };
    return {
      setTimer: (delayMs, run) => {
        const waitMs = Math.max(0, delayMs) / this.clocks.rate;
        return this.wildTimers ? this.#wildTimer(waitMs, () => guarded(run)) : loop.after(waitMs, () => guarded(run));
      },
      soon: (run) => void loop.after(0.01, () => guarded(run)),
    };
  }

  #wildTimer(waitMs: number, run: () => void): () => void {
    const { loop, random } = this.world;
    const stop = loop.after(waitMs * random.pick([0.1, 0.5, 1, 1, 3]), run);
    if (random.chance(0.2)) loop.after(waitMs * random.between(0, 2), run);
    return random.chance(0.5) ? stop : () => {};
  }

  /** The ledger thread: answers come after a virtual moment, in the order of the calls. */
  #ledgerPort(ledger: Ledger, isAlive: () => boolean): LedgerPort {
    const { loop, tap, random } = this.world;
    const later = async <T>(work: () => Promise<T>): Promise<T> => {
      loop.settle();
      await loop.wait(random.between(0.05, 0.4));
      if (!isAlive()) return new Promise(() => {});
      const result = await work();
      loop.settle();
      return isAlive() ? result : new Promise(() => {});
    };
    // As messages to a worker, calls never overtake each other.
    let last: Promise<unknown> = Promise.resolve();
    const inOrder = <T>(work: () => Promise<T>): Promise<T> => {
      const result = last.then(() => later(work));
      last = result.catch(() => undefined);
      return result;
    };
    return {
      open: () => ledger.open(),
      execute: (batch, transactions, ordered, mark) =>
        inOrder(async () => {
          const executed = await ledger.execute(batch, transactions, ordered, mark);
          if (isAlive() && executed !== undefined) tap.executed(this, executed, ordered);
          return executed;
        }),
      executeSynced: (block, expected, mark) =>
        inOrder(async () => {
          const executed = await ledger.executeSynced(block, expected, mark);
          if (isAlive()) tap.executed(this, executed, undefined);
          return executed;
        }),
      storeCertificate: (certificate) =>
        inOrder(async () => {
          tap.certificate(this, decode(certificateCodec, certificate));
          await ledger.storeCertificate(certificate);
        }),
      stage: (step) => inOrder(() => ledger.stage(step)),
      install: (mark) =>
        inOrder(async () => {
          const installed = await ledger.install(mark);
          if (isAlive() && installed !== undefined) tap.installed(this, installed.head);
          return installed;
        }),
      recover: (handoff, mark) => inOrder(() => ledger.recover(handoff, mark)),
      storeHandoffs: (updates) => inOrder(() => ledger.storeHandoffs(updates)),
      blocksAbove: (above, bytesMax) => later(() => ledger.blocksAbove(above, bytesMax)),
      query: (name, args) => later(() => ledger.query(name, args)),
      close: () => ledger.close(),
    };
  }

  #tappedSigner(signer: Signer): Signer {
    return {
      publicKey: signer.publicKey,
      sign: (message) => {
        this.#key = toHex(signer.publicKey);
        this.world.tap.signed(this, message);
        return signer.sign(message);
      },
    };
  }

  #log() {
    const { tap } = this.world;
    const log = (fields: object, message: string): void => tap.log(this, fields, message);
    return { debug() {}, info: log, warn: log, error: log };
  }
}
