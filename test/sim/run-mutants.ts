import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { campaign } from './campaign.ts';
import { MUTANTS } from './mutants.ts';

/** Seeds that a mutant may survive before it counts as not caught. */
const SEEDS_MAX = 1_000;

const { values } = parseArgs({ options: { only: { type: 'string' }, from: { type: 'string', default: '1' } } });
const chosen = MUTANTS.filter(({ name }) => values.only === undefined || name.includes(values.only));
const needed: number[] = [];
const survivors: string[] = [];
for (const { name, profile = 'all', test } of chosen) {
  if (test !== undefined) {
    if (!failsIn(test, name)) survivors.push(name);
    console.log(`${survivors.at(-1) === name ? 'SURVIVED ' : '          '}${name}  (${test})`);
    continue;
  }

  const from = Number(values.from);
  let caught: { seed: number; why: string } | undefined;
  try {
    await campaign({ from, seeds: SEEDS_MAX, profile, nodes: undefined, stopEarly: true, mutant: name }, (result) => {
      const [first] = result.violations;
      if (first !== undefined && (caught === undefined || result.seed < caught.seed))
        caught = { seed: result.seed, why: `${first.invariant}: ${first.detail}` };
    });
  } catch (error) {
    // An exception that nobody caught ends the thread: that is a way of being noticed too (I20).
    caught ??= { seed: from, why: `I20: ${error instanceof Error ? error.message : String(error)}` };
    if (/places that read/.test(caught.why)) throw error;
  }
  if (caught === undefined) {
    survivors.push(name);
    console.log(`SURVIVED ${SEEDS_MAX} seeds: ${name}`);
    if (name.startsWith('canary')) break;
    continue;
  }
  needed.push(caught.seed - from + 1);
  console.log(`${String(needed.at(-1)).padStart(4)} seeds  ${name}  (${caught.why.slice(0, 90)})`);
}
needed.sort((a, b) => a - b);
console.log(
  JSON.stringify({
    mutants: chosen.length,
    caught: chosen.length - survivors.length,
    survivors,
    medianSeeds: needed[Math.floor(needed.length / 2)],
    worstSeeds: needed.at(-1),
  }),
);
process.exitCode = survivors.length > 0 ? 1 : 0;

/** Whether a test file finds the mutant. */
function failsIn(test: string, mutant: string): boolean {
  const { status } = spawnSync(process.execPath, ['--import', './test/sim/install-mutant.ts', test], {
    cwd: new URL('../../', import.meta.url),
    env: { ...process.env, QUORATE_MUTANT: mutant },
    stdio: 'ignore',
  });
  return status !== 0;
}
