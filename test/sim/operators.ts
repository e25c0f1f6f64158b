import { toHex } from '../../ledger/bytes.ts';
import type { GovernanceChange, GovernanceProposal } from '../../ledger/modules/governance-change.ts';
import type { Transaction } from '../../ledger/transaction.ts';
import { faultsTolerated } from '../../ledger/validators.ts';
import type { SimChain } from './chain.ts';
import { Administrators, readyOf } from './governance.ts';
import type { Loop } from './loop.ts';
import type { EpochSeen, SimNode } from './node.ts';
import type { Random } from './random.ts';
import { hasExecuted } from './stored.ts';

export interface OperatorsWorld {
  readonly loop: Loop;
  readonly random: Random;
  readonly chain: SimChain;
  readonly nodes: readonly SimNode[];
  /** Machines that are Byzantine, or whose disk may lose what it promised. */
  readonly faulty: ReadonlySet<number>;
  /** Most members that the set may have. */
  readonly most: number;
  submit(node: SimNode, transaction: Transaction): void;
  note(text: string): void;
}

const VALID_FOR_MS = 600_000;
/** How often people look whether what they sent has come to something. */
const LOOK_MS = 150;
/** How long they try before they do something else. */
const PATIENCE_MS = 6_000;

/**
 * The organisations' administrators and the operators of machines: while the run goes on they change the validator set and
 * the parameters, one change after the other, and do not know which of what they sent was lost.
 */
export class Operators {
  readonly #world: OperatorsWorld;
  readonly #administrators: Administrators;
  #ended = false;
  /** Changes that took effect, by kind. */
  readonly changes = new Map<string, number>();

  constructor(world: OperatorsWorld) {
    this.#world = world;
    this.#administrators = new Administrators(world.chain);
  }

  start(): void {
    const { loop, random } = this.#world;
    loop.after(random.between(50, 600), () => {
      if (this.#ended) return;
      this.#change();
    });
  }

  /** Nothing new is begun. */
  end(): void {
    this.#ended = true;
  }

  /** The newest epoch that a machine without faults is in. */
  epoch(): EpochSeen {
    const { nodes, chain, faulty } = this.#world;
    let newest: EpochSeen = { number: 0, ...chain.genesis };
    for (const { machine, epoch } of nodes)
      if (!faulty.has(machine) && epoch !== undefined && epoch.number > newest.number) newest = epoch;
    return newest;
  }

  #change(): void {
    const { random } = this.#world;
    const kind = random.pick(['add', 'add', 'remove', 'rotate', 'rotate', 'parameters', 'swap'] as const);
    const epoch = this.epoch();
    const change = this.#draw(kind, epoch);
    if (change === undefined) return this.start();
    this.#world.note(`operators: ${kind} in epoch ${epoch.number} of ${epoch.validators.length}`);
    this.#propose(kind, epoch, change.value, change.candidates);
  }

