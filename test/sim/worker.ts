import { parentPort, workerData } from 'node:worker_threads';
import type { SeedResult } from './campaign.ts';
import { installMutant } from './mutants.ts';
import type { Profile } from './profile.ts';

const { profile, nodes, mutant } = workerData as { profile: Profile; nodes?: number; mutant?: string };
if (mutant !== undefined) installMutant(mutant);
// Only now: a mutant changes the product's source while it is loaded.
const { installFastHashing } = await import('../../node/hashing.ts');
const { runSeed } = await import('./run.ts');
installFastHashing();
parentPort!.on('message', async (seed: number | undefined) => {
  if (seed === undefined) return parentPort!.close();
  const { faults, points, ...result } = await runSeed({ seed, profile, nodes });
  parentPort!.postMessage({ ...result, faults: [...faults], points: [...points] } satisfies SeedResult);
});
