import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../sim/random.ts';
import type { Cluster } from './cluster.ts';

/** What happens to the machines. Those below `hide` need network namespaces. */
const KINDS = ['killLeader', 'killOther', 'killTwo', 'killAll', 'pauseLeader', 'pauseOther'] as const;
const NETWORK_KINDS = ['isolateLeader', 'isolateOther', 'splitInTwo', 'hide', 'isolateAndKill'] as const;
export type FaultKind = (typeof KINDS)[number] | (typeof NETWORK_KINDS)[number];

export interface FaultOptions {
  /** How long a fault lasts, in ms: from, below. */
  readonly lastsMs: readonly [number, number];
  /** How long at most until all are ready after it, in ms; whoever is not then meets the next fault. */
  readonly recoversMs: number;
  /** And how long until the next. */
  readonly pauseMs: readonly [number, number];
}

/** Makes faults, one after the other, every kind once before any again. */
export class Faults {
  readonly counts = new Map<FaultKind, number>();
  readonly #cluster: Cluster;
  readonly #random: Random;
  readonly #options: FaultOptions;
  #left: FaultKind[] = [];

  constructor(cluster: Cluster, random: Random, options: FaultOptions) {
    this.#cluster = cluster;
    this.#random = random;
    this.#options = options;
  }

  /** What this cluster can suffer. */
  get kinds(): readonly FaultKind[] {
    return this.#cluster.namespaces === undefined ? KINDS : [...KINDS, ...NETWORK_KINDS];
  }

  /** Until the signal; then everything is whole again, though not yet ready. */
  async run(stop: AbortSignal): Promise<void> {
    while (true) {
      await this.#wait(this.#options.pauseMs, stop);
      if (stop.aborted) return;
      if (this.#left.length === 0) this.#left = this.#random.shuffle(this.kinds);
      const kind = this.#left.pop()!;
      await this.#make(kind, stop);
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
      await this.#recover(stop);
    }
  }

  async #make(kind: FaultKind, stop: AbortSignal): Promise<void> {
    const leader = await this.#cluster.leader();
    const [other = 0, another = 0] = this.#random.shuffle(this.#members.filter((one) => one !== leader));
    switch (kind) {
      case 'killLeader':
        return this.#kill([leader], stop);
      case 'killOther':
        return this.#kill([other], stop);
      case 'killTwo':
        return this.#kill([leader, other], stop);
      case 'killAll':
        return this.#kill(this.#members, stop);
      case 'pauseLeader':
        return this.#pause(leader, stop);
      case 'pauseOther':
        return this.#pause(other, stop);
      case 'isolateLeader':
        return this.#cut(() => this.#cluster.namespaces!.isolate(leader), stop);
      case 'isolateOther':
        return this.#cut(() => this.#cluster.namespaces!.isolate(other), stop);
      case 'splitInTwo':
        return this.#cut(() => this.#cluster.namespaces!.split([leader, other]), stop);
      case 'hide':
        return this.#cut(() => this.#cluster.namespaces!.hide(leader), stop);
      case 'isolateAndKill': {
        this.#cluster.namespaces!.isolate(other);
        await this.#kill([another], stop);
        return this.#cluster.namespaces!.heal();
      }
    }
  }

  get #members(): readonly number[] {
    return [...this.#cluster.urls.keys()];
  }

  async #kill(members: readonly number[], stop: AbortSignal): Promise<void> {
    await Promise.all(members.map((member) => this.#cluster.kill(member)));
    await this.#wait(this.#options.lastsMs, stop);
    for (const member of members) this.#cluster.restart(member);
  }

  async #pause(member: number, stop: AbortSignal): Promise<void> {
    this.#cluster.pause(member);
    await this.#wait(this.#options.lastsMs, stop);
    this.#cluster.resume(member);
  }

  async #cut(cut: () => void, stop: AbortSignal): Promise<void> {
    cut();
    await this.#wait(this.#options.lastsMs, stop);
    this.#cluster.namespaces!.heal();
  }

  async #recover(stop: AbortSignal): Promise<void> {
    const end = performance.now() + this.#options.recoversMs;
    while (!stop.aborted && performance.now() < end && !(await this.#cluster.isReady()))
      await this.#wait([100, 200], stop);
  }

  async #wait([from, below]: readonly [number, number], stop: AbortSignal): Promise<void> {
    await delay(this.#random.between(from, below), undefined, { signal: stop }).catch(() => undefined);
  }
}
