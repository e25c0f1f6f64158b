import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createNamespaces, namespacesProblem } from '../support/namespaces.ts';
import { assertSameChain } from '../support/processes.ts';
import { startCluster } from './cluster.ts';
import { type Part, Run } from './run.ts';

/** `npm run linearizability -- --minutes 30`: parts of a minute each, until the time is over or one is not as promised. */

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    clients: { type: 'string', default: '12' },
    rate: { type: 'string', default: '100' },
    /** Seconds of one part. */
    part: { type: 'string', default: '60' },
  },
});

const problem = namespacesProblem();
if (problem !== undefined) console.log(`Without partitions: ${problem}`);
const namespaces = problem === undefined ? createNamespaces(4) : undefined;
const home = await mkdtemp(join(tmpdir(), 'quorate-linearizability-'));
const sums = {
  parts: 0,
  seconds: 0,
  operations: 0,
  searched: 0,
  done: 0,
  refused: 0,
  expired: 0,
  abandoned: 0,
  lagging: 0,
  heights: 0,
};
const faults: Record<string, number> = {};
let isRight = true;
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
try {
  const cluster = await startCluster(join(home, 'network'), namespaces);
  try {
    const run = new Run(cluster, {
      seed: Number(values.seed),
      clients: Number(values.clients),
      perSecond: Number(values.rate),
      faults: { lastsMs: [1_000, 6_000], recoversMs: 3_000, pauseMs: [1_500, 5_000] },
    });
    console.log(`seed ${values.seed}, nodes in ${home}`);
    const end = performance.now() + 60_000 * Number(values.minutes);
    while (isRight && performance.now() < end) {
      const part = await run.part(Number(values.part));
      add(part);
      isRight = part.violations.length === 0 && part.undecided.length === 0;
      await report(part);
    }
    await assertSameChain(cluster.urls);
  } finally {
    await cluster.stop();
  }
} finally {
  namespaces?.remove();
  if (isRight) await rm(home, { recursive: true, force: true, maxRetries: 5 });
}
console.log(JSON.stringify({ ...sums, faults, violations: !isRight }));
process.exitCode = isRight ? 0 : 1;

function add({ writes, faults: made, ...part }: Part): void {
  sums.parts++;
  for (const name of ['seconds', 'operations', 'searched', 'abandoned', 'lagging', 'heights'] as const)
    sums[name] += part[name];
  for (const name of ['done', 'refused', 'expired'] as const) sums[name] += writes[name];
  for (const [kind, count] of made) faults[kind] = (faults[kind] ?? 0) + count;
}

/** A line about a part that is right; of one that is not, what contradicts. */
async function report({ violations, undecided, faults: made, ...part }: Part): Promise<void> {
  console.log(JSON.stringify({ ...part, faults: Object.fromEntries(made) }));
  for (const violation of violations.slice(0, 5)) console.log(violation);
  for (const one of undecided) console.log(`undecided: ${one}`);
  if (violations.length > 0) await writeFile(join(home, 'violations.txt'), violations.join('\n\n'));
}
