import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createNamespaces, type Namespaces, namespacesProblem } from '../support/namespaces.ts';
import { assertSameChain, temporaryFolder } from '../support/processes.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { lostWrites, staleReads } from './lies.ts';
import { type Part, Run } from './run.ts';

/*
 * What the API promises, and what is checked here, of every object (an asset, a record, a role of an account):
 *
 * - Writes are linearizable: they take effect one after the other, by height and index, each at a place between its call
 *   and its answer `committed`, `final` or `rejected`. What had returned before a write was invoked is in an earlier block.
 *   An outcome that is not known yet may be either; with a quorum up it becomes known.
 * - A read is of one height, which it says, and sees the whole state after that block and nothing else. Any node may lag:
 *   a plain read is not linearizable. But a client that takes only answers at or above the heights that it has seen
 *   never goes back, and reads its own writes. That is sequential consistency, with real time kept among writes, and from
 *   reads to later writes.
 * - A read is linearizable with all other operations if its client first writes anything (a fence) and takes an answer at
 *   or above the height of that: whatever had returned before is at or below it.
 *
 * Writes and reads behind fences are searched by their times alone, without heights (checker.ts). All operations are held
 * against their places, and against what the blocks have (places.ts).
 */

const PROBLEM = namespacesProblem();

describe('clients of real nodes', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let namespaces: Namespaces | undefined;
  let cluster: Cluster;

  before(async () => {
    folder = await temporaryFolder();
    namespaces = PROBLEM === undefined ? createNamespaces(4) : undefined;
    cluster = await startCluster(join(folder.path, 'network'), namespaces);
  });

  after(async () => {
    await cluster?.stop();
    namespaces?.remove();
    await folder?.remove();
  });

  it('I17, H11, H12, T03: what they see is linearizable while nodes are killed, paused and cut off', async (t) => {
    if (PROBLEM !== undefined) t.diagnostic(`nobody is cut off here: ${PROBLEM}`);
    const faults = { lastsMs: [700, 3_000], recoversMs: 4_000, pauseMs: [500, 1_500] } as const;
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const run = new Run(cluster, { seed, clients: 12, perSecond: 100, faults });
    const part = await run.part(22);
    assert.deepEqual([part.violations, part.undecided], [[], []]);
    const { operations, searched, writes } = part;
    const seen = JSON.stringify({ ...part, faults: Object.fromEntries(part.faults) });
    t.diagnostic(seen);
    assert(operations > 100 && searched > 50 && writes.done > 20 && writes.refused > 10, seen);
    assert(part.faults.size >= 3, seen);
    await assertSameChain(cluster.urls);
  });

  it('I17: the check finds a planted stale read', async () => {
    const run = new Run(cluster, { seed: 1, clients: 8, perSecond: 80, faults: undefined, fetch: staleReads(5) });
    const { violations } = await run.part(4);
    contradicts(violations, /^Not linearizable: .*\nNo order explains\n.*: all balances: /);
    contradicts(violations, /^Not what the object gives in the order of the chain.*\n(?:.*\n)?.*: all balances: .*$/);
  });

  it('I17: the check finds a planted lost write', async () => {
    const run = new Run(cluster, { seed: 2, clients: 8, perSecond: 80, faults: undefined, fetch: lostWrites(8) });
    const { violations } = await run.part(4);
    contradicts(violations, /^Not linearizable: /);
    contradicts(violations, /^A node said of 0x[0-9a-f]{64}: .*; the chain has \{"kind":"expired"\}$/);
  });

  it('I17: the check finds nothing in the same without a plant', async () => {
    const run = new Run(cluster, { seed: 3, clients: 8, perSecond: 80, faults: undefined });
    const { violations, undecided } = await run.part(4);
    assert.deepEqual([violations, undecided], [[], []]);
  });
});

function contradicts(violations: Part['violations'], expected: RegExp): void {
  assert(
    violations.some((violation) => expected.test(violation)),
    `none of ${violations.length} is like ${expected}: ${violations.slice(0, 5).join('\n')}`,
  );
}
