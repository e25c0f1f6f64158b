import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startNetwork } from '../../bench/network.ts';
import { runEvents } from '../support/event-run.ts';

/** `npm run events -- --transactions 100000` is the long run. */
const TRANSACTIONS = 5_000;

describe('the event stream of real processes', { timeout: 180_000 }, () => {
  it('H15: a reader that goes to another node 20 times under load sees every transaction once, in order', async (t) => {
    const network = await startNetwork();
    try {
      const run = await runEvents(network, TRANSACTIONS);
      assert.equal(run.switches, 20);
      assert(run.blocks > 1, `${run.blocks} blocks`);
      t.diagnostic(JSON.stringify(run));
    } finally {
      await network.stop();
    }
  });
});
