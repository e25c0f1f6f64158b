import type { SubmitOutcome } from '../../api/ports.ts';
import { toHex } from '../../ledger/bytes.ts';
import { encode, tryDecode } from '../../ledger/codec.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import { messageCodec } from '../../node/pbft/messages.ts';
import { ownIn } from '../../node/pbft/witness.ts';
import type { Validator } from '../../node/validator.ts';
import { FRAME_MESSAGE, shownAnswerCodec } from '../../node/wire.ts';
import { Adversary } from './adversary.ts';
import { type SimChain, simChain } from './chain.ts';
import { Checker, type Violation } from './checker.ts';
import { fakeCrypto, realCrypto } from './crypto.ts';
import type { Epoch } from './epochs.ts';
import { Faults } from './faults.ts';
import { Load } from './load.ts';
import { Loop } from './loop.ts';
import { SimNetwork } from './network.ts';
import { type NodeTap, SimNode, type SimWorld } from './node.ts';
import { Operators } from './operators.ts';
import { drawPlan, type Plan, type Profile } from './profile.ts';
import { Random } from './random.ts';
import { hasExecuted, storedEpoch } from './stored.ts';

export interface RunOptions {
  readonly seed: number;
  readonly profile: Profile;
  readonly nodes?: number | undefined;
  /** Keeps the log. */
  readonly verbose?: boolean;
  /** Instead of what the seed draws. */
  readonly plan?: Partial<Plan>;
  /** Hears of every write point, and may crash the node there. */
  readonly onPoint?: (node: SimNode, name: string) => void;
  /** Directs the run: called once, before anything happens. */
  readonly script?: (world: ScriptWorld) => void;
}

/** What a script may use. */
export interface ScriptWorld {
  readonly loop: Loop;
  readonly network: SimNetwork;
  readonly nodes: readonly SimNode[];
  readonly faults: Faults;
  readonly chain: SimChain;
  readonly checker: Checker;
  /** Ids of all that was submitted; what a script submits belongs here too. */
  readonly submitted: Set<string>;
  note(text: string): void;
  /** A client's transaction, valid for this long from now, with the next nonce. */
  transaction(validForMs?: number): Transaction;
  /** A client of its own submits it to this node; how that ended, unless the node is down. */
  submit(node: SimNode, transaction: Transaction): Promise<SubmitOutcome | undefined>;
}

export interface RunResult {
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** Of everything that was signed, executed and done to the nodes: equal for equal seeds. */
  readonly traceHash: string;
  readonly virtualMs: number;
  readonly steps: number;
  readonly viewChanges: number;
  readonly checkpoints: number;
  /** Sets that were in force. */
  readonly epochs: number;
  readonly stateTransfers: number;
  /** State transfers, or parts of one, by a snapshot (R8). */
  readonly snapshots: number;
  readonly byzantineActs: number;
  readonly transactions: number;
  readonly checks: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly points: ReadonlyMap<string, number>;
  readonly log: readonly string[];
}

const START_WALL = 1_700_000_001_000;
/** Far more than any run needs; a run that takes more is a storm of messages that does not end. */
const STEPS_MAX = 300_000;
/** More, for each ms of a long storm. */
const STEPS_PER_MS = 3;
/** After the network has healed, transactions are submitted for this long before everybody must agree. */
const WARM_MS = 500;

/** One seed: a storm of faults, then a healed network in which the correct members must agree and go on. */
export async function runSeed(options: RunOptions): Promise<RunResult> {
  const random = new Random(options.seed, 1);
  const plan = { ...drawPlan(random, options.profile, options.nodes), ...options.plan };
  return new Run(options, plan, random).run();
}

class Run {
  readonly #options: RunOptions;
  readonly #plan: Plan;
  readonly #random: Random;
  readonly #loop = new Loop();
  readonly #network: SimNetwork;
  readonly #chain: SimChain;
  readonly #nodes: SimNode[] = [];
  readonly #adversaries = new Map<number, Adversary>();
  readonly #checker: Checker;
  readonly #faults: Faults;
  readonly #operators: Operators | undefined;
  readonly #log: string[] = [];
  readonly #load: Load;
  #healed = false;
  #trace = 0x811c9dc5;
  readonly #totals = { viewChanges: 0, stateTransfers: 0, snapshots: 0 };
  readonly #counted = new Set<Validator>();

