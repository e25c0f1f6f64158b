import { parentPort, workerData } from 'node:worker_threads';
import { installFastHashing } from '../../node/hashing.ts';
import type { SeedResult } from './campaign.ts';
import { installMutant } from './mutants.ts';
import type { Profile } from './profile.ts';
import { runSeed } from './run.ts';

const { profile, nodes, mutant } = workerData as { profile: Profile; nodes?: number; mutant?: string };
installFastHashing();
if (mutant !== undefined) installMutant(mutant);
parentPort!.on('message', async (seed: number | undefined) => {
  if (seed === undefined) return parentPort!.close();
  const { faults, points, ...result } = await runSeed({ seed, profile, nodes });
  parentPort!.postMessage({ ...result, faults: [...faults], points: [...points] } satisfies SeedResult);
});
