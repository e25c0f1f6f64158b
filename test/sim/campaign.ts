import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { STRATEGIES } from './adversary.ts';
import { FAULT_KINDS, type Profile } from './profile.ts';
import type { RunResult } from './run.ts';

export interface CampaignOptions {
  readonly from: number;
  readonly seeds: number;
  readonly profile: Profile;
  readonly nodes: number | undefined;
  /** Stop at the first violation. */
  readonly stopEarly: boolean;
  /** A mistake to build in (mutants.ts). */
  readonly mutant?: string | undefined;
}

/** Sums over all seeds; the last line of `npm run sim`. */
export interface Summary {
  seeds: number;
  virtualSeconds: number;
  steps: number;
  viewChanges: number;
  checkpoints: number;
  /** Sets that were in force. */
  epochs: number;
  crashes: number;
  partitions: number;
  byzantineActs: number;
  stateTransfers: number;
  snapshots: number;
  transactions: number;
  checks: number;
  /** How often each kind of fault happened. */
  faults: Record<string, number>;
  /** Write points at which a process was, by name. */
  writePoints: Record<string, number>;
  violations: number;
  seconds: number;
}

/** What a campaign of all profiles must have seen at least once each. */
export const EXPECTED_FAULTS: readonly string[] = [
  ...FAULT_KINDS.filter((kind) => kind !== 'crashAtPoint'),
  ...STRATEGIES,
  'twins',
  'badClients',
  'crashes',
  'lostWrites',
  'tornWrites',
  'lost',
  'duplicated',
  'late',
  'blocked',
];

export type SeedResult = Omit<RunResult, 'faults' | 'points'> & {
  readonly faults: readonly (readonly [string, number])[];
  readonly points: readonly (readonly [string, number])[];
};

/** Runs seeds on all cores; `each` hears of every result. */
export async function campaign(options: CampaignOptions, each: (result: SeedResult) => void): Promise<Summary> {
  const start = performance.now();
  const summary = emptySummary();
  // One more than cores: a thread waits a part of its time.
  const threads = Math.max(1, Math.min(options.seeds, availableParallelism() + 1));
  let next = options.from;
  const end = options.from + options.seeds;
  let stopped = false;
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const { profile, nodes, mutant } = options;
      const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { profile, nodes, mutant } });
      const give = (): void => worker.postMessage(stopped || next >= end ? undefined : next++);
      worker.on('message', (result: SeedResult) => {
        add(summary, result);
        each(result);
        if (result.violations.length > 0 && options.stopEarly) stopped = true;
        give();
      });
      worker.on('error', reject);
      worker.on('exit', () => resolve());
      give();
    });
  await Promise.all(Array.from({ length: threads }, work));
  summary.seconds = Math.round((performance.now() - start) / 100) / 10;
  summary.virtualSeconds = Math.round(summary.virtualSeconds);
  return summary;
}

export function emptySummary(): Summary {
  return {
    seeds: 0,
    virtualSeconds: 0,
    steps: 0,
    viewChanges: 0,
    checkpoints: 0,
    epochs: 0,
    crashes: 0,
    partitions: 0,
    byzantineActs: 0,
    stateTransfers: 0,
    snapshots: 0,
    transactions: 0,
    checks: 0,
    faults: {},
    writePoints: {},
    violations: 0,
    seconds: 0,
  };
}

function add(summary: Summary, result: SeedResult): void {
  summary.seeds++;
  summary.virtualSeconds += result.virtualMs / 1_000;
  summary.steps += result.steps;
  summary.viewChanges += result.viewChanges;
  summary.checkpoints += result.checkpoints;
  summary.epochs += result.epochs;
  summary.byzantineActs += result.byzantineActs;
  summary.stateTransfers += result.stateTransfers;
  summary.snapshots += result.snapshots;
  summary.transactions += result.transactions;
  summary.checks += result.checks;
  summary.violations += result.violations.length;
  for (const [kind, count] of result.faults) summary.faults[kind] = (summary.faults[kind] ?? 0) + count;
  for (const [point, count] of result.points) summary.writePoints[point] = (summary.writePoints[point] ?? 0) + count;
  summary.crashes = summary.faults.crashes ?? 0;
  summary.partitions = ['partition', 'oneWay', 'flap'].reduce((sum, kind) => sum + (summary.faults[kind] ?? 0), 0);
}
