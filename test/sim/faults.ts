import { TAGS, tagOf } from './adversary.ts';
import type { SimDisk } from './disk.ts';
import type { Loop } from './loop.ts';
import { CALM, type SimNetwork } from './network.ts';
import type { SimNode } from './node.ts';
import type { FaultKind, Plan } from './profile.ts';
import type { Random } from './random.ts';

export interface FaultWorld {
  readonly loop: Loop;
  readonly network: SimNetwork;
  readonly random: Random;
  readonly nodes: readonly SimNode[];
  readonly plan: Plan;
  log(text: string): void;
}

/** Draws faults, one after the other, until the network heals. */
export class Faults {
  readonly #world: FaultWorld;
  readonly #backups = new Map<SimNode, SimDisk>();
  /** Frames with one of these tags do not reach these nodes. */
  #hidden: { readonly tags: readonly number[]; from(id: number): boolean } | undefined;
  #ended = false;
  /** Write points to pass until this node crashes there. */
  readonly #fuses = new Map<SimNode, number>();
  readonly points = new Map<string, number>();
  readonly counts = new Map<string, number>();

  constructor(world: FaultWorld) {
    this.#world = world;
    if (world.plan.kinds.length > 0) this.#next();
    if (world.plan.kinds.includes('rollback')) this.#backUp();
  }