  #draw(
    kind: 'add' | 'remove' | 'rotate' | 'parameters' | 'swap',
    epoch: EpochSeen,
  ): { readonly value: GovernanceChange; readonly candidates: readonly SimNode[] } | undefined {
    const { random, nodes, most, faulty, chain } = this.#world;
    const { validators, parameters } = epoch;
    const n = validators.length;
    const inSet = (machine: number): boolean =>
      validators.some(({ peerKey }) => toHex(peerKey) === toHex(chain.peerKeyOf(machine)));
    switch (kind) {
      case 'parameters': {
        const maxLifetimeMs = random.pick([600_000, 1_200_000, 3_600_000]);
        const value = {
          ...parameters,
          maxLifetimeMs,
          window: random.pick([1, 2, 4, 8]),
          batchDelayMs: random.pick([5, 10, 20]),
        };
        return { value: { kind, value }, candidates: [] };
      }
      case 'rotate': {
        const node = random.pick(nodes.filter(({ machine }) => inSet(machine) && !faulty.has(machine)));
        if (node === undefined) return undefined;
        const own = validators.find(({ peerKey }) => toHex(peerKey) === toHex(node.peerKey))!;
        return { value: this.#administrators.rotation(node, own), candidates: [] };
      }
      default: {
        const most1 = Math.max(1, faultsTolerated(n));
        if (kind === 'swap' && most1 < 2) return undefined;
        const outside = nodes.filter(({ machine }) => !inSet(machine) && !faulty.has(machine));
        const adds =
          kind === 'add' || kind === 'swap' ? random.shuffle(outside).slice(0, kind === 'swap' ? 1 : most1) : [];
        const added = adds.slice(0, most - n + (kind === 'swap' ? 1 : 0));
        const removes = kind === 'remove' || kind === 'swap' ? [random.pick(validators)] : [];
        const next = n + added.length - removes.length;
        const byzantine = nodes.filter(({ machine }) => faulty.has(machine)).length;
        if (added.length + removes.length === 0 || next < 4 || faultsTolerated(next) < byzantine) return undefined;
        const value = {
          add: added.map((node) => this.#administrators.newValidator(node)),
          remove: removes.map(({ key }) => key),
          shrinksTo: faultsTolerated(next) < faultsTolerated(n) ? next : 0,
        };
        return { value: { kind: 'validators', value }, candidates: added };
      }
    }
  }

  #propose(kind: string, epoch: EpochSeen, change: GovernanceChange, candidates: readonly SimNode[]): void {
    const { random, chain, loop } = this.#world;
    const proposal = { nonce: random.bytes(8), expires: this.#validUntil(), change };
    const organisations = chain.genesis.organisations.map(({ name }) => name);
    const own =
      change.kind === 'rotate' ? epoch.validators.find(({ key }) => toHex(key) === toHex(change.value.key)) : undefined;
    const needed = own === undefined ? Math.floor((2 * organisations.length) / 3) + 1 : 1;
    const voters = own === undefined ? random.shuffle(organisations).slice(0, needed) : [own.organisation];
    const approvals = this.#administrators.approvals(proposal, voters, this.#validUntil());
    const since = loop.now;
    const look = (): void => {
      if (this.#ended) return;
      if (this.epoch().number > epoch.number) return this.#done(kind);
      const open = approvals.filter((one) => !this.#isExecuted(one));
      if (open.length > 0 && loop.now - since < PATIENCE_MS) {
        for (const one of open) this.#submit(one);
        loop.after(LOOK_MS * (1 + random.int(4)), look);
        return;
      }
      if (open.length === 0 && candidates.length > 0) {
        return this.#activate(kind, epoch, proposal, voters[0]!, candidates);
      }
      if (loop.now - since < PATIENCE_MS) loop.after(LOOK_MS, look);
      else this.start();
    };
    look();
  }

  /** E5: the candidates run, follow, and say so; then somebody sends it. */
  #activate(
    kind: string,
    epoch: EpochSeen,
    proposal: GovernanceProposal,
    organisation: string,
    candidates: readonly SimNode[],
  ): void {
    const { loop, random, note, chain } = this.#world;
    for (const node of candidates) node.start();
    const since = loop.now;
    let sent: Transaction | undefined;
    let sentAt = 0;
    const look = (): void => {
      if (this.#ended) return;
      if (this.epoch().number > epoch.number) return this.#done(kind);
      if (loop.now - since > PATIENCE_MS) return this.start();
      const ready = candidates.map((node) => readyOf(chain, node));
      const stale = sent === undefined || loop.now - sentAt > 1_500;
      if (stale && ready.every((one) => one !== undefined)) {
        const signed = ready.map((one) => one!);
        sent = this.#administrators.activation(proposal, organisation, signed, this.#validUntil());
        sentAt = loop.now;
        // Whoever was ready may be gone when it is one of them.
        if (random.chance(0.15)) {
          const node = random.pick(candidates);
          note(`${node.name} vanishes`);
          node.crash(random.chance(0.5));
          loop.after(random.between(200, 3_000), () => node.start());
        }
      }
      if (sent !== undefined) this.#submit(sent);
      loop.after(LOOK_MS, look);
    };
    look();
  }

  #done(kind: string): void {
    this.changes.set(kind, (this.changes.get(kind) ?? 0) + 1);
    const { number, validators } = this.epoch();
    this.#world.note(`operators: epoch ${number} has ${validators.length} members`);
    this.start();
  }

  #validUntil(): number {
    const { loop, chain } = this.#world;
    return chain.genesis.time + Math.floor(loop.now) + VALID_FOR_MS / 2;
  }

  #submit(transaction: Transaction): void {
    const { nodes, random, submit } = this.#world;
    const up = nodes.filter((node) => node.isUp());
    if (up.length > 0) submit(random.pick(up), transaction);
  }

  #isExecuted({ id }: Transaction): boolean {
    const { nodes, faulty } = this.#world;
    return nodes.some((node) => !faulty.has(node.machine) && hasExecuted(node, toHex(id)));
  }
}
