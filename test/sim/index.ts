import { parseArgs } from 'node:util';
import { installFastHashing } from '../../node/hashing.ts';
import { campaign, EXPECTED_FAULTS, type SeedResult } from './campaign.ts';
import { PROFILES, type Profile } from './profile.ts';
import { runSeed } from './run.ts';

const USAGE = `usage: npm run sim -- [--seeds 200] [--from 1] [--nodes n] [--profile ${PROFILES.join('|')}] [--json]
       npm run sim -- --seed N [--nodes n] [--profile P]      one seed, with its log`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    nodes: { type: 'string' },
    profile: { type: 'string', default: 'all' },
    json: { type: 'boolean', default: false },
  },
});
const profile = values.profile as Profile;
const nodes = values.nodes === undefined ? undefined : Number(values.nodes);
const [seeds, from] = [Number(values.seeds), Number(values.from)];
const numbers = [seeds, from, nodes ?? 1, Number(values.seed ?? 0)];
if (!PROFILES.includes(profile) || numbers.some((number) => !Number.isSafeInteger(number) || number < 0)) {
  console.error(USAGE);
  process.exit(2);
}
installFastHashing();
if (values.seed === undefined) await many();
else await one(Number(values.seed));

/** One seed, twice: the same trace, or the simulator itself is wrong (I19). */
async function one(seed: number): Promise<void> {
  const first = await runSeed({ seed, profile, nodes, verbose: true });
  const again = await runSeed({ seed, profile, nodes });
  for (const line of first.log) console.log(line);
  for (const { invariant, detail } of first.violations) console.log(`VIOLATION ${invariant}: ${detail}`);
  console.log(`trace ${first.traceHash}, again ${again.traceHash}`);
  if (first.traceHash !== again.traceHash) console.log('VIOLATION I19: the same seed gave another trace');
  process.exitCode = first.violations.length > 0 || first.traceHash !== again.traceHash ? 1 : 0;
}

async function many(): Promise<void> {
  const traces = new Map<number, string>();
  const summary = await campaign({ from, seeds, profile, nodes, stopEarly: false }, (result) => {
    traces.set(result.seed, result.traceHash);
    if (result.violations.length > 0) report(result);
    else if (!values.json && traces.size % 50 === 0) console.error(`${traces.size} of ${seeds} seeds`);
  });
  // I19: one seed in a hundred once more, in this process.
  for (const [seed, trace] of traces) {
    if (seed % 100 !== from % 100) continue;
    const again = await runSeed({ seed, profile, nodes });
    if (again.traceHash === trace) continue;
    summary.violations++;
    console.log(`seed ${seed}: I19: trace ${trace} in a worker, ${again.traceHash} here`);
  }
  const missing = profile === 'all' ? EXPECTED_FAULTS.filter((kind) => (summary.faults[kind] ?? 0) === 0) : [];
  console.log(JSON.stringify(summary));
  if (missing.length > 0) console.error(`these faults never happened: ${missing.join(', ')}`);
  process.exitCode = summary.violations > 0 ? 1 : missing.length > 0 ? 2 : 0;
}

function report({ seed, violations }: SeedResult): void {
  const only = nodes === undefined ? '' : ` --nodes ${nodes}`;
  for (const { invariant, detail } of violations) console.log(`seed ${seed}: ${invariant}: ${detail}`);
  console.log(`repeat it: npm run sim -- --seed ${seed} --profile ${profile}${only}`);
}