  count(kind: string, by = 1): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + by);
  }

  /** Whether the adversary that holds the network lets this frame pass. */
  passes(to: SimNode, frame: Uint8Array): boolean {
    return this.#hidden === undefined || !this.#hidden.tags.includes(tagOf(frame)) || !this.#hidden.from(to.id);
  }

  /** Every write point of every node. */
  point(node: SimNode, name: string): void {
    this.points.set(name, (this.points.get(name) ?? 0) + 1);
    const left = this.#fuses.get(node);
    if (left === undefined) return;
    if (left > 0) {
      this.#fuses.set(node, left - 1);
      return;
    }
    this.#fuses.delete(node);
    this.count(`crashAtPoint ${name}`);
    this.#crash(node, this.#world.random.chance(0.5), `at ${name}`);
  }

  /** GST: the network is timely, clocks and disks are right, and everybody is started. */
  heal(): void {
    this.#ended = true;
    this.#hidden = undefined;
    this.#fuses.clear();
    const { network, nodes } = this.#world;
    network.weather = CALM;
    network.heal();
    for (const node of nodes) {
      node.setRate(1);
      node.clocks.wallOffsetMs = 0;
      node.pausedUntil = 0;
      node.diskMs = 0.5;
      node.failing = 0;
      // A candidate that nobody has needed so far stays away.
      if (!node.isUp() && node.starts > 0) node.start();
    }
  }

  #next(): void {
    const { loop, random, plan } = this.#world;
    loop.after(random.between(50, 700), () => {
      if (this.#ended) return;
      this.#inject(random.pick(plan.kinds));
      this.#next();
    });
  }

  #inject(kind: FaultKind): void {
    const { loop, random, nodes } = this.#world;
    const node = random.pick(nodes);
    const up = nodes.filter((one) => one.isUp());
    switch (kind) {
      case 'storm':
        return this.#storm();
      case 'partition': {
        const [side, noticed] = [new Set(nodes.filter(() => random.chance(0.5))), random.chance(0.5)];
        this.#cut(kind, (from, to) => side.has(from) !== side.has(to), noticed, random.between(100, 3_000));
        return;
      }
      case 'oneWay': {
        const other = random.pick(nodes);
        this.#cut(kind, (from, to) => from === node && (to === other || random.chance(0.2)), false, 2_000);
        return;
      }
      case 'flap': {
        const period = random.pick([0.5, 1, 2]) * (this.#world.plan.parameters.viewTimeoutMs ?? 500);
        for (let i = 0; i < 6; i += 2) {
          loop.after(i * period, () => {
            if (!this.#ended) this.#cut(kind, (from, to) => (from === node) !== (to === node), true, period);
          });
        }
        return;
      }
      case 'hideCommits':
      case 'hidePrepares': {
        this.count(kind);
        const victim = random.pick(nodes);
        this.#log(`${kind} from all but ${victim.name}`);
        const tag = kind === 'hideCommits' ? TAGS.commit : TAGS.prepare;
        this.#hidden = { tags: [tag], from: (id) => id !== victim.id };
        loop.after(random.between(100, 1_500), () => {
          this.#hidden = undefined;
          // C01: whoever knows more than the others is cut off, and they change the view.
          if (!this.#ended && random.chance(0.6))
            this.#cut('partition', (from, to) => (from === victim) !== (to === victim), random.chance(0.5), 2_500);
        });
        return;
      }
      case 'hideViews':
        // It stays in its view, and executes what the others commit in higher ones (N8, N11).
        this.count(kind);
        this.#log(`${kind} from ${node.name}`);
        this.#hidden = { tags: [TAGS.viewChange, TAGS.newView], from: (id) => id === node.id };
        loop.after(random.between(500, 3_000), () => {
          this.#hidden = undefined;
        });
        return;
      case 'crash':
      case 'powerCut':
        if (!node.isUp()) return;
        this.count(kind);
        return this.#crash(node, kind === 'powerCut', kind);
      case 'crashAtPoint':
        if (node.isUp()) this.#fuses.set(node, random.int(30));
        return;
      case 'crashAll':
        this.count(kind);
        for (const one of up) this.#crash(one, random.chance(0.7), kind);
        return;
      case 'ioError':
        if (!node.isUp()) return;
        this.count(kind);
        this.#log(`${kind} at ${node.name}`);
        node.failing = 1;
        return;
      case 'bitRot':
      case 'rollback':
        return this.#damage(kind);
      case 'wallJump': {
        this.count(kind);
        const jump = random.pick([-3_600_000, -5_000, 2_000, 60_000, 3_600_000, 315_360_000_000]);
        this.#log(`${kind} of ${jump} ms at ${node.name}`);
        node.clocks.wallOffsetMs += jump;
        loop.after(random.between(200, 3_000), () => {
          node.clocks.wallOffsetMs = 0;
        });
        return;
      }
      case 'drift':
        this.count(kind);
        node.setRate(random.pick([0.1, 0.5, 2, 10]));
        this.#log(`${kind} of ${node.clocks.rate} at ${node.name}`);
        loop.after(random.between(500, 4_000), () => node.setRate(1));
        return;
      case 'pause':
        this.count(kind);
        node.pausedUntil = loop.now + random.pick([100, 800, 3_000]);
        this.#log(`${kind} until ${Math.round(node.pausedUntil)} at ${node.name}`);
        return;
      case 'slowDisk':
        this.count(kind);
        node.diskMs = random.pick([20, 100, 800]);
        this.#log(`${kind} of ${node.diskMs} ms at ${node.name}`);
        loop.after(random.between(500, 3_000), () => {
          node.diskMs = 0.5;
        });
    }
  }

  #storm(): void {
    const { loop, network, random } = this.#world;
    this.count('storm');
    network.weather = {
      delayMs: [0.2, random.pick([3, 20, 100, 400])],
      loss: random.pick([0, 0.02, 0.1, 0.3]),
      duplicate: random.pick([0, 0.05, 0.5]),
      late: random.pick([0, 0.05, 0.2]),
      lateMs: random.pick([50, 500, 5_000]),
    };
    this.#log(`storm ${JSON.stringify(network.weather)}`);
    loop.after(random.between(300, 4_000), () => {
      network.weather = CALM;
    });
  }

  #cut(kind: string, cuts: (from: SimNode, to: SimNode) => boolean, noticed: boolean, lengthMs: number): void {
    const { loop, network, nodes } = this.#world;
    const links: [SimNode, SimNode][] = [];
    for (const from of nodes) {
      for (const to of nodes) if (from.machine !== to.machine && cuts(from, to)) links.push([from, to]);
    }
    if (links.length === 0) return;
    this.count(kind);
    this.#log(`${kind}: ${links.map(([from, to]) => `${from.name}>${to.name}`).join(' ')}`);
    for (const [from, to] of links) network.block(from, to, noticed);
    loop.after(lengthMs, () => {
      for (const [from, to] of links) network.unblock(from, to);
    });
  }

  #crash(node: SimNode, power: boolean, why: string): void {
    const { loop, random } = this.#world;
    if (!node.isUp()) return;
    const { lost, torn } = node.crash(power);
    this.count('crashes');
    if (lost) this.count('lostWrites');
    if (torn) this.count('tornWrites');
    this.#log(`crash of ${node.name} (${why})${lost ? ', unsynced writes lost' : ''}${torn ? ', torn' : ''}`);
    const downMs = random.pick([5, 100, 700, 3_000]);
    loop.after(downMs, () => node.start());
  }

  /** Only a machine that counts among the f faulty ones loses what it has promised. */
  #damage(kind: 'bitRot' | 'rollback'): void {
    const { random, nodes, plan } = this.#world;
    const fragile = nodes.filter(({ machine }) => plan.fragile.includes(machine));
    if (fragile.length === 0) return;
    const node = random.pick(fragile);
    const backup = this.#backups.get(node);
    if (kind === 'rollback' && backup === undefined) return;
    if (node.isUp()) this.#crash(node, true, kind);
    if (kind === 'rollback') node.disk = backup!.copy();
    else if (!(random.chance(0.7) ? node.disk.rotJournal(random) : node.disk.rotDatabase(random))) return;
    this.count(kind);
  }

  #backUp(): void {
    const { loop, random, nodes } = this.#world;
    loop.after(random.between(300, 3_000), () => {
      if (this.#ended) return;
      const node = random.pick(nodes);
      this.#backups.set(node, node.disk.copy());
      this.#backUp();
    });
  }

  #log(text: string): void {
    this.#world.log(text);
  }
}
