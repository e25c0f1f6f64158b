import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { chain, fund, submitAndWait } from '../../bench/load.ts';
import { type BenchNetwork, startNetwork } from '../../bench/network.ts';
import { signTransfers } from '../../bench/transfers.ts';
import { toHex } from '../../ledger/bytes.ts';
import { endProcess } from '../support/dev-nodes.ts';
import { runEvents } from '../support/event-run.ts';
import { openEvents } from '../support/events.ts';
import { getJson } from '../support/processes.ts';

/** `npm run events -- --transactions 100000` is the long run. */
const TRANSACTIONS = 5_000;

describe('the event stream of real processes', { timeout: 180_000 }, () => {
  let network: BenchNetwork;
  before(async () => {
    network = await startNetwork();
  });
  after(() => network?.stop());

  it('H15: a reader that goes to another node 20 times under load sees every transaction once, in order', async (t) => {
    const run = await runEvents(network, TRANSACTIONS);
    assert.equal(run.switches, 20);
    assert(run.blocks > 1, `${run.blocks} blocks`);
    t.diagnostic(JSON.stringify(run));
  });

  // Last: one validator is gone from here on.
  it('tells that the node has entered a view when the leader is gone', async () => {
    const { leader } = await getJson<{ leader: number }>(`${network.validators[0]!.url}/v1/consensus`);
    const other = (leader + 2) % network.validators.length;
    const validUntil = (await chain(network, other)).time + 600_000;
    await fund(network, validUntil);
    await using reader = await openEvents(network.validators[other]!.url, '?topics=view-change,transaction');
    await endProcess(network.validators[leader]!.pid, 'SIGKILL');
    const load = signTransfers(network, 1, 9_000_000, validUntil);
    await submitAndWait(network, other, load);
    const events: string[] = [];
    // One before it may have become final at this node after the reader came.
    for (let id: unknown; id !== toHex(load[0]!.id); ) {
      const event = await reader.next();
      assert(event !== undefined);
      events.push(event.event);
      if (event.event === 'transaction') ({ id } = event.data as { id: string });
      if (event.event !== 'view-change') continue;
      const { epoch, view, leader: next } = event.data as Record<string, number>;
      assert.deepEqual([event.id, epoch, next], [undefined, 0, view! % network.validators.length]);
      assert(view! > 0);
    }
    assert(events.includes('view-change'), `${events}`);
  });
});