  constructor(options: RunOptions, plan: Plan, random: Random) {
    this.#options = options;
    this.#plan = plan;
    this.#random = random;
    this.#chain = simChain(plan.n, plan.parameters, plan.realSignatures ? realCrypto : fakeCrypto, plan.machines);
    this.#network = new SimNetwork(this.#loop, new Random(options.seed, 2));
    const faulty = new Set([...plan.twins, ...plan.scripted.keys(), ...plan.fragile]);
    this.#checker = new Checker(this.#chain, faulty);
    const world: SimWorld = {
      loop: this.#loop,
      network: this.#network,
      random: new Random(options.seed, 3),
      chain: this.#chain,
      tap: this.#tap(),
      startWall: START_WALL,
    };
    for (let machine = 0; machine < this.#chain.machines; machine++) {
      const copies = plan.twins.includes(machine) ? ['a', 'b'] : [''];
      for (const copy of copies) {
        const node = new SimNode(world, this.#nodes.length, machine, `v${machine}${copy}`);
        this.#nodes.push(node);
      }
    }
    this.#note(`plan ${JSON.stringify({ ...plan, scripted: [...plan.scripted] })}`);
    for (const [machine, strategies] of plan.scripted) {
      const own = { loop: this.#loop, network: this.#network, chain: this.#chain, nodes: this.#nodes };
      const node = this.#nodes.find((one) => one.machine === machine)!;
      const random = new Random(options.seed, 100 + machine);
      this.#adversaries.set(machine, new Adversary({ ...own, random }, node, strategies));
    }
    this.#faults = new Faults({
      loop: this.#loop,
      network: this.#network,
      random: new Random(options.seed, 4),
      nodes: this.#nodes,
      plan,
      log: (text) => this.#note(text),
    });
    this.#load = new Load({
      loop: this.#loop,
      random,
      nodes: this.#nodes,
      chain: this.#chain,
      checker: this.#checker,
      startWall: START_WALL,
      loadMs: plan.loadMs,
      count: (fault) => this.#faults.count(fault),
    });
    if (plan.operators === true) {
      this.#operators = new Operators({
        loop: this.#loop,
        random: new Random(options.seed, 5),
        chain: this.#chain,
        nodes: this.#nodes,
        faulty,
        most: plan.most ?? this.#chain.machines,
        submit: (node, transaction) => void this.#load.submit(node, transaction),
        note: (text) => this.#note(text),
      });
    }
    this.#network.corrupt = (from, to, frame) => this.#corrupt(from as SimNode, to as SimNode, frame);
    this.#network.corruptAnswer = (from, to, question, bytes) => {
      // R6 would stop a twin as soon as it hears of its other copy: it does not want to know.
      if (this.#plan.twins.includes(to.machine) && question[0] === SHOWN_REQUEST)
        return encode(shownAnswerCodec, { kind: 'shown', value: [] });
      return this.#adversaries.get(from.machine)?.answer(bytes) ?? bytes;
    };
  }

  async run(): Promise<RunResult> {
    this.#options.script?.({
      loop: this.#loop,
      network: this.#network,
      nodes: this.#nodes,
      faults: this.#faults,
      chain: this.#chain,
      checker: this.#checker,
      submitted: this.#load.submitted,
      note: (text) => this.#note(text),
      transaction: (validForMs = 600_000) => this.#load.transaction(validForMs),
      submit: (node, transaction) => this.#load.submit(node, transaction),
    });
    for (const node of this.#nodes) if (node.machine < this.#plan.n) node.start();
    this.#separateTwins();
    this.#operators?.start();
    this.#load.next();
    const stop = (): boolean => {
      const most = STEPS_MAX + STEPS_PER_MS * this.#plan.stormMs;
      if (this.#loop.steps > most) this.#checker.fail('I15', `more than ${most} steps`);
      return this.#checker.violations.length > 0;
    };
    await this.#loop.run(this.#plan.stormMs, stop);
    if (!stop()) await this.#heal(stop);
    this.#load.enter('over');
    this.#countTotals();
    const { counts } = this.#network;
    for (const kind of ['lost', 'duplicated', 'late', 'blocked'] as const) this.#faults.count(kind, counts[kind]);
    let byzantineActs = 0;
    for (const adversary of this.#adversaries.values()) {
      for (const [strategy, acts] of adversary.acts) {
        byzantineActs += acts;
        this.#faults.count(strategy, acts);
      }
    }
    for (const [kind, count] of this.#operators?.changes ?? []) this.#faults.count(`change ${kind}`, count);
    if (this.#plan.twins.length > 0) this.#faults.count('twins', this.#plan.twins.length);
    return {
      seed: this.#options.seed,
      violations: this.#checker.violations,
      traceHash: (this.#trace >>> 0).toString(16).padStart(8, '0'),
      virtualMs: Math.round(this.#loop.now),
      steps: this.#loop.steps,
      ...this.#totals,
      checkpoints: this.#checker.certificates,
      epochs: this.#checker.newest.number + 1,
      byzantineActs,
      transactions: this.#load.submitted.size,
      checks: this.#checker.checks,
      faults: this.#faults.counts,
      points: this.#faults.points,
      log: this.#log,
    };
  }

  /** GST, and the promise of liveness (I13, I14): within the bound everything accepted is executed, everywhere the same. */
  async #heal(stop: () => boolean): Promise<void> {
    this.#note('healed');
    this.#healed = true;
    this.#load.enter('healed');
    this.#faults.heal();
    this.#operators?.end();
    const { faulty, newest } = this.#checker;
    if (!this.#plan.relentless) {
      for (const node of this.#nodes) if (faulty.has(node.machine) && node.isUp()) node.crash(false);
    }
    // A random core of q must do: when nobody is Byzantine, some of the others stay away.
    const correct = this.#nodes.filter((node) => !faulty.has(node.machine) && isMember(node, newest));
    const spare = Math.min(newest.f - newest.faulty, correct.length - newest.q);
    // Whoever is still in an earlier epoch needs a quorum of that one first.
    const isSettled = correct.every(({ epoch }) => (epoch?.number ?? 0) === newest.number);
    const away =
      spare > 0 && isSettled && this.#random.chance(0.5) ? this.#random.shuffle(correct).slice(0, spare) : [];
    for (const node of away) node.crash(false);
    if (away.length > 0) this.#note(`away: ${away.map(({ name }) => name)}`);
    // What was approved before may still take effect.
    const core = (): readonly SimNode[] =>
      this.#nodes.filter(
        (node) => !faulty.has(node.machine) && isMember(node, this.#checker.newest) && !away.includes(node),
      );
    await this.#loop.run(this.#loop.now + WARM_MS, stop);
    // I23: while others are ordered all the time, what was accepted first is too.
    const owed = new Set(this.#load.owed);
    const bound = this.#loop.now + this.#boundMs(core(), this.#checker.newest.f);
    while (!stop() && this.#loop.now < bound && !this.#areDone(owed, core())) {
      await this.#loop.run(this.#loop.now + 100, stop);
    }
    if (stop()) return;
    if (!this.#areDone(owed, core())) this.#checker.fail('I13', `not executed in time: ${this.#describe(core())}`);
    this.#load.enter('quiet');
    while (!stop() && this.#loop.now < bound + WARM_MS && !this.#agreed(core())) {
      await this.#loop.run(this.#loop.now + 100, stop);
    }
    if (stop()) return;
    if (!this.#agreed(core())) this.#checker.fail('I13', `not agreed in time: ${this.#describe(core())}`);
    this.#checker.finalHeads(core());
    this.#checkPromises(core());
    for (const node of core()) this.#checker.chainOf(node, this.#load.submitted);
  }

  /** R11: what a node acknowledged that is still a member is executed, unless its time was over first. */
  #checkPromises(core: readonly SimNode[]): void {
    for (const [id, { by, validUntil }] of this.#load.promised) {
      if (!core.includes(by) || by.validator!.state.executed.timestamp > validUntil) continue;
      if (!hasExecuted(by, id)) this.#checker.fail('I7', `${by.name} acknowledged ${id}, and lost it`);
    }
  }

  /**
   * From configuration, not by hand: whoever waits in a view alone is met after ten timeouts (V1), then at most f+1
   * leaders fail, each for its timeout and the time to change the view.
   */
  #boundMs(core: readonly SimNode[], f: number): number {
    const timers = core.map((node) => node.validator?.state.timer.timeoutMs ?? 0);
    const { viewTimeoutMs, heartbeatMs, inclusionTimeoutMs } = this.#chain.parameters;
    const timeout = Math.max(8 * viewTimeoutMs, ...timers);
    return 12 * timeout + 2 * (f + 2) * timeout + 2 * heartbeatMs + 4 * inclusionTimeoutMs + 30_000;
  }

  #agreed(core: readonly SimNode[]): boolean {
    const states = core.map((node) => node.validator?.state);
    const heights = states.map((state) => state?.executed.height ?? -1);
    if (Math.max(...heights) - Math.min(...heights) > 0) return false;
    if (states.some((state) => state === undefined || state.mode !== 'active')) return false;
    if (states.some((state) => state!.low < state!.executed.height)) return false;
    // E5: an addition that nobody is heard for waits until it expires.
    const waits = (node: SimNode) =>
      [...node.validator!.pool.entries()].some(({ candidates }) => candidates.length === 0);
    if (core.some(waits)) return false;
    // Nobody waits in a view that the others don't come to.
    if (states.some((state) => state!.asked > state!.view)) return false;
    return this.#areDone(this.#load.owed, core);
  }

  #areDone(owed: ReadonlySet<string>, core: readonly SimNode[]): boolean {
    for (const id of owed) if (!core.every((node) => hasExecuted(node, id))) return false;
    return true;
  }

  #describe(core: readonly SimNode[]): string {
    return core
      .map((node) => {
        const state = node.validator?.state;
        if (state === undefined) return `${node.name} is down`;
        const { view, asked, low, executed, mode, timer } = state;
        const pool = node.validator!.pool.size;
        return `${node.name} ${mode} view ${view}/${asked} executed ${executed.height} low ${low} pool ${pool} timeout ${timer.timeoutMs} suspicion ${timer.suspicion}`;
      })
      .join('; ');
  }

  /** Each other node sees one copy of a twin, or both, and that changes. */
  #separateTwins(): void {
    if (this.#plan.twins.length === 0 || this.#healed) return;
    for (const machine of this.#plan.twins) {
      const copies = this.#nodes.filter((node) => node.machine === machine);
      for (const other of this.#nodes) {
        if (other.machine === machine) continue;
        const shown = this.#random.int(3);
        for (const [i, copy] of copies.entries()) {
          for (const [from, to] of [
            [copy, other],
            [other, copy],
          ] as const) {
            if (shown === 2 || shown === i) this.#network.unblock(from, to);
            else this.#network.block(from, to, false);
          }
        }
      }
    }
    this.#loop.after(this.#random.between(200, 2_500), () => this.#separateTwins());
  }

  #corrupt(from: SimNode, to: SimNode, frame: Uint8Array): readonly Uint8Array[] {
    for (const adversary of this.#adversaries.values()) adversary.saw(frame);
    const adversary = this.#adversaries.get(from.machine);
    const frames = adversary === undefined ? [frame] : adversary.corrupt(from, to, frame);
    const listener = this.#adversaries.get(to.machine);
    const heard = listener === undefined ? frames : frames.flatMap((one) => listener.hears(one));
    const passing = heard.filter((one) => this.#faults.passes(to, one));
    return this.#plan.twins.includes(to.machine) ? passing.filter((one) => !isOwnOf(to, one)) : passing;
  }

  #tap(): NodeTap {
    return {
      signed: (node, bytes) => {
        this.#fold(node.id, bytes);
        this.#checker.signed(node, bytes);
      },
      executed: (node, executed, ordered) => {
        this.#fold(node.id, executed.blockHash);
        this.#note(`${node.name} executed ${executed.height} ${toHex(executed.blockHash).slice(0, 10)}`);
        this.#checker.executed(node, executed, ordered);
        this.#tellEpoch(node);
      },
      installed: (node, head) => {
        this.#fold(node.id, head.blockHash);
        this.#note(`${node.name} installed ${head.height} ${toHex(head.blockHash).slice(0, 10)}`);
        this.#checker.installed(node, head);
        this.#tellEpoch(node);
      },
      certificate: (node, certificate) => this.#checker.certificate(node, certificate),
      final() {},
      touched: (node) => {
        this.#countOf(node);
        this.#checker.touched(node);
      },
      fatal: (node, error) => this.#fatal(node, error),
      point: (node, name) => {
        this.#faults.point(node, name);
        this.#options.onPoint?.(node, name);
      },
      started: (node, doubt) => {
        this.#note(
          `${node.name} started at ${node.validator?.state.executed.height}${doubt ? `, in doubt: ${doubt}` : ''}`,
        );
        this.#checker.started(node);
        this.#tellEpoch(node);
        if (doubt !== undefined && !this.#checker.faulty.has(node.machine))
          this.#checker.fail('R1', `${node.name} is in doubt without reason: ${doubt}`);
      },
      log: (node, fields, message) => this.#note(`${node.name} ${message} ${JSON.stringify(fields)}`),
    };
  }

  /** By the state on the disk, whatever the node makes of it. A faulty one may have any. */
  #tellEpoch(node: SimNode): void {
    if (this.#checker.faulty.has(node.machine)) return;
    const { firstHeight, ...next } = storedEpoch(node);
    this.#checker.epochEnded(node, firstHeight - 1, next);
  }

  /** A failed disk ends the process (D03), and so does damage; anything else is our bug (I20). */
  #fatal(node: SimNode, error: unknown): void {
    const text = error instanceof Error ? `${error.message}` : String(error);
    const expected = /EIO|ENOSPC/.test(text) || this.#checker.faulty.has(node.machine);
    this.#note(`${node.name} ends: ${text}`);
    if (!expected) this.#checker.fail('I20', `${node.name}: ${error instanceof Error ? error.stack : text}`);
    this.#loop.settle();
    this.#loop.after(0, () => {
      node.crash(false);
      if (!this.#healed || !this.#checker.faulty.has(node.machine)) this.#loop.after(200, () => node.start());
    });
  }

  #countOf(node: SimNode): void {
    const { validator } = node;
    if (validator !== undefined) this.#counted.add(validator);
  }

  #countTotals(): void {
    for (const { counters, catchUps } of this.#counted) {
      this.#totals.viewChanges += counters.viewChanges;
      this.#totals.stateTransfers += catchUps.catchUps;
      this.#totals.snapshots += catchUps.snapshots;
    }
  }

  #note(text: string): void {
    this.#foldText(text);
    if (this.#options.verbose) this.#log.push(`${this.#loop.now.toFixed(2).padStart(10)}  ${text}`);
  }

  #foldText(text: string): void {
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i));
  }

  #fold(id: number, bytes: Uint8Array): void {
    this.#mix(id);
    this.#mix(Math.round(this.#loop.now * 1_000) | 0);
    for (let i = Math.max(0, bytes.length - 40); i < bytes.length; i++) this.#mix(bytes[i]!);
  }

  #mix(value: number): void {
    this.#trace = Math.imul(this.#trace ^ value, 0x01000193);
  }
}

function isMember({ signers }: SimNode, epoch: Epoch): boolean {
  return signers.some(({ publicKey }) => epoch.has(toHex(publicKey)));
}

/** Tag of a request for own signatures (docs/formats.md, Request). */
const SHOWN_REQUEST = 4;

/** Whether a frame holds what this node's machine has signed, so that its other copy must have. */
function isOwnOf(node: SimNode, frame: Uint8Array): boolean {
  const state = node.validator?.state;
  if (state === undefined || frame[0] !== FRAME_MESSAGE) return false;
  const decoded = tryDecode(messageCodec, frame.subarray(1));
  return decoded.ok && ownIn(state, decoded.value) !== undefined;
}
