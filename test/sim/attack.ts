import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { installFastHashing } from '../../node/hashing.ts';
import type { Strategy } from './adversary.ts';
import { tagOf } from './adversary.ts';
import { directed } from './directed.ts';
import type { SimNode } from './node.ts';
import type { Plan } from './profile.ts';
import type { RunResult, ScriptWorld } from './run.ts';

/**
 * Attacks and faults on whole clusters, directed instead of drawn. In each the promises hold: what the checker sees is no
 * violation, and after the network has healed the correct members agree on everything that was accepted.
 */

export { all, at, crash, QUIET, reunite } from './directed.ts';

installFastHashing();

export interface Attack {
  readonly title: string;
  readonly plan?: Partial<Plan>;
  readonly script?: (world: ScriptWorld) => void;
  /** What must have happened, or the test would show nothing. */
  readonly happened: (result: RunResult, nodes: readonly SimNode[]) => boolean;
  /** What must hold in every seed, beyond what the checker sees. */
  readonly holds?: (result: RunResult, nodes: readonly SimNode[]) => void;
  readonly seeds?: readonly number[];
}

export function byzantine(strategies: readonly Strategy[], machines: readonly number[] = [0]): Partial<Plan> {
  return { scripted: new Map(machines.map((machine) => [machine, strategies] as const)) };
}

export const did = (kind: string) => (result: RunResult) => (result.faults.get(kind) ?? 0) > 0;
export const left = (result: RunResult): boolean => result.viewChanges > 0;
export const both =
  (...checks: ((result: RunResult, nodes: readonly SimNode[]) => boolean)[]) =>
  (result: RunResult, nodes: readonly SimNode[]) =>
    checks.every((check) => check(result, nodes));
export const evidenceAgainst = (machine: number) => (_: RunResult, nodes: readonly SimNode[]) =>
  nodes.every((node) => node.machine === machine || node.evidenceAgainst(machine).length > 0);
export const views = (least: number) => (_: RunResult, nodes: readonly SimNode[]) =>
  nodes.some((node) => (node.validator?.state.view ?? 0) >= least);

export function cut(world: ScriptWorld, cuts: (from: SimNode, to: SimNode) => boolean, noticed: boolean): void {
  for (const from of world.nodes) {
    for (const to of world.nodes)
      if (from.machine !== to.machine && cuts(from, to)) world.network.block(from, to, noticed);
  }
  world.faults.count('cut');
}

export const isolate =
  (index: number, noticed = false) =>
  (world: ScriptWorld) =>
    cut(world, (from, to) => from === world.nodes[index] || to === world.nodes[index], noticed);

/** Messages with this tag reach nobody but these machines, for a while. */
export const hide = (tag: number, only: readonly number[], from: number, to: number) => (world: ScriptWorld) => {
  const { corrupt } = world.network;
  world.network.corrupt = (sender, receiver, frame) => {
    const now = world.loop.now;
    const hidden = now >= from && now < to && tagOf(frame) === tag && !only.includes(receiver.machine);
    if (hidden) world.faults.count('hidden');
    return hidden ? [] : corrupt(sender, receiver, frame);
  };
};

/** One test for each attack: no violation in any seed, and what it is about happened in one at least. */
export function testAttacks(part: string, attacks: readonly Attack[]): void {
  describe(`attacks on clusters: ${part}`, { concurrency: 1 }, () => {
    for (const { title, plan, script, happened, holds, seeds = [1, 2] } of attacks) {
      it(title, async () => {
        let seen = false;
        for (const seed of seeds) {
          const { result, nodes } = await directed(seed, plan ?? {}, script ?? (() => {}));
          holds?.(result, nodes);
          seen ||= happened(result, nodes);
        }
        assert(seen, 'the attack did not take place in any seed');
      });
    }
  });
}
