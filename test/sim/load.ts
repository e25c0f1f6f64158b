import type { SubmitOutcome } from '../../api/ports.ts';
import { toHex } from '../../ledger/bytes.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import { JournalError } from '../../node/journal/error.ts';
import type { SimChain } from './chain.ts';
import type { Checker } from './checker.ts';
import type { Loop } from './loop.ts';
import type { SimNode } from './node.ts';
import type { Random } from './random.ts';

export interface LoadWorld {
  readonly loop: Loop;
  readonly random: Random;
  readonly nodes: readonly SimNode[];
  readonly chain: SimChain;
  readonly checker: Checker;
  /** Start of the wall clocks in ms. */
  readonly startWall: number;
  /** At most this long between two submissions, instead of the usual; 0 for none. */
  readonly loadMs: number | undefined;
  count(fault: 'badClients'): void;
}

/** What all clients of a run submit. */
export class Load {
  readonly #world: LoadWorld;
  /** Ids of all that was submitted. */
  readonly submitted = new Set<string>();
  /** Accepted after the network healed: each must end up executed everywhere. */
  readonly owed = new Set<string>();
  /** Acknowledged before that: by whom, and until when it may be executed. A crash is no excuse (R11). */
  readonly promised = new Map<string, { readonly by: SimNode; readonly validUntil: number }>();
  #nonce = 0;
  #phase: 'storm' | 'healed' | 'quiet' | 'over' = 'storm';

  constructor(world: LoadWorld) {
    this.#world = world;
  }

  /** From now on what is accepted is owed, until nothing more is submitted, and until nobody even thinks of it. */
  enter(phase: 'healed' | 'quiet' | 'over'): void {
    this.#phase = phase;
  }

  /** Clients submit to whoever is up, sometimes to several, sometimes twice, sometimes to die early. */
  next(): void {
    const { loop, random, nodes } = this.#world;
    const validForMs = random.pick([600_000, 600_000, 3_000]);
    const { loadMs = this.#phase === 'storm' ? 120 : 400 } = this.#world;
    if (loadMs === 0) return;
    loop.after(random.between(10, loadMs), () => {
      if (this.#phase === 'over') return;
      const up = nodes.filter((node) => node.isUp() && node.pausedUntil <= loop.now);
      if (up.length > 0 && this.#phase !== 'quiet') {
        const transaction = this.transaction(validForMs);
        const id = toHex(transaction.id);
        this.submitted.add(id);
        // N13: nothing is remembered against an id for a bad signature that came before the good one.
        if (random.chance(0.2)) this.#abuse(random.pick(up), transaction.bytes);
        const times = random.pick([1, 1, 1, 2, 3]);
        for (let i = 0; i < times; i++) this.#submit(random.pick(up), transaction.bytes, id, validForMs);
      }
      this.next();
    });
  }

  /** Valid for this long from now, with the next nonce. */
  transaction(validForMs: number): Transaction {
    const { loop, chain, startWall } = this.#world;
    return chain.transaction(this.#nonce++, startWall + Math.floor(loop.now) + validForMs);
  }

  /** By a client of its own; how that ended, unless the node is down. */
  async submit(node: SimNode, transaction: Transaction): Promise<SubmitOutcome | undefined> {
    this.submitted.add(toHex(transaction.id));
    this.#world.loop.settle();
    const outcomes = await node.validator?.intake.fromClient([transaction.bytes]);
    return outcomes?.[0];
  }

  #submit(node: SimNode, bytes: Uint8Array, id: string, validForMs: number): void {
    const { validator } = node;
    if (validator === undefined) return;
    const { loop, checker } = this.#world;
    loop.settle();
    // Whoever has no vote only hands on what it gets.
    const isMember = validator.state.config.self !== undefined;
    const counts = isMember && !checker.faulty.has(node.machine) && validForMs > 60_000;
    const isStorm = this.#phase === 'storm';
    const validUntil = this.#world.startWall + Math.floor(loop.now) + validForMs;
    validator.intake.fromClient([bytes]).then(
      ([outcome]) => {
        if (!counts || outcome === undefined || outcome.kind === 'refused') return;
        if (isStorm) this.promised.set(id, { by: node, validUntil });
        else if (outcome.kind === 'accepted' && node.validator === validator) this.owed.add(id);
      },
      (error: unknown) => this.#rejected(node, error),
    );
  }

  /** A disk that fails acknowledges nothing; nothing else may go wrong with a submission. */
  #rejected(node: SimNode, error: unknown): void {
    if (error instanceof JournalError) return;
    this.#world.checker.fail('I20', `${node.name}: ${String(error)}`);
  }

  /** What a Byzantine client sends: it is refused, unless the node knows the true transaction with this id already. */
  #abuse(node: SimNode, bytes: Uint8Array): void {
    const { validator } = node;
    if (validator === undefined) return;
    const { loop, random, chain, checker } = this.#world;
    const forged = bytes.slice();
    forged[forged.length - 1 - random.int(64)]! ^= 1 << random.int(8);
    const bad = random.pick([
      forged,
      bytes.subarray(0, random.int(bytes.length)),
      random.bytes(random.int(300)),
      this.transaction(-1_000_000).bytes,
      this.transaction(10 * chain.parameters.maxLifetimeMs).bytes,
    ]);
    this.#world.count('badClients');
    loop.settle();
    validator.intake.fromClient([bad]).then(
      ([outcome]) => {
        if (outcome?.kind === 'accepted') checker.fail('I3', `${node.name} accepts ${toHex(bad)}`);
      },
      (error: unknown) => this.#rejected(node, error),
    );
  }
}
