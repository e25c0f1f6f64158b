import type { SimNode } from './node.ts';
import type { Plan } from './profile.ts';
import { type RunResult, runSeed, type ScriptWorld } from './run.ts';

/** What directed runs are made of: a calm cluster, and things that happen to it at chosen moments of virtual time. */

export const QUIET: Plan = {
  n: 4,
  parameters: { window: 8, viewTimeoutMs: 500, heartbeatMs: 1_500, leaderTerm: 10_000, inclusionTimeoutMs: 1_000 },
  realSignatures: false,
  twins: [],
  scripted: new Map(),
  fragile: [],
  kinds: [],
  stormMs: 4_000,
  relentless: true,
};

export type Script = (world: ScriptWorld) => void;

export const at =
  (ms: number, run: Script): Script =>
  (world) => {
    world.loop.after(ms, () => run(world));
  };

export const all =
  (...scripts: readonly Script[]): Script =>
  (world) => {
    for (const script of scripts) script(world);
  };

export const reunite: Script = (world) => world.network.heal();

/** Cuts links in silence: nobody is told, as when packets are dropped. */
export function cut(world: ScriptWorld, cuts: (from: number, to: number) => boolean): void {
  for (const from of world.nodes) {
    for (const to of world.nodes) {
      if (from !== to && cuts(from.id, to.id)) world.network.block(from, to, false);
    }
  }
  world.faults.count('cut');
}

export const split =
  (side: readonly number[]): Script =>
  (world) =>
    cut(world, (from, to) => side.includes(from) !== side.includes(to));

export const crash =
  (index: number, power: boolean, downMs: number): Script =>
  (world) => {
    const node = world.nodes[index]!;
    node.crash(power);
    world.faults.count('crashes');
    world.loop.after(downMs, () => node.start());
  };

export const heightOf = (node: SimNode): number => node.validator?.state.executed.height ?? -1;
export const viewOf = (node: SimNode): number => node.validator?.state.view ?? -1;

export interface Directed {
  readonly result: RunResult;
  readonly nodes: readonly SimNode[];
}

/** One run that breaks no promise, or the end of its log is printed. */
export async function directed(
  seed: number,
  plan: Partial<Plan>,
  script: Script,
  onPoint?: (node: SimNode, name: string) => void,
): Promise<Directed> {
  let nodes: readonly SimNode[] = [];
  const result = await runSeed({
    seed,
    profile: 'calm',
    plan: { ...QUIET, ...plan },
    script(world) {
      nodes = world.nodes;
      script(world);
    },
    ...(onPoint === undefined ? {} : { onPoint }),
    verbose: true,
  });
  if (result.violations.length > 0) {
    console.log(result.log.slice(-80).join('\n'));
    const what = result.violations.map(({ invariant, detail }) => `${invariant}: ${detail}`).join('; ');
    throw new Error(`seed ${seed}: ${what}`);
  }
  return { result, nodes };
}
